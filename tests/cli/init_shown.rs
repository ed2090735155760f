//! What `dmslake init` derives from objects, endpoint and rules: keys, headers, renamed tables,
//! attributes.

use std::path::Path;

use dmslake::config::load;

use super::init::{INIT, parquet};
use super::{Said, read, run, write};

const IMAGES: &str = "message dms { OPTIONAL BYTE_ARRAY Op (UTF8); OPTIONAL INT64 tenant;
    OPTIONAL INT64 number; OPTIONAL BYTE_ARRAY note (UTF8); OPTIONAL INT64 BI_tenant;
    OPTIONAL INT64 BI_number; }";
const HEADER: &str = "Op,dms_ts,tenant,number,note,BI_tenant,BI_number\n\
    I,2026-03-01 12:00:00.000000,1,2,a,,\n";

/// The rules of a task that includes the schema `shop`.
fn rules(filter: &str, more: &str) -> String {
    format!(
        r#"{{"rules": [{{"rule-type": "selection", "rule-id": "1", "rule-action": "include",
        "object-locator": {{"schema-name": "shop", "table-name": "%"}}}},
        {{"rule-type": "transformation", "rule-id": "3", "rule-target": "column",
        "rule-action": "add-before-image-columns",
        "object-locator": {{"schema-name": "shop", "table-name": "%"}},
        "before-image-def": {{"column-prefix": "BI_", "column-filter": "{filter}"}}}} {more}]}}"#
    )
}

fn init(home: &Path, files: &[(&str, &str, &str)]) -> Said {
    let mut arguments: Vec<&str> = INIT.to_vec();
    for (option, file, content) in files {
        write(&home.join(file), content);
        arguments.extend([option, file]);
    }
    arguments.push("--force");
    let done = run(home, &arguments);
    assert_eq!(done.code, Some(0), "{done:?}");
    done
}

fn stage(home: &Path, schema: &str, name: &str, content: &[u8]) {
    write(&home.join(format!("staging/{schema}/orders/20260301-120000000.{name}")), content);
}

#[test]
fn before_images_of_the_key_alone_tell_the_key() {
    for (name, content) in [("parquet", parquet(IMAGES)), ("csv", HEADER.as_bytes().to_vec())] {
        let home = tempfile::tempdir().expect("a temporary folder");
        stage(home.path(), "shop", name, &content);
        let pk_only = rules("pk-only", "");
        let done = init(home.path(), &[("--table-mappings", "tasks.json", &pk_only)]);
        assert!(!done.err.contains("keys:"), "{done:?}");
        let text = read(&home.path().join("dmslake.toml"));
        let settings = load::parse(&text.replace("\"?\"", "\"text\"")).expect(&text);
        assert_eq!(settings.tables[0].keys, ["tenant", "number"], "{text}");

        // With a rule for all columns, or without known rules, the key is not certain.
        let all = rules("all", "");
        init(home.path(), &[("--table-mappings", "tasks.json", &all)]);
        let text = read(&home.path().join("dmslake.toml"));
        assert!(text.contains("# keys = []  # FILL IN"), "{text}");
        init(home.path(), &[]);
        let text = read(&home.path().join("dmslake.toml"));
        let guess = "# keys = [\"tenant\", \"number\"]  # FILL IN: this is only a guess";
        assert!(text.contains(guess), "{text}");
    }
}

#[test]
fn a_header_that_can_be_seen_gives_the_names() {
    let home = tempfile::tempdir().expect("a temporary folder");
    stage(home.path(), "shop", "csv", HEADER.as_bytes());
    init(home.path(), &[]);
    let text = read(&home.path().join("dmslake.toml"));
    let filled = text.replace("# keys = [", "keys = [").replace("\"?\"", "\"text\"");
    let settings = load::parse(&filled).expect(&text);
    assert!(settings.dms.add_column_name, "{text}");
    assert_eq!(settings.dms.timestamp_column_name.as_deref(), Some("dms_ts"));
    let names: Vec<&str> = settings.tables[0].columns.iter().map(|column| &*column.name).collect();
    assert_eq!(names, ["tenant", "number", "note"]);

    // The proposed configuration reads the object.
    let filled = filled.replace("s3://shop-lake/tables", "lake") + "cdc_only = true\n";
    write(&home.path().join("dmslake.toml"), filled);
    let applied = run(home.path(), &["apply", "--json"]);
    assert!(applied.out.contains("\"inserted\":1"), "{applied:?}");

    // If the endpoint's settings do not say so, that must be checked.
    let endpoint = r#"{ "S3Settings": { "AddColumnName": false } }"#;
    let done = init(home.path(), &[("--endpoint-settings", "endpoint.json", endpoint)]);
    assert!(done.err.contains("to check: shop.orders: its newest object has a header"), "{done:?}");
}

#[test]
fn a_table_of_a_renamed_schema_is_found_under_its_new_name() {
    let home = tempfile::tempdir().expect("a temporary folder");
    stage(home.path(), "lake", "parquet", &parquet(IMAGES));
    stage(home.path(), "elsewhere", "parquet", &parquet(IMAGES));
    let rename = r#", {"rule-type": "transformation", "rule-id": "9", "rule-target": "schema",
        "rule-action": "rename", "value": "lake", "object-locator": {"schema-name": "shop"}}"#;
    let pk_only = rules("pk-only", rename);
    let done = init(home.path(), &[("--table-mappings", "tasks.json", &pk_only)]);
    assert!(!done.err.contains("lake.orders: the task's rules"), "{done:?}");
    assert!(done.err.contains("elsewhere.orders: the task's rules do not select it"), "{done:?}");
    let text = read(&home.path().join("dmslake.toml"));
    assert!(text.contains("at the source shop.orders"), "{text}");
    let (_, lake) = text.split_once("source = \"lake.orders\"").expect("it is staged");
    assert!(lake.contains("keys = [\"tenant\", \"number\"]"), "by the rule for shop: {text}");

    // With wildcards the table cannot be determined.
    let rename = rename.replace("\"schema-name\": \"shop\"", "\"schema-name\": \"%\"");
    let any = rules("pk-only", &rename).replace("\"shop\"", "\"s%\"");
    let done = init(home.path(), &[("--table-mappings", "tasks.json", &any)]);
    assert!(done.err.contains("lake.orders: rules rename schemas or tables, and"), "{done:?}");
}

#[test]
fn the_kind_of_the_task_is_told() {
    let home = tempfile::tempdir().expect("a temporary folder");
    stage(home.path(), "shop", "parquet", &parquet(IMAGES));
    let mappings = rules("pk-only", "");
    let of = |kind: &str| {
        let task = serde_json::json!({ "MigrationType": kind, "TableMappings": mappings });
        let tasks = serde_json::json!({ "ReplicationTasks": [task] }).to_string();
        let done = init(home.path(), &[("--table-mappings", "tasks.json", &tasks)]);
        let text = read(&home.path().join("dmslake.toml"));
        let settings = load::parse(&text).expect(&text);
        (settings.tables[0].cdc_only, text.contains("no changes will come"), done.err)
    };
    let (is_cdc_only, _, _) = of("cdc");
    assert!(is_cdc_only);
    let (is_cdc_only, is_marked, told) = of("full-load");
    assert!(!is_cdc_only && is_marked && told.contains("no changes will come"), "{told}");
    let (is_cdc_only, is_marked, told) = of("full-load-and-cdc");
    assert!(!is_cdc_only && !is_marked && !told.contains("to check"), "{told}");
}

#[test]
fn extra_connection_attributes_and_inserts_only_are_told() {
    let home = tempfile::tempdir().expect("a temporary folder");
    stage(home.path(), "shop", "csv", b"I|1|a\n");
    let endpoint = r#"{ "Endpoint": { "EndpointType": "TARGET", "EngineName": "s3",
        "ExtraConnectionAttributes": "csvDelimiter=|;cdcInsertsOnly=true;newSwitch=3",
        "S3Settings": { "CsvDelimiter": ",", "CdcInsertsOnly": false } } }"#;
    let done = init(home.path(), &[("--endpoint-settings", "endpoint.json", endpoint)]);
    let text = read(&home.path().join("dmslake.toml"));
    for told in ["does not know: newSwitch", "updates and deletes at the source never arrive"] {
        assert!(done.err.contains(told) && text.contains(told), "{told} in {done:?}\n{text}");
    }
    let dms = text.lines().filter(|line| line.starts_with("cdc_") || line.starts_with("csv_"));
    assert_eq!(dms.collect::<Vec<_>>(), ["cdc_inserts_only = true", "csv_delimiter = \"|\""]);
}

#[test]
fn three_hundred_tables_are_a_file_that_can_be_read() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let row = "I,1,a,b,c,d,e,f,g,h\n";
    for number in 0..300 {
        let folder = home.path().join(format!("staging/shop/t{number}"));
        write(&folder.join("20260301-120000000.csv"), row);
    }
    let done = init(home.path(), &[]);
    assert!(done.err.lines().count() < 10, "{}", done.err);
    assert!(done.err.contains("to fill in: 300 tables (shop.t0, "), "{}", done.err);
    let text = read(&home.path().join("dmslake.toml"));
    let lines = text.lines().count();
    assert!(lines < 300 * 11, "{lines} lines, more than ten for a table of nine columns");
    assert_eq!(text.matches("SHOW").count(), 1, "what is to be filled in is said once");
    let filled = text.replace("# keys = []", "keys = [\"column_1\"]").replace("\"?\"", "\"int\"");
    assert_eq!(load::parse(&filled).expect("filled in").tables.len(), 300);
}
