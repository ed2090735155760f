//! Row groups taken over as they are encoded.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use deltalake::logstore::ObjectStoreRef;
use futures::future::{BoxFuture, FutureExt as _, TryFutureExt as _};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use parquet::arrow::async_reader::MetadataFetch;
use parquet::bloom_filter::Sbbf;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::file::page_index::column_index::ColumnIndexMetaData;

use crate::error::Result;
use crate::merge::data_file::{FileLayout, has_bounds};
use crate::merge::rewrite::steps::Step;

/// The row groups of a file, and how the replacement's columns stand in them.
pub(super) struct Copier {
    footer: Arc<ParquetMetaData>,
    /// For each column of the replacement its place in the file, if the file holds all of them
    /// as the replacement would.
    columns: Option<Vec<usize>>,
    /// Places in the file of the key columns.
    keys: Vec<usize>,
}

impl Copier {
    /// Compares a file with the layout of its replacement. The page index is read if the footer
    /// comes without it and a copied row group would lose it.
    pub(super) async fn open(
        store: &ObjectStoreRef,
        path: &Path,
        layout: &FileLayout,
        footer: &Arc<ParquetMetaData>,
    ) -> Result<Self> {
        let found = footer.file_metadata().schema_descr();
        let place = |wanted: &Arc<_>| found.columns().iter().position(|column| column == wanted);
        let columns: Option<Vec<usize>> = layout.parquet().columns().iter().map(place).collect();
        let is_key =
            |&column: &usize| layout.keys().contains(&found.column(column).name().to_owned());
        let keys = columns.iter().flatten().copied().filter(is_key).collect();
        let lacks_index = columns.is_some()
            && footer.offset_index().is_none()
            && chunks(footer).any(|chunk| chunk.offset_index_offset().is_some());
        let footer = if lacks_index {
            let mut reader = ParquetMetaDataReader::new_with_metadata(footer.as_ref().clone())
                .with_page_index_policy(PageIndexPolicy::Optional);
            reader.load_page_index(Ranges { store, path }).await?;
            Arc::new(reader.finish()?)
        } else {
            Arc::clone(footer)
        };
        Ok(Self { footer, columns, keys })
    }

    pub(super) fn footer(&self) -> &Arc<ParquetMetaData> {
        &self.footer
    }

    /// Whether the replacement can hold a row group as it is. One that does not bound the keys
    /// is encoded anew, or the file could never be ruled out.
    pub(super) fn can_copy(&self, group: usize) -> bool {
        let metadata = self.footer.row_group(group);
        self.columns.is_some() && self.keys.iter().all(|&key| has_bounds(metadata, key))
    }

    /// Where the row groups of a step stand in the file.
    pub(super) fn byte_range(&self, step: &Step) -> Range<u64> {
        let groups = match step {
            Step::Copy(group) => *group..*group + 1,
            Step::Encode(run) => run.first..run.first + run.count,
        };
        let chunks =
            || self.footer.row_groups()[groups.clone()].iter().flat_map(RowGroupMetaData::columns);
        let start = chunks().map(|chunk| chunk.byte_range().0).min().unwrap_or_default();
        let end = chunks().map(end).max().unwrap_or_default();
        start..end
    }

    /// The columns of a row group as a writer takes them over: what the footer says about them,
    /// their part of the page index, and their bloom filters.
    pub(super) async fn columns(
        &self,
        store: &ObjectStoreRef,
        path: &Path,
        group: usize,
    ) -> Result<Vec<ColumnCloseResult>> {
        let metadata = self.footer.row_group(group);
        let mut columns = Vec::new();
        for &column in self.columns.iter().flatten() {
            let chunk = metadata.column(column);
            let column_index = self.footer.column_index().map(|index| &index[group][column]);
            let offset_index = self.footer.offset_index().map(|index| &index[group][column]);
            columns.push(ColumnCloseResult {
                bytes_written: u64::try_from(chunk.compressed_size()).unwrap_or_default(),
                rows_written: u64::try_from(metadata.num_rows()).unwrap_or_default(),
                metadata: chunk.clone(),
                bloom_filter: bloom_filter(store, path, chunk).await?,
                column_index: column_index
                    .filter(|index| !matches!(index, ColumnIndexMetaData::NONE))
                    .cloned(),
                offset_index: offset_index.cloned(),
            });
        }
        Ok(columns)
    }
}

/// A file as a footer's reader asks for parts of it.
struct Ranges<'a> {
    store: &'a ObjectStoreRef,
    path: &'a Path,
}

impl MetadataFetch for Ranges<'_> {
    fn fetch(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.store.get_range(self.path, range).map_err(Into::into).boxed()
    }
}

fn chunks(footer: &ParquetMetaData) -> impl Iterator<Item = &ColumnChunkMetaData> {
    footer.row_groups().iter().flat_map(RowGroupMetaData::columns)
}

fn end(chunk: &ColumnChunkMetaData) -> u64 {
    let (start, length) = chunk.byte_range();
    start + length
}

/// Some writers do not tell the length of a filter; such a filter is left behind.
async fn bloom_filter(
    store: &ObjectStoreRef,
    path: &Path,
    chunk: &ColumnChunkMetaData,
) -> Result<Option<Sbbf>> {
    let offset = chunk.bloom_filter_offset().and_then(|offset| u64::try_from(offset).ok());
    let length = chunk.bloom_filter_length().and_then(|length| u64::try_from(length).ok());
    let (Some(offset), Some(length)) = (offset, length) else { return Ok(None) };
    let bytes = store.get_range(path, offset..offset + length).await?;
    Ok(Some(Sbbf::from_bytes(&bytes)?))
}
