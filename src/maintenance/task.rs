//! What a task of a job does of a rewrite.

use std::collections::HashSet;
use std::sync::Arc;

use deltalake::kernel::Add;

use crate::clock::Clock;
use crate::error::Result;
use crate::files::FileLayout;
use crate::maintenance::compaction::Compaction;
use crate::maintenance::live_file::LiveFile;
use crate::maintenance::part::RewritePart;
use crate::maintenance::rewrite;
use crate::table::LakeTable;

/// Writes the new files of one part.
///
/// # Errors
/// `TableCorrupt` if the log's statistics cannot be read, `Unavailable` if the lake does not answer, or
/// the disk that sorts is full.
pub(crate) async fn rewrite_part(
    table: &LakeTable,
    keys: &[String],
    part: &RewritePart,
    memory_budget: usize,
    clock: &Arc<dyn Clock>,
) -> Result<Vec<Add>> {
    let chosen: HashSet<&str> = part.files.iter().map(String::as_str).collect();
    let mut files = LiveFile::all(table, keys)?;
    files.retain(|file| chosen.contains(file.add.path.as_str()));
    let layout = Arc::new(FileLayout::of(table.files(), keys, clock)?);
    let replacement = if part.sorts {
        let compaction = Compaction { files, reason: String::new() };
        rewrite::compacted(table, &layout, compaction, memory_budget).await?
    } else {
        rewrite::purged(table, &layout, files).await?
    };
    Ok(replacement.added)
}
