//! `dmslake init --mysql` against a real server.

use std::path::Path;

use dmslake::config::{Expansion, Lock, load};
use dmslake::storage::Location;
use serde_json::json;

use super::{Said, dmslake, read, run, said, write};
use crate::support::mariadb::MariaDb;
use crate::support::model::Value;
use crate::support::table::{LakeTable, value};

/// Types whose spelling differs, keys in another order than columns, names that the lake refuses.
const STATEMENTS: &str = "\
CREATE DATABASE shop;
CREATE TABLE shop.customers (id BIGINT UNSIGNED PRIMARY KEY, name VARCHAR(80) NOT NULL, kind ENUM('a','b''c') DEFAULT 'a', `unit price` DECIMAL(12,2), at DATETIME(6), flags BIT(1), doubled DECIMAL(13,2) AS (`unit price` * 2), note TEXT);
CREATE TABLE shop.order_items (line SMALLINT, order_id BIGINT, place POINT, other UUID, PRIMARY KEY (order_id, line));
CREATE TABLE shop.log (line TEXT);
CREATE VIEW shop.names AS SELECT name FROM shop.customers;
CREATE DATABASE archive;
CREATE TABLE archive.orders (id INT(11) ZEROFILL PRIMARY KEY);
CREATE USER 'dms'@'%' IDENTIFIED BY 'se:cr/et';
GRANT SELECT ON *.* TO 'dms'@'%';
CREATE USER 'strict'@'%' IDENTIFIED BY 'x' REQUIRE SSL;
GRANT SELECT ON *.* TO 'strict'@'%';
";
const INIT: [&str; 6] = ["init", "--staging", "staging", "--lake", "lake", "--output=-"];

#[test]
fn keys_and_types_come_from_the_source() {
    let Some(server) = MariaDb::start(STATEMENTS) else { return };
    staged_tables_only(&server);
    all_tables_of_a_schema(&server);
    with_the_rules_of_the_task_nothing_is_left_to_do(&server);
    a_lock_file_has_keys_and_types_of_the_source(&server);
    wrong_passwords(&server);
    if server.has_tls() {
        tls(&server);
    } else {
        eprintln!("skipped: no openssl on this machine, so TLS to the source was not tested");
    }
}

fn staged_tables_only(server: &MariaDb) {
    let home = home();
    let folder = home.path().join("staging/shop");
    let change = "U,1,n,a,9.50,2026-03-01 00:00:00,1,19,note,20260301,1\n";
    write(&folder.join("customers/20260301-120000000.csv"), change);
    write(&folder.join("order_items/LOAD00000001.csv"), "1,2,00,00\n");
    let url = server.url("dms:se%3Acr%2Fet", "");
    let done = run(home.path(), &[&INIT[..], &["--mysql", &url]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.err.contains("10 fields in addition to those of DMS, but the source has 8 columns"),
        "{done:?}"
    );
    assert!(!done.err.contains("to fill in"), "{done:?}");

    let settings = load::parse(&done.out).expect(&done.out);
    let [customers, items] = settings.tables.as_slice() else { panic!("two in {done:?}") };
    assert_eq!(customers.keys, ["id"]);
    assert_eq!(items.keys, ["order_id", "line"], "in key order");
    let names: Vec<&str> = customers.columns.iter().map(|column| &*column.name).collect();
    let declared = ["id", "name", "kind", "unit price", "at", "flags", "doubled", "note"];
    assert_eq!(names, declared);
    assert_eq!(customers.lake_name("unit price"), "unit_price");
    for line in [
        "{ name = \"id\", type = \"bigint(20) unsigned\", nullable = false },",
        "{ name = \"kind\", type = \"enum('a','b''c')\" },",
        "type = \"decimal(13,2)\" },  # computed by the source",
        "{ name = \"other\", type = \"text\" },  # the source declares another type:",
    ] {
        assert!(done.out.contains(line), "{line} in {}", done.out);
    }
}

/// A folder in which nothing is staged.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(home.path().join("staging")).expect("a folder");
    home
}

fn all_tables_of_a_schema(server: &MariaDb) {
    let home = home();
    let tables = |rest: &str| {
        let url = server.url("dms", rest);
        let arguments = [&INIT[..], &["--mysql", &url]].concat();
        // As with MySQL's own clients if the URL has no password.
        let mut command = dmslake(home.path(), &arguments);
        let done = said(command.env("MYSQL_PWD", "se:cr/et").output().expect("it starts"));
        assert_eq!(done.code, Some(0), "{done:?}");
        let sources = done.out.lines().filter_map(|line| line.strip_prefix("source = "));
        (sources.map(str::to_owned).collect::<Vec<_>>(), done.err)
    };
    let (shop, err) = tables("shop");
    assert_eq!(shop, ["\"shop.customers\"", "\"shop.log\"", "\"shop.order_items\""], "no views");
    assert!(err.contains("shop.log: keys: the source has no primary key"), "{err}");
    let (all, _) = tables("");
    assert_eq!(all.len(), 4, "{all:?}");
    assert_eq!(all[0], "\"archive.orders\"");
}

/// One rule of each kind: for tables, for their own columns, for columns added after these.
const RULES: &str = r#"{"rules": [
  {"rule-type": "selection", "rule-id": "1", "rule-action": "include",
   "object-locator": {"schema-name": "sh%", "table-name": "%"}},
  {"rule-type": "selection", "rule-id": "2", "rule-action": "exclude",
   "object-locator": {"schema-name": "shop", "table-name": "lo_"}},
  {"rule-type": "transformation", "rule-id": "3", "rule-target": "column",
   "rule-action": "add-before-image-columns",
   "before-image-def": {"column-prefix": "OLD_", "column-filter": "pk-only"},
   "object-locator": {"schema-name": "%", "table-name": "%"}},
  {"rule-type": "transformation", "rule-id": "4", "rule-target": "column",
   "rule-action": "add-column", "value": "cdc_seq", "expression": "$AR_H_CHANGE_SEQ",
   "object-locator": {"schema-name": "%", "table-name": "%"}},
  {"rule-type": "transformation", "rule-id": "5", "rule-target": "table",
   "rule-action": "rename", "value": "items",
   "object-locator": {"schema-name": "shop", "table-name": "order_items"}},
  {"rule-type": "transformation", "rule-id": "6", "rule-target": "column",
   "rule-action": "rename", "value": "label",
   "object-locator": {"schema-name": "shop", "table-name": "order_items", "column-name": "other"}},
  {"rule-type": "transformation", "rule-id": "7", "rule-target": "column",
   "rule-action": "remove-column",
   "object-locator": {"schema-name": "shop", "table-name": "%", "column-name": "pl%"}}
]}"#;

fn with_the_rules_of_the_task_nothing_is_left_to_do(server: &MariaDb) {
    let home = home();
    let tasks = json!({ "ReplicationTasks": [{ "TableMappings": RULES }] });
    write(&home.path().join("tasks.json"), tasks.to_string());
    let done = init_with_rules(home.path(), server);
    assert!(!done.err.contains("to fill in") && !done.err.contains("to check"), "{done:?}");
    let settings = load::parse(&read(&home.path().join("dmslake.toml"))).expect("it is complete");
    let sources: Vec<String> = settings.tables.iter().map(|t| t.source.to_string()).collect();
    assert_eq!(sources, ["shop.customers", "shop.items"]);
    let names = |table: usize| {
        let columns = settings.tables[table].columns.iter();
        columns.map(|column| &*column.name).collect::<Vec<_>>()
    };
    assert_eq!(names(0)[7..], ["note", "OLD_id", "cdc_seq"]);
    let items = ["line", "order_id", "label", "OLD_line", "OLD_order_id", "cdc_seq"];
    assert_eq!(names(1), items, "before images in the order of the columns");
    assert_eq!(settings.tables[1].keys, ["order_id", "line"]);

    let folder = home.path().join("staging/shop/items");
    write(&folder.join("LOAD00000001.csv"), "1,10,a,,,\n2,10,b,,,\n");
    let changes = "U,3,10,c,1,10,20260301120000000000000000000000001\n\
                   D,2,10,b,,,20260301120000000000000000000000002\n";
    write(&folder.join("20260301-120000000.csv"), changes);
    let applied = run(home.path(), &["apply"]);
    assert_eq!(applied.code, Some(0), "{applied:?}");
    let moved = [Value::Text("c".to_owned())];
    assert_eq!(labels(home.path()), moved, "the key has moved, and nothing of it is left behind");

    let again = init_with_rules(home.path(), server);
    assert!(!again.err.contains("to check"), "staged under the new name, as told: {again:?}");
    let text = read(&home.path().join("dmslake.toml"));
    assert!(text.contains("at the source shop.order_items"));
    let settings = load::parse(&text).expect("it is complete");
    let sources: Vec<String> = settings.tables.iter().map(|t| t.source.to_string()).collect();
    assert_eq!(sources, ["shop.customers", "shop.items"], "an empty table has no objects yet");
}

fn a_lock_file_has_keys_and_types_of_the_source(server: &MariaDb) {
    let home = home();
    let url = server.url("dms:se%3Acr%2Fet", "");
    let text = "staging = \"staging\"\nlake = \"lake\"\n[[table]]\nsource = \"shop.*\"\n\
                [[table]]\nsource = \"shop.log\"\nappend_only = true\n";
    write(&home.path().join("dmslake.toml"), text);
    let discover =
        |more: &[&str]| run(home.path(), &[&["discover", "--mysql", &url], more].concat());
    let found = discover(&[]);
    let all = "added: shop.customers, keys: id\nadded: shop.log, keys: none\n\
               added: shop.order_items, keys: order_id, line\n";
    assert_eq!((found.code, &*found.out), (Some(0), all), "{found:?}");
    let file = home.path().join("dmslake.lock");
    let lock = Lock::parse(&read(&file)).expect("a lock file");
    let settings = load::parse_expanded(text, Expansion::ByLock(&lock)).expect("valid");
    let customers = &settings.tables[0];
    assert_eq!((&*customers.keys, customers.columns.len()), (&["id".to_owned()][..], 8));
    assert_eq!(customers.lake_name("unit price"), "unit_price");

    // What the source says is taken in; what it does not have any more is not left out unasked.
    let gone = "\"tables\": [\n    {\"source\":\"shop.gone\",\"keys\":[\"id\"]},";
    let earlier = read(&file).replace("\"tables\": [", gone);
    write(&file, earlier.replace("[\"order_id\",\"line\"]", "[\"line\"]"));
    let found = discover(&[]);
    let changed = "changed: shop.order_items, keys: order_id, line, before: line; ";
    assert!(found.out.starts_with(changed), "{found:?}");
    let kept = "kept: shop.gone, which the source does not have any more; --prune leaves it out\n";
    assert!(found.out.ends_with(kept), "{found:?}");
    assert!(read(&file).contains("shop.gone"));
    let pruned = discover(&["--prune"]);
    assert!(pruned.out.starts_with("left out: shop.gone"), "{pruned:?}");
    assert_eq!(Lock::parse(&read(&file)).expect("a lock file"), lock);

    let place = ["init", "--staging", "staging", "--lake", "lake", "--force", "--lock", "--mysql"];
    let url = server.url("dms:se%3Acr%2Fet", "shop");
    let written = run(home.path(), &[&place[..], &[&*url]].concat());
    assert_eq!(written.code, Some(0), "{written:?}");
    assert_eq!(Lock::parse(&read(&file)).expect("a lock file"), lock);
    let text = read(&home.path().join("dmslake.toml"));
    assert!(text.contains("source = \"shop.log\"") && !text.contains("shop.customers"), "{text}");
}

fn init_with_rules(home: &Path, server: &MariaDb) -> Said {
    let url = server.url("dms:se%3Acr%2Fet", "shop");
    let rules = ["--table-mappings", "tasks.json", "--force"];
    let arguments = [&INIT[..5], &["--mysql", &url], &rules].concat();
    let done = run(home, &arguments);
    assert_eq!(done.code, Some(0), "{done:?}");
    done
}

/// The values in the only text column of `shop.items`.
fn labels(home: &Path) -> Vec<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let lake = Location::open(&home.join("lake").display().to_string()).await;
        let table = LakeTable::at(&lake.expect("a folder"), &["shop", "items"]);
        let newest = table.log().await.last().expect("it was applied").version;
        let mut labels = Vec::new();
        for batch in table.batches(newest).await {
            let column = batch.column_by_name("label").expect("a column of the table");
            labels.extend((0..batch.num_rows()).map(|row| value(column, row)));
        }
        labels
    })
}

fn wrong_passwords(server: &MariaDb) {
    let home = home();
    let url = server.url("dms:guessed", "shop");
    let refused = run(home.path(), &[&INIT[..], &["--mysql", &url]].concat());
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("Access denied") && !refused.err.contains("guessed"));
    let refused =
        run(home.path(), &[&INIT[..], &["--mysql", "postgres://dms:guessed@h/"]].concat());
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(!refused.err.contains("guessed"), "{refused:?}");
}

fn tls(server: &MariaDb) {
    let home = home();
    let code = |parameters: &str| {
        let url = server.url("strict:x", &format!("shop{parameters}"));
        let ended = run(home.path(), &[&INIT[..], &["--mysql", &url]].concat());
        (ended.code, ended.err)
    };
    let (plain, err) = code("");
    assert_eq!(plain, Some(1), "the user must come by TLS: {err}");
    let (unverified, err) = code("?require_ssl=true");
    assert_eq!(unverified, Some(1), "nobody signed the certificate: {err}");
    let (accepted, err) = code("?require_ssl=true&verify_ca=false&verify_identity=false");
    assert_eq!(accepted, Some(0), "{err}");
}
