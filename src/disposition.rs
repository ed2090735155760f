//! What follows from each kind of error: the program's action, the operator's action and the
//! table's status.

use serde::Serialize;

use crate::config::TableName;
use crate::error::{Error, ErrorKind};

/// What the program does about an error of a given kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Retry, a bounded number of times and with back-off.
    Retry,
    /// Return the work untouched; its sender sends it again.
    GiveBack,
    /// Quarantine the row and continue if the table's `on_bad_row` says so, otherwise hold the
    /// table.
    Quarantine,
    /// Apply nothing more to this table until an operator has acted. Nothing is lost.
    Hold,
    /// Apply nothing more to this table until what is under way has ended. Nobody need act.
    Wait,
    /// Report failure.
    Fail,
}

/// The program's action, and a sentence that tells the operator what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disposition {
    /// What the program does.
    pub action: Action,
    /// What the operator does.
    pub operator: &'static str,
}

/// The action and the operator's sentence for each kind. Retrying is never the default.
#[must_use]
pub fn disposition(kind: ErrorKind) -> Disposition {
    let (action, operator) = match kind {
        ErrorKind::Unavailable => {
            (Action::Retry, "nothing; if it persists, check the store and its permissions")
        }
        ErrorKind::Conflict => {
            (Action::Retry, "nothing; if it persists, look for another writer of this table")
        }
        ErrorKind::Deadline => {
            (Action::GiveBack, "nothing; if it recurs, give the function more time or memory")
        }
        ErrorKind::MalformedObject => (
            Action::Quarantine,
            "set on_bad_row = \"quarantine\", or fix the row at the source and stage the object again",
        ),
        ErrorKind::SchemaRefused => (
            Action::Hold,
            "make the table's columns, layouts or rename in the configuration match the object",
        ),
        ErrorKind::LateObject => (
            Action::Hold,
            "dmslake rebuild TABLE, if everything since the load is still staged; otherwise dmslake \
             late apply TABLE OBJECT, which applies it out of order, or dmslake late discard TABLE \
             OBJECT, which loses its changes",
        ),
        ErrorKind::Reload => (Action::Hold, "dmslake rebuild TABLE"),
        ErrorKind::Reloading => {
            (Action::Wait, "nothing; the new load is applied as soon as it is complete")
        }
        ErrorKind::VanishedObject => (
            Action::Hold,
            "stage the objects again; or, if their changes are to be lost, dmslake resume TABLE \
             --accept-loss",
        ),
        ErrorKind::Paused => (Action::Wait, "dmslake resume TABLE"),
        ErrorKind::HandedOver => (
            Action::Wait,
            "nothing; the job applies it. dmslake job status TABLE tells how it stands, dmslake job \
             cancel TABLE ends it",
        ),
        ErrorKind::JobFailed => (
            Action::Hold,
            "dmslake job start TABLE when its cause is gone; or dmslake apply --table TABLE on a \
             machine that has time for it",
        ),
        ErrorKind::TableCorrupt => (
            Action::Hold,
            "restore the table's log from older versions of its objects or from a backup",
        ),
        ErrorKind::TableRefused => (
            Action::Hold,
            "undo the change to the table, or dmslake rebuild TABLE while everything since the load \
             is staged",
        ),
        ErrorKind::StoreRefused => {
            (Action::Fail, "fix the location, its permissions or the credentials, and run again")
        }
        ErrorKind::Config => (Action::Fail, "fix the configuration"),
        ErrorKind::Internal => {
            (Action::Fail, "report this bug; the table stays at its last good commit")
        }
    };
    Disposition { action, operator }
}

/// What the operator does about an error: the error's own remedy, otherwise that of its kind.
#[must_use]
pub fn remedy_of(error: &Error) -> &str {
    error.own_remedy().unwrap_or(disposition(error.kind()).operator)
}

/// [`remedy_of`] for a table of that name: commands are told as they are typed.
#[must_use]
pub fn remedy_for(error: &Error, table: &str) -> String {
    let commands = [
        "dmslake rebuild",
        "dmslake restore",
        "dmslake resume",
        "dmslake truncate",
        "dmslake late apply",
        "dmslake late discard",
        "dmslake job start",
        "dmslake job status",
        "dmslake job cancel",
        "dmslake apply --table",
    ];
    commands.iter().fold(remedy_of(error).to_owned(), |remedy, command| {
        remedy.replace(&format!("{command} TABLE"), &format!("{command} {table}"))
    })
}

/// What is wrong with a table of that name, followed by [`remedy_for`] it.
#[must_use]
pub fn told_of(error: &Error, table: &TableName) -> String {
    format!("{}; {}", error.chain(), remedy_for(error, &table.to_string()))
}

/// What is wrong, followed by the error's own remedy if it has one.
#[must_use]
pub fn advice(error: &Error) -> String {
    let remedy = error.own_remedy().map(|remedy| format!("; {remedy}"));
    format!("{}{}", error.chain(), remedy.unwrap_or_default())
}

/// The state of a table after a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Everything that could be applied has been.
    #[default]
    Ok,
    /// Nothing is applied until an operator has acted. Nothing is lost.
    Held,
    /// The run failed; running again is safe.
    Failed,
}

impl Status {
    /// The state of a table after an error of this kind.
    pub(crate) fn after(kind: ErrorKind) -> Self {
        match disposition(kind).action {
            Action::Hold | Action::Quarantine | Action::Wait => Self::Held,
            Action::Retry | Action::GiveBack | Action::Fail => Self::Failed,
        }
    }
}
