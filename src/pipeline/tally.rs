//! What an application has done so far and what is left: its report in the making.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::clock::{Clock, seconds_between};
use crate::config::TableSpec;
use crate::disposition::{Status, remedy_for};
use crate::error::Error;
use crate::pipeline::look::{Look, Standing, Work};
use crate::pipeline::report::either;
use crate::pipeline::{Replacement, TableReport};
use crate::progress::{Counts, Lag, Ledger, Position, SeenObject};
use crate::schema::TableSchema;
use crate::table::{ForeignCommit, LakeTable, TableState};

const STATE_LOST: &str = "the state object was missing and is made again: whether the table was \
                          paused, and what had vanished by then, is forgotten";

/// A commit of ours that took in objects.
#[derive(Clone, Copy, Debug)]
pub(super) struct AppliedSlice {
    pub(super) version: u64,
    pub(super) counts: Counts,
    /// Objects finished.
    pub(super) objects: u64,
    /// Of them, those that a resume of DMS wrote again.
    pub(super) replayed: u64,
}

/// What an application has done so far, and what is left.
#[derive(Debug)]
pub(super) struct Tally {
    report: TableReport,
    commits: u64,
    /// What the last look found pending, in order of application.
    waiting: Vec<SeenObject>,
    /// What it found below the table's progress, or no longer staged: not applied, nor pending.
    astray: Vec<SeenObject>,
    /// When the oldest object that causes the hold was staged.
    oldest_held: Option<DateTime<Utc>>,
    /// What the last look knew of the table.
    known: Option<Known>,
}

/// What a look knows of a table.
#[derive(Debug)]
pub(super) struct Known {
    /// What its state object said.
    pub(super) state: Option<TableState>,
    /// Whether anything was applied to the table.
    pub(super) has_progress: bool,
    /// Whether all rows were removed since its full load.
    pub(super) emptied: bool,
    /// The last rebuild that took the table's place.
    pub(super) rebuilt: Option<Uuid>,
    /// Whether no object waits for a change of its columns.
    pub(super) needs_no_reshape: bool,
    /// The last change before a reload, where the look found one.
    pub(super) reloaded_behind: Option<Position>,
}

impl Tally {
    /// Nothing done yet.
    pub(super) fn of(spec: &TableSpec, warnings: Vec<String>) -> Self {
        let table = spec.source.to_string();
        let report = TableReport { table, warnings, ..TableReport::default() };
        let (waiting, astray) = (Vec::new(), Vec::new());
        Self { report, commits: 0, waiting, astray, oldest_held: None, known: None }
    }

    /// Commits so far.
    pub(super) fn commits(&self) -> u64 {
        self.commits
    }

    /// Takes in what the table itself tells.
    pub(super) fn opened(&mut self, table: Option<&LakeTable>) {
        self.report.version = table.map(LakeTable::version);
        if let Some(table) = table {
            self.report.in_quarantine = table.ledger().quarantined;
            self.progressed(table.ledger());
            self.met(table.foreign());
        }
    }

    /// Takes in how new the changes are that the table has.
    pub(super) fn progressed(&mut self, ledger: &Ledger) {
        self.report.lag = Lag::of(ledger);
    }

    /// Takes in what others did to the table's rows, each commit once.
    pub(super) fn met(&mut self, foreign: &[ForeignCommit]) {
        for commit in foreign {
            if !self.report.foreign_commits.contains(commit) {
                let table = &self.report.table;
                tracing::warn!(table, %commit, "another writer changed rows");
                self.report.foreign_commits.push(commit.clone());
            }
        }
    }

    /// Takes in what a look found.
    pub(super) fn looked(&mut self, look: &Look) {
        let report = &mut self.report;
        if look.before_load > 0 && report.before_load == 0 {
            tracing::warn!(
                table = report.table,
                objects = look.before_load,
                "change objects from before the full load are not applied"
            );
        }
        // A table that has begun no longer tells.
        report.before_load = report.before_load.max(look.before_load);
        report.absent = look.table.is_none() && look.listing.objects.is_empty();
        report.foreign.clone_from(&look.listing.foreign);
        report.left_until = None;
        report.late.clear();
        report.vanished.clear();
        self.oldest_held = None;
        self.astray.clear();
        let mut reloaded_behind = None;
        match &look.standing {
            Standing::CaughtUp | Standing::Replace => self.waiting.clear(),
            Standing::Truncated(changes) => self.waiting.clone_from(changes),
            Standing::Reload(reload) => self.waiting.clone_from(&reload.objects),
            Standing::Apply(work) => {
                report.late.clone_from(&work.late);
                self.waiting.clone_from(&work.seen);
            }
            Standing::Reshape(reshaping) => self.waiting.clone_from(&reshaping.seen),
            Standing::Held(hold) => {
                let names = |objects: &[SeenObject]| {
                    objects.iter().map(|seen| seen.object.clone()).collect::<Vec<_>>()
                };
                report.late = names(&hold.late);
                report.vanished = names(&hold.vanished);
                self.astray = [&*hold.vanished, &*hold.late, &*hold.reload].concat();
                self.waiting.clone_from(&hold.waiting);
                self.oldest_held = hold.since;
                let ledger = look.table.as_ref().map(LakeTable::ledger);
                let ledger = ledger.filter(|_| hold.is_reload());
                reloaded_behind = ledger.and_then(|ledger| ledger.cdc.watermark.clone());
            }
        }
        report.pending = self.waiting.len() as u64;
        let has_progress = |table: &LakeTable| !table.ledger().is_untouched();
        let has_progress = look.table.as_ref().is_some_and(has_progress);
        // A job that has claimed the table has made its state anew.
        let is_known = look.state.as_ref().is_some_and(|state| state.begun);
        if !is_known && has_progress {
            report.warn(STATE_LOST);
        }
        let rebuilt = look.table.as_ref().and_then(|table| table.ledger().rebuilt);
        let emptied = look.table.as_ref().is_some_and(|table| table.ledger().emptied);
        let state = look.state.clone();
        let is_in_shape = matches!(look.standing, Standing::CaughtUp | Standing::Apply(_));
        let needs_no_reshape = is_in_shape || look.rebuilding.is_some();
        self.known = Some(Known {
            state,
            has_progress,
            emptied,
            rebuilt,
            needs_no_reshape,
            reloaded_behind,
        });
    }

    /// Takes in what is applied next, which a look may have found to be held.
    pub(super) fn takes_up(&mut self, work: &Work) {
        self.astray.clear();
        self.waiting.clone_from(&work.seen);
        self.report.pending = self.waiting.len() as u64;
    }

    /// Takes in that what is pending is left until then, as it is young.
    pub(super) fn leaves_until(&mut self, due: DateTime<Utc>) {
        self.report.left_until = Some(due);
    }

    /// Whether what is pending is left for more to come.
    pub(super) fn is_left(&self) -> bool {
        self.report.left_until.is_some()
    }

    /// What was seen and is not applied: what has vanished, what is late, what is of a new load that
    /// is held, what waits.
    pub(super) fn unapplied(&self) -> Vec<SeenObject> {
        self.astray.iter().chain(self.left()).cloned().collect()
    }

    /// What was known of the table when it was last looked at; none if it was not.
    pub(super) fn known(&self) -> Option<&Known> {
        self.known.as_ref()
    }

    /// What its state object said then, if it had one.
    pub(super) fn known_state(&self) -> Option<&TableState> {
        self.known.as_ref()?.state.as_ref()
    }

    /// Whether there is a table.
    pub(super) fn has_table(&self) -> bool {
        self.report.version.is_some()
    }

    /// Takes in what the state object says by now.
    pub(super) fn knows(&mut self, state: TableState) {
        if let Some(known) = &mut self.known {
            known.state = Some(state);
        }
    }

    /// Takes in since when the table is held.
    pub(super) fn held_since(&mut self, since: Option<DateTime<Utc>>) {
        self.report.held_since = since;
    }

    /// Takes in what whoever asked for the application should know.
    pub(super) fn warn(&mut self, warning: &str) {
        self.report.warn(warning);
    }

    /// Whether nothing is pending.
    pub(super) fn is_caught_up(&self) -> bool {
        self.report.pending == 0
    }

    /// Takes in a commit of ours.
    pub(super) fn committed(&mut self, slice: &AppliedSlice) {
        self.report.version = Some(slice.version);
        self.built(slice);
    }

    /// Takes in a commit of ours to the table that is to take this one's place.
    pub(super) fn built(&mut self, slice: &AppliedSlice) {
        self.commits += 1;
        let report = &mut self.report;
        report.objects += slice.objects;
        report.pending = report.pending.saturating_sub(slice.objects);
        report.counts += slice.counts;
        report.in_quarantine += slice.counts.quarantined;
        report.replayed += slice.replayed;
    }

    /// Takes in how the rebuilt table took the place of the one before it.
    pub(super) fn replaced(&mut self, replacement: Replacement) {
        self.report.rebuilt = Some(replacement);
    }

    /// Takes in which columns of the table objects no longer have.
    pub(super) fn saw_gone(&mut self, gone: &BTreeSet<String>) {
        let known = std::mem::take(&mut self.report.gone_columns);
        self.report.gone_columns = either(known, gone.iter().cloned());
    }

    /// Takes in the columns of the table after a commit: what it had before is not new.
    pub(super) fn saw_columns(&mut self, before: Option<&TableSchema>, after: &TableSchema) {
        let Some(before) = before else { return };
        let report = &mut self.report;
        let names = after.columns().iter().map(|column| &column.name);
        let added = names.filter(|name| before.column(name).is_none()).cloned();
        report.added_columns = either(std::mem::take(&mut report.added_columns), added);
        let both = report.added_columns.first().zip(report.gone_columns.first());
        if let Some((added, gone)) = both {
            let warning = format!(
                "objects have the new column {added} and lack {gone}: if it was renamed at the \
                 source, add renamed = {{ {gone:?} = {added:?} }}"
            );
            report.warn(&warning);
        }
    }

    /// Takes in that so many objects hold nothing that could be committed: as good as applied.
    pub(super) fn passed_over(&mut self, objects: usize) {
        self.report.pending = self.report.pending.saturating_sub(objects as u64);
    }

    /// The report of an application that this error ended, if one did.
    pub(super) fn into_report(self, error: Option<&Error>, clock: &dyn Clock) -> TableReport {
        let oldest = self.oldest_waiting();
        let now = clock.now();
        let seconds = oldest.map_or(0, |since| seconds_between(since, now));
        let pending_bytes = self.left().iter().map(|seen| seen.size).sum();
        let mut report = self.report;
        report.commits = self.commits;
        report.pending_bytes = pending_bytes;
        if report.version.is_some() {
            report.lag = report.lag.with_waiting(oldest, now);
        }
        report.oldest_pending_seconds = seconds;
        if let Some(error) = error {
            report.ended_by(error);
        }
        report
    }

    /// When the oldest object was staged that is not applied.
    fn oldest_waiting(&self) -> Option<DateTime<Utc>> {
        let astray = self.astray.iter().map(SeenObject::staged_at);
        let waiting = self.left().iter().map(SeenObject::staged_at);
        astray.chain(waiting).chain(self.oldest_held).min()
    }

    /// What is pending still. They are applied in order, so it is the last ones.
    fn left(&self) -> &[SeenObject] {
        let pending = usize::try_from(self.report.pending).unwrap_or(usize::MAX);
        &self.waiting[self.waiting.len().saturating_sub(pending)..]
    }
}

impl TableReport {
    /// That of an application that this error kept from looking at the table.
    #[cfg(feature = "cli")]
    pub(super) fn not_begun(spec: &TableSpec, error: &Error) -> Self {
        let mut report = Self { table: spec.source.to_string(), ..Self::default() };
        report.ended_by(error);
        report
    }

    fn warn(&mut self, warning: &str) {
        if !self.warnings.iter().any(|known| known == warning) {
            tracing::warn!(table = self.table, "{warning}");
            self.warnings.push(warning.to_owned());
        }
    }

    /// Whoever asked for the application tells of the error, once.
    fn ended_by(&mut self, error: &Error) {
        self.status = Status::after(error.kind());
        let remedy = remedy_for(error, &self.table);
        let has_remedy = self.status == Status::Held || error.own_remedy().is_some();
        self.error =
            Some(if has_remedy { format!("{}; {remedy}", error.chain()) } else { error.chain() });
        self.error_kind = Some(error.kind());
        self.lacks_memory = error.is_for_want_of_memory();
        self.remedy = Some(remedy);
    }
}
