//! `dmslake maintain`: what is due for every table named, one after another.

mod report;

use super::args::MaintainArguments;
use super::choose::Chosen;
use super::exit::Exit;
use super::output::Screen;
use crate::error::{ErrorKind, Result};
use crate::maintenance::Outcome;
use crate::pipeline::Status;
use report::Reports;

/// Maintains the chosen tables and says what was due, and why.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used, `Unavailable` if the
/// result cannot be written.
pub(super) async fn run(arguments: &MaintainArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.chosen, screen).await?;
    let reports = Reports::begin(screen, arguments.json);

    let mut exit = Exit::Done;
    for (position, table) in chosen.tables.iter().enumerate() {
        if chosen.is_stopped(position, screen) {
            return Ok(Exit::Attention);
        }
        let report = chosen.pipeline.maintain(table, &chosen.limits).await;
        reports.table(&report)?;
        let is_done = |outcome| outcome == Outcome::Done;
        if report.status != Status::Ok || !report.actions.iter().all(|it| is_done(it.outcome)) {
            exit = Exit::Attention;
        }
        if report.error_kind == Some(ErrorKind::StoreRefused) {
            // Of one table's folder, or of the whole place.
            chosen.pipeline.probe_lake().await?;
        }
    }
    Ok(exit)
}
