//! Rows in the physical forms of DMS's Parquet: decimals as fixed bytes, version 1 pages, no
//! compression, many small row groups, no Arrow schema.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::SchemaDescriptor;

use crate::rows::Row;

/// DMS's default.
const ROW_GROUP: usize = 10_024;
const OP: &str = "optional binary Op (STRING);";
const COLUMNS: &str = "
    optional int64 id; optional int32 customer; optional binary state (STRING);
    optional fixed_len_byte_array(6) amount (DECIMAL(12,2)); optional int32 quantity;
    optional int64 ordered_at (TIMESTAMP(MICROS,true)); optional binary note (STRING);";

pub(super) fn bytes(rows: &[Row]) -> Vec<u8> {
    let has_op = rows.iter().any(|row| row.op.is_some());
    let batch = batch(rows, has_op);
    let columns = if has_op { OP } else { "" }.to_owned() + COLUMNS;
    let schema = parse_message_type(&format!("message orders {{ {columns} }}")).expect("a schema");
    let properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .build();
    let options = ArrowWriterOptions::new()
        .with_properties(properties)
        .with_skip_arrow_metadata(true)
        .with_parquet_schema(SchemaDescriptor::new(Arc::new(schema)));
    let mut writer =
        ArrowWriter::try_new_with_options(Vec::new(), batch.schema(), options).expect("a writer");
    writer.write(&batch).expect("written");
    writer.into_inner().expect("closed")
}

fn batch(rows: &[Row], has_op: bool) -> RecordBatch {
    let amounts = rows.iter().map(|row| i128::from(row.amount)).collect::<Decimal128Array>();
    let amounts = amounts.with_precision_and_scale(12, 2).expect("amounts are small");
    let instants = rows.iter().map(|row| row.ordered_at).collect::<Vec<_>>();
    let instants = TimestampMicrosecondArray::from(instants).with_timezone("UTC");
    let states = rows.iter().map(|row| Some(row.state)).collect::<StringArray>();
    let notes = rows.iter().map(|row| row.note.as_deref()).collect::<StringArray>();
    let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
    if has_op {
        columns.push(("Op", Arc::new(rows.iter().map(|row| row.op).collect::<StringArray>())));
    }
    columns.extend([
        ("id", Arc::new(rows.iter().map(|row| row.id).collect::<Int64Array>()) as ArrayRef),
        ("customer", Arc::new(rows.iter().map(|row| row.customer).collect::<Int32Array>())),
        ("state", Arc::new(states)),
        ("amount", Arc::new(amounts)),
        ("quantity", Arc::new(rows.iter().map(|row| row.quantity).collect::<Int32Array>())),
        ("ordered_at", Arc::new(instants)),
        ("note", Arc::new(notes)),
    ]);
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .expect("columns of one length")
}
