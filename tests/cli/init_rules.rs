//! `dmslake init --table-mappings` without a server.

use std::path::Path;

use dmslake::config::load;

use super::init::{INIT, parquet};
use super::{Said, run, write};

/// A task that includes the schema `shop`, with these additional rules.
fn mappings(rules: &str) -> String {
    let everything = r#""object-locator": {"schema-name": "shop", "table-name": "%"}"#;
    let include = r#"{"rule-type": "selection", "rule-id": "1", "rule-action": "include","#;
    format!(r#"{{"rules": [{include} {everything}}}, {rules}]}}"#)
}

const SEQUENCE: &str = r#"{"rule-type": "transformation", "rule-id": "4", "rule-target": "column",
    "rule-action": "add-column", "value": "cdc_seq", "expression": "$AR_H_CHANGE_SEQ",
    "object-locator": {"schema-name": "%", "table-name": "%"}}"#;
const BEFORE: &str = r#"{"rule-type": "transformation", "rule-id": "3", "rule-target": "column",
    "rule-action": "add-before-image-columns",
    "object-locator": {"schema-name": "%", "table-name": "%"},
    "before-image-def": {"column-prefix": "OLD_", "column-filter": "pk-only"}}"#;
const ORIGIN: &str = r#"{"rule-type": "transformation", "rule-id": "6", "rule-target": "column",
    "rule-action": "add-column", "value": "origin", "expression": "'mysql'",
    "object-locator": {"schema-name": "%", "table-name": "%"},
    "data-type": {"type": "string", "length": 10}}"#;

fn init(home: &Path, mappings: &str) -> Said {
    write(&home.join("mappings.json"), mappings);
    run(home, &[&INIT[..], &["--table-mappings", "mappings.json", "--output=-"]].concat())
}

#[test]
fn an_object_shows_what_rules_add_and_they_say_what_it_is() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let message = "message dms { OPTIONAL BYTE_ARRAY Op (UTF8); OPTIONAL INT64 id;
        OPTIONAL INT64 OLD_id; OPTIONAL BYTE_ARRAY cdc_seq (UTF8);
        OPTIONAL BYTE_ARRAY origin (UTF8); }";
    let folder = home.path().join("staging/shop/orders");
    write(&folder.join("20260301-120000000.parquet"), parquet(message));
    let done = init(home.path(), &mappings(&[BEFORE, SEQUENCE, ORIGIN].join(",")));
    assert_eq!(done.code, Some(0), "{done:?}");
    for line in ["OLD_id (a before image)", "cdc_seq (the change sequence)"] {
        assert!(done.out.contains(line), "{line} in {}", done.out);
    }
    assert!(!done.err.contains("to check"), "all of it is known: {done:?}");
    let settings = load::parse(&done.out).expect(&done.out);
    assert_eq!(settings.tables[0].keys, ["id"], "which alone has a before image");
    assert_eq!(settings.dms.change_seq_column.as_deref(), Some("cdc_seq"));
    assert_eq!(settings.dms.before_image_prefix.as_deref(), Some("OLD_"));
    let names: Vec<&str> = settings.tables[0].columns.iter().map(|column| &*column.name).collect();
    assert_eq!(names, ["origin"], "the others are told by the object");
}

#[test]
fn the_last_fields_of_csv_are_those_of_the_last_rules() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let change = "U,1,a,1,20260301120000000000000000000000001,mysql\n";
    write(&home.path().join("staging/shop/orders/20260301-120000000.csv"), change);
    let done = init(home.path(), &mappings(&[BEFORE, SEQUENCE, ORIGIN].join(",")));
    assert!(done.err.contains("to check: shop.orders: rule 3 adds before images"), "{done:?}");
    for line in [
        "{ name = \"column_3\", type = \"?\" },",
        "{ name = \"cdc_seq\", type = \"varchar(35)\" },  # rule 4 adds it: the change sequence",
        "{ name = \"origin\", type = \"varchar(10)\" },  # rule 6 adds it: 'mysql'",
    ] {
        assert!(done.out.contains(line), "{line} in {}", done.out);
    }
}

#[test]
fn what_is_not_known_of_a_rule_is_to_be_checked() {
    let home = tempfile::tempdir().expect("a temporary folder");
    write(&home.path().join("staging/shop/orders/LOAD00000001.csv"), "1\n");
    write(&home.path().join("staging/other/orders/LOAD00000001.csv"), "1\n");
    let suffix = BEFORE.replace("\"column-prefix\": \"OLD_\"", "\"column-suffix\": \"_old\"");
    let lowercase = r#"{"rule-type": "transformation", "rule-id": "7", "rule-target": "column",
        "rule-action": "convert-uppercase",
        "object-locator": {"schema-name": "shop", "table-name": "%", "column-name": "%"}}"#;
    let mask = lowercase.replace("convert-uppercase", "data-masking-hash-mask");
    let mask = mask.replace("\"7\"", "\"8\"");
    let rules = mappings(&[&suffix, SEQUENCE, lowercase, &mask].join(","));
    let done = init(home.path(), &rules);
    assert_eq!(done.code, Some(0), "{done:?}");
    for told in [
        "shop.orders: rule 3 names before images BI_…_old",
        "shop.orders: rule 7 changes columns",
        "shop.orders: rule 7 may apply to cdc_seq too",
        "shop.orders: rule 8 (data-masking-hash-mask)",
        "other.orders: the task's rules do not select it",
    ] {
        assert!(done.err.contains(&format!("to check: {told}")), "{told} in {done:?}");
        let (_, remark) = told.split_once(": ").expect("of a table");
        assert!(done.out.contains(&format!("# CHECK: {remark}")), "{remark} in {done:?}");
    }
    assert!(!done.err.contains("other.orders: rule 7"), "it is about another schema: {done:?}");
}

#[test]
fn mappings_that_cannot_be_read_are_refused() {
    let home = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(home.path().join("staging")).expect("writable");
    let nameless = SEQUENCE.replace("\"value\": \"cdc_seq\",", "");
    let refused = init(home.path(), &mappings(&nameless));
    assert_eq!(refused.code, Some(2), "{refused:?}");
    for told in ["rule 4: value is missing", "--table-mappings", "mappings.json"] {
        assert!(refused.err.contains(told), "{told} in {refused:?}");
    }
    let absent = run(home.path(), &[&INIT[..], &["--table-mappings", "absent.json"]].concat());
    assert_eq!(absent.code, Some(2), "{absent:?}");
}
