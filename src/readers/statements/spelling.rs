//! Quotes names and texts in SQL.

use std::fmt::Display;

use crate::error::{Error, ErrorKind, Result};
use crate::storage::is_on_s3;

/// `"name"`
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `` `name` ``
pub(super) fn backquoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// `'text'`
pub(super) fn text(text: impl Display) -> String {
    format!("'{}'", text.to_string().replace('\'', "''"))
}

/// Refuses a table that is not on S3, where AWS services could not read it.
pub(super) fn must_be_on_s3(uri: &str) -> Result<()> {
    if is_on_s3(uri) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Config, "the engine reads tables on S3 only").with("table", uri))
}
