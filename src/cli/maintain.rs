//! `dmslake maintain`: does what is due for every chosen table.

mod report;

use super::args::MaintainArguments;
use super::chosen::{Chosen, Places, TableEnd};
use super::exit::Exit;
use super::output::{Results, Screen};
use crate::error::Result;
use crate::maintenance::Outcome;
use crate::pipeline::Status;

/// Maintains the chosen tables, and reports what was due and why.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used, `StoreRefused` if the lake
/// cannot be used, `Unavailable` if the result cannot be written.
pub(super) async fn run(arguments: &MaintainArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.chosen, Places::Lake, screen).await?;
    let results = Results::new(screen, arguments.json);
    let maintained = chosen.each(async |table| {
        let report = chosen.pipeline.maintain(table, &chosen.limits).await;
        results.print(&report, report::lines)?;
        let are_done = report.actions.iter().all(|action| action.outcome == Outcome::Done);
        Ok(TableEnd::of(report.status == Status::Ok && are_done, report.error_kind))
    });
    Ok(maintained.await?.exit())
}
