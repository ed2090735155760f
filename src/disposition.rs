//! What follows from each kind of error: the one table, and how it leaves a table.

use serde::Serialize;

use crate::error::{Error, ErrorKind};

/// What the program does about an error of some kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Try again by itself, bounded, with back-off.
    Retry,
    /// Give the work back untouched; whoever sent it sends it again.
    GiveBack,
    /// Set the row aside and go on where the table's `on_bad_row` says so, else hold.
    Quarantine,
    /// Apply nothing more to this table until a person has looked; nothing is lost.
    Hold,
    /// Report failure.
    Fail,
}

/// An action, and the sentence that tells the operator what is expected of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disposition {
    /// What the program does.
    pub action: Action,
    /// What the operator does.
    pub operator: &'static str,
}

/// The table: kind → action and operator's sentence. Retrying is never the default.
#[must_use]
pub fn disposition(kind: ErrorKind) -> Disposition {
    let (action, operator) = match kind {
        ErrorKind::Unavailable => {
            (Action::Retry, "nothing, unless it lasts: then look at the store and its permissions")
        }
        ErrorKind::Conflict => {
            (Action::Retry, "nothing, unless it lasts: then look for another writer of this table")
        }
        ErrorKind::Deadline => {
            (Action::GiveBack, "nothing; give the function more time or memory if it recurs")
        }
        ErrorKind::MalformedObject => (
            Action::Quarantine,
            "set on_bad_row = \"quarantine\", or mend the row at the source and stage the object again",
        ),
        ErrorKind::SchemaRefused => (
            Action::Hold,
            "bring the configuration's columns, layouts or rename in line with the object",
        ),
        ErrorKind::LateObject => (
            Action::Hold,
            "move the table's folder away and apply again, if its full load is still staged; or move the \
             late object out of staging, whose changes are then lost",
        ),
        ErrorKind::Reload => (Action::Hold, "move the table folder away and apply again"),
        ErrorKind::TableCorrupt => {
            (Action::Hold, "restore the table's log, or move the table folder away and apply again")
        }
        ErrorKind::TableRefused => (
            Action::Hold,
            "undo what was changed about the table, or move its folder away and apply again",
        ),
        ErrorKind::StoreRefused => {
            (Action::Fail, "mend the place, its permissions or the credentials, and run again")
        }
        ErrorKind::Config => (Action::Fail, "mend the configuration"),
        ErrorKind::Internal => {
            (Action::Fail, "report the defect; the table stays at its last good commit")
        }
    };
    Disposition { action, operator }
}

/// What the operator does about an error: the remedy of its case, else that of its kind.
#[must_use]
pub fn remedy_of(error: &Error) -> &str {
    error.own_remedy().unwrap_or(disposition(error.kind()).operator)
}

/// What is wrong, and what the operator does about it where this very case has a remedy.
#[must_use]
pub fn advice(error: &Error) -> String {
    let remedy = error.own_remedy().map(|remedy| format!("; {remedy}"));
    format!("{}{}", error.chain(), remedy.unwrap_or_default())
}

/// How a table stands after an application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Everything that could be applied was.
    #[default]
    Ok,
    /// Nothing is lost, a person must look.
    Held,
    /// It did not work; running again is safe.
    Failed,
}

impl Status {
    /// How a table stands that an error of this kind ended.
    pub(crate) fn after(kind: ErrorKind) -> Self {
        match disposition(kind).action {
            Action::Hold | Action::Quarantine => Self::Held,
            Action::Retry | Action::GiveBack | Action::Fail => Self::Failed,
        }
    }
}
