//! The last changes as upserts and deletes.

use std::num::NonZero;
use std::sync::Arc;

use arrow::array::{BooleanArray, UInt8Array};
use arrow::compute::kernels::cmp::neq;
use arrow::compute::{and, filter_record_batch, not};
use arrow::record_batch::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use futures::StreamExt;

use super::NetChanges;
use super::batch::ChangeBatch;
use super::changes::Changes;
use super::partial::Images;
use super::survivors::Survivors;
use crate::dms::Operation;
use crate::error::Result;

/// Splits the survivors into upserts and deletes, and completes the upserts' images. Batches
/// are copied on all cores and let go one by one.
pub(super) async fn split(
    changes: Changes,
    survivors: &Survivors,
    images: Option<&Images>,
) -> Result<NetChanges> {
    let keys: Arc<[usize]> = changes.keys().into();
    let mut net = NetChanges {
        changes: changes.len(),
        superseded: survivors.superseded,
        ..NetChanges::default()
    };
    let mut passed = 0;
    let parts = changes.into_batches().into_iter().map(|batch| {
        let start = passed;
        passed += batch.len();
        let survives = BooleanArray::new(survivors.mask.slice(start, batch.len()), None);
        let keys = Arc::clone(&keys);
        SpawnedTask::spawn(async move { Part::of(start, &batch, &survives, &keys) }).join_unwind()
    });
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut parts = futures::stream::iter(parts).buffered(2 * cores);
    while let Some(part) = parts.next().await {
        let part = part??;
        if let Some(rows) = part.upserts {
            match images {
                Some(images) => net.upserts.extend(images.complete(&rows, &part.positions)?),
                None => net.upserts.push(rows),
            }
        }
        net.deletes.extend(part.deletes);
    }
    Ok(net)
}

/// What survives of one batch.
struct Part {
    upserts: Option<RecordBatch>,
    /// Of the upserts.
    positions: Vec<usize>,
    deletes: Option<RecordBatch>,
}

impl Part {
    /// Of the batch whose first change stands at `start`.
    fn of(
        start: usize,
        batch: &ChangeBatch,
        survives: &BooleanArray,
        keys: &[usize],
    ) -> Result<Self> {
        let delete = UInt8Array::new_scalar(Operation::Delete.code());
        let upserts = neq(&batch.operation, &delete)?;
        let upserted = and(survives, &upserts)?;
        let deleted = and(survives, &not(&upserts)?)?;
        let mut part = Self { upserts: None, positions: Vec::new(), deletes: None };
        if upserted.has_true() {
            part.upserts = Some(filter_record_batch(&batch.image, &upserted)?);
            part.positions = upserted.values().set_indices().map(|row| start + row).collect();
        }
        if deleted.has_true() {
            part.deletes = Some(filter_record_batch(&batch.image.project(keys)?, &deleted)?);
        }
        Ok(part)
    }
}
