//! Faults in a table: its rows, one of them lost, doubled or changed by one step, take the place of
//! those that are right.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::{cast, concat_batches, interleave};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Schema, TimestampMicrosecondType,
};
use deltalake::protocol::SaveMode;
use dmslake::storage::Location;
use rand::Rng;
use rand::rngs::StdRng;

use crate::support::table::LakeTable;

/// What is done to one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Lost,
    Doubled,
    /// Its value in this column is another one.
    Changed(usize),
}

/// All rows of a table in one batch, whose columns have the types that writers write.
pub(super) async fn rows(table: &LakeTable, version: u64) -> Option<RecordBatch> {
    let batches = table.batches(version).await;
    let all = concat_batches(&batches.first()?.schema(), &batches).unwrap();
    Some(plain(&all))
}

fn plain(rows: &RecordBatch) -> RecordBatch {
    let plain = |column: &ArrayRef| match column.data_type() {
        DataType::Utf8View | DataType::LargeUtf8 => cast(column, &DataType::Utf8).unwrap(),
        DataType::BinaryView | DataType::LargeBinary => cast(column, &DataType::Binary).unwrap(),
        _ => Arc::clone(column),
    };
    let columns: Vec<ArrayRef> = rows.columns().iter().map(plain).collect();
    let schema = rows.schema();
    let fields = schema
        .fields()
        .iter()
        .zip(&columns)
        .map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns).unwrap()
}

/// A random fault for rows of so many columns.
pub(super) fn any(rng: &mut StdRng, columns: usize) -> Fault {
    match rng.random_range(0..4) {
        0 => Fault::Lost,
        1 => Fault::Doubled,
        _ => Fault::Changed(rng.random_range(0..columns)),
    }
}

/// The rows with that fault in one of them.
pub(super) fn with_fault(rows: &RecordBatch, fault: Fault, row: usize) -> RecordBatch {
    let all = 0..rows.num_rows();
    let chosen: Vec<(usize, usize)> = match fault {
        Fault::Lost => all.filter(|at| *at != row).map(|at| (0, at)).collect(),
        Fault::Doubled => all.chain([row]).map(|at| (0, at)).collect(),
        Fault::Changed(_) => all.map(|at| if at == row { (1, 0) } else { (0, at) }).collect(),
    };
    let columns = rows.columns().iter().enumerate().map(|(at, column)| {
        let other = match fault {
            Fault::Changed(column_at) if column_at == at => stepped(column, row),
            _ => column.slice(row, 1),
        };
        interleave(&[column.as_ref(), other.as_ref()], &chosen).unwrap()
    });
    RecordBatch::try_new(rows.schema(), columns.collect()).unwrap()
}

/// Another value than that of a row, as near to it as can be.
fn stepped(column: &ArrayRef, row: usize) -> ArrayRef {
    let is_null = column.is_null(row);
    macro_rules! next {
        ($kind:ty, $array:ty, $zero:expr, $step:expr) => {{
            let value = column.as_primitive::<$kind>().value(row);
            Arc::new(<$array>::from(vec![if is_null { $zero } else { $step(value) }])) as ArrayRef
        }};
    }
    match column.data_type() {
        DataType::Int8 => next!(Int8Type, Int8Array, 0, |it: i8| it.wrapping_add(1)),
        DataType::Int16 => next!(Int16Type, Int16Array, 0, |it: i16| it.wrapping_add(1)),
        DataType::Int32 => next!(Int32Type, Int32Array, 0, |it: i32| it.wrapping_add(1)),
        DataType::Int64 => next!(Int64Type, Int64Array, 0, |it: i64| it.wrapping_add(1)),
        DataType::Float64 => {
            next!(Float64Type, Float64Array, 0.0, |it: f64| f64::from_bits(it.to_bits() ^ 1))
        }
        DataType::Date32 => next!(Date32Type, Date32Array, 0, |it: i32| it + 1),
        DataType::Timestamp(..) => {
            let value = column.as_primitive::<TimestampMicrosecondType>().value(row);
            let next = TimestampMicrosecondArray::from(vec![if is_null { 0 } else { value ^ 1 }]);
            Arc::new(next.with_data_type(column.data_type().clone()))
        }
        DataType::Decimal128(..) => {
            let value = column.as_primitive::<Decimal128Type>().value(row);
            // Towards zero, so that no digit is added.
            let next = if is_null {
                0
            } else if value > 0 {
                value - 1
            } else {
                value + 1
            };
            let next = Decimal128Array::from(vec![next]);
            Arc::new(next.with_data_type(column.data_type().clone()))
        }
        DataType::Boolean => {
            Arc::new(BooleanArray::from(vec![is_null || !column.as_boolean().value(row)]))
        }
        DataType::Utf8 => {
            let text = column.as_string::<i32>().value(row);
            // NULL becomes empty text, and empty text NULL.
            let next = match (is_null, text) {
                (true, _) => Some(String::new()),
                (false, "") => None,
                (false, text) => Some(format!("{text} ")),
            };
            Arc::new(StringArray::from(vec![next]))
        }
        DataType::Binary => {
            let mut bytes = column.as_binary::<i32>().value(row).to_vec();
            if !is_null {
                bytes.push(0);
            }
            Arc::new(BinaryArray::from(vec![bytes.as_slice()]))
        }
        other => panic!("the contract knows no column of type {other}"),
    }
}

/// Puts these rows in the place of all rows of a table.
pub(super) async fn overwrite(location: &Location, rows: RecordBatch) {
    let table = dmslake::table::load(location).await.unwrap().expect("a table");
    table.write([rows]).with_save_mode(SaveMode::Overwrite).await.unwrap();
}

/// The rows of a table for which this holds, as writers write them.
pub(super) async fn rows_where(table: &deltalake::DeltaTable, condition: &str) -> RecordBatch {
    let provider = table.table_provider().await.unwrap();
    let context = datafusion::prelude::SessionContext::new();
    context.register_table("t", provider).unwrap();
    let query = format!("SELECT * FROM t WHERE {condition}");
    let batches = context.sql(&query).await.unwrap().collect().await.unwrap();
    plain(&concat_batches(&batches[0].schema(), &batches).unwrap())
}
