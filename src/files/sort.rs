//! Sorts rows by key, so that the key bounds of written files and row groups are narrow.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{SortColumn, concat_batches, lexsort_to_indices, take_record_batch};

use crate::error::Result;

/// Sorts these rows, which have the same columns in the same order, into one batch by ascending
/// key.
///
/// # Errors
/// `Internal`, never expected.
pub(crate) fn in_key_order(batches: Vec<RecordBatch>, keys: &[String]) -> Result<Vec<RecordBatch>> {
    let Some(first) = batches.first() else { return Ok(batches) };
    let rows = concat_batches(&first.schema(), &batches)?;
    let columns = keys.iter().filter_map(|key| rows.column_by_name(key));
    let columns =
        columns.map(|column: &ArrayRef| SortColumn { values: column.clone(), options: None });
    let order = lexsort_to_indices(&columns.collect::<Vec<_>>(), None)?;
    Ok(vec![take_record_batch(&rows, &order)?])
}
