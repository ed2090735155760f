//! Live rows of several files as one stream in key order, within the memory budget.

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
use crate::maintenance::policy::SORTED_SIZE;
use crate::merge::live_rows;
use crate::session::session;
use crate::table::LakeTable;

/// Sorts the live rows of these files by their keys; without keys they come as they stand.
/// What does not fit into the memory budget is sorted on disk.
///
/// # Errors
/// `Unavailable` if a file cannot be read or the disk is full.
pub(super) async fn sorted_rows(
    table: &LakeTable,
    files: Vec<Add>,
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
    let schema = table.schema().arrow();
    let rows = LiveRows { table: table.clone(), files, schema: Arc::clone(&schema) };
    let rows =
        session.read_table(Arc::new(StreamingTable::try_new(schema, vec![Arc::new(rows)])?))?;
    let by_key = keys.iter().map(|key| ident(key).sort(true, true)).collect::<Vec<_>>();
    let rows = if by_key.is_empty() { rows } else { rows.sort(by_key)? };
    Ok(rows.execute_stream().await?)
}

/// Bytes of data files whose rows the disk for temporary files can hold while they are sorted:
/// a function has little of it unless told otherwise.
pub(super) fn most_bytes() -> u64 {
    let space = rustix::fs::statvfs(std::env::temp_dir());
    space.map_or(u64::MAX, |space| space.f_bavail.saturating_mul(space.f_frsize) / SORTED_SIZE)
}

/// The live rows of some files, one after another.
struct LiveRows {
    table: LakeTable,
    files: Vec<Add>,
    schema: SchemaRef,
}

impl fmt::Debug for LiveRows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LiveRows").field("files", &self.files.len()).finish_non_exhaustive()
    }
}

impl PartitionStream for LiveRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let table = self.table.clone();
        let files = futures::stream::iter(self.files.clone());
        let rows = files
            .then(move |file| {
                let table = table.clone();
                async move { live_rows(&table, &file).await }
            })
            .try_flatten()
            .map_err(|error| DataFusionError::External(Box::new(error)));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}
