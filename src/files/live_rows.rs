//! The rows of data files as readers of the table see them.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use deltalake::kernel::Add;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::arrow_reader::RowSelection;
use parquet::file::metadata::ParquetMetaData;

use crate::error::Result;
use crate::files::bytes::unreadable;
use crate::files::partition_values::PartitionValues;
use crate::files::selected::{Selected, column_batches, in_memory};
use crate::files::snapshot_files::SnapshotFiles;
use crate::files::typed;

/// The rows of a data file that are not masked by a deletion vector, in file order, with the
/// table's columns and types.
///
/// # Errors
/// `Unavailable` if the file cannot be read, `TableCorrupt` if it does not match the log.
pub(crate) async fn live_rows(
    files: &SnapshotFiles,
    add: &Add,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let masked = files.masked(add).await?;
    rows_without(files, add, masked).await
}

/// The live rows without these rows, given in ascending order.
///
/// # Errors
/// As [`live_rows`].
pub(crate) async fn rows_without(
    files: &SnapshotFiles,
    add: &Add,
    dead: Vec<u64>,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let footer = files.footer(add).await?;
    let mut dead = dead.into_iter().peekable();
    let live = Selected::of(&footer, |_, rows| {
        let within = std::iter::from_fn(|| dead.next_if(|row| *row < rows.end));
        let dead_within: Vec<u64> = within.collect();
        Ok(all_but(&dead_within, rows))
    })?;
    selected_rows(files, add, footer, &live)
}

/// These rows alone, masked or not, given in ascending order.
///
/// # Errors
/// As [`live_rows`].
#[cfg(feature = "cli")]
pub(crate) async fn rows_at(
    files: &SnapshotFiles,
    add: &Add,
    wanted: Vec<u64>,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let footer = files.footer(add).await?;
    let selected = Selected::at(&footer, wanted)?;
    selected_rows(files, add, footer, &selected)
}

fn selected_rows(
    files: &SnapshotFiles,
    add: &Add,
    footer: Arc<ParquetMetaData>,
    selected: &Selected,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let store = files.store();
    let schema: SchemaRef = Arc::clone(files.schema());
    let batches = column_batches(&store, add, typed::metadata(footer)?, &schema, selected)?;
    let partition = PartitionValues::of(add, &schema)?;
    let file = add.clone();
    let rows = batches
        .map_err(move |error| unreadable(error, &file))
        .and_then(move |batch| std::future::ready(partition.rows(&batch, &schema)));
    Ok(rows.boxed())
}

/// Selects all rows of a row group except these, given in ascending order.
fn all_but(dead: &[u64], rows: Range<u64>) -> RowSelection {
    let begins = std::iter::once(rows.start).chain(dead.iter().map(|row| row + 1));
    let ends = dead.iter().copied().chain([rows.end]);
    let kept = begins.zip(ends).filter(|(begin, end)| begin < end);
    let kept = kept.map(|(begin, end)| in_memory(begin - rows.start)..in_memory(end - rows.start));
    RowSelection::from_consecutive_ranges(kept, in_memory(rows.end - rows.start))
}
