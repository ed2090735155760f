//! A data file that is being uploaded to the lake.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use deltalake::kernel::Add;
use deltalake::logstore::ObjectStoreRef;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use parquet::arrow::arrow_writer::ArrowRowGroupWriterFactory;
use parquet::column::writer::ColumnCloseResult;
use parquet::file::reader::ChunkReader;
use parquet::file::writer::SerializedFileWriter;
use tokio::io::AsyncWriteExt as _;

use crate::error::{Error, ErrorKind, Result};
use crate::files::encode::{ChunkWriters, Columns, encode, unwritable};
use crate::files::properties::{COMPRESSION_SUFFIX, ROW_GROUP_ROWS};
use crate::files::{FileLayout, statistics};

/// Parts of a file that are uploaded concurrently. With the size of a part, this bounds the memory
/// of an upload.
const UPLOADS: usize = 4;

/// Writes a data file without rows.
///
/// # Errors
/// `Unavailable` if the lake does not take it.
#[cfg(feature = "cli")]
pub(crate) async fn empty_file(
    store: &ObjectStoreRef,
    layout: &Arc<FileLayout>,
    partition_values: HashMap<String, Option<String>>,
) -> Result<Add> {
    DataFile::create(store, layout)?.finish(partition_values).await
}

/// An open data file. Row groups are uploaded as they are completed. Nothing refers to the file
/// until it is committed.
pub(crate) struct DataFile {
    layout: Arc<FileLayout>,
    path: String,
    writer: SerializedFileWriter<Vec<u8>>,
    with_dictionary: ArrowRowGroupWriterFactory,
    plain: ArrowRowGroupWriterFactory,
    upload: BufWriter,
}

impl DataFile {
    /// Starts a file with a new name at the table's root.
    pub(crate) fn create(store: &ObjectStoreRef, layout: &Arc<FileLayout>) -> Result<Self> {
        let path =
            format!("part-00000-{}-c000.{COMPRESSION_SUFFIX}.parquet", layout.clock().file_id());
        let root = layout.parquet().root_schema_ptr();
        let open = |properties| {
            let writer = SerializedFileWriter::new(Vec::new(), Arc::clone(&root), properties);
            let writer = writer.map_err(unwritable)?;
            let factory = ArrowRowGroupWriterFactory::new(&writer, Arc::clone(layout.schema()));
            Ok::<_, Error>((writer, factory))
        };
        let (writer, with_dictionary) = open(Arc::clone(layout.properties()))?;
        // A factory applies to a whole file, but dictionaries are chosen for each chunk.
        let plain = layout.properties().as_ref().clone().into_builder();
        let (_, plain) = open(Arc::new(plain.set_dictionary_enabled(false).build()))?;
        let upload = BufWriter::new(Arc::clone(store), Path::from(path.as_str()))
            .with_max_concurrency(UPLOADS);
        Ok(Self { layout: Arc::clone(layout), path, writer, with_dictionary, plain, upload })
    }

    /// Encodes rows into as few row groups as their number allows.
    pub(crate) async fn append(&mut self, columns: Arc<dyn Columns>, rows: usize) -> Result<()> {
        let group_count = rows.div_ceil(ROW_GROUP_ROWS);
        if group_count == 0 {
            return Ok(());
        }
        let first = self.writer.flushed_row_groups().len();
        let writers = (first..first + group_count)
            .map(|group| {
                let with_dictionary = self.with_dictionary.create_column_writers(group)?;
                let plain = self.plain.create_column_writers(group)?;
                let both = with_dictionary.into_iter().zip(plain);
                Ok(both
                    .map(|(with_dictionary, plain)| ChunkWriters { with_dictionary, plain })
                    .collect())
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(unwritable)?;
        let group_rows = rows.div_ceil(group_count);
        for group in encode(self.layout.schema(), writers, columns, group_rows, rows).await? {
            let mut row_group = self.writer.next_row_group().map_err(unwritable)?;
            for chunk in group {
                chunk.append_to_row_group(&mut row_group).map_err(unwritable)?;
            }
            row_group.close().map_err(unwritable)?;
            self.send().await?;
        }
        Ok(())
    }

    /// Copies an encoded row group: its columns in order, each with its metadata from the footer of
    /// the file it comes from.
    pub(crate) async fn append_encoded(
        &mut self,
        bytes: &impl ChunkReader,
        columns: Vec<ColumnCloseResult>,
    ) -> Result<()> {
        let mut row_group = self.writer.next_row_group().map_err(unwritable)?;
        for column in columns {
            row_group.append_column(bytes, column)?;
        }
        row_group.close().map_err(unwritable)?;
        self.send().await
    }

    /// Bytes of the row groups so far.
    pub(crate) fn bytes_written(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// Completes the file and waits until it is stored.
    pub(crate) async fn finish(
        mut self,
        partition_values: HashMap<String, Option<String>>,
    ) -> Result<Add> {
        let footer = match self.writer.finish() {
            Ok(footer) => footer,
            Err(error) => {
                self.abort().await;
                return Err(unwritable(error));
            }
        };
        if let Err(error) = self.send().await {
            self.abort().await;
            return Err(error);
        }
        self.upload.shutdown().await.map_err(|error| {
            Error::new(ErrorKind::Unavailable, "a data file could not be written to the lake")
                .because(error)
        })?;
        Ok(Add {
            stats: Some(statistics::of_file(&self.layout, &footer)?),
            size: i64::try_from(self.writer.bytes_written()).unwrap_or(i64::MAX),
            path: self.path,
            partition_values,
            modification_time: self.layout.clock().now().timestamp_millis(),
            data_change: true,
            ..Add::default()
        })
    }

    /// Abandons the file. Removes the stored parts if the store allows it: they appear in no
    /// listing, so nothing else would remove them.
    pub(crate) async fn abort(mut self) {
        if let Err(error) = self.upload.abort().await {
            tracing::warn!(file = self.path, %error, "an unfinished data file could not be removed");
        }
    }

    async fn send(&mut self) -> Result<()> {
        self.writer.flush().map_err(|error| unwritable(error.into()))?;
        let encoded = std::mem::take(self.writer.inner_mut());
        Ok(self.upload.put(Bytes::from(encoded)).await?)
    }
}
