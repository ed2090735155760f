//! Bloom filters of data files, each fetched once.

use std::sync::Arc;

use bytes::Bytes;
use deltalake::kernel::Add;
use deltalake::logstore::ObjectStoreRef;
use parquet::arrow::async_reader::AsyncFileReader as _;
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use crate::error::Result;
use crate::files::bytes::{DataFileBytes, unreadable};
use crate::files::cache::BoundedCache;

/// Bytes of filters that are cached.
const KEPT_BYTES: usize = 32 << 20;
/// Bytes read for a filter whose length the file does not give. Most such writers limit filters to
/// one MiB.
const UNTOLD_BYTES: u64 = (1 << 20) + 64;

/// A column chunk, by the indices of its row group and column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Chunk {
    pub(crate) row_group: usize,
    pub(crate) column: usize,
}

/// The cached filters. Chunks without a usable filter are cached too.
#[derive(Debug)]
pub(crate) struct Filters {
    kept: BoundedCache<(String, Chunk), Option<Arc<Sbbf>>>,
}

impl Default for Filters {
    fn default() -> Self {
        Self { kept: BoundedCache::within(KEPT_BYTES) }
    }
}

impl Filters {
    /// The filters of these chunks of a data file, in order; none where a chunk has no filter or an
    /// unreadable one. Filters that are not cached are fetched together.
    ///
    /// # Errors
    /// `Unavailable` if the file cannot be read.
    pub(crate) async fn of(
        &self,
        store: &ObjectStoreRef,
        add: &Add,
        footer: &ParquetMetaData,
        chunks: &[Chunk],
    ) -> Result<Vec<Option<Arc<Sbbf>>>> {
        let known = |chunk: &Chunk| self.kept.get(&(add.path.clone(), *chunk));
        let size = u64::try_from(add.size).unwrap_or_default();
        let mut missing = Vec::new();
        let mut ranges = Vec::new();
        for &chunk in chunks.iter().filter(|chunk| known(chunk).is_none()) {
            let metadata = footer.row_group(chunk.row_group).column(chunk.column);
            let Some((begin, length)) = place(metadata) else { continue };
            let end = begin.saturating_add(length).min(size);
            if begin < end {
                missing.push((chunk, metadata));
                ranges.push(begin..end);
            }
        }
        let mut found = Vec::new();
        if !ranges.is_empty() {
            let mut file = DataFileBytes::of(store, add)?;
            let bytes = file.get_byte_ranges(ranges).await;
            let bytes = bytes.map_err(|error| unreadable(error, add))?;
            for ((chunk, metadata), bytes) in missing.into_iter().zip(&bytes) {
                let filter = parse(metadata, bytes).map(Arc::new);
                let bytes = filter.as_ref().map_or(0, |filter| filter.num_blocks() * 32);
                let path = add.path.clone();
                self.kept.put((path, chunk), filter.clone(), bytes + size_of::<Chunk>());
                found.push((chunk, filter));
            }
        }
        let fetched = |chunk: &Chunk| found.iter().find(|(found, _)| found == chunk);
        let filter = |chunk: &Chunk| match fetched(chunk) {
            Some((_, filter)) => filter.clone(),
            None => known(chunk).flatten(),
        };
        Ok(chunks.iter().map(filter).collect())
    }
}

/// Bytes to read for a chunk's filter; none if it has no filter.
pub(crate) fn filter_bytes(chunk: &ColumnChunkMetaData) -> Option<u64> {
    place(chunk).map(|(_, length)| length)
}

fn place(chunk: &ColumnChunkMetaData) -> Option<(u64, u64)> {
    let begin = u64::try_from(chunk.bloom_filter_offset()?).ok()?;
    let told = chunk.bloom_filter_length().and_then(|length| u64::try_from(length).ok());
    Some((begin, told.unwrap_or(UNTOLD_BYTES)))
}

/// The filter's own header gives its length. A filter must never be cut short: it would rule out
/// values that are in the file.
fn parse(chunk: &ColumnChunkMetaData, bytes: &Bytes) -> Option<Sbbf> {
    let at_start = chunk.clone().into_builder();
    let at_start = at_start.set_bloom_filter_offset(Some(0)).set_bloom_filter_length(None);
    let filter = Sbbf::read_from_column_chunk(&at_start.build().ok()?, bytes).ok().flatten()?;
    (filter.num_blocks() > 0).then_some(filter)
}
