//! `dmslake apply`: every table named, one after another, whatever happens to the others.

mod report;

use std::panic::AssertUnwindSafe;

use futures::FutureExt;

use super::args::ApplyArguments;
use super::choose::Chosen;
use super::exit::Exit;
use super::output::Screen;
use super::progress_bar::TableProgress;
use crate::error::{ErrorKind, Result};
use crate::pipeline::{Scope, TableReport};
use crate::staging::refused_order;
use report::Reports;

/// Applies what is pending for the chosen tables and says how each stands.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used, `StoreRefused` if staging or
/// the lake cannot, `Unavailable` if staging cannot be listed or the result not be written.
pub(super) async fn run(arguments: &ApplyArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.chosen, screen).await?;
    chosen.pipeline.probe_staging().await?;
    let lengths = chosen.tables.iter().map(|table| table.source.to_string().len());
    let width = lengths.max().unwrap_or(0);
    let said = chosen.pipeline.settings().warnings();
    for warning in &said {
        tracing::warn!("{warning}");
    }
    let reports = Reports::begin(screen, arguments.json, width, said)?;

    let mut exit = Exit::Done;
    let mut absent = Vec::new();
    for (position, table) in chosen.tables.iter().enumerate() {
        if chosen.is_stopped(position, screen) {
            return Ok(Exit::Attention);
        }
        let progress = TableProgress::begin(screen, &table.source.to_string(), width);
        let apply = chosen.pipeline.apply(table, &Scope::Everything, &chosen.limits, &progress);
        // A panic is a defect met by this table's objects, and must not fail the other tables.
        let report = match AssertUnwindSafe(apply).catch_unwind().await {
            Ok(report) => report,
            Err(_panic) => {
                TableReport::failed(table, ErrorKind::Internal, "the application panicked")
            }
        };
        drop(progress);
        reports.table(&report)?;
        if report.absent {
            absent.push(report.table.clone());
        }
        if !report.is_caught_up() {
            exit = Exit::Attention;
        }
        if report.error_kind == Some(ErrorKind::StoreRefused) {
            // Of one table's folder, or of the whole place.
            chosen.pipeline.probe_lake().await?;
            chosen.pipeline.probe_staging().await?;
        }
    }
    let staged = chosen.pipeline.survey().await?;
    if let Some(object) = staged.transaction_ordered.first() {
        screen.complain(&refused_order(object));
        exit = Exit::Attention;
    }
    // One table may be empty at the source; not all of them, and not one that is misspelled.
    let is_misspelled = reports.rest(&absent, &staged.unconfigured)?;
    if is_misspelled || (!absent.is_empty() && absent.len() == chosen.tables.len()) {
        exit = Exit::Attention;
    }
    Ok(exit)
}
