//! `dmslake apply`: every table named, one after another, whatever happens to the others.

mod report;

use std::sync::Arc;

use super::args::ApplyArguments;
use super::choose::choose;
use super::output::{Screen, plural};
use super::progress::TableProgress;
use super::run::Exit;
use super::{configuration, signals};
use crate::clock::SystemClock;
use crate::error::Result;
use crate::pipeline::{Limits, Pipeline, Scope};
use crate::source::refused_order;
use report::Reports;

/// Applies what is pending for the chosen tables and says how each stands.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used, `Unavailable` if staging
/// cannot be listed or the result not be written.
pub(super) async fn run(arguments: &ApplyArguments, screen: &Screen) -> Result<Exit> {
    let settings = configuration::read(&arguments.config)?;
    let chosen = choose(&settings, &arguments.tables)?;
    let width = chosen.iter().map(|table| table.source.to_string().len()).max().unwrap_or(0);
    let limits = Limits { deadline: None, stop: signals::stop_on_signal(screen)? };
    let pipeline = Pipeline::open(settings, Arc::new(SystemClock)).await?;
    let reports = Reports::begin(screen, arguments.json, width)?;

    let mut exit = Exit::Done;
    for (position, table) in chosen.iter().enumerate() {
        if limits.stop.is_requested() {
            let left = u64::try_from(chosen.len() - position).unwrap_or(u64::MAX);
            screen.note(format_args!("stopped: {} not looked at", plural(left, "table")));
            return Ok(Exit::Attention);
        }
        let progress = TableProgress::begin(screen, &table.source.to_string(), width);
        let report = pipeline.apply(table, &Scope::Everything, &limits, &progress).await;
        drop(progress);
        reports.table(&report)?;
        if !report.is_caught_up() {
            exit = Exit::Attention;
        }
    }
    let staged = pipeline.survey().await?;
    if let Some(object) = staged.transaction_ordered.first() {
        screen.complain(&refused_order(object));
        exit = Exit::Attention;
    }
    reports.unconfigured(&staged.unconfigured)?;
    Ok(exit)
}
