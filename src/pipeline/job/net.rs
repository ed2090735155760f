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
use crate::pipeline::job::key_order::{KeyOrder, all_nullable};
use crate::pipeline::job::scratch::{append, nothing};
use crate::pipeline::job::task::TaskContext;
use crate::schema::TableSchema;

/// The most rows of a block, and about the most bytes: what a range reads too much of at either end.
const BLOCK_ROWS: usize = 4096;
const BLOCK_BYTES: usize = 256 << 10;

/// How many rows of a batch make a block.
pub(super) fn rows_of_block(batch: &RecordBatch) -> usize {
    let row_bytes = (memory_size(batch) / batch.num_rows().max(1)).max(1);
    (BLOCK_BYTES / row_bytes).clamp(1, BLOCK_ROWS)
}

/// Changes as runs hold them: [`OPERATION`], then the table's columns.
pub(super) fn run_schema(columns: &TableSchema) -> SchemaRef {
    let operation = Arc::new(Field::new(OPERATION, DataType::UInt8, false));
    let table = all_nullable(columns);
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
    let all = if changes.is_empty() {
        nothing(&schema)
    } else {
        order.sorted(concat_batches(&schema, &changes)?)?
    };
    drop(changes);
    let rows = rows_of_block(&all);
    for at in (0..all.num_rows()).step_by(rows) {
        let block = all.slice(at, rows.min(all.num_rows() - at));
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
