//! The objects that DMS would stage: names, control columns, CSV and Parquet.

mod csv;
mod parquet;

use chrono::DateTime;

use super::source::{Change, SourceColumn, SourceTable, Value, Values};
use crate::dms::{Format, Operation};
use crate::error::Result;

/// `TimestampColumnName` of the demo's endpoint.
pub(super) const TIMESTAMP_COLUMN: &str = "dms_ts";
/// The column that the demo's `AR_H_CHANGE_SEQ` rule adds.
pub(super) const SEQUENCE_COLUMN: &str = "cdc_seq";
/// The prefix of the columns that the demo's before-image rule (primary keys only) adds.
pub(super) const BEFORE_PREFIX: &str = "BI_";

/// A full-load object: without `Op`, with times of transfer, without sequence and before images.
///
/// # Errors
/// `Internal` if the object cannot be encoded.
pub(super) fn full_load(
    table: &SourceTable,
    format: Format,
    rows: &[&Values],
    moved_from: i64,
) -> Result<Vec<u8>> {
    let lines = (0..).zip(rows).map(|(position, row)| Line {
        operation: None,
        timestamp: timestamp(moved_from + position),
        row: (*row).clone(),
        sequence: String::new(),
        before: vec![Value::Null; table.key_columns().len()],
    });
    encode(table, format, false, &lines.collect::<Vec<_>>())
}

/// A change object.
///
/// # Errors
/// `Internal` if the object cannot be encoded.
pub(super) fn changes(table: &SourceTable, format: Format, log: &[Change]) -> Result<Vec<u8>> {
    let lines = log.iter().map(|change| Line {
        operation: Some(change.operation),
        timestamp: timestamp(change.committed),
        row: change.row.clone(),
        sequence: sequence(change),
        before: before(table, change),
    });
    encode(table, format, true, &lines.collect::<Vec<_>>())
}

/// The name of a full-load object: a hexadecimal counter from 1.
pub(super) fn load_name(counter: usize, format: Format) -> String {
    format!("LOAD{counter:08X}{}", suffix(format))
}

/// The name of a change object that was begun at that time.
pub(super) fn change_name(time: i64, format: Format) -> String {
    format!("{}{}", formatted(time, "%Y%m%d-%H%M%S%3f"), suffix(format))
}

/// One line of an object, not yet encoded.
struct Line {
    operation: Option<Operation>,
    timestamp: String,
    row: Values,
    sequence: String,
    before: Values,
}

fn encode(
    table: &SourceTable,
    format: Format,
    has_operation: bool,
    lines: &[Line],
) -> Result<Vec<u8>> {
    match format {
        Format::Csv => Ok(csv::encode(lines)),
        Format::Parquet => parquet::encode(table, has_operation, lines),
    }
}

/// The columns that the before-image rule adds.
fn before_columns(table: &SourceTable) -> impl Iterator<Item = (String, SourceColumn)> {
    let named = |column: &SourceColumn| (format!("{BEFORE_PREFIX}{}", column.name), *column);
    table.key_columns().iter().map(named)
}

/// DMS fills before images for updates only, whether the columns changed or not.
fn before(table: &SourceTable, change: &Change) -> Values {
    let none = || vec![Value::Null; table.key_columns().len()];
    change.key_before.clone().unwrap_or_else(none)
}

/// 16 digits of time, to hundredths of a second, and 19 digits of a counter.
fn sequence(change: &Change) -> String {
    let hundredths = change.committed.rem_euclid(1_000_000) / 10_000;
    let time = formatted(change.committed, "%Y%m%d%H%M%S");
    format!("{time}{hundredths:02}{:019}", change.sequence)
}

fn timestamp(time: i64) -> String {
    formatted(time, "%Y-%m-%d %H:%M:%S%.6f")
}

fn formatted(time: i64, pattern: &str) -> String {
    DateTime::from_timestamp_micros(time)
        .expect("the shop's times are valid")
        .format(pattern)
        .to_string()
}

fn suffix(format: Format) -> &'static str {
    match format {
        Format::Csv => ".csv",
        Format::Parquet => ".parquet",
    }
}

fn letter(operation: Operation) -> &'static str {
    match operation {
        Operation::Insert => "I",
        Operation::Update => "U",
        Operation::Delete => "D",
    }
}
