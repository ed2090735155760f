//! Maintenance of every table after a sweep, in the time that applying left.

use std::num::NonZeroUsize;
use std::time::Duration;

use tracing::{error, warn};

use super::turns::{LEAST_SHARE, TableWork, take_turns};
use super::{ApplyTables, Deadline};
use crate::clock::Clock;
use crate::config::TableSpec;
use crate::error::{Error, ErrorKind};
use crate::maintenance::MaintenanceReport;
use crate::pipeline::Limits;

/// Maintains the configured tables, as long as a whole share of time is left. The tables that are
/// left out are due at the next sweep. Returns the reports in the order of the turns.
pub(super) async fn maintain_all(
    tables: &dyn ApplyTables,
    deadline: Deadline,
    clock: &dyn Clock,
) -> Vec<MaintenanceReport> {
    let turns = take_turns(&Maintaining(tables), tables, deadline, clock).await;
    if let Some(left_out) = turns.left_out {
        warn!(tables = left_out.tables, "tables are not maintained: {}", left_out.error.chain());
    }
    turns.reports.into_iter().map(|(_, report)| report).collect()
}

/// The maintenance of every configured table.
struct Maintaining<'a>(&'a dyn ApplyTables);

impl TableWork for Maintaining<'_> {
    type Report = MaintenanceReport;

    const NAME: &'static str = "maintenance";
    const LEAST_TIME: Duration = LEAST_SHARE;
    /// Each rewrite may take all of the memory.
    const AT_ONCE: Option<NonZeroUsize> = Some(NonZeroUsize::MIN);

    fn tables(&self) -> usize {
        self.0.settings().tables.len()
    }

    fn table(&self, index: usize) -> &TableSpec {
        &self.0.settings().tables[index]
    }

    async fn turn(&self, index: usize, limits: &Limits) -> MaintenanceReport {
        self.0.maintain(self.table(index), limits).await
    }

    fn failed(table: &TableSpec, error: &Error) -> MaintenanceReport {
        let mut report = MaintenanceReport::of(&table.source);
        report.fail(error);
        report
    }

    fn log(report: &MaintenanceReport) {
        if let (Some(reason), Some(kind)) = (&report.error, report.error_kind) {
            error!(
                table = report.table,
                kind = kind.as_str(),
                error = reason,
                "maintenance failed"
            );
        }
    }

    fn error_kind(report: &MaintenanceReport) -> Option<ErrorKind> {
        report.error_kind
    }

    /// What is not done now is due at the next sweep.
    fn needs_more_time(_report: &MaintenanceReport) -> bool {
        false
    }

    fn lacks_memory(_report: &MaintenanceReport) -> bool {
        false
    }

    fn followed_by(_earlier: MaintenanceReport, later: MaintenanceReport) -> MaintenanceReport {
        later
    }
}
