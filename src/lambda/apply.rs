//! The tables of one invocation, applied in the time there is.

use std::num::NonZeroUsize;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::ready;
use futures::{StreamExt as _, stream};
use tracing::warn;

use super::Deadline;
use super::publish::publish;
use super::turns::{TableWork, take_turns};
use crate::clock::Clock;
use crate::config::{Settings, TableName, TableSpec};
use crate::disposition::{Action, disposition};
use crate::error::{Error, ErrorKind, Result};
use crate::event;
use crate::maintenance::MaintenanceReport;
use crate::metrics::Snapshot;
use crate::pipeline::{Limits, Pipeline, Scope, Silent, Status, TableReport};
use crate::progress::{event_with_counts, with_counts};
use crate::staging::Survey;
use crate::storage::Location;

/// Applies and maintains tables: the [`Pipeline`].
#[async_trait]
pub trait ApplyTables: Send + Sync {
    /// The configuration.
    fn settings(&self) -> &Settings;
    /// The folder in which DMS stages objects.
    fn staging(&self) -> &Location;
    /// As [`Pipeline::apply`].
    async fn apply(&self, table: &TableSpec, scope: &Scope, limits: &Limits) -> TableReport;
    /// As [`Pipeline::tables_at_once`].
    fn tables_at_once(&self) -> NonZeroUsize;
    /// As [`Pipeline::asks_for_nothing`].
    async fn asks_for_nothing(&self, table: &TableSpec, scope: &Scope) -> bool;
    /// As [`Pipeline::maintain`].
    async fn maintain(&self, table: &TableSpec, limits: &Limits) -> MaintenanceReport;
    /// As [`Pipeline::survey`].
    async fn survey(&self) -> Result<Survey>;
    /// Checks whether staging and lake can be used at all.
    async fn probe(&self) -> Result<()>;
    /// Tells what was measured, within this time.
    async fn publish(&self, snapshot: &Snapshot, patience: Duration);
}

#[async_trait]
impl ApplyTables for Pipeline {
    fn settings(&self) -> &Settings {
        Pipeline::settings(self)
    }

    fn staging(&self) -> &Location {
        Pipeline::staging(self)
    }

    async fn apply(&self, table: &TableSpec, scope: &Scope, limits: &Limits) -> TableReport {
        Pipeline::apply(self, table, scope, limits, &Silent).await
    }

    fn tables_at_once(&self) -> NonZeroUsize {
        Pipeline::tables_at_once(self)
    }

    async fn asks_for_nothing(&self, table: &TableSpec, scope: &Scope) -> bool {
        Pipeline::asks_for_nothing(self, table, scope).await
    }

    async fn maintain(&self, table: &TableSpec, limits: &Limits) -> MaintenanceReport {
        Pipeline::maintain(self, table, limits).await
    }

    async fn survey(&self) -> Result<Survey> {
        Pipeline::survey(self).await
    }

    async fn probe(&self) -> Result<()> {
        self.probe_lake().await?;
        self.probe_staging().await
    }

    async fn publish(&self, snapshot: &Snapshot, patience: Duration) {
        publish(Pipeline::settings(self), snapshot, patience).await;
    }
}

/// So many tables are looked at side by side.
const LOOKS_AT_ONCE: usize = 16;

/// Only the work that is due: the other doorbells ask for nothing yet.
pub(super) async fn due<'a>(
    tables: &dyn ApplyTables,
    work: Vec<event::Work<'a>>,
) -> Vec<event::Work<'a>> {
    let looks = work.into_iter().map(|work| async move {
        let is_due = !tables.asks_for_nothing(work.table, &work.scope).await;
        is_due.then_some(work)
    });
    stream::iter(looks).buffered(LOOKS_AT_ONCE).filter_map(ready).collect().await
}

/// Applies each table at least once, as far as time allows. Returns one report for each, in the
/// same order.
pub(super) async fn apply_all(
    tables: &dyn ApplyTables,
    work: &[event::Work<'_>],
    deadline: Deadline,
    clock: &dyn Clock,
) -> Vec<TableReport> {
    let turns = take_turns(&Applying { tables, work }, tables, deadline, clock).await;
    let mut reports: Vec<Option<TableReport>> = vec![None; work.len()];
    for (index, report) in turns.reports {
        reports[index] = Some(report);
    }
    if let Some(left_out) = turns.left_out {
        let why = left_out.error.chain();
        warn!(tables = left_out.tables, "tables were not begun: {why}");
        for (report, work) in reports.iter_mut().zip(work) {
            report.get_or_insert_with(|| TableReport {
                not_begun: true,
                ..Applying::failed(work.table, &left_out.error)
            });
        }
    }
    reports.into_iter().flatten().collect()
}

/// The reports of tables that the lock file does not know, each logged as a hold.
pub(super) fn undiscovered(tables: &[TableName]) -> impl Iterator<Item = TableReport> {
    tables.iter().map(TableReport::undiscovered).inspect(write_log)
}

/// The application of every table that an event calls for.
struct Applying<'a> {
    tables: &'a dyn ApplyTables,
    work: &'a [event::Work<'a>],
}

impl TableWork for Applying<'_> {
    type Report = TableReport;

    const NAME: &'static str = "application";
    const LEAST_TIME: Duration = Duration::from_millis(500);
    const AT_ONCE: Option<NonZeroUsize> = None;

    fn tables(&self) -> usize {
        self.work.len()
    }

    fn table(&self, index: usize) -> &TableSpec {
        self.work[index].table
    }

    async fn turn(&self, index: usize, limits: &Limits) -> TableReport {
        self.tables.apply(self.table(index), &self.work[index].scope, limits).await
    }

    fn failed(table: &TableSpec, error: &Error) -> TableReport {
        TableReport::failed(table, error.kind(), &error.chain())
    }

    fn log(report: &TableReport) {
        write_log(report);
    }

    fn error_kind(report: &TableReport) -> Option<ErrorKind> {
        report.error_kind
    }

    fn needs_more_time(report: &TableReport) -> bool {
        let gave_up = report.error_kind == Some(ErrorKind::Deadline);
        gave_up || (report.status == Status::Ok && !report.has_done_what_is_due())
    }

    fn lacks_memory(report: &TableReport) -> bool {
        report.lacks_memory
    }

    fn followed_by(earlier: TableReport, later: TableReport) -> TableReport {
        earlier.followed_by(later)
    }
}

/// Writes one line for each application, which alarms can count.
fn write_log(report: &TableReport) {
    macro_rules! write_line {
        ($level:ident, $message:literal $(, $name:ident = $value:expr)*) => {
            with_counts!(event_with_counts!(
                $level,
                report.counts,
                { table = report.table, objects = report.objects, },
                {
                    replayed = report.replayed,
                    version = report.version,
                    seconds = report.seconds,
                    gets = report.effort.requests.get + report.effort.requests.head,
                    lists = report.effort.requests.list,
                    puts = report.effort.requests.put,
                    deletes = report.effort.requests.delete,
                    foreign = report.foreign.len(),
                    late = report.late.len(),
                    warnings = report.warnings.len(),
                    pending = report.pending,
                    oldest_pending_seconds = report.oldest_pending_seconds,
                    $($name = $value,)*
                },
                $message
            ))
        };
    }
    for name in &report.foreign {
        warn!(table = report.table, object = name, "foreign object: DMS gives no such names");
    }
    let kind = report.error_kind.unwrap_or(ErrorKind::Internal);
    let reason = report.error.as_deref().unwrap_or_default();
    let remedy = report.remedy.as_deref().unwrap_or(disposition(kind).operator);
    match report.status {
        Status::Ok if report.is_caught_up() => write_line!(info, "table is caught up"),
        Status::Ok if report.has_done_what_is_due() => {
            write_line!(info, "table waits for more changes");
        }
        Status::Ok => write_line!(info, "table needs more time"),
        Status::Held if disposition(kind).action == Action::Wait => {
            write_line!(warn, "table waits", kind = kind.as_str(), error = reason);
        }
        Status::Held => {
            write_line!(
                error,
                "table is held",
                kind = kind.as_str(),
                error = reason,
                operator = remedy
            );
        }
        Status::Failed => {
            write_line!(
                error,
                "table failed",
                kind = kind.as_str(),
                error = reason,
                operator = remedy
            );
        }
    }
}
