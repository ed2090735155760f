//! A part of a file in memory, addressed by its offsets in the file.

use std::ops::Range;

use bytes::buf::Reader;
use bytes::{Buf as _, Bytes};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use crate::error::Result;
use crate::files::bytes::DataFileBytes;

/// One range of a file.
#[derive(Clone)]
pub(super) struct FileRange {
    start: u64,
    bytes: Bytes,
}

impl FileRange {
    pub(super) async fn fetch(file: &DataFileBytes, range: Range<u64>) -> Result<Self> {
        let start = range.start;
        let bytes = file.range(range).await?;
        Ok(Self { start, bytes })
    }

    fn from(&self, offset: u64) -> ParquetResult<Bytes> {
        offset
            .checked_sub(self.start)
            .and_then(|skipped| usize::try_from(skipped).ok())
            .filter(|skipped| *skipped <= self.bytes.len())
            .map(|skipped| self.bytes.slice(skipped..))
            .ok_or_else(outside)
    }
}

impl Length for FileRange {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for FileRange {
    type T = Reader<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let rest = self.from(start)?;
        if length > rest.len() {
            return Err(outside());
        }
        Ok(rest.slice(..length))
    }
}

fn outside() -> ParquetError {
    ParquetError::EOF("a column chunk lies outside its row group".to_owned())
}
