//! Reads rows of the table by key, for changes that do not contain all values.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use futures::TryStreamExt;

use crate::error::Result;
use crate::files::bytes::unreadable;
use crate::files::{PartitionValues, Selected, TouchedFile, column_batches, typed};
use crate::merge::keys::KeySet;
use crate::merge::locate::{Known, find, locate};
use crate::table::LakeTable;

/// The table's rows with these keys: the key columns and those of `columns` that the table has, in
/// the table's types.
///
/// # Errors
/// `Unavailable` if the table cannot be read, `TableCorrupt` if a key is in it twice.
pub async fn rows_of(
    table: &LakeTable,
    keys: &[String],
    asked: &[RecordBatch],
    columns: &[String],
) -> Result<Vec<RecordBatch>> {
    if table.rows() == 0 || asked.iter().all(|batch| batch.num_rows() == 0) {
        return Ok(Vec::new());
    }
    let keyed = KeySet::new(keys, asked)?;
    let found = async {
        let touched = locate(table, keyed, Known::default()).await?.touched;
        read(table, &touched, keys, columns).await
    };
    judged(table, found.await).await
}

/// The table's rows by columns that are not a key: several rows may match one row of `asked`. The
/// rows of `asked` are distinct.
///
/// # Errors
/// `Unavailable` if the table cannot be read.
pub async fn rows_with(
    table: &LakeTable,
    by: &[String],
    asked: &RecordBatch,
    columns: &[String],
) -> Result<Vec<RecordBatch>> {
    if table.rows() == 0 || asked.num_rows() == 0 {
        return Ok(Vec::new());
    }
    let keyed = KeySet::new(by, [asked])?;
    let found = async {
        let touched = find(table, keyed, Known::default()).await?.touched;
        read(table, &touched, by, columns).await
    };
    judged(table, found.await).await
}

async fn judged<T>(table: &LakeTable, read: Result<T>) -> Result<T> {
    match read {
        Ok(read) => Ok(read),
        Err(error) => Err(table.judge(error).await),
    }
}

async fn read(
    table: &LakeTable,
    touched: &[TouchedFile],
    keys: &[String],
    columns: &[String],
) -> Result<Vec<RecordBatch>> {
    let schema = wanted(&table.schema().arrow(), keys, columns)?;
    let mut rows = Vec::new();
    for file in touched {
        rows.extend(rows_of_file(table, file, &schema).await?);
    }
    Ok(rows)
}

fn wanted(schema: &Schema, keys: &[String], columns: &[String]) -> Result<SchemaRef> {
    let wanted: Vec<usize> = (0..schema.fields().len())
        .filter(|&at| {
            let name = schema.field(at).name();
            keys.contains(name) || columns.contains(name)
        })
        .collect();
    Ok(Arc::new(schema.project(&wanted)?))
}

async fn rows_of_file(
    table: &LakeTable,
    file: &TouchedFile,
    schema: &SchemaRef,
) -> Result<Vec<RecordBatch>> {
    let store = table.delta().log_store().object_store(None);
    let metadata = typed::metadata(Arc::clone(&file.footer))?;
    let partition = PartitionValues::of(&file.add, schema)?;
    let mut batches = column_batches(&store, &file.add, metadata, schema, &matching(file)?)?;
    let mut rows = Vec::new();
    while let Some(batch) =
        batches.try_next().await.map_err(|error| unreadable(error, &file.add))?
    {
        rows.push(partition.rows(&batch, schema)?);
    }
    Ok(rows)
}

/// Only the rows that match.
fn matching(file: &TouchedFile) -> Result<Selected> {
    Selected::at(&file.footer, file.matches.iter().map(|found| found.position))
}
