//! `dmslake apply`: applies what is pending for every chosen table.

mod report;

use std::panic::AssertUnwindSafe;

use futures::FutureExt;

use super::args::ApplyArguments;
use super::chosen::{Chosen, LoopEnd, Places, TableEnd};
use super::exit::Exit;
use super::output::{Results, Screen};
use super::progress_bar::TableProgress;
use crate::config::TableSpec;
use crate::error::{ErrorKind, Result};
use crate::pipeline::{Scope, TableReport};
use crate::staging::refused_order;
use report::Reports;

/// Applies what is pending for the chosen tables, and reports the status of each.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used, `StoreRefused` if staging or
/// the lake cannot be used, `Unavailable` if staging cannot be listed or the result not written.
pub(super) async fn run(arguments: &ApplyArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.chosen, Places::LakeAndStaging, screen).await?;
    let width = chosen.name_width();
    let warned = chosen.pipeline.settings().warnings();
    for warning in &warned {
        tracing::warn!("{warning}");
    }
    let reports = Reports::begin(Results::new(screen, arguments.json), width, warned)?;

    let mut absent = Vec::new();
    let applied = chosen.each(async |table| {
        let progress = TableProgress::begin(screen, &table.source.to_string(), width);
        let report = apply(&chosen, table, &progress).await;
        drop(progress);
        reports.table(&report)?;
        if report.absent {
            absent.push(report.table.clone());
        }
        Ok(TableEnd::of(report.is_caught_up(), report.error_kind))
    });
    let LoopEnd::Complete(mut exit) = applied.await? else {
        return Ok(Exit::Attention);
    };

    let staged = chosen.pipeline.survey().await?;
    if let Some(object) = staged.transaction_ordered.first() {
        screen.complain(&refused_order(object));
        exit = Exit::Attention;
    }
    // One table may be empty at the source, but not all of them, and not a misspelled one.
    let is_misspelled = reports.rest(&absent, &staged.unconfigured)?;
    if is_misspelled || (!absent.is_empty() && absent.len() == chosen.len()) {
        exit = Exit::Attention;
    }
    Ok(exit)
}

async fn apply(chosen: &Chosen<'_>, table: &TableSpec, progress: &TableProgress) -> TableReport {
    let apply = chosen.pipeline.apply(table, &Scope::Everything, &chosen.limits, progress);
    // A panic is a defect that this table's objects have met. It must not fail the other tables.
    AssertUnwindSafe(apply).catch_unwind().await.unwrap_or_else(|_panic| {
        TableReport::failed(table, ErrorKind::Internal, "the application panicked")
    })
}
