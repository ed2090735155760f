//! A Parquet row as text, for quarantine.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Decimal256Type, DecimalType};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Map, Value};

use crate::decode::values::cast_decimal::unscaled;
use crate::decode::values::cast_time::int96_text;

/// A row as a JSON object in column order: numbers and booleans as such, bytes in hexadecimal,
/// everything else as text. If a name repeats, the last value is kept.
pub(super) fn row_as_json(batch: &RecordBatch, physical: &[DataType], position: usize) -> String {
    let mut row = Map::new();
    let schema = batch.schema();
    for (field, (column, physical)) in
        schema.fields().iter().zip(batch.columns().iter().zip(physical))
    {
        row.insert(field.name().clone(), value(column, physical, position));
    }
    Value::Object(row).to_string()
}

fn value(column: &dyn Array, physical: &DataType, position: usize) -> Value {
    if column.is_null(position) {
        return Value::Null;
    }
    if *physical == DataType::Utf8 {
        let text = String::from_utf8_lossy(column.as_binary::<i32>().value(position));
        return Value::String(text.into_owned());
    }
    if let Some(text) = text_of_bytes(column, physical, position) {
        return Value::String(text);
    }
    let options = FormatOptions::new();
    let text = match ArrayFormatter::try_new(column, &options) {
        Ok(formatter) => formatter.value(position).to_string(),
        Err(_) => return Value::Null,
    };
    let is_literal = physical.is_integer() || *physical == DataType::Boolean;
    match serde_json::from_str(&text) {
        Ok(literal) if is_literal => literal,
        _ => Value::String(text),
    }
}

/// The text of a decimal or an instant that is read as bytes.
fn text_of_bytes(column: &dyn Array, physical: &DataType, position: usize) -> Option<String> {
    match (physical, column.data_type()) {
        (
            DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale),
            DataType::Binary,
        ) => {
            let value = unscaled(column.as_binary::<i32>().value(position)).ok()?;
            Some(Decimal256Type::format_decimal(value, *precision, *scale))
        }
        (DataType::Timestamp(_, _), DataType::FixedSizeBinary(_)) => {
            int96_text(column.as_fixed_size_binary().value(position))
        }
        _ => None,
    }
}
