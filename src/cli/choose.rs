//! The tables that a command names.

use std::collections::BTreeSet;

use crate::config::{Settings, TableSpec};
use crate::error::{Error, ErrorKind, Result};

/// The tables of these names in the configuration's order; all if none is named.
///
/// # Errors
/// `Config` if a name is none of the configuration's.
pub(super) fn choose(settings: &Settings, names: &[String]) -> Result<Vec<TableSpec>> {
    let configured: BTreeSet<String> =
        settings.tables.iter().map(|table| table.source.to_string()).collect();
    let unknown: Vec<&str> =
        names.iter().filter(|name| !configured.contains(*name)).map(String::as_str).collect();
    if !unknown.is_empty() {
        let known: Vec<String> = configured.into_iter().collect();
        return Err(Error::new(ErrorKind::Config, "no [[table]] has that source")
            .with("--table", unknown.join(", "))
            .with("configured", known.join(", ")));
    }
    let is_chosen =
        |table: &&TableSpec| names.is_empty() || names.contains(&table.source.to_string());
    Ok(settings.tables.iter().filter(is_chosen).cloned().collect())
}
