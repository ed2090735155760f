//! Parquet's way to the bytes of a staged object.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::{OBJECT_STORE_COALESCE_DEFAULT, coalesce_ranges};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::error::Error;
use crate::source::fetch::ObjectBytes;
use crate::source::subject::Subject;

/// Bytes of the object's end that are read in the hope that they hold the whole footer.
const FOOTER: usize = 64 * 1024;

/// The bytes of an object: all of them in memory, or fetched range by range.
pub(super) enum Ranges {
    Memory(Bytes),
    Store(ObjectBytes),
}

impl Ranges {
    fn size(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Store(object) => object.size,
        }
    }
}

impl AsyncFileReader for Ranges {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            match self {
                Self::Memory(bytes) => slice(bytes, range),
                Self::Store(object) => object.range(range).await.map_err(carried),
            }
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            match self {
                Self::Memory(bytes) => {
                    ranges.into_iter().map(|range| slice(bytes, range)).collect()
                }
                Self::Store(object) => {
                    let fetch = |range| object.range(range);
                    let parts = coalesce_ranges(&ranges, fetch, OBJECT_STORE_COALESCE_DEFAULT);
                    parts.await.map_err(carried)
                }
            }
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size();
            let reader = ParquetMetaDataReader::new().with_prefetch_hint(Some(FOOTER));
            reader.load_and_finish(self, size).await.map(Arc::new)
        }
        .boxed()
    }
}

fn slice(bytes: &Bytes, range: Range<u64>) -> Result<Bytes> {
    let within = |position: u64| usize::try_from(position).ok().filter(|at| *at <= bytes.len());
    match (within(range.start), within(range.end)) {
        (Some(start), Some(end)) if start <= end => Ok(bytes.slice(start..end)),
        _ => Err(ParquetError::EOF("a range beyond the object's end is asked for".to_owned())),
    }
}

fn carried(error: Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

/// The error of the store that Parquet's reader passed through, else a malformed object.
pub(super) fn uncarried(error: ParquetError, subject: &Subject) -> Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(inner) => subject
                .malformed("the object cannot be read as Parquet")
                .because(ParquetError::External(inner)),
        },
        error => subject.malformed("the object cannot be read as Parquet").because(error),
    }
}
