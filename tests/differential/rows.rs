//! Converts rows of the model to Arrow batches and back.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Schema};
use datafusion::prelude::SessionContext;
use deltalake::DeltaTable;
use dmslake::schema::{Column, ColumnType};

use crate::support::model::{Key, Row, Rows, Value, key_of};
use crate::support::table::value;

/// Values of one column.
pub(super) fn array(column_type: ColumnType, values: &[&Value]) -> ArrayRef {
    macro_rules! integers {
        ($array:ty) => {
            Arc::new(
                values
                    .iter()
                    .map(|value| match value {
                        Value::Int(value) => Some((*value).try_into().unwrap()),
                        _ => None,
                    })
                    .collect::<$array>(),
            )
        };
    }
    macro_rules! others {
        ($array:ty, $kind:ident, $convert:expr) => {
            values
                .iter()
                .map(|value| match value {
                    Value::$kind(value) => Some($convert(value)),
                    _ => None,
                })
                .collect::<$array>()
        };
    }
    match column_type {
        ColumnType::Byte => integers!(Int8Array),
        ColumnType::Short => integers!(Int16Array),
        ColumnType::Int => integers!(Int32Array),
        ColumnType::Long => integers!(Int64Array),
        ColumnType::Decimal { .. } => {
            let unscaled = values.iter().map(|value| match value {
                Value::Decimal { unscaled, .. } => Some(*unscaled),
                _ => None,
            });
            let array: Decimal128Array = unscaled.collect();
            Arc::new(array.with_data_type(column_type.arrow()))
        }
        ColumnType::Double => {
            Arc::new(others!(Float64Array, Double, |bits: &u64| f64::from_bits(*bits)))
        }
        ColumnType::Boolean => Arc::new(others!(BooleanArray, Bool, |value: &bool| *value)),
        ColumnType::Date => Arc::new(others!(Date32Array, Day, |day: &i32| *day)),
        ColumnType::Timestamp => Arc::new(
            others!(TimestampMicrosecondArray, Instant, |instant: &i64| *instant)
                .with_timezone("UTC"),
        ),
        ColumnType::String => Arc::new(others!(StringArray, Text, String::as_str)),
        ColumnType::Binary => Arc::new(others!(BinaryArray, Bytes, Vec::as_slice)),
    }
}

/// Rows with these columns; a row may have more values than there are columns.
pub(crate) fn batch(columns: &[Column], rows: &[&Row]) -> RecordBatch {
    let arrays = columns.iter().enumerate().map(|(at, column)| {
        let values: Vec<&Value> = rows.iter().map(|row| &row[at]).collect();
        array(column.column_type, &values)
    });
    let fields = columns
        .iter()
        .map(|column| Field::new(&column.name, column.column_type.arrow(), column.nullable));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), arrays.collect()).unwrap()
}

/// Keys with the key columns, in key order.
pub(crate) fn key_batch(columns: &[Column], keys: &[usize], asked: &[&Key]) -> RecordBatch {
    let columns: Vec<Column> = keys.iter().map(|&key| columns[key].clone()).collect();
    batch(&columns, asked)
}

/// Rows of batches, by key, with these columns; a column that a batch lacks is NULL.
///
/// # Panics
/// If two rows have the same key.
pub(crate) fn rows_of(batches: &[RecordBatch], columns: &[Column], keys: &[usize]) -> Rows {
    let mut rows = Rows::new();
    for batch in batches {
        let arrays: Vec<Option<&ArrayRef>> =
            columns.iter().map(|column| batch.column_by_name(&column.name)).collect();
        for index in 0..batch.num_rows() {
            let row: Row = arrays
                .iter()
                .map(|array| array.map_or(Value::Null, |array| value(array, index)))
                .collect();
            let key = key_of(&row, keys);
            assert!(rows.insert(key.clone(), row).is_none(), "two rows of key {key:?}");
        }
    }
    rows
}

/// All rows of a table, by key.
pub(super) async fn content(table: &DeltaTable, columns: &[Column], keys: &[usize]) -> Rows {
    let provider = table.table_provider().await.expect("the table can be read");
    let frame = SessionContext::new().read_table(provider).expect("the table can be read");
    rows_of(&frame.collect().await.expect("the table can be read"), columns, keys)
}

/// The first differences between expected and found rows; none if equal.
pub(super) fn difference(columns: &[Column], expected: &Rows, found: &Rows) -> Option<String> {
    let mut lines = Vec::new();
    for (key, row) in expected {
        match found.get(key) {
            None => lines.push(format!("{key:?} is missing")),
            Some(other) => {
                let unlike = columns.iter().zip(row.iter().zip(other)).filter(|(_, (a, b))| a != b);
                lines.extend(unlike.map(|(column, (expected, found))| {
                    let name = &column.name;
                    format!("{key:?} column {name}: expected {expected:?}, found {found:?}")
                }));
            }
        }
    }
    let surplus = found.keys().filter(|key| !expected.contains_key(*key));
    lines.extend(surplus.map(|key| format!("{key:?} should not be there")));
    let more = lines.len().saturating_sub(6);
    lines.truncate(6);
    (!lines.is_empty()).then(|| format!("{}\n… and {more} more", lines.join("\n")))
}
