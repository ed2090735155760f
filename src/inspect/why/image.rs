//! Rows as texts, and what they differ in.

use arrow::array::RecordBatch;
use arrow::compute::kernels::cmp::distinct;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::error::Result;
use crate::inspect::why::Values;

/// The values of a row, as text.
pub(super) fn values(rows: &RecordBatch, row: usize) -> Result<Values> {
    let options = FormatOptions::default();
    let schema = rows.schema();
    let cells = schema.fields().iter().zip(rows.columns()).map(|(field, column)| {
        let text = if column.is_valid(row) {
            Some(ArrayFormatter::try_new(column, &options)?.value(row).to_string())
        } else {
            None
        };
        Ok((field.name().clone(), text))
    });
    cells.collect()
}

/// The columns in which two rows differ. Both have the same columns, and one row.
pub(super) fn differing(before: &RecordBatch, after: &RecordBatch) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for (at, field) in after.schema().fields().iter().enumerate() {
        if distinct(before.column(at), after.column(at))?.value(0) {
            names.push(field.name().clone());
        }
    }
    Ok(names)
}
