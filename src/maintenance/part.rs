//! Rewrites that are too large for one process: in parts, which others write.

use async_trait::async_trait;
use deltalake::kernel::Add;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::maintenance::live_file::LiveFile;
use crate::maintenance::replacement::Replacement;
use crate::maintenance::rewriting::Rewrite;
use crate::packed::packed;
use crate::table::LakeTable;

/// Data files of one partition that are written again by themselves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RewritePart {
    /// Whether their rows become files in key order, else each is written without its masked rows.
    pub(super) sorts: bool,
    /// Their paths in the log.
    pub(super) files: Vec<String>,
}

/// Somebody who writes parts of a rewrite, side by side.
#[async_trait]
pub(crate) trait Rewriter: Send + Sync + std::fmt::Debug {
    /// Bytes of data files in one part; a larger file is a part by itself.
    fn part_bytes(&self) -> u64;
    /// How many parts are worth a commit.
    fn parts_at_once(&self) -> usize;
    /// Writes the new files of each part, in their order.
    ///
    /// # Errors
    /// Those of the writer of a part.
    async fn rewrite(&self, table: &LakeTable, parts: Vec<RewritePart>) -> Result<Vec<Vec<Add>>>;
}

/// The parts of a rewrite: neighbours in key order.
pub(super) fn parts(rewrite: Rewrite, part_bytes: u64) -> Vec<(RewritePart, Vec<LiveFile>)> {
    let (sorts, mut files) = match rewrite {
        Rewrite::Compact(compaction) => (true, compaction.files),
        Rewrite::Purge(purge) => (false, purge.files),
    };
    files.sort_by(|a, b| a.least().cmp(&b.least()));
    let mut parts = packed(files, part_bytes, |file| file.bytes);
    // One file is in key order by itself, and need not be written again unless rows of it are masked.
    parts.retain(|part| !sorts || part.len() > 1);
    let named = |files: Vec<LiveFile>| {
        let paths = files.iter().map(|file| file.add.path.clone()).collect();
        (RewritePart { sorts, files: paths }, files)
    };
    parts.into_iter().map(named).collect()
}

/// Has parts written; gives what is to be committed for each.
///
/// # Errors
/// As [`Rewriter::rewrite`].
pub(super) async fn written(
    rewriter: &dyn Rewriter,
    table: &LakeTable,
    parts: Vec<(RewritePart, Vec<LiveFile>)>,
) -> Result<Vec<Replacement>> {
    let (parts, removed): (Vec<RewritePart>, Vec<Vec<LiveFile>>) = parts.into_iter().unzip();
    let added = rewriter.rewrite(table, parts).await?;
    let replacement = |(removed, added)| Replacement { removed, added };
    Ok(removed.into_iter().zip(added).map(replacement).collect())
}
