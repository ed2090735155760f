//! `dmslake init --lock` and `dmslake discover`: patterns in the configuration, their tables in a
//! lock file beside it.

use std::path::Path;

use dmslake::config::Lock;
use serde_json::{Value, json};

use super::init::{INIT, parquet};
use super::{read, run, write};

const KEYED: &str = "message dms { OPTIONAL INT64 id (UINT_64); OPTIONAL BYTE_ARRAY v (UTF8);
    OPTIONAL INT64 BI_id (UINT_64); }";
const RULES: &str = r#"{"rules": [
  {"rule-type": "selection", "rule-id": "1", "rule-action": "include",
   "object-locator": {"schema-name": "shop", "table-name": "%"}},
  {"rule-type": "transformation", "rule-id": "2", "rule-target": "column",
   "rule-action": "add-before-image-columns",
   "before-image-def": {"column-prefix": "BI_", "column-filter": "pk-only"},
   "object-locator": {"schema-name": "%", "table-name": "%"}}
]}"#;
const CONFIGURATION: &str = "staging = \"staging\"\nlake = \"lake\"\n[dms]\n\
    add_column_name = true\n[[table]]\nsource = \"shop.*\"\nexcept = [\"shop.audit_*\"]\n\
    keys = [\"id\"]\ncolumns = [{ name = \"id\", type = \"int\" }]\n";

fn stage(home: &Path, table: &str) {
    write(&home.join(format!("staging/shop/{table}/LOAD00000001.csv")), "id\n1\n2\n");
}

fn lock_of(home: &Path) -> Lock {
    Lock::parse(&read(&home.join("dmslake.lock"))).expect("a lock file")
}

/// Three hundred tables of which all is known are a few lines; the lock file names them.
#[test]
fn init_writes_a_pattern_and_a_lock_file() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let object = parquet(KEYED);
    for number in 0..300 {
        let folder = home.path().join(format!("staging/shop/t{number:03}"));
        write(&folder.join("LOAD00000001.parquet"), &object);
    }
    write(&home.path().join("rules.json"), RULES);
    let locked = [&INIT[..4], &["lake", "--table-mappings", "rules.json", "--lock"]].concat();
    let done = run(home.path(), &locked);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("wrote dmslake.lock: 300 tables"), "{done:?}");
    let text = read(&home.path().join("dmslake.toml"));
    assert!(text.contains("source = \"shop.*\"") && !text.contains("t007"), "{text}");
    let settings = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert!(settings.count() <= 15, "{text}");
    let lock = lock_of(home.path());
    assert_eq!(lock.tables.len(), 300);
    assert!(lock.tables.values().all(|table| table.keys == Some(vec!["id".to_owned()])));
    let first = lock.tables.values().next().expect("a table");
    assert!(first.columns.is_empty() && first.shown.len() == 2, "the objects tell: {first:?}");

    let refused = run(home.path(), &locked);
    assert_eq!(refused.code, Some(2), "both files are there: {refused:?}");
    let printed = run(home.path(), &[&locked[..], &["--output", "-"]].concat());
    assert!(printed.err.contains("--lock writes a file beside"), "{printed:?}");
    let again = run(home.path(), &["discover"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.err.contains("is as it should be: 300 tables"), "{again:?}");
    assert_eq!(again.out, "");
    let many = run(home.path(), &[&INIT[..], &["--output", "-"]].concat());
    assert!(many.err.contains("300 tables: --lock writes patterns"), "{many:?}");
}

#[test]
fn init_writes_what_is_to_be_filled_in_beside_the_pattern() {
    let home = tempfile::tempdir().expect("a temporary folder");
    write(&home.path().join("staging/shop/orders/LOAD00000001.parquet"), parquet(KEYED));
    let done = run(home.path(), &[&INIT[..], &["--lock"]].concat());
    assert!(done.err.contains("to fill in: shop.orders: keys"), "{done:?}");
    let file = home.path().join("dmslake.toml");
    let text = read(&file);
    assert!(text.contains("source = \"shop.*\"") && text.contains("source = \"shop.orders\""));
    assert_eq!(run(home.path(), &["apply"]).code, Some(2), "it is not complete");
    let text = text.replace("# keys = [\"id\"]", "keys = [\"id\"]");
    write(&file, text.replace("s3://shop-lake/tables", "lake"));
    let applied = run(home.path(), &["apply"]);
    assert!(applied.out.contains("shop.orders"), "{applied:?}");
}

/// The remedy of the report, and that nothing is ok before it.
#[test]
fn a_staged_table_that_the_lock_file_does_not_know_is_held_until_it_is_discovered() {
    let home = tempfile::tempdir().expect("a temporary folder");
    write(&home.path().join("dmslake.toml"), CONFIGURATION);
    stage(home.path(), "orders");
    let refused = run(home.path(), &["apply"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("write it with `dmslake discover`"), "{refused:?}");
    let found = run(home.path(), &["discover"]);
    assert_eq!((found.code, &*found.out), (Some(0), "added: shop.orders, keys: as configured\n"));
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));

    stage(home.path(), "customers");
    stage(home.path(), "audit_log");
    let held = run(home.path(), &["apply", "--json"]);
    assert_eq!(held.code, Some(1), "{held:?}");
    let lines: Vec<Value> =
        held.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&lines[0]["table"], &lines[0]["status"]), (&json!("shop.orders"), &json!("ok")));
    let new = &lines[1];
    assert_eq!((&new["table"], &new["status"]), (&json!("shop.customers"), &json!("held")));
    assert_eq!(new["kind"], "Config");
    assert!(new["error"].as_str().expect("why").contains("dmslake discover"), "{new}");
    let rest = json!({ "absent": [], "unconfigured": [] });
    assert_eq!(lines[2], rest, "what is left out on purpose is not reported");
    let people = run(home.path(), &["apply"]);
    assert!(people.out.contains("shop.customers  held"), "{people:?}");
    let one = run(home.path(), &["apply", "--table", "shop.orders"]);
    assert_eq!(one.code, Some(0), "a run of some tables says nothing of others: {one:?}");

    let shown = run(home.path(), &["discover", "--dry-run"]);
    assert_eq!(
        (shown.code, &*shown.out),
        (Some(1), "added: shop.customers, keys: as configured\n")
    );
    assert_eq!(lock_of(home.path()).tables.len(), 1, "nothing is written");
    assert_eq!(run(home.path(), &["discover"]).code, Some(0));
    let before = read(&home.path().join("dmslake.lock"));
    assert_eq!(run(home.path(), &["discover"]).code, Some(0));
    assert_eq!(read(&home.path().join("dmslake.lock")), before, "the same for the same tables");
    let applied = run(home.path(), &["apply"]);
    assert_eq!(applied.code, Some(0), "{applied:?}");
    assert!(home.path().join("lake/shop/customers/_delta_log").is_dir());
    assert!(!home.path().join("lake/shop/audit_log").exists());
}

/// A new table of which too little is known must not stop all others.
#[test]
fn a_table_without_a_known_key_is_not_added_and_the_others_go_on() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let file = home.path().join("dmslake.toml");
    let own = "[[table]]\nsource = \"shop.orders\"\nkeys = [\"id\"]\n";
    write(&file, format!("{}{own}", CONFIGURATION.replace("keys = [\"id\"]\n", "")));
    stage(home.path(), "orders");
    assert_eq!(run(home.path(), &["discover"]).code, Some(0));
    stage(home.path(), "visits");
    let found = run(home.path(), &["discover"]);
    assert_eq!((found.code, &*found.out), (Some(1), ""), "{found:?}");
    assert!(found.err.contains("shop.visits is not added"), "{found:?}");
    assert!(found.err.contains("does not know the primary key"), "{found:?}");
    let applied = run(home.path(), &["apply", "--json"]);
    assert_eq!(applied.code, Some(1), "{applied:?}");
    assert!(applied.out.contains("\"table\":\"shop.orders\",\"status\":\"ok\""), "{applied:?}");
    assert!(applied.out.contains("\"table\":\"shop.visits\",\"status\":\"held\""), "{applied:?}");

    let text = read(&file);
    write(&file, format!("{text}[[table]]\nsource = \"shop.visits\"\nappend_only = true\n"));
    let found = run(home.path(), &["discover"]);
    assert_eq!((found.code, &*found.out), (Some(0), "added: shop.visits, keys: as configured\n"));
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));
}

#[test]
fn there_is_nothing_to_discover_without_a_pattern() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let text = "staging = \"staging\"\nlake = \"lake\"\n[[table]]\nsource = \"shop.orders\"\n\
                keys = [\"id\"]\n";
    write(&home.path().join("dmslake.toml"), text);
    let refused = run(home.path(), &["discover"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("set source = \"schema.*\""), "{refused:?}");
    write(&home.path().join("dmslake.toml"), CONFIGURATION);
    stage(home.path(), "orders");
    write(&home.path().join("dmslake.lock"), "{");
    for command in ["apply", "discover"] {
        let refused = run(home.path(), &[command]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.err.contains("once it is removed"), "{refused:?}");
    }
    std::fs::remove_file(home.path().join("dmslake.lock")).expect("it is there");
    assert_eq!(run(home.path(), &["discover"]).code, Some(0));
}
