//! Writes the rows of a data file again with other columns.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use deltalake::kernel::Add;
use futures::TryStreamExt as _;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use crate::error::Result;
use crate::files::live_rows::live_rows;
use crate::files::typed;
use crate::files::{DataFileWriter, FileLayout, SnapshotFiles};
use crate::schema::{ColumnChange, earlier_name};

/// Writes the live rows of a file, in their order, as files of another layout. Nothing refers to
/// those until they are committed. At most one row group is in memory.
///
/// # Errors
/// `Unavailable` if the lake does not answer, `TableCorrupt` if the file does not match the log.
pub(crate) async fn reshaped(
    files: &SnapshotFiles,
    add: &Add,
    changes: &[ColumnChange],
    layout: &Arc<FileLayout>,
) -> Result<Vec<Add>> {
    let partition = add.partition_values.clone();
    let has_filters = has_bloom_filters(files.footer(add).await?.as_ref());
    let layout = if has_filters {
        Arc::new(FileLayout::clone(layout).with_bloom_filters())
    } else {
        Arc::clone(layout)
    };
    let mut writer = DataFileWriter::new(files.store(), Arc::clone(&layout), partition);
    let mut rows = live_rows(files, add).await?;
    while let Some(batch) = rows.try_next().await? {
        writer.write(&with_columns(&batch, layout.schema(), changes)?).await?;
    }
    writer.close().await
}

/// Filters tell keys apart where ranges do not, which is as it was.
fn has_bloom_filters(footer: &ParquetMetaData) -> bool {
    let mut columns = footer.row_groups().iter().flat_map(RowGroupMetaData::columns);
    columns.any(|column| column.bloom_filter_offset().is_some())
}

/// The rows with these columns, each of them from the column that it was before.
fn with_columns(
    rows: &RecordBatch,
    columns: &SchemaRef,
    changes: &[ColumnChange],
) -> Result<RecordBatch> {
    let column = |field: &Arc<Field>| {
        let before = earlier_name(field.name(), changes);
        typed::column(rows, &Field::clone(field).with_name(before))
    };
    let columns_read = columns.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
    // Names and types are those of the table; which values may be NULL the rows tell.
    let nullable = |field: &Arc<Field>| Field::clone(field).with_nullable(true);
    let schema = Schema::new(columns.fields().iter().map(nullable).collect::<Vec<_>>());
    Ok(RecordBatch::try_new(Arc::new(schema), columns_read)?)
}
