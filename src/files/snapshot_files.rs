//! The data files of one snapshot, with what reading and writing them needs.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use deltalake::DeltaTable;
use deltalake::kernel::Add;
use deltalake::logstore::{LogStoreRef, ObjectStoreRef};
use parquet::file::metadata::ParquetMetaData;

use crate::error::Result;
use crate::files::footers::Footers;
use crate::files::vectors;
#[cfg(feature = "cli")]
use crate::storage::ReadOnce;

/// The data files of one snapshot: their store, the table's columns and the footers read so far.
/// Clones share the footers.
#[derive(Clone, Debug)]
pub struct SnapshotFiles {
    delta: DeltaTable,
    schema: SchemaRef,
    footers: Arc<Footers>,
    /// What data files are read through; none for the store of the log.
    through: Option<ObjectStoreRef>,
}

impl SnapshotFiles {
    /// The data files of a snapshot whose table has these columns.
    pub(crate) fn new(delta: DeltaTable, schema: SchemaRef, footers: Arc<Footers>) -> Self {
        Self { delta, schema, footers, through: None }
    }

    /// The same files, read with these columns of the table: one that a file lacks is NULL.
    pub(crate) fn with_columns(&self, schema: SchemaRef) -> Self {
        Self { schema, ..self.clone() }
    }

    /// The same files, of which the small ones are each read whole and once, for many files that are
    /// each looked into.
    #[cfg(feature = "cli")]
    pub(crate) fn with_small_whole(&self) -> Self {
        let through = Some(Arc::new(ReadOnce::small_files(self.store())) as ObjectStoreRef);
        Self { through, ..self.clone() }
    }

    /// The snapshot, and the footers read so far.
    pub(crate) fn into_parts(self) -> (DeltaTable, Arc<Footers>) {
        (self.delta, self.footers)
    }

    /// The snapshot.
    pub(crate) fn delta(&self) -> &DeltaTable {
        &self.delta
    }

    /// The table's columns, in order.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The store at the table's root.
    pub(crate) fn store(&self) -> ObjectStoreRef {
        match &self.through {
            Some(through) => Arc::clone(through),
            None => self.log_store().object_store(None),
        }
    }

    /// The table's log.
    pub(crate) fn log_store(&self) -> LogStoreRef {
        self.delta.log_store()
    }

    /// The footers read so far.
    pub(crate) fn footers(&self) -> &Arc<Footers> {
        &self.footers
    }

    /// The footer of a data file.
    ///
    /// # Errors
    /// As [`Footers::of`].
    pub(crate) async fn footer(&self, add: &Add) -> Result<Arc<ParquetMetaData>> {
        self.footers.of(&self.store(), add).await
    }

    /// The physical rows of a file that are masked, in ascending order.
    ///
    /// # Errors
    /// As [`vectors::masked`].
    pub(crate) async fn masked(&self, add: &Add) -> Result<Vec<u64>> {
        vectors::masked(&self.log_store(), self.delta.table_url(), add).await
    }
}
