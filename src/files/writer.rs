//! Writes data files with row groups that the next merge can rule out, skip or copy one by one, and
//! with exact statistics.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use deltalake::kernel::Add;
use deltalake::logstore::ObjectStoreRef;

use crate::error::Result;
use crate::files::data_file::DataFile;
use crate::files::encode::Columns;
use crate::files::layout::FileLayout;
use crate::files::properties::{ROW_GROUP_BYTES, ROW_GROUP_ROWS};
use crate::memory::memory_size;

/// Streams rows into new data files of the table's target size. Holds one row group in memory.
pub struct DataFileWriter {
    store: ObjectStoreRef,
    layout: Arc<FileLayout>,
    partition_values: HashMap<String, Option<String>>,
    pending: Pending,
    file: Option<DataFile>,
    finished: Vec<Add>,
}

impl DataFileWriter {
    /// A writer of files of one partition into the store at the table's root.
    #[must_use]
    pub fn new(
        store: ObjectStoreRef,
        layout: Arc<FileLayout>,
        partition_values: HashMap<String, Option<String>>,
    ) -> Self {
        let pending = Pending::default();
        Self { store, layout, partition_values, pending, file: None, finished: Vec::new() }
    }

    /// Writes rows. They must have at least the columns of the files, in the table's types.
    ///
    /// # Errors
    /// `Unavailable` if the lake cannot be written; the open file is then abandoned.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = self.layout.columns_of(batch)?;
        let limit = self.row_group_bytes();
        let row_bytes = (memory_size(batch) / batch.num_rows().max(1)).max(1);
        let mut offset = 0;
        while offset < batch.num_rows() {
            let room = (ROW_GROUP_ROWS - self.pending.rows)
                .min((limit.saturating_sub(self.pending.bytes) / row_bytes).max(1));
            let count = room.min(batch.num_rows() - offset);
            self.pending.columns.push(columns.iter().map(|c| c.slice(offset, count)).collect());
            self.pending.rows += count;
            self.pending.bytes += count * row_bytes;
            offset += count;
            if self.pending.rows == ROW_GROUP_ROWS || self.pending.bytes >= limit {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Writes the remaining rows and returns the files, which are now in the store.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn close(mut self) -> Result<Vec<Add>> {
        self.flush().await?;
        self.finish_file().await?;
        Ok(self.finished)
    }

    /// Small target files get small row groups, because a file can only end with a row group.
    fn row_group_bytes(&self) -> usize {
        let target = usize::try_from(self.layout.target_file_size()).unwrap_or(usize::MAX);
        ROW_GROUP_BYTES.min(target.saturating_mul(4))
    }

    /// Writes the pending rows as one row group, and ends the file if it is large enough.
    async fn flush(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        if pending.rows == 0 {
            return Ok(());
        }
        let mut file = match self.file.take() {
            Some(file) => file,
            None => DataFile::create(&self.store, &self.layout)?,
        };
        let rows = pending.rows;
        if let Err(error) = file.append(Arc::new(pending), rows).await {
            file.abort().await;
            return Err(error);
        }
        let is_full = file.bytes_written() >= self.layout.target_file_size();
        self.file = Some(file);
        if is_full { self.finish_file().await } else { Ok(()) }
    }

    async fn finish_file(&mut self) -> Result<()> {
        if let Some(file) = self.file.take() {
            self.finished.push(file.finish(self.partition_values.clone()).await?);
        }
        Ok(())
    }
}

/// The rows of the next row group.
#[derive(Default)]
struct Pending {
    columns: Vec<Vec<ArrayRef>>,
    rows: usize,
    bytes: usize,
}

impl Columns for Pending {
    fn read(&self, column: usize, sink: &mut dyn FnMut(&ArrayRef) -> Result<()>) -> Result<()> {
        self.columns.iter().try_for_each(|columns| sink(&columns[column]))
    }
}
