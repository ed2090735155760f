//! Objects that are damaged as a whole: no setting helps, staging them again does.

use std::io::Write;
use std::sync::Arc;

use dmslake::error::ErrorKind;
use dmslake::pipeline::Status;
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::data_type::Int64Type;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::support::parquet_file::{file_with, numbers, texts};

use super::shop::Shop;

const ROWS: usize = 2000;

fn csv() -> Vec<u8> {
    let row = |row: usize| format!("{row},note {}\n", row * 7919);
    (1..=ROWS).map(row).collect::<String>().into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn parquet() -> Vec<u8> {
    let notes: Vec<String> = (0..ROWS).map(|row| format!("note {row}")).collect();
    let notes: Vec<Option<&str>> = notes.iter().map(|note| Some(note.as_str())).collect();
    let columns = [("int64 id", numbers(ROWS)), ("binary note (UTF8)", texts(&notes))];
    file_with(&columns, WriterProperties::new(), 1)
}

/// Every kind of damage holds the table with the remedy to stage the object again, which works;
/// `on_bad_row`, an earlier remedy, does not.
#[tokio::test]
async fn a_damaged_object_is_staged_again() {
    let (whole_csv, whole_parquet) = (gzip(&csv()), parquet());
    let flipped = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 0xff;
        bytes
    };
    let parquet_name = "LOAD00000001.parquet";
    let cases = [
        ("gzip cut off", "LOAD00000001.csv.gz", whole_csv[..whole_csv.len() / 2].to_vec()),
        ("gzip without its end", "LOAD00000001.csv.gz", whole_csv[..whole_csv.len() - 4].to_vec()),
        ("gzip with a wrong sum", "LOAD00000001.csv.gz", flipped(&whole_csv, whole_csv.len() - 6)),
        ("Parquet cut off", parquet_name, whole_parquet[..whole_parquet.len() - 9].to_vec()),
        ("Parquet's beginning", parquet_name, b"PAR1".to_vec()),
        ("garbage", parquet_name, vec![b'x'; 5000]),
        ("gzip of garbage", parquet_name, gzip(&[b'x'; 5000])),
        ("a flipped footer", parquet_name, flipped(&whole_parquet, whole_parquet.len() - 9)),
        ("a flipped page head", parquet_name, flipped(&whole_parquet, 5)),
    ];
    for (case, name, damaged) in cases {
        let whole = if name == parquet_name { &whole_parquet } else { &whole_csv };
        for on_bad_row in ["stop", "quarantine"] {
            let shop = Shop::with(&format!("on_bad_row = \"{on_bad_row}\""));
            shop.stage(name, &damaged);
            let held = shop.apply().await;
            assert_eq!(held.status, Status::Held, "{case}: {held:?}");
            assert_eq!(held.error_kind, Some(ErrorKind::MalformedObject), "{case}: {held:?}");
            let remedy = held.remedy.expect("there is one");
            assert!(remedy.starts_with("stage the object again"), "{case}: {remedy}");
            assert!(held.error.expect("why").contains(name), "{case}");

            shop.stage(name, whole);
            let done = shop.apply().await;
            assert_eq!(
                (done.status, done.counts.inserted),
                (Status::Ok, ROWS as u64),
                "{case}: {done:?}"
            );
        }
    }
}

/// DMS never writes nested columns.
#[tokio::test]
async fn a_nested_column_is_staged_again_as_dms_writes_it() {
    let message = "message schema { optional int64 id; optional group note { optional int64 n; } }";
    let schema = Arc::new(parse_message_type(message).unwrap());
    let mut writer =
        SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::new())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for level in [1, 2] {
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&[1], Some(&[level]), None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    let shop = Shop::with("");
    shop.stage("LOAD00000001.parquet", &writer.into_inner().unwrap());
    let held = shop.apply().await;
    assert_eq!(held.error_kind, Some(ErrorKind::SchemaRefused), "{held:?}");
    assert!(held.error.expect("why").contains("the column is nested"));
    assert!(held.remedy.expect("there is one").starts_with("stage the object again"));
    shop.stage("LOAD00000001.parquet", &parquet());
    let done = shop.apply().await;
    assert_eq!((done.status, done.counts.inserted), (Status::Ok, ROWS as u64), "{done:?}");
}

/// A row that is too long for the budget is read with the budget that the remedy names.
#[tokio::test]
async fn a_larger_budget_takes_a_longer_row() {
    let shop = Shop::with("");
    shop.stage("LOAD00000001.csv", format!("1,{}\n2,b\n", "x".repeat(5 << 20)).as_bytes());
    let held = shop.apply().await;
    assert_eq!(held.status, Status::Held, "{held:?}");
    let remedy = held.remedy.expect("there is one");
    let (_, rest) = remedy.split_once("set memory_budget to ").expect(&remedy);
    let budget: u64 = rest.split_once(' ').and_then(|(budget, _)| budget.parse().ok()).unwrap();
    let shop = Shop::with(&format!("memory_budget = {budget}"));
    shop.stage("LOAD00000001.csv", format!("1,{}\n2,b\n", "x".repeat(5 << 20)).as_bytes());
    let done = shop.apply().await;
    assert_eq!((done.status, done.counts.inserted), (Status::Ok, 2), "{done:?}");
}
