//! Maintenance of every table after a sweep, in the time that applying left.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures::FutureExt;
use tracing::{error, warn};

use super::apply::{LEAST_SHARE, from_anywhere};
use super::{ApplyTables, Deadline};
use crate::clock::Clock;
use crate::config::TableSpec;
use crate::error::{Error, ErrorKind};
use crate::maintenance::MaintenanceReport;
use crate::pipeline::{Limits, Stop};

/// Maintains one table after another, each in its share of the time, as long as a share is worth
/// beginning. What is left out is due at the next sweep, which begins elsewhere.
pub(super) async fn maintain_all(
    tables: &dyn ApplyTables,
    deadline: Deadline,
    clock: &dyn Clock,
) -> Vec<MaintenanceReport> {
    let configured = &tables.settings().tables;
    let order = from_anywhere(configured.len(), clock);
    let mut reports = Vec::new();
    for (position, &index) in order.iter().enumerate() {
        let now = clock.instant();
        let left = deadline.commit.saturating_duration_since(now);
        if left < LEAST_SHARE {
            warn!(tables = order.len() - position, "tables are not maintained, no time is left");
            break;
        }
        let sharers = u32::try_from(order.len() - position).unwrap_or(u32::MAX);
        let share = now + (left / sharers).max(LEAST_SHARE);
        let limits = Limits { deadline: Some(share.min(deadline.commit)), stop: Stop::default() };
        let report = maintain_one(tables, &configured[index], &limits, deadline.drop).await;
        let is_refused = report.error_kind == Some(ErrorKind::StoreRefused);
        reports.push(report);
        if is_refused && let Err(error) = tables.probe().await {
            let left = order.len() - position - 1;
            warn!(tables = left, "tables are not maintained: {}", error.chain());
            break;
        }
    }
    reports
}

async fn maintain_one(
    tables: &dyn ApplyTables,
    table: &TableSpec,
    limits: &Limits,
    drop: Instant,
) -> MaintenanceReport {
    let maintain = AssertUnwindSafe(tables.maintain(table, limits)).catch_unwind();
    let error = match tokio::time::timeout_at(drop.into(), maintain).await {
        Ok(Ok(report)) => {
            write_log(&report);
            return report;
        }
        Ok(Err(_panic)) => Error::new(ErrorKind::Internal, "the maintenance panicked"),
        Err(_elapsed) => {
            Error::new(ErrorKind::Deadline, "the maintenance took longer than the invocation")
        }
    };
    let mut report = MaintenanceReport::of(&table.source);
    report.fail(&error);
    write_log(&report);
    report
}

fn write_log(report: &MaintenanceReport) {
    if let (Some(reason), Some(kind)) = (&report.error, report.error_kind) {
        error!(table = report.table, kind = kind.as_str(), error = reason, "maintenance failed");
    }
}
