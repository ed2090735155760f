//! Checks a data file's statistics in the log against its rows.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, Fields, Int64Type, Schema};
use arrow::json::ReaderBuilder;
use dmslake::schema::{Column, ColumnType, TableSchema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::model::Value;
use super::table::value;

/// Which statistics are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// All statistics.
    Everything,
    /// All except the bounds of decimals with more than 15 digits: `deltalake`'s writer converts
    /// them through a double (so they are rounded or even outside the column's range) and caps
    /// integers at 64 bits.
    AsDeltalakeWrites,
}

/// The number of digits that a double always keeps.
const EXACT_DIGITS: u8 = 15;

/// Checks the log's statistics of this file against all its rows.
///
/// # Panics
/// If a count is wrong, a value is outside the bounds, or tight bounds are wider than necessary.
pub(crate) fn check(file: &Path, told: &str, schema: &TableSchema, strictness: Strictness) {
    let batches = read(file);
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let told = Told::parse(told, schema, strictness);
    assert_eq!(
        told.records,
        Some(i64::try_from(rows).unwrap()),
        "numRecords of {}",
        file.display()
    );
    for column in schema.columns() {
        let values: Vec<Value> = batches
            .iter()
            .flat_map(|batch| {
                let array = batch.column_by_name(&column.name);
                (0..batch.num_rows())
                    .map(move |row| array.map_or(Value::Null, |array| value(array, row)))
            })
            .collect();
        told.check(file, column, &values);
    }
}

fn read(file: &Path) -> Vec<RecordBatch> {
    let file = std::fs::File::open(file).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    reader.collect::<Result<_, _>>().unwrap()
}

/// Statistics, typed as the columns.
struct Told {
    records: Option<i64>,
    is_tight: bool,
    least: StructArray,
    most: StructArray,
    nulls: StructArray,
}

impl Told {
    fn parse(text: &str, schema: &TableSchema, strictness: Strictness) -> Self {
        let fields = |data_type: &dyn Fn(&Column) -> DataType| {
            let bounded =
                schema.columns().iter().filter(|column| is_bounded(column.column_type, strictness));
            let fields: Fields =
                bounded.map(|column| Field::new(&column.name, data_type(column), true)).collect();
            DataType::Struct(fields)
        };
        let bounds = fields(&|column| column.column_type.arrow());
        let all = schema.columns().iter();
        let nulls: Fields =
            all.map(|column| Field::new(&column.name, DataType::Int64, true)).collect();
        let schema = Schema::new(vec![
            Field::new("numRecords", DataType::Int64, true),
            Field::new("tightBounds", DataType::Boolean, true),
            Field::new("minValues", bounds.clone(), true),
            Field::new("maxValues", bounds, true),
            Field::new("nullCount", DataType::Struct(nulls), true),
        ]);
        let mut reader = ReaderBuilder::new(Arc::new(schema))
            .with_strict_mode(strictness == Strictness::Everything)
            .build(text.as_bytes())
            .unwrap();
        let row = reader.next().unwrap().unwrap_or_else(|error| panic!("{text}: {error}"));
        let told = |name: &str| row.column_by_name(name).unwrap().as_struct().clone();
        let tight: &ArrayRef = row.column_by_name("tightBounds").unwrap();
        Self {
            records: row.column(0).as_primitive::<Int64Type>().iter().next().unwrap(),
            is_tight: tight.as_boolean().iter().next().unwrap().unwrap_or(true),
            least: told("minValues"),
            most: told("maxValues"),
            nulls: told("nullCount"),
        }
    }

    fn check(&self, file: &Path, column: &Column, values: &[Value]) {
        let context = || format!("{} ({}) of {}", column.name, column.column_type, file.display());
        let present: Vec<&Value> = values.iter().filter(|value| **value != Value::Null).collect();
        if let Some(Value::Int(told)) = bound(&self.nulls, column) {
            let nulls = i128::try_from(values.len() - present.len()).unwrap();
            assert!(
                told == nulls || (!self.is_tight && told >= nulls),
                "nullCount of {}: {told}, not {nulls}",
                context()
            );
        }
        let may_be_wide = !self.is_tight
            || matches!(column.column_type, ColumnType::String | ColumnType::Timestamp);
        for (told, is_upper) in [(&self.least, false), (&self.most, true)] {
            let Some(told) = bound(told, column) else { continue };
            let outside = |value: &&&Value| {
                if is_upper { !at_most(value, &told) } else { !at_most(&told, value) }
            };
            let name = if is_upper { "maxValues" } else { "minValues" };
            if let Some(value) = present.iter().find(outside) {
                panic!("{name} of {}: {told:?} rules out {value:?}", context());
            }
            let is_reached =
                present.iter().any(|value| at_most(value, &told) && at_most(&told, value));
            assert!(may_be_wide || is_reached, "{name} of {}: no row has {told:?}", context());
        }
    }
}

/// Whether a column's bounds are checked. The format of bounds for binary columns is not specified.
fn is_bounded(column_type: ColumnType, strictness: Strictness) -> bool {
    match column_type {
        ColumnType::Binary => false,
        ColumnType::Decimal { precision, .. } => {
            precision <= EXACT_DIGITS || strictness == Strictness::Everything
        }
        _ => true,
    }
}

/// The statistic of a column, if there is one.
fn bound(told: &StructArray, column: &Column) -> Option<Value> {
    let told = value(told.column_by_name(&column.name)?, 0);
    (told != Value::Null).then_some(told)
}

/// Whether a value is at most as large as another, within the precision of statistics.
fn at_most(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Double(a), Value::Double(b)) => f64::from_bits(*a) <= f64::from_bits(*b),
        // Statistics have milliseconds, and every reader allows for that.
        (Value::Instant(a), Value::Instant(b)) => a.div_euclid(1000) <= b.div_euclid(1000),
        _ => a <= b,
    }
}
