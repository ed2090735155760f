//! Writing the files of a replacement.

use std::sync::Arc;

use deltalake::kernel::Add;
use futures::TryStreamExt;

use crate::error::Result;
use crate::files::external_sort::sorted_rows;
use crate::files::{DataFileWriter, FileLayout, TouchedFile, rewrite};
use crate::maintenance::compaction::Compaction;
use crate::maintenance::live_file::LiveFile;
use crate::maintenance::replacement::Replacement;
use crate::table::LakeTable;

/// Writes the live rows of a compaction's files as new files in key order.
///
/// # Errors
/// `Unavailable` if the lake does not answer, or the disk that sorts is full.
pub(super) async fn compacted(
    table: &LakeTable,
    layout: &Arc<FileLayout>,
    compaction: Compaction,
    memory_budget: usize,
) -> Result<Replacement> {
    let store = table.delta().log_store().object_store(None);
    let partition_values =
        compaction.files.first().map(|file| file.add.partition_values.clone()).unwrap_or_default();
    let files: Vec<Add> = compaction.files.iter().map(|file| file.add.clone()).collect();
    let mut rows = sorted_rows(table.files(), files, layout.keys(), memory_budget).await?;
    let mut writer = DataFileWriter::new(store, Arc::clone(layout), partition_values);
    while let Some(batch) = rows.try_next().await? {
        writer.write(&batch).await?;
    }
    Ok(Replacement { removed: compaction.files, added: writer.close().await? })
}

/// Rewrites files one by one without their masked rows; what is left keeps its order.
///
/// # Errors
/// As [`compacted`].
pub(super) async fn purged(
    table: &LakeTable,
    layout: &Arc<FileLayout>,
    files: Vec<LiveFile>,
) -> Result<Replacement> {
    let snapshot = table.files();
    let store = snapshot.store();
    let mut added = Vec::new();
    for file in &files {
        let masked = snapshot.masked(&file.add).await?;
        let footer = snapshot.footer(&file.add).await?;
        let touched = TouchedFile { add: file.add.clone(), footer, matches: Vec::new(), masked };
        added.extend(rewrite(&store, layout, &touched, &[]).await?.add);
    }
    Ok(Replacement { removed: files, added })
}
