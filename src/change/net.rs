//! Splits the last changes into upserts and deletes.

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

/// Splits the survivors into upserts and deletes, and completes the images of upserts. Batches are
/// copied on all cores and dropped one by one.
pub(super) async fn split(
    changes: Changes,
    survivors: &Survivors,
    images: Option<&Images>,
) -> Result<NetChanges> {
    // Of a delete, its key and its sequence.
    let of_deletes: Arc<[usize]> =
        changes.keys().iter().copied().chain(changes.sequence()).collect();
    let mut net = NetChanges {
        changes: changes.len(),
        superseded: survivors.superseded,
        ..NetChanges::default()
    };
    let presumed = survivors.presumed.clone();
    let mut passed = 0;
    let parts = changes.into_batches().into_iter().map(|batch| {
        let start = passed;
        passed += batch.len();
        let survives = BooleanArray::new(survivors.mask.slice(start, batch.len()), None);
        let of_deletes = Arc::clone(&of_deletes);
        SpawnedTask::spawn(async move { Part::of(start, &batch, &survives, &of_deletes) })
            .join_unwind()
    });
    let (mut of_upserts, mut of_deletes) = (Vec::new(), Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut parts = futures::stream::iter(parts).buffered(2 * cores);
    while let Some(part) = parts.next().await {
        let part = part??;
        if let Some(presumed) = &presumed {
            of_upserts.extend(part.positions.iter().map(|&position| presumed.value(position)));
            of_deletes.extend(part.deleted.iter().map(|&position| presumed.value(position)));
        }
        if let Some(rows) = part.upserts {
            match images {
                Some(images) => net.upserts.extend(images.complete(&rows, &part.positions)?),
                None => net.upserts.push(rows),
            }
        }
        net.deletes.extend(part.deletes);
    }
    net.presumed = presumed.map(|_| of_upserts.into_iter().chain(of_deletes).collect());
    Ok(net)
}

/// The survivors of one batch.
struct Part {
    upserts: Option<RecordBatch>,
    /// Positions of the upserts.
    positions: Vec<usize>,
    deletes: Option<RecordBatch>,
    /// Positions of the deletes.
    deleted: Vec<usize>,
}

impl Part {
    /// The survivors of the batch whose first change has the position `start`.
    fn of(
        start: usize,
        batch: &ChangeBatch,
        survives: &BooleanArray,
        of_deletes: &[usize],
    ) -> Result<Self> {
        let delete = UInt8Array::new_scalar(Operation::Delete.code());
        let upserts = neq(&batch.operation, &delete)?;
        let upserted = and(survives, &upserts)?;
        let deleted = and(survives, &not(&upserts)?)?;
        let at = |survivors: &BooleanArray| {
            survivors.values().set_indices().map(|row| start + row).collect::<Vec<_>>()
        };
        let mut part =
            Self { upserts: None, positions: at(&upserted), deletes: None, deleted: at(&deleted) };
        if upserted.has_true() {
            part.upserts = Some(filter_record_batch(&batch.image, &upserted)?);
        }
        if deleted.has_true() {
            part.deletes = Some(filter_record_batch(&batch.image.project(of_deletes)?, &deleted)?);
        }
        Ok(part)
    }
}
