//! The rows of two versions that are not in the same place in both.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use deltalake::kernel::Add;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::error::Result;
use crate::files::{SnapshotFiles, live_rows, row_count, rows_at};
use crate::table::LakeTable;

/// A sort takes a batch whole, so that rows of large values come in batches of about so many bytes.
const BATCH_BYTES: usize = 1 << 20;

/// Rows of a data file.
#[derive(Clone, Debug)]
enum Rows {
    /// All that are not masked.
    Live,
    /// These, by their positions.
    At(Vec<u64>),
}

/// The rows of one version that are not in the same place in the other.
#[derive(Clone)]
pub(super) struct ChangedRows {
    files: SnapshotFiles,
    parts: Vec<(Add, Rows)>,
}

/// The rows of `old` and of `new` that the other does not have in the same place.
///
/// # Errors
/// `Unavailable` if a deletion vector cannot be read.
pub(super) async fn changed(
    old: &LakeTable,
    new: &LakeTable,
) -> Result<(ChangedRows, ChangedRows)> {
    let mut before: HashMap<String, Add> =
        old.live_files()?.into_iter().map(|add| (add.path.clone(), add)).collect();
    let (mut of_old, mut of_new) = (Vec::new(), Vec::new());
    for add in new.live_files()? {
        match before.remove(&add.path) {
            None => of_new.push((add, Rows::Live)),
            Some(known) if known.deletion_vector == add.deletion_vector => {}
            Some(known) => {
                let (masked, now) =
                    tokio::try_join!(old.files().masked(&known), new.files().masked(&add))?;
                of_old.push((known, Rows::At(without(&now, &masked))));
                of_new.push((add, Rows::At(without(&masked, &now))));
            }
        }
    }
    let mut gone: Vec<Add> = before.into_values().collect();
    gone.sort_by(|one, other| one.path.cmp(&other.path));
    of_old.extend(gone.into_iter().map(|add| (add, Rows::Live)));
    let rows = |table: &LakeTable, mut parts: Vec<(Add, Rows)>| {
        parts.retain(|(_, rows)| !matches!(rows, Rows::At(at) if at.is_empty()));
        ChangedRows { files: table.files().clone(), parts }
    };
    Ok((rows(old, of_old), rows(new, of_new)))
}

/// A batch in pieces, each with memory of its own.
fn pieces(batch: &RecordBatch) -> Vec<Result<RecordBatch>> {
    let (bytes, rows) = (batch.get_array_memory_size(), batch.num_rows());
    let each = rows.div_ceil(bytes.div_ceil(BATCH_BYTES).max(1)).max(1);
    let piece = |from: usize| {
        let until = (from + each).min(rows);
        let at: UInt32Array = (from..until).map(|row| u32::try_from(row).ok()).collect();
        Ok(take_record_batch(batch, &at)?)
    };
    (0..rows).step_by(each).map(piece).collect()
}

/// What is in one ascending list and not in the other.
fn without(these: &[u64], others: &[u64]) -> Vec<u64> {
    these.iter().copied().filter(|row| others.binary_search(row).is_err()).collect()
}

impl ChangedRows {
    /// Bytes of their files; of a file of which only some rows count, their share.
    pub(super) fn bytes(&self) -> u64 {
        let bytes = |(add, rows): &(Add, Rows)| {
            let size = add.size.unsigned_abs();
            match rows {
                Rows::Live => size,
                Rows::At(at) => {
                    let all = add.stats.as_deref().and_then(row_count).unwrap_or(1).max(1);
                    size * (at.len() as u64).min(all) / all
                }
            }
        };
        self.parts.iter().map(bytes).sum()
    }

    /// The same rows with these columns: what the version lacks is NULL.
    pub(super) fn reading(self, schema: &SchemaRef) -> Self {
        Self { files: self.files.with_columns(Arc::clone(schema)), ..self }
    }
}

impl fmt::Debug for ChangedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangedRows").field("files", &self.parts.len()).finish_non_exhaustive()
    }
}

impl PartitionStream for ChangedRows {
    fn schema(&self) -> &SchemaRef {
        self.files.schema()
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let files = self.files.clone();
        let rows = stream::iter(self.parts.clone())
            .then(move |(add, rows)| {
                let files = files.clone();
                async move {
                    match rows {
                        Rows::Live => live_rows(&files, &add).await,
                        Rows::At(at) => rows_at(&files, &add, at).await,
                    }
                }
            })
            .try_flatten()
            .map_ok(|batch| stream::iter(pieces(&batch)))
            .try_flatten()
            .map_err(|error| DataFusionError::External(Box::new(error)))
            .boxed();
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(self.files.schema()), rows))
    }
}
