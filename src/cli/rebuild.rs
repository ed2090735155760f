//! `dmslake rebuild`: builds tables anew from what is staged.

use super::args::RebuildArguments;
use super::chosen::{Chosen, Places, TableEnd};
use super::exit::Exit;
use super::output::{Screen, count, plural};
use super::progress_bar::TableProgress;
use crate::config::TableSpec;
use crate::error::Result;
use crate::pipeline::{Estimate, Losses, RebuildPlan, Scope};

/// Rebuilds the named tables, one after another.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used, `StoreRefused` if staging or
/// the lake cannot be used, `Unavailable` if one of them does not answer.
pub(super) async fn run(arguments: &RebuildArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.named.chosen(), Places::LakeAndStaging, screen).await?;
    let losses = if arguments.accept_loss { Losses::Accepted } else { Losses::Refused };
    let rebuilt = chosen.each(async |table| {
        if arguments.cancel {
            let is_new = chosen.pipeline.cancel_rebuild(table).await?;
            let what = if is_new { "the rebuild is given up" } else { "no rebuild is under way" };
            screen.line(format_args!("{}: {what}", table.source))?;
            return Ok(TableEnd::Done);
        }
        let plan = match chosen.pipeline.plan_rebuild(table).await {
            Ok(plan) => plan,
            Err(error) => return Ok(TableEnd::refused_by(&error, &table.source, screen)),
        };
        show(screen, table, &plan)?;
        let is_lossy = !plan.lost.is_empty() && losses == Losses::Refused;
        if arguments.dry_run {
            return Ok(if is_lossy { TableEnd::Attention } else { TableEnd::Done });
        }
        // What would lose rows is refused, not asked about.
        if !screen.is_agreed(is_lossy || arguments.yes, &table.source, "rebuild") {
            return Ok(TableEnd::Attention);
        }
        if let Err(error) = chosen.pipeline.begin_rebuild(table, &plan, losses).await {
            return Ok(TableEnd::refused_by(&error, &table.source, screen));
        }
        build(&chosen, table, screen).await
    });
    Ok(rebuilt.await?.exit())
}

async fn build(chosen: &Chosen<'_>, table: &TableSpec, screen: &Screen) -> Result<TableEnd> {
    let source = &table.source;
    let progress = TableProgress::begin(screen, &source.to_string(), chosen.name_width());
    let report = chosen.pipeline.apply(table, &Scope::Everything, &chosen.limits, &progress).await;
    drop(progress);
    let version = report.version.unwrap_or_default();
    match &report.error {
        None => {
            screen.line(format_args!(
                "{source}: rebuilt from {}, {} read; in place as version {version}",
                plural(report.objects, "object"),
                plural(report.counts.rows, "row")
            ))?;
            if let Some(rebuilt) = &report.rebuilt {
                screen.line(format_args!("{source}: {rebuilt}"))?;
            }
        }
        Some(error) => screen.line(format_args!("{source}: not rebuilt yet: {error}"))?,
    }
    Ok(TableEnd::of(report.is_caught_up(), report.error_kind))
}

fn show(screen: &Screen, table: &TableSpec, plan: &RebuildPlan) -> Result<()> {
    let source = &table.source;
    let (objects, rows) = (plural(plan.objects, "object"), plural(plan.rows, "row"));
    let bytes = count(plan.bytes);
    screen.line(format_args!(
        "{source}: {rows} are replaced by what {objects} of {bytes} bytes come to"
    ))?;
    screen.line(format_args!("{source}: {}", estimated(&plan.estimate)))?;
    if plan.is_under_way {
        screen.line(format_args!("{source}: a rebuild is under way and goes on"))?;
    }
    for lost in &plan.lost {
        screen.line(format_args!("{source}: lost: {lost}"))?;
    }
    Ok(())
}

fn estimated(estimate: &Estimate) -> String {
    let Estimate { rows_read, rows_after, seconds, is_measured } = *estimate;
    let read = rows_read.map(|rows| format!("{} read, ", plural(rows, "row")));
    let after = rows_after.map(|rows| format!("{} in the table afterwards, ", plural(rows, "row")));
    let pace = if is_measured {
        "by the pace of its newest commits"
    } else {
        "at 16 MB a second, since no commit tells its pace"
    };
    let (read, after) = (read.unwrap_or_default(), after.unwrap_or_default());
    format!("estimated: {read}{after}{} {pace}", plural(seconds, "second"))
}
