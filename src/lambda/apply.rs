//! The tables of one invocation, applied one after another in the time there is.
//!
//! One after another, because a slice may take the whole memory budget. So that a table with a
//! long backlog starves none that stands behind it, each is first given its share of the time,
//! and what is left over goes round again among those that could use it.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::FutureExt;
use tracing::{error, info, warn};

use super::Deadline;
use crate::clock::Clock;
use crate::config::{Settings, TableSpec};
use crate::disposition::disposition;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Work;
use crate::maintenance::MaintenanceReport;
use crate::pipeline::{Limits, Pipeline, Scope, Silent, Status, Stop, TableReport};
use crate::staging::Survey;
use crate::storage::Location;

/// A share below this would be spent on looking, not on applying.
pub(super) const LEAST_SHARE: Duration = Duration::from_secs(10);
/// With less time than this left, no application begins.
const LEAST_TIME: Duration = Duration::from_millis(500);

/// What applies tables: the [`Pipeline`].
#[async_trait]
pub trait ApplyTables: Send + Sync {
    /// The configuration.
    fn settings(&self) -> &Settings;
    /// Where DMS stages objects.
    fn staging(&self) -> &Location;
    /// As [`Pipeline::apply`].
    async fn apply(&self, table: &TableSpec, scope: &Scope, limits: &Limits) -> TableReport;
    /// As [`Pipeline::maintain`].
    async fn maintain(&self, table: &TableSpec, limits: &Limits) -> MaintenanceReport;
    /// As [`Pipeline::survey`].
    async fn survey(&self) -> Result<Survey>;
    /// Whether staging and lake can be used at all.
    async fn probe(&self) -> Result<()>;
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
}

/// Applies each table at least once, as far as time allows; one report each, in the same order.
pub(super) async fn apply_all(
    tables: &dyn ApplyTables,
    work: &[Work<'_>],
    deadline: Deadline,
    clock: &dyn Clock,
) -> Vec<TableReport> {
    let mut reports: Vec<Option<TableReport>> = vec![None; work.len()];
    let mut waiting = from_anywhere(work.len(), clock);
    let mut refused = None;
    while !waiting.is_empty() && refused.is_none() {
        let mut cut_short = Vec::new();
        for (position, &index) in waiting.iter().enumerate() {
            let now = clock.instant();
            let left = deadline.commit.saturating_duration_since(now);
            if left < LEAST_TIME {
                break;
            }
            let sharers = u32::try_from(waiting.len() - position).unwrap_or(u32::MAX);
            let share = now + (left / sharers).max(LEAST_SHARE);
            let limits =
                Limits { deadline: Some(share.min(deadline.commit)), stop: Stop::default() };
            let report = apply_one(tables, &work[index], &limits, deadline.drop).await;
            if share < deadline.commit && is_short_of_time(&report) {
                cut_short.push(index);
            }
            let is_refused = report.error_kind == Some(ErrorKind::StoreRefused);
            let earlier = reports[index].take();
            reports[index] = Some(match earlier {
                Some(earlier) => earlier.followed_by(report),
                None => report,
            });
            // Of one table's folder, or of the whole place: then no other table gets further.
            refused = if is_refused { tables.probe().await.err() } else { None };
            if refused.is_some() {
                break;
            }
        }
        // Whoever was given all the time that was left does not come back, so this ends.
        waiting = cut_short;
    }
    let left_out = reports.iter().filter(|report| report.is_none()).count();
    let why = match &refused {
        Some(error) => error.chain(),
        None => "too little time was left to begin".to_owned(),
    };
    if left_out > 0 {
        warn!(tables = left_out, "tables were not begun: {why}");
    }
    let kind = refused.as_ref().map_or(ErrorKind::Deadline, Error::kind);
    let not_begun = |work: &Work<'_>| TableReport::failed(work.table, kind, &why);
    reports.into_iter().zip(work).map(|(it, work)| it.unwrap_or_else(|| not_begun(work))).collect()
}

/// The order to go through so many tables. It begins anywhere: where time never suffices for
/// all of them, it must not be the same ones each time that are left out.
pub(super) fn from_anywhere(count: usize, clock: &dyn Clock) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let start = clock.jitter(Duration::from_secs(count as u64)).as_secs();
    order.rotate_left(usize::try_from(start).map_or(0, |start| start % count.max(1)));
    order
}

async fn apply_one(
    tables: &dyn ApplyTables,
    work: &Work<'_>,
    limits: &Limits,
    drop: Instant,
) -> TableReport {
    // A panic is a defect met by this table's objects, and must not fail the other tables.
    let apply = AssertUnwindSafe(tables.apply(work.table, &work.scope, limits)).catch_unwind();
    let report = match tokio::time::timeout_at(drop.into(), apply).await {
        Ok(Ok(report)) => report,
        Ok(Err(_panic)) => {
            TableReport::failed(work.table, ErrorKind::Internal, "the application panicked")
        }
        Err(_elapsed) => stopped(work.table, "the application took longer than the invocation"),
    };
    write_log(&report);
    report
}

/// Whether more time would have served.
fn is_short_of_time(report: &TableReport) -> bool {
    let gave_up = report.error_kind == Some(ErrorKind::Deadline);
    gave_up || (report.status == Status::Ok && report.pending > 0)
}

fn stopped(table: &TableSpec, why: &str) -> TableReport {
    TableReport::failed(table, ErrorKind::Deadline, why)
}

/// One line an application, which alarms can count.
fn write_log(report: &TableReport) {
    macro_rules! write_line {
        ($level:ident, $message:literal $(, $name:ident = $value:expr)*) => {
            $level!(
                table = report.table,
                objects = report.objects,
                rows = report.counts.rows,
                inserted = report.counts.inserted,
                updated = report.counts.updated,
                deleted = report.counts.deleted,
                superseded = report.counts.superseded,
                ignored = report.counts.ignored,
                quarantined = report.counts.quarantined,
                replayed = report.replayed,
                version = report.version,
                seconds = report.seconds,
                gets = report.requests.get + report.requests.head,
                lists = report.requests.list,
                puts = report.requests.put,
                deletes = report.requests.delete,
                foreign = report.foreign.len(),
                late = report.late.len(),
                warnings = report.warnings.len(),
                pending = report.pending,
                oldest_pending_seconds = report.oldest_pending_seconds,
                $($name = $value,)*
                $message
            )
        };
    }
    for name in &report.foreign {
        warn!(table = report.table, object = name, "foreign object: not a name of DMS");
    }
    let kind = report.error_kind.unwrap_or(ErrorKind::Internal);
    let reason = report.error.as_deref().unwrap_or_default();
    let remedy = report.remedy.as_deref().unwrap_or(disposition(kind).operator);
    match report.status {
        Status::Ok if report.is_caught_up() => write_line!(info, "table is caught up"),
        Status::Ok => write_line!(info, "table needs more time"),
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
