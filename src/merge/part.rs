//! Parts of a merge that are done apart from each other, of which one commit is made then: rows of
//! some data files are found and replaced, new rows are written.
//!
//! Nothing is folded: each part knows only its own files.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use deltalake::kernel::{Add, LogicalFileView};

use crate::clock::Clock;
use crate::config::MergeMode;
use crate::error::{Error, ErrorKind, Result};
use crate::files::{FileLayout, NewFiles, TouchedFile, append, rewrite, vectors};
use crate::merge::keys::KeySet;
use crate::merge::layouts::Layouts;
use crate::merge::locate::{Known, find_among};
use crate::merge::metrics::Metrics;
use crate::merge::mode::is_masked;
use crate::table::LakeTable;

/// Finds the rows of these files, by their paths in the log, that carry one of these keys.
///
/// # Errors
/// `Unavailable` if a file cannot be read; `Conflict` if the table has no such file.
pub(crate) async fn find_in(
    table: &LakeTable,
    files: &[String],
    keys: &[String],
    asked: &[RecordBatch],
) -> Result<Vec<TouchedFile>> {
    let wanted: HashSet<&str> = files.iter().map(String::as_str).collect();
    let is_wanted = |view: &LogicalFileView| wanted.contains(view.path().as_ref());
    let views: Vec<_> = table.delta().snapshot()?.log_data().iter().filter(is_wanted).collect();
    if views.len() != wanted.len() {
        return Err(Error::new(ErrorKind::Conflict, "the table no longer has a data file"));
    }
    Ok(find_among(table, views, KeySet::new(keys, asked)?, Known::default()).await?.touched)
}

/// Data files that are replaced or masked.
pub(crate) struct Part<'a> {
    table: &'a LakeTable,
    layouts: Layouts,
    mode: MergeMode,
    is_partitioned: bool,
    /// What it did so far.
    pub(crate) metrics: Metrics,
}

impl<'a> Part<'a> {
    /// Of these touched files.
    ///
    /// # Errors
    /// `TableCorrupt` if the log's metadata or statistics cannot be read.
    pub(crate) fn of<'f>(
        table: &'a LakeTable,
        keys: &[String],
        mode: MergeMode,
        touched: impl IntoIterator<Item = &'f TouchedFile>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self> {
        let layout = Arc::new(FileLayout::of(table.files(), keys, clock)?);
        let is_partitioned = !layout.partition_columns().is_empty();
        let layouts = Layouts::of(table, layout, touched, &HashSet::new(), &[])?;
        let mode = if table.may_mask() { mode } else { MergeMode::CopyOnWrite };
        Ok(Self { table, layouts, mode, is_partitioned, metrics: Metrics::default() })
    }

    /// Whether rows of the file are masked. New images then go elsewhere.
    pub(crate) fn masks(&self, file: &TouchedFile) -> bool {
        is_masked(self.mode, file)
    }

    /// Whether new images take the places of the rows in the file: not where they are masked, nor
    /// where an update may move a row to another partition.
    pub(crate) fn places(&self, file: &TouchedFile) -> bool {
        !self.is_partitioned && !self.masks(file)
    }

    /// Writes the replacement of a file; none if no row is left. Matches beyond `images` delete.
    ///
    /// # Errors
    /// As [`rewrite`].
    pub(crate) async fn replace(
        &mut self,
        file: &TouchedFile,
        images: &[RecordBatch],
    ) -> Result<Option<Add>> {
        let layout = Arc::clone(self.layouts.of_replacement(file));
        let rewritten = rewrite(&self.table.files().store(), &layout, file, images).await?;
        self.metrics.replaced(&file.add, &rewritten);
        Ok(rewritten.add)
    }

    /// Masks the matched rows of files; gives the new entry of each, or none if no row is left.
    ///
    /// # Errors
    /// `Unavailable` if the vectors cannot be written.
    pub(crate) async fn mask(
        &mut self,
        files: &[TouchedFile],
        clock: &dyn Clock,
    ) -> Result<Vec<Option<Add>>> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let masked = vectors::mask(&self.table.files().log_store(), files, clock.file_id()).await?;
        for (file, after) in files.iter().zip(&masked) {
            self.metrics.masked(&file.add, after.as_ref());
        }
        Ok(masked)
    }
}

/// Writes new rows of a part of a merge.
///
/// # Errors
/// `Unavailable` if the files cannot be written.
pub(crate) async fn add_rows(
    table: &LakeTable,
    keys: &[String],
    rows: &[RecordBatch],
    clock: &Arc<dyn Clock>,
) -> Result<Vec<Add>> {
    let layout = Arc::new(FileLayout::of(table.files(), keys, clock)?);
    let layouts = Layouts::of(table, layout, [], &HashSet::new(), rows)?;
    append(&table.files().store(), layouts.of_new(rows)?, rows).await
}

/// New files of a table that are filled batch by batch.
///
/// # Errors
/// `TableCorrupt` if the table's metadata cannot be read.
pub(crate) fn new_files(
    table: &LakeTable,
    keys: &[String],
    clock: &Arc<dyn Clock>,
) -> Result<NewFiles> {
    let layout = Arc::new(FileLayout::of(table.files(), keys, clock)?);
    Ok(NewFiles::new(&table.files().store(), &layout))
}
