//! `dmslake apply`: applies what is pending for every chosen table.

mod overview;
mod remarks;
mod reports;
mod rest;

use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::RwLock;

use super::args::ApplyArguments;
use super::chosen::{Chosen, LoopEnd, Places, TableEnd};
use super::exit::Exit;
use super::metrics;
use super::output::{Results, Screen};
use super::plan;
use super::progress_bar::{TableProgress, TablesProgress};
use crate::config::TableSpec;
use crate::error::{ErrorKind, Result};
use crate::metrics::{Process, Snapshot};
use crate::pipeline::{Limits, Pipeline, Scope, TableReport};
use crate::staging::{Survey, refused_order};
pub(super) use reports::Reports;
pub(super) use rest::Rest;

/// Applies what is pending for the chosen tables, and reports the status of each.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used, `StoreRefused` if staging or
/// the lake cannot be used, `Unavailable` if staging cannot be listed or the result not written.
pub(super) async fn run(arguments: &ApplyArguments, screen: &Screen) -> Result<Exit> {
    if arguments.dry_run {
        return plan::dry_run(arguments, screen).await;
    }
    let chosen = Chosen::open(&arguments.chosen, Places::LakeAndStaging, screen).await?;
    let warned = chosen.pipeline.settings().warnings();
    for warning in &warned {
        tracing::warn!("{warning}");
    }
    let results = Results::new(screen, arguments.json);
    let mut reports = Reports::new(results, chosen.len(), arguments.all, warned);

    let begun = chosen.now();
    let applied = apply_and_survey(&chosen, arguments, &mut reports, screen).await;
    // Also where the store has gone away, or somebody asked to stop.
    reports.finish()?;
    let process = Process::this(chosen.pipeline.settings(), begun, chosen.now());
    let snapshot = Snapshot::of_run(&reports.ended(), &process);
    let written = metrics::write(arguments.metrics_file.as_deref(), &snapshot, screen);
    metrics::send(&chosen.pipeline, &snapshot).await;
    let Some((mut exit, staged)) = applied? else {
        return Ok(Exit::Attention);
    };

    if let Some(object) = staged.transaction_ordered.first() {
        screen.complain(&refused_order(object));
        exit = Exit::Attention;
    }
    if written != Exit::Done {
        exit = written;
    }
    // One table may be empty at the source, but not all of them, and not a misspelled one.
    let absent = reports.absent();
    let rest = Rest::of(&absent, &staged.unconfigured);
    results.print(&rest, |rest, _palette| rest.lines())?;
    if rest.has_misspelled() || (!absent.is_empty() && absent.len() == chosen.len()) {
        exit = Exit::Attention;
    }
    Ok(exit)
}

/// How the tables ended, and what is staged beside them; none if somebody asked to stop.
async fn apply_and_survey(
    chosen: &Chosen<'_>,
    arguments: &ApplyArguments,
    reports: &mut Reports<'_>,
    screen: &Screen,
) -> Result<Option<(Exit, Survey)>> {
    let LoopEnd::Complete(mut exit) = apply_all(chosen, arguments.jobs, reports, screen).await?
    else {
        return Ok(None);
    };
    let staged = chosen.pipeline.survey().await?;
    // A run of some tables says nothing of others.
    if arguments.chosen.tables.is_empty() && !staged.undiscovered.is_empty() {
        reports.add(staged.undiscovered.iter().map(TableReport::undiscovered));
        exit = Exit::Attention;
    }
    Ok(Some((exit, staged)))
}

async fn apply_all(
    chosen: &Chosen<'_>,
    jobs: Option<NonZeroUsize>,
    reports: &mut Reports<'_>,
    screen: &Screen,
) -> Result<LoopEnd> {
    let jobs = jobs.unwrap_or_else(|| chosen.pipeline.tables_at_once());
    let at_once = jobs.min(NonZeroUsize::new(chosen.len()).unwrap_or(NonZeroUsize::MIN));
    let job = Job {
        pipeline: chosen.pipeline.clone(),
        limits: Limits { sharers: at_once, ..chosen.limits.clone() },
        memory: Arc::default(),
    };
    let width = chosen.name_width();
    let progress = TablesProgress::begin(screen, chosen.len());
    let apply = |table: &TableSpec| {
        let progress = TableProgress::begin(screen, &table.source.to_string(), width);
        job.clone().apply(table.clone(), progress)
    };
    let take_in = |position, report: TableReport| {
        progress.another();
        let end = TableEnd::of(report.is_caught_up(), report.error_kind);
        reports.take_in(position, report)?;
        Ok(end)
    };
    chosen.side_by_side(at_once, apply, take_in).await
}

/// The application of one of several tables side by side.
#[derive(Clone)]
struct Job {
    pipeline: Pipeline,
    /// With a part of the memory budget.
    limits: Limits,
    /// Shared by those that each take their part; whoever has it alone may take all.
    memory: Arc<RwLock<()>>,
}

impl Job {
    /// Applies a table within its part of the memory; what that cannot hold, with all of it. So
    /// what comes out does not depend on how many tables are applied side by side.
    async fn apply(self, table: TableSpec, progress: TableProgress) -> TableReport {
        let in_part = {
            let _part = self.memory.read().await;
            self.apply_within(&table, &self.limits, &progress).await
        };
        if !in_part.lacks_memory || self.limits.sharers == NonZeroUsize::MIN {
            return in_part;
        }
        let _all = self.memory.write().await;
        let limits = Limits { sharers: NonZeroUsize::MIN, ..self.limits.clone() };
        in_part.followed_by(self.apply_within(&table, &limits, &progress).await)
    }

    async fn apply_within(
        &self,
        table: &TableSpec,
        limits: &Limits,
        progress: &TableProgress,
    ) -> TableReport {
        let apply = self.pipeline.apply(table, &Scope::Everything, limits, progress);
        // A panic is a defect that this table's objects have met. It must not fail the others.
        AssertUnwindSafe(apply).catch_unwind().await.unwrap_or_else(|_panic| {
            TableReport::failed(table, ErrorKind::Internal, "the application panicked")
        })
    }
}
