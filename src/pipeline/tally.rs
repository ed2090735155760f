//! What an application has done so far and what is left: its report in the making.

use chrono::{DateTime, Utc};

use crate::clock::Clock;
use crate::config::TableSpec;
use crate::disposition::{Status, remedy_of};
use crate::error::Error;
use crate::pipeline::TableReport;
use crate::pipeline::look::{Hold, Look, Standing, staged};
use crate::progress::Counts;
use crate::table::{ForeignCommit, LakeTable};

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
    /// When each object was staged that the last look found pending, in order of application.
    waiting: Vec<DateTime<Utc>>,
    /// When the oldest object that causes the hold was staged.
    held_since: Option<DateTime<Utc>>,
}

impl Tally {
    /// Nothing done yet.
    pub(super) fn of(spec: &TableSpec, warnings: Vec<String>) -> Self {
        let table = spec.source.to_string();
        let report = TableReport { table, warnings, ..TableReport::default() };
        Self { report, commits: 0, waiting: Vec::new(), held_since: None }
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
            self.met(table.foreign());
        }
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
        report.late.clear();
        self.held_since = None;
        match &look.standing {
            Standing::CaughtUp => self.waiting.clear(),
            Standing::Apply(work) => self.waiting = staged(&work.objects),
            Standing::Held(Hold { late, waiting, since, .. }) => {
                report.late.clone_from(late);
                self.waiting.clone_from(waiting);
                self.held_since = *since;
            }
        }
        report.pending = self.waiting.len() as u64;
    }

    /// Takes in a commit of ours.
    pub(super) fn committed(&mut self, slice: &AppliedSlice) {
        self.commits += 1;
        let report = &mut self.report;
        report.version = Some(slice.version);
        report.objects += slice.objects;
        report.pending = report.pending.saturating_sub(slice.objects);
        report.counts += slice.counts;
        report.in_quarantine += slice.counts.quarantined;
        report.replayed += slice.replayed;
    }

    /// Takes in that so many objects hold nothing that could be committed: as good as applied.
    pub(super) fn passed_over(&mut self, objects: usize) {
        self.report.pending = self.report.pending.saturating_sub(objects as u64);
    }

    /// The report of an application that this error ended, if one did.
    pub(super) fn into_report(self, error: Option<&Error>, clock: &dyn Clock) -> TableReport {
        let oldest = self.oldest_waiting();
        let seconds = oldest.map_or(0, |since| (clock.now() - since).num_seconds());
        let mut report = self.report;
        report.oldest_pending_seconds = u64::try_from(seconds).unwrap_or_default();
        if let Some(error) = error {
            report.ended_by(error);
        }
        report
    }

    /// When the oldest object was staged that is not applied.
    fn oldest_waiting(&self) -> Option<DateTime<Utc>> {
        let pending = usize::try_from(self.report.pending).unwrap_or(usize::MAX);
        // They are applied in order, so it is the last ones that wait.
        let left = self.waiting.iter().rev().take(pending).copied();
        left.chain(self.held_since).min()
    }
}

impl TableReport {
    /// Whoever asked for the application tells of the error, once.
    fn ended_by(&mut self, error: &Error) {
        self.status = Status::after(error.kind());
        let has_remedy = self.status == Status::Held || error.own_remedy().is_some();
        self.error = Some(if has_remedy {
            format!("{}; {}", error.chain(), remedy_of(error))
        } else {
            error.chain()
        });
        self.error_kind = Some(error.kind());
        self.remedy = Some(remedy_of(error).to_owned());
    }
}
