//! One key range of all runs: the last change of each key wins.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{AsArray as _, BooleanArray};
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
    // From the last run on, so that only what stays is in memory; of a load, rows must be compared.
    let mut seen: HashSet<Vec<u8>, foldhash::fast::RandomState> = HashSet::default();
    let (mut survivors, mut all) = (Vec::new(), Vec::new());
    let mut superseded = 0;
    for run in task.runs.iter().rev() {
        for batch in context.scratch.batches(&run.object, &run.blocks).await? {
            let rows = order.rows(&batch)?;
            let within: Vec<bool> = rows.iter().map(|row| is_within(task, row.data())).collect();
            let keys = rows.iter().zip(&within);
            let keep = keys.map(|(key, within)| *within && seen.insert(key.data().to_vec()));
            let keep = BooleanArray::from(keep.collect::<Vec<bool>>());
            let within = BooleanArray::from(within);
            superseded += (within.true_count() - keep.true_count()) as u64;
            survivors.push(filter_record_batch(&batch, &keep)?);
            if task.is_load {
                all.push(filter_record_batch(&batch, &within)?);
            }
        }
    }
    if superseded > 0 && task.is_load {
        let apart = columns_apart(&context.round.table);
        let names = context.columns.columns().iter().map(|column| column.name.clone());
        let compared: Vec<String> = names.filter(|name| !apart.contains(name)).collect();
        refuse_differing(&context.columns.arrow(), &all, &keys, &compared)?;
    }
    drop((seen, all));
    let schema = run_schema(&context.columns);
    let all = order.sorted(concat_batches(&schema, &survivors)?)?;
    let changes = write(context, &order, &all).await?;
    Ok(ReduceOutcome { changes, superseded })
}

/// Whether a key is within the range.
fn is_within(task: &ReduceTask, key: &[u8]) -> bool {
    task.from.as_ref().is_none_or(|from| from.0.as_slice() <= key)
        && task.below.as_ref().is_none_or(|below| key < below.0.as_slice())
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
    let bounds = order.bounds([all])?;
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
