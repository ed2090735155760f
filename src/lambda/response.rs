//! What the sender of an event is told.

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::event::{Route, Unreadable};
use crate::maintenance::MaintenanceReport;
use crate::pipeline::{Status, TableReport};

/// The function's result.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To SQS: which messages are to be sent again. The others are deleted.
    #[serde(rename_all = "camelCase")]
    Queue {
        /// The messages that failed.
        batch_item_failures: Vec<ItemFailure>,
    },
    /// To anybody else: what was done.
    Summary {
        /// One report a table.
        tables: Vec<TableReport>,
        /// Staged tables that no `[[table]]` takes: all of them after a sweep, else those that
        /// were rung for.
        unconfigured: Vec<String>,
        /// After a sweep, what was due to keep tables cheap.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        maintenance: Vec<MaintenanceReport>,
    },
}

/// A message that is to be sent again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemFailure {
    /// Its message id.
    pub item_identifier: String,
}

/// Whether ringing again would serve this table: it failed, or more time is needed.
///
/// A held table is not rung for again. Nothing that is redelivered could move it until a
/// person has looked, and its messages would only drown the dead-letter queue. They are not
/// lost by being acknowledged: a hold is derived from staging and the table's log, so that
/// every sweep and every new object of the table finds it again and logs it as an error, and
/// once its cause is gone the next of them applies all that waited.
fn is_to_be_repeated(report: &TableReport) -> bool {
    match report.status {
        Status::Held => false,
        Status::Ok => !report.is_caught_up(),
        Status::Failed => true,
    }
}

/// Tells SQS of every message that could not be read or one of whose tables is not finished.
///
/// On a FIFO queue too only these: doorbells have no order that would have to be kept.
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
/// If a table is not finished, of the first such table's kind: an asynchronous sender then
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

/// Refuses an event that was sent to the function itself and cannot be answered.
pub(super) fn refuse(reason: &Unreadable) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("the event asks for nothing that can be done: {}", reason.0),
    )
}
