//! Patterns in `source`: which tables they stand for, what overrides what, and every refusal.

use std::collections::BTreeMap;
use std::sync::Arc;

use dmslake::clock::SystemClock;
use dmslake::config::load::{has_patterns, parse, parse_expanded};
use dmslake::config::{
    Expansion, Lock, LockedColumn, LockedTable, MergeMode, OnBadRow, Settings, TableName, TableSpec,
};
use dmslake::dms::MySqlType;
use dmslake::error::ErrorKind;
use dmslake::lambda::Warm;

const TOP: &str = "staging = \"/tmp/staging\"\nlake = \"s3://lake/tables\"\n";

fn name(table: &str) -> TableName {
    let (schema, table) = table.split_once('.').expect("schema.table");
    TableName { schema: schema.into(), table: table.into() }
}

fn locked(keys: &[&str]) -> LockedTable {
    let keys = keys.iter().map(|&key| key.to_owned()).collect();
    LockedTable { keys: Some(keys), ..LockedTable::default() }
}

fn lock<const N: usize>(tables: [(&str, LockedTable); N]) -> Lock {
    Lock { tables: tables.into_iter().map(|(table, locked)| (name(table), locked)).collect() }
}

fn settings(rest: &str, lock: &Lock) -> Settings {
    parse_expanded(&format!("{TOP}{rest}"), Expansion::ByLock(lock))
        .unwrap_or_else(|error| panic!("{rest}\n{error}"))
}

fn table<'a>(settings: &'a Settings, table: &str) -> &'a TableSpec {
    let found = settings.tables.iter().find(|spec| spec.source == name(table));
    found.unwrap_or_else(|| panic!("no {table}"))
}

/// Asserts that there is just one violation, of this field and with these words.
fn assert_refused(rest: &str, lock: &Lock, field: &str, words: &[&str]) {
    let text = format!("{TOP}{rest}");
    let refused = parse_expanded(&text, Expansion::ByLock(lock)).expect_err(rest);
    assert_eq!(refused.kind(), ErrorKind::Config);
    let lines: Vec<&str> = refused.message().lines().collect();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].starts_with(&format!("{field}: ")), "{field}: {}", lines[0]);
    for word in words {
        assert!(lines[0].contains(word), "{word} in {}", lines[0]);
    }
}

#[test]
fn three_hundred_tables_are_fifteen_lines() {
    let text = r#"staging = "s3://shop-dms-staging/dms"
lake = "s3://shop-lake/tables"
[dms]
timestamp_column_name = "dms_ts"
[defaults]
merge = "deletion-vectors"
[[table]]
source = "shop.*"
except = ["shop.audit_*", "shop.tmp"]
[[table]]
source = "shop.log_*"
append_only = true
[[table]]
source = "shop.orders"
on_bad_row = "quarantine""#;
    assert!(text.lines().count() <= 15 && has_patterns(text));
    let numbered = (0..298).map(|number| (name(&format!("shop.t{number:03}")), locked(&["id"])));
    let others = [("shop.orders", ["id"]), ("shop.log_web", ["at"]), ("shop.audit_a", ["id"])];
    let others = others.map(|(table, keys)| (name(table), locked(&keys)));
    let lock = Lock { tables: numbered.chain(others).collect::<BTreeMap<_, _>>() };
    let settings = parse_expanded(text, Expansion::ByLock(&lock)).expect("valid");
    assert_eq!(settings.tables.len(), 300);
    assert!(settings.tables.iter().all(|table| table.merge == MergeMode::DeletionVectors));
    assert_eq!(table(&settings, "shop.t007").keys, ["id"]);
    let log = table(&settings, "shop.log_web");
    assert!(log.append_only && log.keys.is_empty(), "what is written beats what is found");
    let orders = table(&settings, "shop.orders");
    assert_eq!((orders.on_bad_row, &*orders.keys), (OnBadRow::Quarantine, &["id".to_owned()][..]));

    let is_claimed = |table: &str| settings.is_undiscovered(&name(table));
    assert!(is_claimed("shop.new") && !is_claimed("shop.t007"));
    assert!(!is_claimed("shop.audit_b") && !is_claimed("other.new"));
    assert!(settings.is_left_out(&name("shop.audit_b")), "on purpose");
    assert!(!settings.is_left_out(&name("other.new")) && !settings.is_left_out(&name("shop.new")));
}

#[test]
fn an_exact_source_beats_a_pattern_and_the_more_specific_pattern_a_more_general_one() {
    let text = r#"
        [defaults]
        on_bad_row = "quarantine"
        [[table]]
        source = "*.*"
        merge = "auto"
        store = ["Op"]
        [[table]]
        source = "shop.order_*"
        merge = "deletion-vectors"
        [[table]]
        source = "shop.*"
        keys = ["no"]
        [[table]]
        source = "shop.order_items"
        keys = ["order_id", "line"]
        merge = "copy-on-write""#;
    let lock = lock([
        ("shop.order_items", locked(&["id"])),
        ("shop.order_notes", locked(&["id"])),
        ("shop.other", locked(&["id"])),
        ("bank.accounts", locked(&["iban"])),
    ]);
    let settings = settings(text, &lock);
    let shown = |source: &str| {
        let TableSpec { keys, merge, store, .. } = table(&settings, source);
        (keys.join(","), *merge, store.len())
    };
    assert_eq!(shown("shop.order_items"), ("order_id,line".into(), MergeMode::CopyOnWrite, 1));
    assert_eq!(shown("shop.order_notes"), ("no".into(), MergeMode::DeletionVectors, 1));
    assert_eq!(shown("shop.other"), ("no".into(), MergeMode::Auto, 1));
    assert_eq!(shown("bank.accounts"), ("iban".into(), MergeMode::Auto, 1));
    assert!(settings.tables.iter().all(|table| table.on_bad_row == OnBadRow::Quarantine));
    let order: Vec<String> = settings.tables.iter().map(|it| it.source.to_string()).collect();
    assert_eq!(order, ["bank.accounts", "shop.order_notes", "shop.other", "shop.order_items"]);
}

#[test]
fn the_lock_file_gives_columns_and_a_pattern_may_type_them_otherwise() {
    let column = |name: &str, mysql_type: &str| LockedColumn {
        name: name.into(),
        mysql_type: Some(mysql_type.into()),
        nullable: true,
    };
    let known = LockedTable {
        columns: vec![column("id", "int"), column("paid", "tinyint(1)"), column("a b", "text")],
        rename: [("a b".to_owned(), "a_b".to_owned())].into(),
        ..locked(&["id"])
    };
    let lock = lock([("shop.a", known.clone()), ("shop.b", known)]);
    let text = r#"
        [[table]]
        source = "shop.*"
        columns = [
          { name = "paid", type = "tinyint(1)", boolean = true },
          { name = "elsewhere", type = "int" },
        ]
        [[table]]
        source = "shop.b"
        columns = [{ name = "id", type = "bigint" }]
        rename = { id = "number" }"#;
    let settings = settings(text, &lock);
    let a = table(&settings, "shop.a");
    let names: Vec<&str> = a.columns.iter().map(|column| &*column.name).collect();
    assert_eq!(names, ["id", "paid", "a b"], "the order of the layout, and nothing added to it");
    assert!(a.column("paid").expect("there").boolean);
    assert_eq!(a.lake_name("a b"), "a_b");
    let b = table(&settings, "shop.b");
    assert_eq!(b.columns.len(), 1, "a layout of its own");
    assert_eq!(b.columns[0].mysql_type, MySqlType::BigInt { unsigned: false });
    assert_eq!((b.lake_name("id"), b.lake_name("a b")), ("number", "a_b"));
}

#[test]
fn a_pattern_needs_a_lock_file_that_has_its_tables() {
    let text = format!("{TOP}[[table]]\nsource = \"shop.*\"");
    let refused = parse(&text).expect_err("there is no lock file");
    let sentence = "table[0].source (shop.*): is a pattern, and there is no lock file that names \
                    its tables; write it with `dmslake discover`";
    assert_eq!(refused.message(), sentence);
    let lock = lock([("shop.orders", locked(&["id"]))]);
    let elsewhere = "[[table]]\nsource = \"Shop.*\"\n[[table]]\nsource = \"shop.*\"";
    assert_refused(
        elsewhere,
        &lock,
        "table[0].source (Shop.*)",
        &["matches no", "dmslake discover"],
    );
    // For whoever writes it, patterns stand for nothing yet.
    let open = parse_expanded(&text, Expansion::Nothing).expect("valid");
    assert!(open.tables.is_empty() && open.patterns.len() == 1);
}

#[test]
fn two_patterns_of_which_neither_is_more_specific_are_refused_with_both_named() {
    let lock = lock([("shop.orders", locked(&["id"])), ("bank.a", locked(&["id"]))]);
    let rivals = "[[table]]\nsource = \"shop.*\"\n[[table]]\nsource = \"*.orders\"";
    let words = ["\"shop.*\"", "\"*.orders\"", "table[0].source", "except = [\"shop.orders\"]"];
    assert_refused(rivals, &lock, "table[1].source (*.orders)", &words);
    let twice = "[[table]]\nsource = \"bank.*\"\n[[table]]\nsource = \"bank.*\"";
    assert_refused(twice, &lock, "table[1].source (bank.*)", &["neither is more specific"]);
    // The remedy.
    let one = "[[table]]\nsource = \"shop.*\"\nexcept = [\"shop.orders\"]\n";
    let other = "[[table]]\nsource = \"*.orders\"\n";
    let refused = parse_expanded(&format!("{TOP}{one}{other}"), Expansion::ByLock(&lock));
    assert!(refused.expect_err("nothing is left of one").message().contains("matches no table"));
    let more = Lock {
        tables: lock.tables.into_iter().chain([(name("shop.b"), locked(&["id"]))]).collect(),
    };
    assert_eq!(settings(&format!("{one}{other}"), &more).tables.len(), 2);
}

#[test]
fn a_table_without_a_known_key_says_how_to_give_one() {
    let pattern = "[[table]]\nsource = \"shop.*\"\n";
    let none = lock([("shop.log", locked(&[]))]);
    let words = ["has no primary key", "append_only = true", "except = [\"shop.log\"]"];
    assert_refused(pattern, &none, "table[0].keys (shop.log)", &words);
    let unknown = lock([("shop.log", LockedTable::default())]);
    let words = ["does not know the primary key: `dmslake discover --mysql`"];
    assert_refused(pattern, &unknown, "table[0].keys (shop.log)", &words);
    let own = format!("{pattern}[[table]]\nsource = \"shop.log\"\nappend_only = true");
    assert!(table(&settings(&own, &none), "shop.log").append_only);
    assert_eq!(
        settings(&own.replace("append_only = true", "keys = [\"a\"]"), &unknown).tables.len(),
        1
    );
    let untold = format!("{pattern}[[table]]\nsource = \"shop.new\"\nmerge = \"auto\"");
    let a = lock([("shop.a", locked(&["id"]))]);
    assert_refused(&untold, &a, "table[1].keys (shop.new)", &["`dmslake discover` looks for it"]);
    let open = parse_expanded(&format!("{TOP}{untold}"), Expansion::Nothing);
    assert!(open.is_ok(), "it can be discovered: {open:?}");
    let left_out = format!("{pattern}except = [\"shop.log\"]\n");
    let two = lock([("shop.log", locked(&[])), ("shop.a", locked(&["id"]))]);
    assert_eq!(settings(&left_out, &two).tables.len(), 1);
}

#[test]
fn what_belongs_elsewhere_is_refused() {
    let lock = lock([("shop.orders", locked(&["id"]))]);
    let name = "[[table]]\nsource = \"shop.*\"\nname = \"orders\"";
    assert_refused(name, &lock, "table[0].name (shop.*)", &["a [[table]] of its own"]);
    let except = "[[table]]\nsource = \"shop.orders\"\nkeys = [\"id\"]\nexcept = [\"shop.a\"]";
    assert_refused(except, &lock, "table[0].except (shop.orders)", &["where source has a *"]);
    let general = "[defaults]\nexcept = [\"shop.a\"]\n[[table]]\nsource = \"shop.*\"";
    assert_refused(general, &lock, "defaults.except", &["belongs to the [[table]] with the"]);
    let text = "[[table]]\nsource = \"shop.*\"\nexcept = [\"audit\"]";
    assert_refused(text, &lock, "table[0].except (shop.*)", &["a list of sources such as"]);
    let untyped = LockedTable {
        columns: vec![LockedColumn { name: "a".into(), mysql_type: None, nullable: true }],
        ..locked(&["a"])
    };
    let lock = Lock { tables: [(crate::patterns::name("shop.b"), untyped)].into() };
    let words = ["\"a\" no MySQL type", "`dmslake discover --mysql`"];
    assert_refused("[[table]]\nsource = \"shop.*\"", &lock, "table[0].source (shop.b)", &words);
}

/// The function reads both files from one place, and follows a change of either.
#[tokio::test]
async fn the_function_reads_the_lock_file_beside_its_configuration() {
    let home = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(home.path().join("staging")).expect("a folder");
    let place = |folder: &str| home.path().join(folder).display().to_string();
    let top = format!("staging = \"{}\"\nlake = \"{}\"\n", place("staging"), place("lake"));
    let text = format!("{top}[[table]]\nsource = \"shop.*\"\n");
    let write = |file: &str, text: &str| std::fs::write(home.path().join(file), text).expect(file);
    write("dmslake.toml", &text);
    let mut warm = Warm::new(&place("dmslake.toml"), Arc::new(SystemClock));
    let refused = warm.pipeline().await.expect_err("there is no lock file");
    assert!(refused.message().contains("`dmslake discover`"), "{refused}");

    let one = lock([("shop.orders", locked(&["id"]))]);
    write("dmslake.lock", &one.render());
    let first = warm.pipeline().await.expect("both are there");
    assert_eq!(first.settings().tables.len(), 1);
    let again = warm.pipeline().await.expect("both are there");
    assert!(Arc::ptr_eq(&first, &again), "nothing has changed");
    let two = lock([("shop.orders", locked(&["id"])), ("shop.items", locked(&["id"]))]);
    write("dmslake.lock", &two.render());
    let changed = warm.pipeline().await.expect("both are there");
    assert_eq!(changed.settings().tables.len(), 2);
    write("dmslake.toml", &format!("{text}except = [\"shop.items\"]\n"));
    let changed = warm.pipeline().await.expect("both are there");
    assert_eq!(changed.settings().tables.len(), 1);
}
