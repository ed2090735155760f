//! What an application of one table did.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::config::{TableName, TableSpec};
use crate::disposition::Status;
use crate::error::ErrorKind;
use crate::pipeline::{Effort, Replacement};
use crate::progress::{Counts, Lag};
use crate::table::ForeignCommit;

/// The result of one application of one table; counts are those of this run's own commits.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TableReport {
    /// `schema.table`
    pub table: String,
    /// How the application left the table.
    pub status: Status,
    /// Objects finished.
    pub objects: u64,
    /// What became of the changes.
    #[serde(flatten)]
    pub counts: Counts,
    /// Rows that wait in quarantine, those of earlier runs included.
    pub in_quarantine: u64,
    /// Change objects of before the full load, which the table begins without.
    pub before_load: u64,
    /// Objects whose change sequence went back: a DMS resume writing changes again.
    pub replayed: u64,
    /// Commits of ours that took in changes.
    pub commits: u64,
    /// The table's version after the run; none if there is no table.
    pub version: Option<u64>,
    /// How a rebuilt table took the place of the one before it, if one did.
    pub rebuilt: Option<Replacement>,
    /// How long it took.
    pub seconds: f64,
    /// What it took.
    #[serde(flatten)]
    pub effort: Effort,
    /// Objects whose names fit no form of DMS.
    pub foreign: Vec<String>,
    /// Objects below the table's progress that were never applied.
    pub late: Vec<String>,
    /// Objects that were seen before and have vanished without having been applied.
    pub vanished: Vec<String>,
    /// Commits of other writers that changed rows of the table since our newest one.
    pub foreign_commits: Vec<ForeignCommit>,
    /// When the table was first met as it is held now.
    pub held_since: Option<DateTime<Utc>>,
    /// Columns that the table got.
    pub added_columns: Vec<String>,
    /// Columns of the table that applied objects lack, and that stay.
    pub gone_columns: Vec<String>,
    /// Objects not applied yet.
    pub pending: u64,
    /// Their bytes as staged.
    pub pending_bytes: u64,
    /// When they are to be applied, where they are left for more to come: they are younger than the
    /// table's freshness.
    pub left_until: Option<DateTime<Utc>>,
    /// How late the table is after the run.
    pub lag: Lag,
    /// Whether there is neither a table nor an object that is staged for it.
    pub absent: bool,
    /// Seconds since the oldest object that is not applied, pending or late, was staged; 0 if
    /// there is none.
    pub oldest_pending_seconds: u64,
    /// What keeps the table from being what its readers may expect, although it is not held.
    pub warnings: Vec<String>,
    /// Why the table is held or failed, and the remedy.
    pub error: Option<String>,
    /// The kind of that error, for the caller's next step.
    #[serde(rename = "kind")]
    pub error_kind: Option<ErrorKind>,
    /// What the operator does about it; part of `error` where the table is held.
    #[serde(skip)]
    pub remedy: Option<String>,
    /// Whether the application was not begun, for want of time or because the store refused others.
    #[serde(skip)]
    pub not_begun: bool,
    /// Whether a run with a larger part of the memory budget may get further.
    #[serde(skip)]
    pub lacks_memory: bool,
}

impl TableReport {
    /// That of an application that ended without one.
    pub(crate) fn failed(table: &TableSpec, kind: ErrorKind, why: &str) -> Self {
        Self {
            table: table.source.to_string(),
            status: Status::Failed,
            error: Some(why.to_owned()),
            error_kind: Some(kind),
            ..Self::default()
        }
    }

    /// That of a table that a pattern is about and the lock file does not know: something is staged
    /// for it, and nothing can be applied.
    pub(crate) fn undiscovered(table: &TableName) -> Self {
        let remedy = "write the lock file anew: dmslake discover";
        let why = "a pattern of the configuration matches the table, but the lock file does not \
                   know it";
        Self {
            table: table.to_string(),
            status: Status::Held,
            error: Some(format!("{why}; {remedy}")),
            error_kind: Some(ErrorKind::Config),
            remedy: Some(remedy.to_owned()),
            ..Self::default()
        }
    }

    /// Whether nothing is left to apply.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        self.status == Status::Ok && self.pending == 0
    }

    /// Whether everything is done that is due: what is left is younger than the table's freshness.
    #[must_use]
    pub fn has_done_what_is_due(&self) -> bool {
        self.is_caught_up() || (self.status == Status::Ok && self.left_until.is_some())
    }

    /// This application and the next one of the same table as one report: counts add up, the state
    /// of the table is that of the later one.
    #[must_use]
    pub fn followed_by(self, next: Self) -> Self {
        Self {
            warnings: either(self.warnings, next.warnings),
            added_columns: either(self.added_columns, next.added_columns),
            gone_columns: either(self.gone_columns, next.gone_columns),
            objects: self.objects + next.objects,
            counts: self.counts + next.counts,
            replayed: self.replayed + next.replayed,
            before_load: self.before_load.max(next.before_load),
            foreign_commits: either(self.foreign_commits, next.foreign_commits),
            version: next.version.or(self.version),
            rebuilt: next.rebuilt.or(self.rebuilt),
            seconds: self.seconds + next.seconds,
            commits: self.commits + next.commits,
            effort: self.effort.plus(next.effort),
            ..next
        }
    }
}

/// What stands in one list or in the other, once.
pub(super) fn either<T: PartialEq>(mut first: Vec<T>, then: impl IntoIterator<Item = T>) -> Vec<T> {
    for more in then {
        if !first.contains(&more) {
            first.push(more);
        }
    }
    first
}

/// One step forward of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many objects were found to be pending, of so many bytes in all.
    Pending {
        /// Objects.
        objects: u64,
        /// Bytes as staged.
        bytes: u64,
    },
    /// Rows were decoded.
    Decoded {
        /// Since the last such step.
        rows: u64,
    },
    /// A file of the table was written again with other columns.
    Reshaped {
        /// Files that are left.
        files_left: u64,
    },
    /// A slice was committed.
    Committed {
        /// Its version.
        version: u64,
        /// Objects finished by it.
        objects: u64,
        /// Their bytes as staged.
        bytes: u64,
        /// Changes taken in by it.
        rows: u64,
    },
}

/// Somebody who watches an application, such as a progress bar.
pub trait Observer: Send + Sync {
    /// Called as it happens, in order for one table.
    fn step(&self, step: Step);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn step(&self, _step: Step) {}
}
