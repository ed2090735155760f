//! Executes a plan in one commit with rows, `txn` and record.

use std::collections::HashSet;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use arrow::array::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use deltalake::kernel::{Action, Add};
use deltalake::protocol::{DeltaOperation, SaveMode};
use futures::{StreamExt, TryStreamExt};

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::files::{
    FileLayout, Rewritten, TouchedFile, append, in_key_order, removal, rewrite, vectors,
};
use crate::merge::fold::{self, Folded};
use crate::merge::forecast;
use crate::merge::layouts::Layouts;
use crate::merge::metrics::{FileCounts, Metrics};
use crate::merge::mode::is_masked;
use crate::merge::written::WrittenFiles;
use crate::merge::{MergePlan, row_count};
use crate::table::features::{is_append_only, refuse_change};
use crate::table::{CommitOutcome, LakeTable, Transaction};

/// The result of a merge.
#[derive(Debug)]
#[must_use]
pub struct Merged {
    /// The outcome of its commit.
    pub outcome: CommitOutcome,
    /// The files for [`replan`](crate::merge::replan), if the commit is not in the log.
    pub written: WrittenFiles,
}

/// A plan whose files are written: its commit is what is left.
#[derive(Debug)]
#[must_use]
pub struct Written<'a> {
    transaction: Transaction<'a>,
    actions: Vec<Action>,
    operation: DeltaOperation,
    metrics: Metrics,
    foreseen: u64,
    files: WrittenFiles,
}

impl Written<'_> {
    /// Bytes of the data files as they were foreseen before they were written.
    #[must_use]
    pub fn bytes_foreseen(&self) -> u64 {
        self.foreseen
    }

    /// The same by what the commit does about them.
    #[must_use]
    pub fn file_counts(&self) -> FileCounts {
        self.metrics.files()
    }

    /// Bytes of the data files that were written for it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.metrics.bytes_added()
    }

    /// Data files that the commit adds, replaces, masks or removes.
    #[must_use]
    pub fn files(&self) -> u64 {
        files_of(&self.actions)
    }

    /// Commits it.
    ///
    /// # Errors
    /// As [`Transaction::commit`].
    pub async fn commit(self) -> Result<Merged> {
        let Self { transaction, actions, operation, metrics, files, .. } = self;
        let outcome = transaction.commit(actions, operation, Some(metrics.to_json())).await?;
        Ok(Merged { outcome, written: files })
    }
}

/// Data files that these actions are about.
pub(crate) fn files_of(actions: &[Action]) -> u64 {
    let path = |action: &Action| match action {
        Action::Add(add) => Some(add.path.clone()),
        Action::Remove(remove) => Some(remove.path.clone()),
        _ => None,
    };
    actions.iter().filter_map(path).collect::<HashSet<String>>().len() as u64
}

/// Executes a plan in a transaction on exactly the snapshot that it was made for.
///
/// # Errors
/// As [`write_files`] and [`Written::commit`].
pub async fn commit(transaction: Transaction<'_>, plan: MergePlan) -> Result<Merged> {
    let written = Box::pin(write_files(transaction, plan)).await?;
    Box::pin(written.commit()).await
}

/// Writes the files of a plan, for a transaction on exactly the snapshot that it was made for. The
/// clock supplies times and the names of new files.
///
/// # Errors
/// Any failure before the commit.
pub async fn write_files(mut transaction: Transaction<'_>, plan: MergePlan) -> Result<Written<'_>> {
    let clock = transaction.clock();
    let table = transaction.table().ok_or_else(nothing_to_merge_into)?;
    if !plan.only_inserts() && is_append_only(table.delta().snapshot()?.metadata()) {
        return Err(refuse_change(table.delta().table_url()));
    }
    let begun = clock.instant();
    let scanned = plan.begun.map(|since| begun - since);
    let merge_predicate = (!plan.keys.is_empty()).then(|| plan.keys.join(", "));
    let mut metrics = Metrics::of(&plan);
    // This detects a table that no longer exists. A conflicting commit is detected by the commit
    // itself at the latest.
    let (actions, looked) =
        tokio::join!(write(table, plan, &mut metrics, clock), transaction.look());
    let (actions, foreseen, written) = match actions {
        Ok(written) => written,
        Err(error) => return Err(table.judge(error).await),
    };
    looked?;
    metrics.took(clock.instant() - begun + scanned.unwrap_or_default(), scanned);
    let operation = operation(&actions, merge_predicate);
    Ok(Written { transaction, actions, operation, metrics, foreseen, files: written })
}

fn nothing_to_merge_into() -> Error {
    Error::new(ErrorKind::Internal, "a merge needs a table")
}

/// A commit that removes files must be recorded as a merge. For other operations the library
/// assumes that a concurrent compaction cannot have replaced their files.
pub(crate) fn operation(actions: &[Action], merge_predicate: Option<String>) -> DeltaOperation {
    if !actions.is_empty() && actions.iter().all(|action| matches!(action, Action::Add(_))) {
        return DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: None,
            predicate: None,
        };
    }
    DeltaOperation::Merge {
        predicate: None,
        merge_predicate,
        matched_predicates: Vec::new(),
        not_matched_predicates: Vec::new(),
        not_matched_by_source_predicates: Vec::new(),
    }
}

/// Writes the plan's files, some of which may already exist. Nothing refers to them until they are
/// committed.
async fn write(
    table: &LakeTable,
    mut plan: MergePlan,
    metrics: &mut Metrics,
    clock: &Arc<dyn Clock>,
) -> Result<(Vec<Action>, u64, WrittenFiles)> {
    if !plan.changes_rows() {
        return Ok((Vec::new(), 0, plan.written));
    }
    let layout = Arc::new(FileLayout::of(table.files(), &plan.keys, clock)?);
    let mode = plan.mode_in(table);
    // An update may move its row to another partition.
    let is_partitioned = !layout.partition_columns().is_empty();
    plan.move_updates(|file| is_partitioned || is_masked(mode, file));
    let mut inserts = plan.inserts()?;
    let has_matches = !plan.only_inserts();
    let folded = if plan.spares_others {
        Vec::new()
    } else {
        fold::take_in(table, &layout, &plan.touched, row_count(&plan.upserts), &inserts).await?
    };
    let folded_paths: HashSet<String> = folded.iter().map(|file| file.add.path.clone()).collect();
    if !folded.is_empty() {
        plan.touched.retain(|file| !folded_paths.contains(&file.add.path));
        // Updated rows of folded files are written as inserts.
        inserts = plan.inserts()?;
    }
    let is_sorted = !plan.keys.is_empty() && (has_matches || !folded.is_empty());
    let mut actions = take_out(folded, &mut inserts, metrics, clock.as_ref());
    if is_sorted {
        inserts = in_key_order(inserts, &plan.keys)?;
    }
    let layouts = Layouts::of(table, layout, &plan.touched, &folded_paths, &inserts)?;
    let (masked, replaced): (Vec<TouchedFile>, Vec<TouchedFile>) =
        plan.touched.into_iter().partition(|file| is_masked(mode, file));
    let foreseen = forecast::bytes(table, &replaced, &inserts)?;
    let of_new = layouts.of_new(&inserts)?;
    let store = table.files().store();
    // Files are written independently; each is completed or abandoned, whatever happens to the
    // others.
    let (replaced, masked, added) = tokio::join!(
        replace(table, &layouts, replaced, plan.upserts, &plan.written),
        mask(table, masked, clock.as_ref()),
        append(&store, of_new, &inserts),
    );
    let replaced = replaced?;
    for (before, rewritten) in &replaced {
        metrics.replaced(&before.add, rewritten);
        actions.push(removal(before.add.clone(), clock.now()));
        actions.extend(rewritten.add.clone().map(Action::Add));
    }
    for (before, after) in masked? {
        metrics.masked(&before, after.as_ref());
        actions.push(removal(before, clock.now()));
        actions.extend(after.map(Action::Add));
    }
    for add in added? {
        metrics.added(&add);
        actions.push(Action::Add(add));
    }
    Ok((actions, foreseen, WrittenFiles::new(replaced)))
}

/// Adds the rows of folded files to the new rows.
fn take_out(
    folded: Vec<Folded>,
    inserts: &mut Vec<RecordBatch>,
    metrics: &mut Metrics,
    clock: &dyn Clock,
) -> Vec<Action> {
    let mut actions = Vec::with_capacity(folded.len());
    for file in folded {
        metrics.folded(&file.add, row_count(&file.rows) as u64);
        inserts.extend(file.rows);
        actions.push(removal(file.add, clock.now()));
    }
    actions
}

/// Files rewritten concurrently if all are small, regardless of the number of cores: they mostly
/// wait for the store.
const SMALL_AT_ONCE: usize = 16;
const SMALL_BYTES: i64 = 1 << 20;

/// Copy-on-write: replaces every touched file, with an already written replacement if there is one.
async fn replace(
    table: &LakeTable,
    layouts: &Layouts,
    files: Vec<TouchedFile>,
    upserts: Vec<RecordBatch>,
    written: &WrittenFiles,
) -> Result<Vec<(TouchedFile, Rewritten)>> {
    let store = table.delta().log_store().object_store(None);
    let upserts: Arc<[RecordBatch]> = upserts.into();
    let are_small = files.iter().all(|file| file.add.size <= SMALL_BYTES);
    let rewrites = files.into_iter().map(|file| {
        let kept = written.instead_of(&file).cloned();
        let layout = Arc::clone(layouts.of_replacement(&file));
        let (store, upserts) = (store.clone(), upserts.clone());
        // A separate task, so that files are fetched and rewritten concurrently.
        let rewritten = SpawnedTask::spawn(async move {
            let rewritten = match kept {
                Some(kept) => kept,
                None => rewrite(&store, &layout, &file, &upserts).await?,
            };
            Ok::<(TouchedFile, Rewritten), Error>((file, rewritten))
        });
        async move { rewritten.join().await? }
    });
    let cores = available_parallelism().map_or(1, NonZero::get);
    let files_at_once = if are_small { cores.max(SMALL_AT_ONCE) } else { cores };
    futures::stream::iter(rewrites).buffered(files_at_once).try_collect().await
}

/// Merge-on-read: masks the changed rows. Returns each file with its new log entry, or none if no
/// row of the file is left.
async fn mask(
    table: &LakeTable,
    files: Vec<TouchedFile>,
    clock: &dyn Clock,
) -> Result<Vec<(Add, Option<Add>)>> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let log_store = table.delta().log_store();
    let masked = vectors::mask(&log_store, &files, clock.file_id()).await?;
    Ok(files.into_iter().map(|file| file.add).zip(masked).collect())
}
