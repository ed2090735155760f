//! Makes the one commit of a round: what its tasks have done is added up, checked, and committed with
//! the record and the ledger that a commit of slices has.

use std::collections::HashMap;
use std::time::Instant;

use deltalake::kernel::{Action, Add};

use crate::clock::Clock;
use crate::error::Result;
use crate::files::{removal, row_count};
use crate::maintenance::must_be_within_retention;
use crate::merge::{Metrics, files_of, operation};
use crate::pipeline::Pipeline;
use crate::pipeline::job::format::{InsertOutcome, ReplacedFile, SliceRows};
use crate::pipeline::job::read::Read;
use crate::pipeline::job::reduced::Reduced;
use crate::pipeline::job::replaced::Files;
use crate::pipeline::job::round::contradiction;
use crate::pipeline::slice::{Portion, Slice};
use crate::progress::{Books, CommitRecord, Counts, Ledger};
use crate::table::features::{is_append_only, refuse_change};
use crate::table::{CommitOutcome, LakeTable, Transaction};

/// When a round began, and when its net changes were known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) begun: Instant,
    pub(super) reduced: Instant,
}

/// What a round does to one snapshot of its table.
pub(super) struct Effect {
    pub(super) counts: Counts,
    actions: Vec<Action>,
    metrics: Metrics,
}

impl Effect {
    /// Of rows that are in data files already.
    pub(super) fn of_files(read: &Read, quarantined: u64) -> Result<Self> {
        let (mut files, mut metrics) = (Vec::new(), Metrics::default());
        for (_, slice) in &read.slices {
            let SliceRows::Files(loaded) = &slice.rows else {
                return Err(contradiction("rows of a load are not in files"));
            };
            files.extend(loaded.files.iter().cloned());
        }
        for file in &files {
            metrics.added(file);
        }
        let (changes, superseded) = read.sums();
        let rows = changes - superseded;
        if rows != records(&files)? {
            return Err(contradiction("files have other rows than were loaded"));
        }
        let counts = Counts {
            rows: changes + quarantined,
            inserted: rows,
            superseded,
            quarantined,
            ..Counts::default()
        };
        let actions = files.into_iter().map(Action::Add).collect();
        Ok(Self { counts, actions, metrics }.with_rows_counted())
    }

    /// Of net changes, with what became of them in the data files of the snapshot.
    pub(super) fn of_changes(
        table: &LakeTable,
        read: &Read,
        reduced: &Reduced,
        files: &Files,
        inserts: Vec<InsertOutcome>,
        quarantined: u64,
        clock: &dyn Clock,
    ) -> Result<Self> {
        let changes_files = files.done.iter().any(|(_, outcome)| !outcome.replaced.is_empty());
        if changes_files && is_append_only(table.delta().snapshot()?.metadata()) {
            return Err(refuse_change(table.delta().table_url()));
        }
        let marks = || files.done.iter().flat_map(|(_, outcome)| &outcome.marks);
        let updated: u64 = marks().map(|marks| marks.updated).sum();
        let deleted: u64 = marks().map(|marks| marks.deleted).sum();
        let placed: u64 = marks().map(|marks| marks.placed_count).sum();
        let upserted: u64 = reduced.ranges.iter().map(|range| range.upserted).sum();
        let removed: u64 = reduced.ranges.iter().map(|range| range.removed).sum();
        let (changes, superseded) = read.sums();
        let superseded = superseded + reduced.superseded;
        let (Some(inserted), Some(ignored)) =
            (upserted.checked_sub(updated), removed.checked_sub(deleted))
        else {
            return Err(contradiction("more rows were found than are changed"));
        };
        let counts = Counts {
            rows: changes + quarantined,
            inserted,
            updated,
            deleted,
            superseded,
            ignored,
            quarantined,
        };
        let written: u64 = inserts.iter().map(|outcome| outcome.rows).sum();
        let mut metrics = Metrics::default();
        let mut actions = Vec::new();
        let mut before: HashMap<String, Add> =
            table.live_files()?.into_iter().map(|add| (add.path.clone(), add)).collect();
        for (_, outcome) in &files.done {
            metrics.count_files_of(&outcome.metrics);
            for ReplacedFile { path, after } in &outcome.replaced {
                let Some(replaced) = before.remove(path) else {
                    return Err(contradiction("a data file is replaced twice"));
                };
                actions.push(removal(replaced, clock.now()));
                actions.extend(after.clone().map(Action::Add));
            }
        }
        for outcome in inserts {
            if records(&outcome.files)? != outcome.rows {
                return Err(contradiction("files have other rows than were inserted"));
            }
            for file in outcome.files {
                metrics.added(&file);
                actions.push(Action::Add(file));
            }
        }
        if written != upserted - placed {
            return Err(contradiction("other rows were written than took no place"));
        }
        Ok(Self { counts, actions, metrics }.with_rows_counted())
    }

    fn with_rows_counted(mut self) -> Self {
        let Counts { inserted, updated, deleted, ignored, .. } = self.counts;
        let mut metrics = Metrics::of_rows(inserted, updated, deleted, ignored);
        metrics.count_files_of(&self.metrics);
        self.metrics = metrics;
        self
    }

    /// Data files that the commit adds, replaces, masks or removes.
    pub(super) fn files(&self) -> u64 {
        files_of(&self.actions)
    }

    /// Commits it on the snapshot that it was made for.
    ///
    /// # Errors
    /// As [`Transaction::commit`]; `Internal` if the books do not balance.
    pub(super) async fn commit(
        self,
        pipeline: &Pipeline,
        table: &LakeTable,
        ledger: &Ledger,
        slice: &Slice,
        times: Times,
    ) -> Result<CommitOutcome> {
        let clock = pipeline.clock();
        must_be_within_retention(table, times.begun, clock.as_ref())?;
        let counts = self.counts;
        let after = table.rows() + counts.inserted - counts.deleted;
        let books = Books { counts, before: table.rows(), after };
        books.check()?;
        let attempt = clock.attempt_id();
        let objects = slice.portions.iter().map(Portion::record).collect();
        let record = CommitRecord::of(attempt, objects, books, ledger.clone())
            .with_newest(slice.newest(), clock.now());
        let mut metrics = self.metrics;
        let scanned = times.reduced - times.begun;
        metrics.took(clock.instant() - times.begun, Some(scanned));
        let predicate = ledger.keys.as_ref().filter(|keys| !keys.is_empty());
        let operation = operation(&self.actions, predicate.map(|keys| keys.join(", ")));
        let transaction = Transaction::on(table, record, clock);
        transaction.commit(self.actions, operation, Some(metrics.to_json())).await
    }
}

/// The rows of new files, by their statistics.
fn records(files: &[Add]) -> Result<u64> {
    let mut rows = 0;
    for file in files {
        let counted = file.stats.as_deref().and_then(row_count);
        rows += counted.ok_or_else(|| contradiction("a new file does not tell its rows"))?;
    }
    Ok(rows)
}
