//! Values as text.

use arrow::array::{Array as _, ArrayRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::error::Result;

/// A value as text; none if it is NULL.
pub(super) fn text_of(column: &ArrayRef, row: usize) -> Result<Option<String>> {
    if column.is_null(row) {
        return Ok(None);
    }
    let options = FormatOptions::default();
    Ok(Some(ArrayFormatter::try_new(column, &options)?.value(row).to_string()))
}
