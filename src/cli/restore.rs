//! `dmslake restore`: tables go back to an older version.

use super::args::RestoreArguments;
use super::chosen::{Chosen, Places, TableEnd};
use super::exit::Exit;
use super::output::{Screen, count, plural};
use crate::clock::shown;
use crate::config::TableSpec;
use crate::error::Result;
use crate::pipeline::{Losses, Progress, RestorePlan};

/// Puts the named tables back, one after another.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used, `StoreRefused` if staging or
/// the lake cannot be used, `Unavailable` if one of them does not answer.
pub(super) async fn run(arguments: &RestoreArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.named.chosen(), Places::LakeAndStaging, screen).await?;
    let Some(to) = arguments.as_of.as_of() else { return Ok(Exit::Usage) };
    let keeps = arguments.keep_progress;
    let progress = if keeps { Progress::Stays } else { Progress::GoesBack };
    // Whoever keeps the progress has said what is to be lost.
    let accepts = arguments.accept_loss || keeps;
    let losses = if accepts { Losses::Accepted } else { Losses::Refused };
    let restored = chosen.each(async |table| {
        let source = &table.source;
        let plan = match chosen.pipeline.plan_restore(table, to, progress).await {
            Ok(plan) => plan,
            Err(error) => return Ok(TableEnd::refused_by(&error, source, screen)),
        };
        show(screen, table, &plan)?;
        let is_lossy = !plan.lost.is_empty() && losses == Losses::Refused;
        if arguments.dry_run {
            return Ok(if is_lossy { TableEnd::Attention } else { TableEnd::Done });
        }
        // What would lose changes is refused, not asked about.
        if !screen.is_agreed(is_lossy || arguments.yes, source, "restore") {
            return Ok(TableEnd::Attention);
        }
        if arguments.pause && !is_lossy {
            chosen.pipeline.pause(table, Some(&format!("restored to {}", plan.version))).await?;
        }
        let version = match chosen.pipeline.restore(table, &plan, losses).await {
            Ok(version) => version,
            Err(error) => return Ok(TableEnd::refused_by(&error, source, screen)),
        };
        let follows = if keeps {
            "progress stays, so the table differs from its source until it is loaded again or \
             rebuilt"
                .to_owned()
        } else if arguments.pause {
            format!("paused: dmslake resume {source} lets it go on from there")
        } else {
            "the next apply goes on from there".to_owned()
        };
        screen.line(format_args!("{source}: restored as version {version}; {follows}"))?;
        Ok(TableEnd::Done)
    });
    Ok(restored.await?.exit())
}

fn show(screen: &Screen, table: &TableSpec, plan: &RestorePlan) -> Result<()> {
    let source = &table.source;
    let (now, rows) = (plural(plan.rows_now, "row"), plural(plan.rows, "row"));
    let version = plan.version;
    let time = plan.committed.map(|at| format!(" ({})", shown(at)));
    let time = time.unwrap_or_default();
    screen.line(format_args!(
        "{source}: {now} are replaced by the {rows} of version {version}{time}; {} of {} bytes \
         are then applied again",
        plural(plan.objects, "object"),
        count(plan.bytes)
    ))?;
    for lost in &plan.lost {
        screen.line(format_args!("{source}: lost: {lost}"))?;
    }
    Ok(())
}
