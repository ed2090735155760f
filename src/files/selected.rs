//! Selects rows of a data file and reads columns of only these rows.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use deltalake::kernel::Add;
use deltalake::logstore::ObjectStoreRef;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, RowSelection};
use parquet::arrow::async_reader::ParquetRecordBatchStream;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::file::metadata::ParquetMetaData;

use crate::error::Result;
use crate::files::bytes::{DataFileBytes, unreadable};

/// Rows decoded at once.
const BATCH_ROWS: usize = 32 << 10;

/// Selected rows of a file, in ascending order of row groups.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selected(Vec<RowGroupRows>);

#[derive(Clone, Debug)]
struct RowGroupRows {
    row_group: usize,
    /// Its first row in the file.
    first: u64,
    rows: RowSelection,
}

impl Selected {
    /// The rows that `choose` selects in each row group, if any. It receives the row group and the
    /// range of the file's rows in it.
    pub(crate) fn of(
        file: &ParquetMetaData,
        mut choose: impl FnMut(usize, Range<u64>) -> Result<RowSelection>,
    ) -> Result<Self> {
        let mut selected = Vec::new();
        let mut first = 0;
        for (row_group, metadata) in file.row_groups().iter().enumerate() {
            let end = first + u64::try_from(metadata.num_rows()).unwrap_or_default();
            let rows = choose(row_group, first..end)?;
            if rows.selects_any() {
                selected.push(RowGroupRows { row_group, first, rows });
            }
            first = end;
        }
        Ok(Self(selected))
    }

    /// These rows, given in ascending order.
    pub(crate) fn at(file: &ParquetMetaData, rows: impl IntoIterator<Item = u64>) -> Result<Self> {
        let mut wanted = rows.into_iter().peekable();
        Self::of(file, |_, rows| {
            let within = std::iter::from_fn(|| wanted.next_if(|row| *row < rows.end));
            let ranges = within.map(|row| in_memory(row - rows.start)).map(|row| row..row + 1);
            Ok(RowSelection::from_consecutive_ranges(ranges, in_memory(rows.end - rows.start)))
        })
    }

    /// Whether no row is selected.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The selection restricted to the wanted row groups.
    pub(crate) fn of_row_groups(mut self, is_wanted: impl Fn(usize) -> bool) -> Self {
        self.0.retain(|part| is_wanted(part.row_group));
        self
    }

    /// The row groups.
    pub(crate) fn row_groups(&self) -> Vec<usize> {
        self.0.iter().map(|part| part.row_group).collect()
    }

    /// The rows, counted within the selected row groups, as a Parquet reader expects.
    pub(crate) fn rows(&self) -> RowSelection {
        self.0.iter().flat_map(|part| part.rows.iter().copied()).collect()
    }

    /// The rows, counted within the file, in ascending order.
    pub(crate) fn physical_rows(&self) -> impl Iterator<Item = Range<u64>> {
        self.0
            .iter()
            .flat_map(|part| {
                part.rows.iter().scan(part.first, |next, run| {
                    let rows = *next..*next + run.row_count as u64;
                    *next = rows.end;
                    Some((!run.skip).then_some(rows))
                })
            })
            .flatten()
    }
}

/// Converts a number of rows of one row group.
pub(crate) fn in_memory(rows: u64) -> usize {
    usize::try_from(rows).expect("a row group's rows are counted in memory")
}

/// The named columns of the selected rows. Columns that the file does not have are left out.
pub(crate) fn column_batches(
    store: &ObjectStoreRef,
    add: &Add,
    metadata: ArrowReaderMetadata,
    columns: &Schema,
    selected: &Selected,
) -> Result<ParquetRecordBatchStream<DataFileBytes>> {
    let place = |field: &Arc<Field>| metadata.schema().index_of(field.name()).ok();
    let roots = columns.fields().iter().filter_map(place);
    let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
    ParquetRecordBatchStreamBuilder::new_with_metadata(DataFileBytes::of(store, add)?, metadata)
        .with_projection(mask)
        .with_row_groups(selected.row_groups())
        .with_row_selection(selected.rows())
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|error| unreadable(error, add))
}
