//! The rows of some key ranges that took no place in a data file: they become new ones.

use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;
use arrow::record_batch::RecordBatch;
use roaring::RoaringBitmap;

use crate::error::Result;
use crate::merge::add_rows;
use crate::pipeline::job::files::{read_marks, twice};
use crate::pipeline::job::format::{InsertOutcome, InsertRange, InsertTask};
use crate::pipeline::job::task::TaskContext;

/// Writes the rows, in key order.
///
/// # Errors
/// `TableCorrupt` if a key was found in two data files; those of reading scratch and writing.
pub(super) async fn insert(context: &TaskContext<'_>, task: &InsertTask) -> Result<InsertOutcome> {
    let keys = context.round.table.lake_keys();
    let mut rows = Vec::new();
    for range in &task.ranges {
        rows.extend(left(context, range).await?);
    }
    let count = rows.iter().map(|batch| batch.num_rows() as u64).sum();
    let files = add_rows(context.table()?, &keys, &rows, context.clock()).await?;
    Ok(InsertOutcome { files, rows: count })
}

/// The upserts of a range that are not placed.
async fn left(context: &TaskContext<'_>, range: &InsertRange) -> Result<Vec<RecordBatch>> {
    let (mut found, mut placed) = (RoaringBitmap::new(), RoaringBitmap::new());
    for marks in &range.marks {
        let (own_found, own_placed) = read_marks(context, marks).await?;
        if !found.is_disjoint(&own_found) {
            return Err(twice());
        }
        found |= own_found;
        placed |= own_placed;
    }
    let changes = &range.changes;
    let mut start = 0_u32;
    let mut wanted = Vec::new();
    let blocks = context.scratch.segments(&changes.object, changes.index).await?;
    for block in blocks {
        let end = start + u32::try_from(block.rows).unwrap_or(u32::MAX - start);
        if placed.range_cardinality(start..end) < block.rows {
            wanted.push((block, start));
        }
        start = end;
    }
    let segments: Vec<_> = wanted.iter().map(|(block, _)| *block).collect();
    let mut rows = Vec::with_capacity(wanted.len());
    let batches = context.scratch.batches(&changes.object, &segments).await?;
    for (batch, (block, start)) in batches.iter().zip(wanted) {
        let end = start + u32::try_from(block.rows).unwrap_or(u32::MAX - start);
        let keep: BooleanArray =
            (start..end).map(|change| Some(!placed.contains(change))).collect();
        rows.push(filter_record_batch(batch, &keep)?);
    }
    Ok(rows)
}
