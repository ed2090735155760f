//! Writes new rows as new data files.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use deltalake::kernel::Add;
use deltalake::logstore::ObjectStoreRef;

use crate::error::Result;
use crate::files::{DataFileWriter, FileLayout, PartitionKey, divide};

/// Writes rows into data files of the table's target size, with statistics. Nothing refers to the
/// files until they are committed.
///
/// # Errors
/// `Unavailable` if the files cannot be written.
pub(crate) async fn append(
    store: &ObjectStoreRef,
    layout: &Arc<FileLayout>,
    rows: &[RecordBatch],
) -> Result<Vec<Add>> {
    let mut files = NewFiles::new(store, layout);
    for batch in rows {
        files.write(batch).await?;
    }
    files.close().await
}

/// New data files that are filled batch by batch.
pub(crate) struct NewFiles {
    store: ObjectStoreRef,
    layout: Arc<FileLayout>,
    writers: BTreeMap<PartitionKey, DataFileWriter>,
}

impl NewFiles {
    /// In that layout; none is written yet.
    pub(crate) fn new(store: &ObjectStoreRef, layout: &Arc<FileLayout>) -> Self {
        let (store, layout) = (Arc::clone(store), Arc::clone(layout));
        Self { store, layout, writers: BTreeMap::new() }
    }

    /// Writes rows with the table's columns.
    ///
    /// # Errors
    /// `Unavailable` if the files cannot be written.
    pub(crate) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        for (partition, rows) in divide(batch, self.layout.partition_columns())? {
            let names = self.layout.partition_columns().iter().cloned();
            let values = names.zip(partition.iter().cloned()).collect();
            let writer = self.writers.entry(partition).or_insert_with(|| {
                DataFileWriter::new(Arc::clone(&self.store), Arc::clone(&self.layout), values)
            });
            writer.write(&rows).await?;
        }
        Ok(())
    }

    /// Writes what is left; gives all files, which are now in the store.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub(crate) async fn close(self) -> Result<Vec<Add>> {
        let mut files = Vec::new();
        for writer in self.writers.into_values() {
            files.extend(writer.close().await?);
        }
        Ok(files)
    }
}
