//! `dmslake init` on what is staged.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use dmslake::config::load;
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::{dmslake, read, run, write};

pub(super) const INIT: [&str; 5] =
    ["init", "--staging", "staging", "--lake", "s3://shop-lake/tables"];

/// A Parquet object of those columns and no rows.
pub(super) fn parquet(message: &str) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(message).expect("a valid message"));
    let properties = Arc::new(WriterProperties::default());
    let writer = SerializedFileWriter::new(Vec::new(), schema, properties).expect("a writer");
    writer.into_inner().expect("a footer")
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).expect("in memory");
    encoder.finish().expect("in memory")
}

fn stage_parquet(home: &Path) {
    let load = "message dms { REQUIRED BYTE_ARRAY dms_ts (UTF8); OPTIONAL INT64 id (UINT_64);
        OPTIONAL FIXED_LEN_BYTE_ARRAY (6) total (DECIMAL(12,2)); }";
    let change = "message dms { OPTIONAL BYTE_ARRAY Op (UTF8);
        REQUIRED BYTE_ARRAY dms_ts (UTF8); OPTIONAL INT64 id (UINT_64);
        OPTIONAL FIXED_LEN_BYTE_ARRAY (6) total (DECIMAL(12,2)); OPTIONAL BYTE_ARRAY late (UTF8);
        OPTIONAL INT64 BI_id (UINT_64); }";
    let folder = home.join("staging/shop/orders");
    write(&folder.join("LOAD00000001.parquet"), parquet(load));
    write(&folder.join("2026/03/01/20260301-120000000.parquet"), parquet(change));
    // A newer object without columns, and one of DMS's control tables.
    write(&folder.join("2026/03/01/20260301-120001000.parquet"), "");
    write(&home.join("staging/shop/awsdms_status/LOAD00000001.csv"), "1");
}

#[test]
fn parquet_brings_columns_but_no_keys() {
    let home = tempfile::tempdir().expect("a temporary folder");
    stage_parquet(home.path());
    let done = run(home.path(), &INIT);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("to fill in: shop.orders: keys"), "{done:?}");
    assert!(done.out.is_empty(), "{done:?}");

    let text = read(&home.path().join("dmslake.toml"));
    assert!(
        text.contains("# shop.orders: Parquet, 1 full-load object and 2 CDC objects"),
        "{text}"
    );
    for control in ["Op (the ", "dms_ts (probably the ", "BI_id (a ", "# keys = [\"id\"]"] {
        assert!(text.contains(control), "{control} in {text}");
    }
    load::parse(&text).expect_err("keys are to be filled in");
    let settings = load::parse(&text.replace("# keys = [\"id\"]", "keys = [\"id\"]"));
    let settings = settings.expect(&text);
    assert_eq!(settings.lake, "s3://shop-lake/tables");
    assert_eq!(settings.dms.timestamp_column_name.as_deref(), Some("dms_ts"), "a good guess");
    let [table] = settings.tables.as_slice() else { panic!("one table in {text}") };
    assert!(table.columns.is_empty(), "the objects tell them: {text}");
}

#[test]
fn the_endpoint_names_the_control_columns() {
    let home = tempfile::tempdir().expect("a temporary folder");
    stage_parquet(home.path());
    let endpoint = r#"{"Endpoints": [{"EndpointType": "TARGET", "EngineName": "s3",
        "S3Settings": {"DataFormat": "parquet", "TimestampColumnName": "dms_ts",
        "CsvDelimiter": ";", "BucketName": "shop-dms-staging"}}]}"#;
    write(&home.path().join("endpoint.json"), endpoint);
    let arguments = [&INIT[..], &["--endpoint-settings", "endpoint.json", "-o", "-"]].concat();
    let done = run(home.path(), &arguments);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.out.contains("dms_ts (the timestamp column)"), "{done:?}");
    let settings = load::parse(&done.out.replace("# keys = [\"id\"]", "keys = [\"id\"]"));
    let settings = settings.expect(&done.out);
    assert_eq!(settings.dms.timestamp_column_name.as_deref(), Some("dms_ts"));
    assert_eq!(settings.dms.csv_delimiter, ";");
    assert!(!home.path().join("dmslake.toml").exists(), "printed, not written");
}

#[test]
fn csv_gets_places_to_fill_in() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let folder = home.path().join("staging/shop/customers");
    write(&folder.join("LOAD00000001.csv"), "1,\"a\nb\",x\n2,c,y\n");
    write(&folder.join("20260301-120000000.csv.gz"), gzip("U,1,\"a,\n\"\"b\"\"\",x,z\n"));
    write(&folder.join("notes.txt"), "?");
    write(&home.path().join("staging/txn/CDC_TXN-20260301120000000.csv"), "?");
    let done = run(home.path(), &INIT);
    assert_eq!(done.code, Some(0), "{done:?}");
    for told in [
        "to fill in: shop.customers: columns",
        "1 object with a name that DMS does not give",
        "1 transaction-ordered object",
        "the configuration is not valid",
    ] {
        assert!(done.err.contains(told), "{told} in {done:?}");
    }
    let text = read(&home.path().join("dmslake.toml"));
    assert!(text.contains("NOT COMPLETE"), "{text}");
    load::parse(&text).expect_err("types are to be filled in");
    let filled = text.replace("# keys = []", "keys = [\"column_1\"]").replace("\"?\"", "\"text\"");
    let settings = load::parse(&filled).expect(&filled);
    assert_eq!(settings.tables[0].columns.len(), 4, "Op is no column of the source: {text}");
}

#[test]
fn an_existing_file_is_replaced_only_by_force() {
    let home = tempfile::tempdir().expect("a temporary folder");
    stage_parquet(home.path());
    let file = home.path().join("dmslake.toml");
    write(&file, "mine");
    let refused = run(home.path(), &INIT);
    assert_eq!((refused.code, &*read(&file)), (Some(2), "mine"), "{refused:?}");
    let done = run(home.path(), &[&INIT[..], &["--force"]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(read(&file).contains("shop.orders"));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let home = tempfile::tempdir().expect("a temporary folder");
    stage_parquet(home.path());
    let mut command = dmslake(home.path(), &[&INIT[..], &["--output", "-"]].concat());
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn nothing_staged_is_said() {
    let home = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(home.path().join("staging")).expect("writable");
    let done = run(home.path(), &INIT);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("no table is staged there yet"), "{done:?}");
}
