//! What maintenance would do to a table now, found out without doing it.

use std::sync::Arc;

use serde::Serialize;

use crate::clock::Clock;
use crate::config::TableSpec;
use crate::error::Result;
use crate::files::FileLayout;
use crate::maintenance::live_file::LiveFile;
use crate::maintenance::report::Action;
use crate::maintenance::{checkpoint, compaction, lower, purge, retain, vacuum};
use crate::table::LakeTable;

/// An action that is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DueAction {
    /// What.
    pub action: Action,
    /// Why it is due.
    pub reason: String,
    /// Bytes of the files that it would write again or delete; 0 of other actions.
    pub bytes: u64,
}

/// What is due for a table. Of compaction it is the first of several that may follow each other.
/// Entries of the log are not looked at: they cost next to nothing.
///
/// # Errors
/// `Unavailable` if the table cannot be listed or its log not be read.
pub(crate) async fn due(
    table: &LakeTable,
    keys: &[String],
    spec: &TableSpec,
    clock: &Arc<dyn Clock>,
) -> Result<Vec<DueAction>> {
    let files = LiveFile::all(table, keys)?;
    let layout = FileLayout::of(table.files(), keys, clock)?;
    let bytes = |files: &[LiveFile]| files.iter().map(|file| file.bytes).sum();
    let mut due = Vec::new();
    let mut add = |action, reason: String, bytes| due.push(DueAction { action, reason, bytes });
    let (checkpoint, vacuum) =
        tokio::try_join!(checkpoint::due(table), vacuum::choose(table, &files, clock.now()))?;
    if let Some(it) = retain::choose(table, spec.retention)? {
        add(Action::Retain, it.reason, 0);
    }
    if let Some(it) = compaction::choose(&files, &layout, u64::MAX) {
        add(Action::Compact, it.reason, bytes(&it.files));
    }
    if let Some(it) = lower::choose(table, &files, spec.merge)? {
        add(Action::Lower, it.reason, 0);
    }
    if let Some(it) = purge::choose(files, spec.merge, u64::MAX) {
        add(Action::Purge, it.reason, bytes(&it.files));
    }
    if let Some(reason) = checkpoint {
        add(Action::Checkpoint, reason, 0);
    }
    if let Some(it) = vacuum {
        add(Action::Vacuum, it.reason, it.bytes);
    }
    Ok(due)
}
