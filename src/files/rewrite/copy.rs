//! Copies row groups as encoded.

use std::ops::Range;
use std::sync::Arc;

use parquet::bloom_filter::Sbbf;
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;

use crate::error::Result;
use crate::files::bytes::DataFileBytes;
use crate::files::{FileLayout, has_bounds};

/// The row groups of a file, and the mapping of the replacement's columns to them.
pub(super) struct Copier {
    footer: Arc<ParquetMetaData>,
    /// For each column of the replacement its index in the file, if the file has all of them in the
    /// same form.
    columns: Option<Vec<usize>>,
    /// Indices of the key columns in the file.
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

    /// Whether a row group can be copied as it is. A row group without key bounds is encoded again,
    /// because otherwise the file could never be ruled out. So is one without a page index, because
    /// a file has page indexes for all row groups or for none.
    pub(super) fn can_copy(&self, group: usize) -> bool {
        let metadata = self.footer.row_group(group);
        let Some(columns) = &self.columns else { return false };
        let has_pages = |&column: &usize| metadata.column(column).offset_index_offset().is_some();
        self.footer.offset_index().is_some()
            && columns.iter().all(has_pages)
            && self.keys.iter().all(|&key| has_bounds(metadata, key))
    }

    /// The byte range of these row groups in the file.
    pub(super) fn byte_range(&self, row_groups: Range<usize>) -> Range<u64> {
        let row_groups = &self.footer.row_groups()[row_groups];
        let chunks = || row_groups.iter().flat_map(RowGroupMetaData::columns);
        let start = chunks().map(|chunk| chunk.byte_range().0).min().unwrap_or_default();
        let end = chunks().map(end).max().unwrap_or_default();
        start..end
    }

    /// The columns of a row group for copying: their metadata from the footer, their page indexes
    /// and their bloom filters.
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

/// A filter is dropped if the file does not give its length.
async fn bloom_filter(file: &DataFileBytes, chunk: &ColumnChunkMetaData) -> Result<Option<Sbbf>> {
    let offset = chunk.bloom_filter_offset().and_then(|offset| u64::try_from(offset).ok());
    let length = chunk.bloom_filter_length().and_then(|length| u64::try_from(length).ok());
    let (Some(offset), Some(length)) = (offset, length) else { return Ok(None) };
    let bytes = file.range(offset..offset + length).await?;
    Ok(Some(Sbbf::from_bytes(&bytes)?))
}
