//! Rows as texts, and what they differ in.

use arrow::array::RecordBatch;
use arrow::compute::kernels::cmp::distinct;

use crate::error::Result;
use crate::inspect::text::text_of;
use crate::inspect::why::Values;

/// The values of a row, as text.
pub(super) fn values(rows: &RecordBatch, row: usize) -> Result<Values> {
    let schema = rows.schema();
    let cells = schema.fields().iter().zip(rows.columns());
    let cells = cells.map(|(field, column)| Ok((field.name().clone(), text_of(column, row)?)));
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
