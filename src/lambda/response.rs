//! The answer to the sender of an event.

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::event::{Route, Unreadable};
use crate::inspect::TableStatus;
use crate::maintenance::MaintenanceReport;
use crate::pipeline::{Status, TableReport};

/// The function's result.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To SQS: which messages have to be sent again. SQS deletes the others.
    #[serde(rename_all = "camelCase")]
    Queue {
        /// The messages that failed.
        batch_item_failures: Vec<ItemFailure>,
    },
    /// To whoever asks how tables stand.
    Status {
        /// One for each table, in the configuration's order.
        status: Vec<TableStatus>,
    },
    /// To any other sender: what was done.
    Summary {
        /// One report per table.
        tables: Vec<TableReport>,
        /// Staged tables that are in no `[[table]]`: all of them after a sweep, otherwise those that
        /// the event named.
        unconfigured: Vec<String>,
        /// After a sweep, the maintenance of each table.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        maintenance: Vec<MaintenanceReport>,
    },
}

/// A message that has to be sent again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemFailure {
    /// Its message id.
    pub item_identifier: String,
}

/// Whether another doorbell would help this table: it failed, or it needs more time.
///
/// The messages of a held table are acknowledged. No redelivery can move the table until a person
/// has looked at it, and the messages would only flood the dead-letter queue. Nothing is lost: a
/// hold is derived from staging and the table's log. Every sweep and every new object of the table
/// finds the hold again and logs it as an error, and once its cause is gone, the next of them
/// applies everything that waited.
fn is_to_be_repeated(report: &TableReport) -> bool {
    match report.status {
        Status::Held => false,
        Status::Ok => !report.has_done_what_is_due(),
        Status::Failed => true,
    }
}

/// Tells SQS which messages failed: those that could not be read, and those with a table that is
/// not finished.
///
/// This is right for a FIFO queue too, since the order of doorbells does not matter.
pub(super) fn to_queue(ids: &[&str], route: &Route<'_>, reports: &[TableReport]) -> Answer {
    let mut failed: Vec<usize> = route.unreadable.keys().copied().collect();
    for (work, report) in route.work.iter().zip(reports) {
        if is_to_be_repeated(report) {
            failed.extend(&work.messages);
        }
    }
    failed.sort_unstable();
    failed.dedup();
    let failure = |message: usize| ItemFailure { item_identifier: ids[message].to_owned() };
    Answer::Queue { batch_item_failures: failed.into_iter().map(failure).collect() }
}

/// Answers an event that was sent to the function itself.
///
/// # Errors
/// If a table is not finished, with the kind of the first such table. An asynchronous sender then
/// sends the event again.
pub(super) fn to_sender(
    reports: Vec<TableReport>,
    unconfigured: Vec<String>,
    maintenance: Vec<MaintenanceReport>,
) -> Result<Answer> {
    let unfinished: Vec<_> = reports.iter().filter(|report| is_to_be_repeated(report)).collect();
    let Some(first) = unfinished.first() else {
        return Ok(Answer::Summary { tables: reports, unconfigured, maintenance });
    };
    let kind = first.error_kind.unwrap_or(ErrorKind::Deadline);
    let sentence = |report: &&TableReport| match &report.error {
        Some(error) => format!("{}: {error}", report.table),
        None => format!("{}: {} objects are still pending", report.table, report.pending),
    };
    let sentences = unfinished.iter().map(sentence).collect::<Vec<_>>().join("; ");
    let counts = format!("{} of {} tables are not finished", unfinished.len(), reports.len());
    Err(Error::new(kind, format!("{counts}: {sentences}")))
}

/// The error for an event that was sent to the function itself and is not understood.
pub(super) fn refuse(reason: &Unreadable) -> Error {
    Error::new(ErrorKind::Config, format!("the event is not understood: {}", reason.0))
}
