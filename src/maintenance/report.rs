//! What one maintenance of one table did, and why.

use serde::Serialize;

use crate::config::TableName;
use crate::disposition::Status;
use crate::error::{Error, ErrorKind};

/// The kinds of maintenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Live rows of several files became few files in key order.
    Compact,
    /// Files were rewritten without the rows that deletion vectors mask.
    Purge,
    /// The protocol that deletion vectors need was given up.
    Lower,
    /// The table got the retention of the configuration.
    Retain,
    /// A Delta checkpoint was written.
    Checkpoint,
    /// Expired entries of the Delta log were deleted.
    CleanLog,
    /// Files that no version within the retention needs were deleted.
    Vacuum,
}

impl Action {
    /// As it is written in reports and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compact => "compact",
            Self::Purge => "purge",
            Self::Lower => "lower",
            Self::Retain => "retain",
            Self::Checkpoint => "checkpoint",
            Self::CleanLog => "clean-log",
            Self::Vacuum => "vacuum",
        }
    }
}

/// What became of an action that was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is done.
    Done,
    /// It is due still; the reason says what it waits for.
    Skipped,
    /// Others kept changing its files: it is due still.
    Lost,
}

/// One action that was due.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActionReport {
    /// What.
    pub action: Action,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was due, or is still.
    pub reason: String,
    /// The version that it made, if it made one.
    pub version: Option<u64>,
    /// Files that it took out of the table, or deleted.
    pub files_removed: u64,
    /// Files that it put into the table.
    pub files_added: u64,
    /// Bytes of the former.
    pub bytes_removed: u64,
    /// Bytes of the latter.
    pub bytes_added: u64,
    /// Whether it was for the quarantine of the table, not for the table itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub quarantine: bool,
}

impl ActionReport {
    pub(super) fn new(action: Action, outcome: Outcome, reason: impl Into<String>) -> Self {
        Self {
            action,
            outcome,
            reason: reason.into(),
            version: None,
            files_removed: 0,
            files_added: 0,
            bytes_removed: 0,
            bytes_added: 0,
            quarantine: false,
        }
    }
}

/// The result of one maintenance of one table.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MaintenanceReport {
    /// `schema.table`
    pub table: String,
    /// How it ended: [`Status::Ok`] also where actions were skipped or lost.
    pub status: Status,
    /// The table's version afterwards; none if there is no table.
    pub version: Option<u64>,
    /// What was due, in order.
    pub actions: Vec<ActionReport>,
    /// How long it took.
    pub seconds: f64,
    /// Why it failed; what was done before is kept.
    pub error: Option<String>,
    /// The kind of that error.
    #[serde(rename = "kind")]
    pub error_kind: Option<ErrorKind>,
}

impl MaintenanceReport {
    /// Nothing done yet.
    pub(crate) fn of(table: &TableName) -> Self {
        Self { table: table.to_string(), ..Self::default() }
    }

    /// One more action, which is logged with its reason.
    pub(super) fn add(&mut self, action: ActionReport) {
        tracing::info!(
            table = self.table,
            action = action.action.as_str(),
            outcome = ?action.outcome,
            version = action.version,
            files_removed = action.files_removed,
            files_added = action.files_added,
            bytes_removed = action.bytes_removed,
            bytes_added = action.bytes_added,
            quarantine = action.quarantine.then_some(true),
            "{}",
            action.reason
        );
        self.actions.push(action);
    }

    /// The same, ended by an error. Whoever asked for the maintenance tells of it, once.
    pub(crate) fn fail(&mut self, error: &Error) {
        self.status = Status::after(error.kind());
        self.error = Some(error.chain());
        self.error_kind = Some(error.kind());
    }
}
