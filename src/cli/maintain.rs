//! `dmslake maintain`: what is due for every table named, one after another.

mod report;

use std::sync::Arc;

use super::args::MaintainArguments;
use super::choose::choose;
use super::output::{Screen, plural};
use super::run::Exit;
use super::{configuration, signals};
use crate::clock::SystemClock;
use crate::error::Result;
use crate::maintenance::Outcome;
use crate::pipeline::{Limits, Pipeline, Status};
use report::Reports;

/// Maintains the chosen tables and says what was due, and why.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used, `Unavailable` if the
/// result cannot be written.
pub(super) async fn run(arguments: &MaintainArguments, screen: &Screen) -> Result<Exit> {
    let settings = configuration::read(&arguments.config)?;
    let chosen = choose(&settings, &arguments.tables)?;
    let limits = Limits { deadline: None, stop: signals::stop_on_signal(screen)? };
    let pipeline = Pipeline::open(settings, Arc::new(SystemClock)).await?;
    let reports = Reports::begin(screen, arguments.json);

    let mut exit = Exit::Done;
    for (position, table) in chosen.iter().enumerate() {
        if limits.stop.is_requested() {
            let left = u64::try_from(chosen.len() - position).unwrap_or(u64::MAX);
            screen.note(format_args!("stopped: {} not looked at", plural(left, "table")));
            return Ok(Exit::Attention);
        }
        let report = pipeline.maintain(table, &limits).await;
        reports.table(&report)?;
        let is_done = |outcome| outcome == Outcome::Done;
        if report.status != Status::Ok || !report.actions.iter().all(|it| is_done(it.outcome)) {
            exit = Exit::Attention;
        }
    }
    Ok(exit)
}
