//! Reading the bytes of data files by range.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use deltalake::kernel::Add;
use deltalake::logstore::ObjectStoreRef;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::error::{Error, ErrorKind, Result, is_missing};
use crate::files::damage::{blamed, damaged};

/// The first read from the end of a file; enough for the footer and page indexes of our files.
const TAIL_BYTES: usize = 64 << 10;

/// A data file of the table that is read by ranges.
#[derive(Clone)]
pub(crate) struct DataFileBytes {
    store: ObjectStoreRef,
    path: Path,
    size: u64,
}

impl DataFileBytes {
    /// The bytes of a file.
    ///
    /// # Errors
    /// `TableCorrupt` if the size in the log is negative.
    pub(crate) fn of(store: &ObjectStoreRef, add: &Add) -> Result<Self> {
        let size = u64::try_from(add.size).map_err(|error| {
            Error::new(ErrorKind::TableCorrupt, "the log gives a data file a negative size")
                .with("file", &add.path)
                .because(error)
        })?;
        Ok(Self { store: Arc::clone(store), path: path_of(add), size })
    }

    /// The bytes of a range.
    ///
    /// # Errors
    /// `TableCorrupt` if the file is missing or its size differs from the log, `Unavailable` if the
    /// store does not answer.
    pub(crate) async fn range(&self, range: Range<u64>) -> Result<Bytes> {
        match self.store.get_range(&self.path, range).await {
            Ok(bytes) => Ok(bytes),
            Err(error) => Err(self.unread(error).await),
        }
    }

    /// Why a file could not be read. Stores answer differently to a range beyond the end, so the
    /// size of the file is checked.
    async fn unread(&self, error: object_store::Error) -> Error {
        match self.store.head(&self.path).await {
            Ok(found) if found.size != self.size => {
                damaged("the size of a data file differs from the log")
                    .with("found", found.size)
                    .with("expected", self.size)
            }
            Err(gone) if is_missing(&gone) => damaged("a data file is missing").because(gone),
            Ok(_) | Err(_) => error.into(),
        }
    }
}

impl AsyncFileReader for DataFileBytes {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        async move { self.range(range).await.map_err(carried) }.boxed()
    }

    /// Ranges that are close together are read in one request.
    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        async move {
            match self.store.get_ranges(&self.path, &ranges).await {
                Ok(bytes) => Ok(bytes),
                Err(error) => Err(carried(self.unread(error).await)),
            }
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size;
            let reader = ParquetMetaDataReader::new()
                .with_prefetch_hint(Some(TAIL_BYTES))
                .with_page_index_policy(PageIndexPolicy::Optional);
            reader.load_and_finish(self, size).await.map(Arc::new)
        }
        .boxed()
    }
}

fn carried(error: Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

/// The path of a data file below the table's root, with encoded characters kept as they are.
pub(crate) fn path_of(add: &Add) -> Path {
    Path::parse(&add.path).unwrap_or_else(|_| Path::from(add.path.as_str()))
}

/// The error for a data file that cannot be read.
pub(crate) fn unreadable(error: ParquetError, add: &Add) -> Error {
    blamed(Error::from(error)).with("file", &add.path)
}
