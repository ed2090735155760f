//! `dmslake late`: late objects are listed, applied out of their turn, or given up.

use super::args::{LateArguments, LateCommand, OneLateArguments};
use super::chosen::{Chosen, Places, TableEnd};
use super::exit::Exit;
use super::output::{Screen, count, plural};
use super::progress_bar::TableProgress;
use crate::clock::shown;
use crate::config::TableSpec;
use crate::disposition::Status;
use crate::error::Result;
use crate::pipeline::LateObject;

/// Lists late objects, or decides about one of them.
///
/// # Errors
/// `Config` for a configuration, a table or an object that cannot be used, `StoreRefused` if staging
/// or the lake cannot be used, `Unavailable` if one of them does not answer.
pub(super) async fn run(arguments: &LateArguments, screen: &Screen) -> Result<Exit> {
    match &arguments.command {
        None => list(arguments, screen).await,
        Some(LateCommand::Apply(one)) => Box::pin(decide(one, Decision::Apply, screen)).await,
        Some(LateCommand::Discard(one)) => Box::pin(decide(one, Decision::Discard, screen)).await,
    }
}

async fn list(arguments: &LateArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.chosen(), Places::LakeAndStaging, screen).await?;
    let listed = chosen.each(async |table| {
        let late = match chosen.pipeline.late(table).await {
            Ok(late) => late,
            Err(error) => return Ok(TableEnd::refused_by(&error, &table.source, screen)),
        };
        for seen in &late {
            let staged_at = shown(seen.staged_at());
            screen.line(format_args!(
                "{}: {}, {} bytes, staged {staged_at}",
                table.source,
                seen.object,
                count(seen.size)
            ))?;
        }
        if late.is_empty() {
            screen.note(format_args!("{}: no late object", table.source));
            return Ok(TableEnd::Done);
        }
        Ok(TableEnd::Attention)
    });
    Ok(listed.await?.exit())
}

#[derive(Clone, Copy, Debug)]
enum Decision {
    Apply,
    Discard,
}

async fn decide(one: &OneLateArguments, decision: Decision, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&one.chosen(), Places::LakeAndStaging, screen).await?;
    let decided = chosen.each(async |table| {
        let late = chosen.pipeline.find_late(table, &one.object).await?;
        let changes = match late.rows {
            Some(rows) => plural(rows, "change"),
            None => "an unknown number of changes".to_owned(),
        };
        let source = &table.source;
        let (means, question) = match decision {
            Decision::Apply => (
                "are applied over what is stored: where newer changes of the same rows are applied \
                 already, they are undone",
                "apply it",
            ),
            Decision::Discard => (
                "are lost: the table lacks them until DMS loads it again, or it is rebuilt while \
                 the object is staged",
                "discard it",
            ),
        };
        screen.line(format_args!("{source}: {changes} of {} {means}", one.object))?;
        if !screen.is_agreed(one.yes, source, question) {
            return Ok(TableEnd::Attention);
        }
        match decision {
            Decision::Apply => apply(&chosen, table, &late, screen).await,
            Decision::Discard => match chosen.pipeline.discard_late(table, &late).await {
                Ok(()) => {
                    screen.line(format_args!("{source}: {} is discarded", one.object))?;
                    Ok(TableEnd::Done)
                }
                Err(error) => Ok(TableEnd::refused_by(&error, source, screen)),
            },
        }
    });
    Ok(decided.await?.exit())
}

async fn apply(
    chosen: &Chosen<'_>,
    table: &TableSpec,
    late: &LateObject,
    screen: &Screen,
) -> Result<TableEnd> {
    let (source, object) = (&table.source, &late.staged.relative);
    let progress = TableProgress::begin(screen, &source.to_string(), chosen.name_width());
    let report = chosen.pipeline.apply_late(table, late, &chosen.limits, &progress).await;
    drop(progress);
    let is_applied = report.objects > 0 && !report.late.contains(object);
    if is_applied {
        let version = report.version.unwrap_or_default();
        screen.line(format_args!("{source}: {object} is applied; version {version}"))?;
    }
    if let Some(error) = &report.error {
        let how = if report.status == Status::Held { "held" } else { "failed" };
        screen.line(format_args!("{source}: {how}: {error}"))?;
    }
    Ok(TableEnd::of(report.is_caught_up(), report.error_kind))
}
