//! One key range of all runs: the last change of each key wins.

use std::sync::Arc;

use arrow::array::AsArray as _;
use arrow::compute::kernels::cmp::{eq, neq};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::UInt8Type;
use arrow::record_batch::RecordBatch;

use crate::change::refuse_differing;
use crate::config::SEQUENCE;
use crate::decode::OPERATION;
use crate::dms::Operation;
use crate::error::Result;
use crate::pipeline::job::format::{RangeChanges, ReduceOutcome, ReduceTask};
use crate::pipeline::job::key_order::KeyOrder;
use crate::pipeline::job::net::{blocks, run_schema};
use crate::pipeline::job::scratch::{append, append_bytes, as_json};
use crate::pipeline::job::task::TaskContext;
use crate::pipeline::suspicion::columns_apart;

/// Reduces a range.
///
/// # Errors
/// `TableRefused` if a full load has different rows with one key; those of reading and writing
/// scratch.
pub(super) async fn reduce(context: &TaskContext<'_>, task: &ReduceTask) -> Result<ReduceOutcome> {
    let keys = context.round.table.lake_keys();
    let order = KeyOrder::of(&context.columns, &keys)?;
    let mut all = Vec::new();
    for run in &task.runs {
        for batch in context.scratch.batches(&run.object, &run.blocks).await? {
            all.push(order.within(&batch, task.from.as_ref(), task.below.as_ref())?);
        }
    }
    let schema = run_schema(&context.columns);
    let changes = concat_batches(&schema, &all)?;
    drop(all);
    // Each run has a key once, and a later one has what came later.
    let last = order.last_of_each(&changes)?;
    let superseded = (changes.num_rows() - last.num_rows()) as u64;
    if superseded > 0 && task.is_load {
        let apart = columns_apart(&context.round.table);
        let names = context.columns.columns().iter().map(|column| column.name.clone());
        let compared: Vec<String> = names.filter(|name| !apart.contains(name)).collect();
        refuse_differing(&context.columns.arrow(), &[changes], &keys, &compared)?;
    }
    let changes = write(context, &order, &last).await?;
    Ok(ReduceOutcome { changes, superseded })
}

async fn write(
    context: &TaskContext<'_>,
    order: &KeyOrder,
    all: &RecordBatch,
) -> Result<RangeChanges> {
    let delete = arrow::array::UInt8Array::new_scalar(Operation::Delete.code());
    let operations = all[OPERATION].as_primitive::<UInt8Type>();
    let upserts = filter_record_batch(all, &neq(operations, &delete)?)?;
    let deletes = filter_record_batch(all, &eq(operations, &delete)?)?;
    let keys = [order.only_keys(&upserts)?, order.only_keys(&deletes)?];
    let mut bytes = Vec::new();
    let keys = append(&mut bytes, &concat_batches(&keys[0].schema(), &keys)?)?;
    let traces = sequenced(order, &deletes)?.filter(|traces| traces.num_rows() > 0);
    let traces = traces.map(|traces| append(&mut bytes, &traces)).transpose()?;
    // The table's columns, without the operation.
    let columns: Vec<usize> = (1..upserts.num_columns()).collect();
    let mut images = Vec::new();
    for block in blocks(&upserts.project(&columns)?) {
        images.push(append(&mut bytes, &block)?);
    }
    let index = append_bytes(&mut bytes, &as_json(&images)?, images.len() as u64);
    let bounds = order.ends(all)?;
    let object = context.new_object("range");
    context.scratch.put(&object, bytes).await?;
    Ok(RangeChanges {
        range: 0,
        object,
        keys,
        deletes: traces,
        index,
        image_bytes: images.iter().map(|block| block.bytes).sum(),
        upserted: upserts.num_rows() as u64,
        removed: deletes.num_rows() as u64,
        bounds,
    })
}

/// Keys and sequences of deletes, if the table keeps sequences.
fn sequenced(order: &KeyOrder, deletes: &RecordBatch) -> Result<Option<RecordBatch>> {
    let Some((_, field)) = deletes.schema_ref().column_with_name(SEQUENCE) else { return Ok(None) };
    let keys = order.only_keys(deletes)?;
    let fields = keys.schema_ref().fields().iter().cloned();
    let fields = fields.chain([Arc::new(field.clone())]).collect::<Vec<_>>();
    let columns = keys.columns().iter().cloned().chain([Arc::clone(&deletes[SEQUENCE])]);
    let schema = Arc::new(arrow::datatypes::Schema::new(fields));
    Ok(Some(RecordBatch::try_new(schema, columns.collect())?))
}
