//! Row groups taken over as they are encoded.

use std::ops::Range;
use std::sync::Arc;

use parquet::bloom_filter::Sbbf;
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;

use crate::error::Result;
use crate::files::bytes::DataFileBytes;
use crate::files::{FileLayout, has_bounds};

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
    /// Compares a file with the layout of its replacement.
    pub(super) fn of(layout: &FileLayout, footer: &Arc<ParquetMetaData>) -> Self {
        let found = footer.file_metadata().schema_descr();
        let place = |wanted: &Arc<_>| found.columns().iter().position(|column| column == wanted);
        let columns: Option<Vec<usize>> = layout.parquet().columns().iter().map(place).collect();
        let is_key =
            |&column: &usize| layout.keys().contains(&found.column(column).name().to_owned());
        let keys = columns.iter().flatten().copied().filter(is_key).collect();
        Self { footer: Arc::clone(footer), columns, keys }
    }

    pub(super) fn footer(&self) -> &Arc<ParquetMetaData> {
        &self.footer
    }

    /// Whether the replacement can hold a row group as it is. One that does not bound the keys
    /// is encoded anew, or the file could never be ruled out; so is one without page index,
    /// since a file has it for all its row groups or for none.
    pub(super) fn can_copy(&self, group: usize) -> bool {
        let metadata = self.footer.row_group(group);
        let Some(columns) = &self.columns else { return false };
        let has_pages = |&column: &usize| metadata.column(column).offset_index_offset().is_some();
        self.footer.offset_index().is_some()
            && columns.iter().all(has_pages)
            && self.keys.iter().all(|&key| has_bounds(metadata, key))
    }

    /// Where row groups stand in the file.
    pub(super) fn byte_range(&self, row_groups: Range<usize>) -> Range<u64> {
        let row_groups = &self.footer.row_groups()[row_groups];
        let chunks = || row_groups.iter().flat_map(RowGroupMetaData::columns);
        let start = chunks().map(|chunk| chunk.byte_range().0).min().unwrap_or_default();
        let end = chunks().map(end).max().unwrap_or_default();
        start..end
    }

    /// The columns of a row group as a writer takes them over: what the footer says about them,
    /// their part of the page index, and their bloom filters.
    pub(super) async fn columns(
        &self,
        file: &DataFileBytes,
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
                bloom_filter: bloom_filter(file, chunk).await?,
                column_index: column_index
                    .filter(|index| !matches!(index, ColumnIndexMetaData::NONE))
                    .cloned(),
                offset_index: offset_index.cloned(),
            });
        }
        Ok(columns)
    }
}

fn end(chunk: &ColumnChunkMetaData) -> u64 {
    let (start, length) = chunk.byte_range();
    start + length
}

/// Some writers do not tell the length of a filter; such a filter is left behind.
async fn bloom_filter(file: &DataFileBytes, chunk: &ColumnChunkMetaData) -> Result<Option<Sbbf>> {
    let offset = chunk.bloom_filter_offset().and_then(|offset| u64::try_from(offset).ok());
    let length = chunk.bloom_filter_length().and_then(|length| u64::try_from(length).ok());
    let (Some(offset), Some(length)) = (offset, length) else { return Ok(None) };
    let bytes = file.range(offset..offset + length).await?;
    Ok(Some(Sbbf::from_bytes(&bytes)?))
}
