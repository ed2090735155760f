//! `dmslake job`: tables are applied by tasks, on this machine or wherever another program runs them.

mod engine;
mod operated;

use std::sync::Arc;

use super::args::{DriveJobArguments, JobArguments, JobCommand, LocalJobArguments};
use super::chosen::{Chosen, Places, TableEnd};
use super::exit::Exit;
use super::output::{Results, Screen, count, plural};
use super::progress_bar::TableProgress;
use crate::cli::apply::Reports;
use crate::clock::SystemClock;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::Silent;
use crate::pipeline::job::{Job, JobPlan, TaskEnd, Threads, run_alone, slots};
use engine::Engine;
use operated::Operation;

/// Runs a job, or a part of one.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used, `StoreRefused` if staging or
/// the lake cannot be used, `Unavailable` if what is said to the engine cannot be written.
pub(super) async fn run(arguments: &JobArguments, screen: &Screen) -> Result<Exit> {
    match &arguments.command {
        JobCommand::Run(arguments) => by_threads(arguments, screen).await,
        JobCommand::Plan(arguments) => plan(arguments, screen).await,
        JobCommand::Drive(arguments) => drive(arguments, screen).await,
        JobCommand::Start(arguments) => operated::run(Operation::Start, arguments, screen).await,
        JobCommand::Status(arguments) => operated::run(Operation::Status, arguments, screen).await,
        JobCommand::Cancel(arguments) => operated::run(Operation::Cancel, arguments, screen).await,
        JobCommand::Task => task(screen).await,
    }
}

async fn by_threads(arguments: &LocalJobArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.chosen, Places::LakeAndStaging, screen).await?;
    let at_once = arguments.slots.unwrap_or_else(slots);
    let threads = Threads::new(chosen.pipeline.clone(), at_once);
    let configured = chosen.pipeline.settings().memory_budget;
    let share = configured.map(|budget| (budget / at_once.get() as u64).max(1));
    let task_memory = arguments.sizes.task_memory.or(share);
    let sizes = arguments.sizes.sizes();
    let job = Job { workers: &threads, sizes, task_memory, claim: None, run: None };
    let results = Results::new(screen, arguments.json);
    let mut reports = Reports::new(results, chosen.len(), true, Vec::new());
    let mut position = 0;
    let applied = chosen.each(async |table| {
        let name = table.source.to_string();
        let progress = TableProgress::begin(screen, &name, chosen.name_width());
        let (applied, maintained) =
            chosen.pipeline.run_job(table, &chosen.limits, &progress, job).await;
        drop(progress);
        if let Some(why) = maintained.and_then(|report| report.error) {
            screen.note(format_args!("{name}: not maintained: {why}"));
        }
        let end = TableEnd::of(applied.is_caught_up(), applied.error_kind);
        reports.take_in(position, applied)?;
        position += 1;
        Ok(end)
    });
    let applied = applied.await;
    reports.finish()?;
    Ok(applied?.exit())
}

async fn plan(arguments: &LocalJobArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.chosen, Places::LakeAndStaging, screen).await?;
    let at_once = arguments.slots.unwrap_or_else(slots);
    let results = Results::new(screen, arguments.json);
    let planned = chosen.each(async |table| {
        let planned = chosen.pipeline.plan_job(table, &arguments.sizes.sizes(), at_once).await;
        match planned {
            Ok(plan) => {
                let is_held = plan.held.is_some();
                results.print(&plan, |plan, _| lines(plan))?;
                Ok(if is_held { TableEnd::Attention } else { TableEnd::Done })
            }
            Err(error) => Ok(TableEnd::refused_by(&error, &table.source, screen)),
        }
    });
    Ok(planned.await?.exit())
}

fn lines(plan: &JobPlan) -> Vec<String> {
    let JobPlan { table, objects, bytes, rounds, by_driver, slices_seconds, .. } = plan;
    if let Some(held) = &plan.held {
        return vec![format!("{table}: held: {held}")];
    }
    let mut lines = vec![format!(
        "{table}: {} of {} bytes are pending: {} of a job",
        plural(*objects, "object"),
        count(*bytes),
        plural(rounds.len() as u64, "commit")
    )];
    lines.extend(rounds.iter().map(|round| {
        format!(
            "{table}: {} of {} bytes in {}, {}",
            plural(round.objects, "object"),
            count(round.bytes),
            plural(round.tasks, "task"),
            if round.is_load { "full load" } else { "changes" }
        )
    }));
    if *objects > 0 {
        let minutes = plural(slices_seconds.div_ceil(60), "minute");
        let who = if plan.is_handed_over { "for a job" } else { "for the function" };
        lines.push(format!("{table}: {minutes} slice by slice, about: {who}"));
    }
    if *by_driver > 0 {
        lines.push(format!("{table}: {} by the driver itself", plural(*by_driver, "object")));
    }
    lines
}

async fn drive(arguments: &DriveJobArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.chosen, Places::LakeAndStaging, screen).await?;
    let engine = Engine::new(arguments.slots, chosen.limits.stop.clone());
    let sizes = arguments.sizes.sizes();
    let configured = chosen.pipeline.settings().memory_budget;
    let task_memory = arguments.sizes.task_memory.or(configured);
    let (claim, run) = (arguments.claim, arguments.run.as_deref());
    if claim.is_some() && chosen.len() != 1 {
        return Err(Error::new(ErrorKind::Config, "--claim is of one table")
            .with("tables", chosen.len())
            .with_remedy("name that one with --table"));
    }
    let job = Job { workers: &engine, sizes, task_memory, claim, run };
    let driven = chosen.each(async |table| {
        let (report, maintained) =
            chosen.pipeline.run_job(table, &chosen.limits, &Silent, job).await;
        if let Some(maintained) = &maintained {
            engine.maintained(maintained).await?;
        }
        engine.report(&report).await?;
        // What it was started for has ended, so that it has done all that it was to do.
        let is_over = claim.is_some() && report.error_kind == Some(ErrorKind::HandedOver);
        Ok(TableEnd::of(is_over || report.is_caught_up(), report.error_kind))
    });
    Ok(driven.await?.exit())
}

async fn task(screen: &Screen) -> Result<Exit> {
    let line = engine::line_of_input().await?;
    let (result, end) = run_alone(&line, Arc::new(SystemClock)).await;
    screen.line(result)?;
    Ok(match end {
        TaskEnd::Done => Exit::Done,
        TaskEnd::MayBeRepeated => Exit::Attention,
        TaskEnd::Final => Exit::Final,
    })
}
