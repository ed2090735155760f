//! Keeping for as long as the configuration says what the newest version does not need. The table's
//! properties say so too, for every other writer.

use std::time::Duration;

use crate::config::Retention;
use crate::error::Result;
use crate::maintenance::alteration::Alteration;
use crate::table::LakeTable;
use crate::table::features::{file_retention, log_retention, retention_properties};

/// What would make the table keep that; none if it does, or if the configuration leaves it open.
///
/// # Errors
/// `TableCorrupt` if the metadata in the log is none.
pub(super) fn choose(table: &LakeTable, wanted: Option<Retention>) -> Result<Option<Alteration>> {
    let Some(Retention { files, log }) = wanted else { return Ok(None) };
    let metadata = table.delta().snapshot()?.metadata();
    let kept = (file_retention(metadata), log_retention(metadata));
    if kept == (files, log) {
        return Ok(None);
    }
    let shown = |duration: Duration| humantime::format_duration(duration).to_string();
    let reason = format!(
        "removed files are kept for {} and the log for {}, and the configuration says {} and {}",
        shown(kept.0),
        shown(kept.1),
        shown(files),
        shown(log)
    );
    Alteration::of_properties(metadata, retention_properties(files, log), reason).map(Some)
}
