//! Sorts the live rows of several files by key within the memory budget.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::ident;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::SessionConfig;
use deltalake::kernel::Add;
use futures::{StreamExt, TryStreamExt};

use crate::error::Result;
use crate::files::live_rows;
use crate::files::snapshot_files::SnapshotFiles;
use crate::session::session;

/// Decoded rows usually take at most this many times the bytes of their data files.
const SORTED_SIZE: u64 = 8;

/// Sorts the live rows of these files by key. Without keys, they keep their order. Rows that do not
/// fit into the memory budget are sorted on disk.
///
/// # Errors
/// `Unavailable` if a file cannot be read or the disk is full.
pub(crate) async fn sorted_rows(
    files: &SnapshotFiles,
    adds: Vec<Add>,
    keys: &[String],
    memory_budget: usize,
) -> Result<SendableRecordBatchStream> {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(memory_budget)))
        .build_arc()?;
    let config = SessionConfig::new()
        .with_target_partitions(1)
        .with_sort_spill_reservation_bytes(memory_budget / 4);
    let session = session(config, runtime);
    let schema = Arc::clone(files.schema());
    let rows = LiveRows { files: files.clone(), adds };
    let rows =
        session.read_table(Arc::new(StreamingTable::try_new(schema, vec![Arc::new(rows)])?))?;
    let by_key = keys.iter().map(|key| ident(key).sort(true, true)).collect::<Vec<_>>();
    let rows = if by_key.is_empty() { rows } else { rows.sort(by_key)? };
    Ok(rows.execute_stream().await?)
}

/// Bytes of data files whose rows fit on the temporary disk while they are sorted. A Lambda
/// function has little of it by default.
pub(crate) fn most_bytes() -> u64 {
    free_bytes() / SORTED_SIZE
}

/// Free bytes on the temporary disk.
pub(crate) fn free_bytes() -> u64 {
    let space = rustix::fs::statvfs(std::env::temp_dir());
    space.map_or(u64::MAX, |space| space.f_bavail.saturating_mul(space.f_frsize))
}

/// The live rows of some files, one after another.
struct LiveRows {
    files: SnapshotFiles,
    adds: Vec<Add>,
}

impl fmt::Debug for LiveRows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LiveRows").field("files", &self.adds.len()).finish_non_exhaustive()
    }
}

impl PartitionStream for LiveRows {
    fn schema(&self) -> &SchemaRef {
        self.files.schema()
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let files = self.files.clone();
        let rows = futures::stream::iter(self.adds.clone())
            .then(move |add| {
                let files = files.clone();
                async move { live_rows(&files, &add).await }
            })
            .try_flatten()
            .map_err(|error| DataFusionError::External(Box::new(error)));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(self.files.schema()), rows))
    }
}
