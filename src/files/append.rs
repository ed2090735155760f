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
    let mut writers: BTreeMap<PartitionKey, DataFileWriter> = BTreeMap::new();
    for batch in rows {
        for (partition, rows) in divide(batch, layout.partition_columns())? {
            let values = layout.partition_columns().iter().cloned().zip(partition.iter().cloned());
            let values = values.collect();
            let writer = writers.entry(partition).or_insert_with(|| {
                DataFileWriter::new(Arc::clone(store), Arc::clone(layout), values)
            });
            writer.write(&rows).await?;
        }
    }
    let mut files = Vec::new();
    for writer in writers.into_values() {
        files.extend(writer.close().await?);
    }
    Ok(files)
}
