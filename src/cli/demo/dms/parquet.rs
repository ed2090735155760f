//! Parquet as DMS writes it: no Arrow schema, converted types, decimals as fixed bytes of the least
//! width, and the timestamp column first, as required text.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Int8Array, Int64Array, StringArray, TimestampMicrosecondArray,
    UInt16Array, UInt32Array, UInt64Array,
};
use arrow::datatypes::{Field, Schema};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::SchemaDescriptor;

use super::super::source::{Kind, MONEY_SCALE, SourceTable, Value};
use super::{Line, SEQUENCE_COLUMN, TIMESTAMP_COLUMN, before_columns, letter};
use crate::error::{Error, ErrorKind, Result};

/// DMS's default `RowGroupLength`.
const ROW_GROUP_ROWS: usize = 10_024;
const TEXT: Kind = Kind::Text("text");

/// Encodes an object.
///
/// # Errors
/// `Internal` if Parquet refuses the columns.
pub(super) fn encode(table: &SourceTable, has_operation: bool, lines: &[Line]) -> Result<Vec<u8>> {
    let mut columns = Columns::default();
    if has_operation {
        let operations = lines.iter().map(|line| line.operation.map(letter));
        columns.add("Op", TEXT, true, Arc::new(operations.collect::<StringArray>()));
    }
    let timestamps = lines.iter().map(|line| Some(&line.timestamp));
    columns.add(TIMESTAMP_COLUMN, TEXT, false, Arc::new(timestamps.collect::<StringArray>()));
    for (position, column) in table.columns().iter().enumerate() {
        let values = lines.iter().map(|line| &line.row[position]).collect::<Vec<_>>();
        columns.add(column.name, column.kind, true, array(column.kind, &values)?);
    }
    let sequences = lines.iter().map(|line| Some(&line.sequence));
    columns.add(SEQUENCE_COLUMN, TEXT, true, Arc::new(sequences.collect::<StringArray>()));
    for (position, (name, column)) in before_columns(table).enumerate() {
        let values = lines.iter().map(|line| &line.before[position]).collect::<Vec<_>>();
        columns.add(&name, column.kind, true, array(column.kind, &values)?);
    }
    columns.write().map_err(|error| {
        Error::new(ErrorKind::Internal, "the demo's Parquet object cannot be written")
            .with("table", table.name())
            .because(error)
    })
}

/// Columns in file order, for Arrow and for Parquet.
#[derive(Default)]
struct Columns {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
    message: String,
}

impl Columns {
    fn add(&mut self, name: &str, kind: Kind, is_optional: bool, array: ArrayRef) {
        let repetition = if is_optional { "OPTIONAL" } else { "REQUIRED" };
        self.message.extend([repetition, " ", &physical(kind, name), "; "]);
        self.fields.push(Field::new(name, array.data_type().clone(), is_optional));
        self.arrays.push(array);
    }

    fn write(self) -> Result<Vec<u8>, parquet::errors::ParquetError> {
        let batch = RecordBatch::try_new(Arc::new(Schema::new(self.fields)), self.arrays)?;
        let message = parse_message_type(&format!("message schema {{ {}}}", self.message))?;
        let properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_created_by("AWS".into())
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(true)
            .with_parquet_schema(SchemaDescriptor::new(Arc::new(message)));
        let mut writer = ArrowWriter::try_new_with_options(Vec::new(), batch.schema(), options)?;
        writer.write(&batch)?;
        writer.into_inner()
    }
}

fn physical(kind: Kind, name: &str) -> String {
    match kind {
        Kind::Tiny => format!("INT32 {name} (INT_8)"),
        Kind::UnsignedSmall => format!("INT32 {name} (UINT_16)"),
        Kind::UnsignedInt => format!("INT32 {name} (UINT_32)"),
        Kind::Big => format!("INT64 {name}"),
        Kind::UnsignedBig => format!("INT64 {name} (UINT_64)"),
        Kind::Money { precision } => {
            let width = decimal_bytes(precision);
            format!("FIXED_LEN_BYTE_ARRAY ({width}) {name} (DECIMAL({precision},{MONEY_SCALE}))")
        }
        Kind::Instant => format!("INT64 {name} (TIMESTAMP_MICROS)"),
        Kind::Text(_) => format!("BYTE_ARRAY {name} (UTF8)"),
    }
}

/// The fewest bytes that hold every signed number with that many digits.
fn decimal_bytes(precision: u8) -> u32 {
    let largest = 10_u128.pow(u32::from(precision)) - 1;
    let bits = u128::BITS - largest.leading_zeros() + 1;
    bits.div_ceil(8)
}

fn array(kind: Kind, values: &[&Value]) -> Result<ArrayRef> {
    let integers = values.iter().map(|value| match value {
        Value::Integer(number) | Value::Money(number) | Value::Instant(number) => Some(*number),
        Value::Null | Value::Text(_) => None,
    });
    // Every value of the shop fits its column.
    let array: ArrayRef = match kind {
        Kind::Tiny => Arc::new(integers.map(narrow).collect::<Int8Array>()),
        Kind::UnsignedSmall => Arc::new(integers.map(narrow).collect::<UInt16Array>()),
        Kind::UnsignedInt => Arc::new(integers.map(narrow).collect::<UInt32Array>()),
        Kind::Big => Arc::new(integers.collect::<Int64Array>()),
        Kind::UnsignedBig => Arc::new(integers.map(narrow).collect::<UInt64Array>()),
        Kind::Money { precision } => {
            let digits = integers.map(|number| number.map(i128::from));
            let scale = i8::try_from(MONEY_SCALE).expect("the constant is small");
            let array = digits.collect::<Decimal128Array>();
            Arc::new(array.with_precision_and_scale(precision, scale)?)
        }
        Kind::Instant => {
            Arc::new(integers.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
        Kind::Text(_) => {
            let texts = values.iter().map(|value| match value {
                Value::Text(text) => Some(text),
                _ => None,
            });
            Arc::new(texts.collect::<StringArray>())
        }
    };
    Ok(array)
}

fn narrow<N: TryFrom<i64>>(number: Option<i64>) -> Option<N> {
    number.map(|number| N::try_from(number).ok().expect("the shop's values fit their columns"))
}

#[cfg(test)]
mod tests {
    use super::decimal_bytes;

    #[test]
    fn decimals_have_the_width_that_dms_writes() {
        assert_eq!([decimal_bytes(15), decimal_bytes(38)], [7, 16]);
    }
}
