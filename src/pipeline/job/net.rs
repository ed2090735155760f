//! Writes the net changes of a slice as a run: in key order, in blocks, so that any key range of it
//! can be read by itself.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt8Array, new_null_array};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use crate::change::NetChanges;
use crate::decode::OPERATION;
use crate::dms::Operation;
use crate::error::Result;
use crate::memory::memory_size;
use crate::pipeline::job::format::{Block, KeyBytes, Run};
use crate::pipeline::job::key_order::KeyOrder;
use crate::pipeline::job::scratch::append;
use crate::pipeline::job::task::TaskContext;
use crate::schema::TableSchema;

/// The most rows of a block, and about the most bytes: what a range reads too much of at either end.
const BLOCK_ROWS: usize = 4096;
const BLOCK_BYTES: usize = 256 << 10;

/// The batch as blocks.
pub(super) fn blocks(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let count = batch.num_rows();
    let row_bytes = (memory_size(batch) / count.max(1)).max(1);
    let rows = (BLOCK_BYTES / row_bytes).clamp(1, BLOCK_ROWS);
    (0..count).step_by(rows).map(move |at| batch.slice(at, rows.min(count - at)))
}

/// Changes as runs hold them: [`OPERATION`], then the table's columns.
pub(super) fn run_schema(columns: &TableSchema) -> SchemaRef {
    let operation = Arc::new(Field::new(OPERATION, DataType::UInt8, false));
    let table = columns.arrow_nullable();
    let fields = [operation].into_iter().chain(table.fields().iter().cloned());
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Writes a slice's net changes.
///
/// # Errors
/// `Unavailable` if scratch cannot be written.
pub(super) async fn write_run(
    context: &TaskContext<'_>,
    order: &KeyOrder,
    net: NetChanges,
) -> Result<Run> {
    let schema = run_schema(&context.columns);
    let (mut bytes, mut blocks) = (Vec::new(), Vec::new());
    let mut changes = Vec::new();
    for (batches, operation) in [(net.upserts, Operation::Update), (net.deletes, Operation::Delete)]
    {
        for batch in batches {
            changes.push(as_change(&batch, operation, &schema)?);
        }
    }
    let all = order.sorted(concat_batches(&schema, &changes)?)?;
    drop(changes);
    for block in self::blocks(&all) {
        let first = KeyBytes(order.rows(&block.slice(0, 1))?.row(0).data().to_vec());
        let decoded = memory_size(&block) as u64;
        blocks.push(Block { first, segment: append(&mut bytes, &block)?, decoded });
    }
    let object = context.new_object("net");
    if !bytes.is_empty() {
        context.scratch.put(&object, bytes).await?;
    }
    Ok(Run { object, blocks })
}

/// A batch of upserts, or of deletes, which have only their keys and sequences.
fn as_change(batch: &RecordBatch, operation: Operation, schema: &SchemaRef) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let codes: ArrayRef = Arc::new(UInt8Array::from(vec![operation.code(); rows]));
    let column = |field: &Arc<Field>| match batch.column_by_name(field.name()) {
        Some(column) => Arc::clone(column),
        None => new_null_array(field.data_type(), rows),
    };
    let table = schema.fields().iter().skip(1).map(column);
    let columns = [codes].into_iter().chain(table);
    Ok(RecordBatch::try_new(Arc::clone(schema), columns.collect())?)
}
