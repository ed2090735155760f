//! `dmslake quarantine`: rows that could not be decoded are listed, shown, released or given up.

use super::args::{
    DiscardArguments, ListArguments, QuarantineArguments, QuarantineCommand, QuarantinedArguments,
    ReleaseArguments,
};
use super::chosen::{Chosen, Places, TableEnd};
use super::exit::Exit;
use super::output::{Palette, Results, Screen, count, plural, wrapped};
use crate::clock::shown;
use crate::config::TableSpec;
use crate::error::Result;
use crate::inspect::{self, QuarantineRow, QuarantineSummary};
use crate::pipeline::{Released, RowFate};

/// So many rows that wait are named.
const MOST_NAMED: usize = 20;

/// Does what one of the subcommands asks for.
///
/// # Errors
/// `Config` for a configuration or a table that cannot be used, `StoreRefused` if staging or the lake
/// cannot be used, `Unavailable` if one of them does not answer or the result cannot be written.
pub(super) async fn run(arguments: &QuarantineArguments, screen: &Screen) -> Result<Exit> {
    match &arguments.command {
        QuarantineCommand::List(list) => self::list(list, screen).await,
        QuarantineCommand::Show(show) => self::show(show, screen).await,
        QuarantineCommand::Release(release) => self::release(release, screen).await,
        QuarantineCommand::Discard(discard) => self::discard(discard, screen).await,
    }
}

async fn list(arguments: &ListArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.named.chosen(), Places::LakeAndStaging, screen).await?;
    let results = Results::new(screen, arguments.json);
    let listed = chosen.each(async |table| {
        let found = match Box::pin(inspect::quarantine(&chosen.pipeline, table)).await {
            Ok(found) => found,
            Err(error) => return Ok(TableEnd::refused_by(&error, &table.source, screen)),
        };
        let Some(summary) = found else {
            screen.note(format_args!("{}: there is no table yet", table.source));
            return Ok(TableEnd::Done);
        };
        results.print(&summary, |summary, palette| lines(summary, screen.width(), palette))?;
        Ok(if summary.waiting > 0 { TableEnd::Attention } else { TableEnd::Done })
    });
    Ok(listed.await?.exit())
}

fn lines(summary: &QuarantineSummary, width: usize, palette: Palette) -> Vec<String> {
    let QuarantineSummary { table, waiting, objects, .. } = summary;
    if *waiting == 0 && summary.reasons.is_empty() {
        return vec![format!("{table}: no row in quarantine")];
    }
    let times = match (summary.first, summary.last) {
        (Some(first), Some(last)) if first == last => format!(", set aside {}", shown(first)),
        (Some(first), Some(last)) => {
            format!(", set aside from {} to {}", shown(first), shown(last))
        }
        _ => String::new(),
    };
    let waits = if *waiting == 1 { "waits" } else { "wait" };
    let head = format!(
        "{table}: {} {waits}, of {}{times}",
        plural(*waiting, "row"),
        plural(*objects, "object")
    );
    let mut lines = vec![palette.strong(head)];
    for reason in &summary.reasons {
        let column = reason.column.as_ref().map(|it| format!("{it}: ")).unwrap_or_default();
        let line = format!("{} {column}{}", count(reason.rows), reason.reason);
        lines.extend(wrapped(&line, "  ", width));
    }
    if summary.uncounted > 0 {
        let line = format!(
            "{} of them count for nothing: of an attempt that came to no commit, or of an earlier load",
            count(summary.uncounted)
        );
        lines.extend(wrapped(&line, "  ", width));
    }
    lines
}

async fn show(arguments: &QuarantinedArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.table.chosen(), Places::LakeAndStaging, screen).await?;
    let results = Results::new(screen, arguments.json);
    let rows = arguments.rows();
    let shown = chosen.each(async |table| {
        let found = Box::pin(inspect::quarantined_rows(&chosen.pipeline, table, &rows)).await?;
        let Some(found) = found.filter(|found| !found.is_empty()) else {
            screen.note(format_args!("{}: no such row in quarantine", table.source));
            return Ok(TableEnd::Attention);
        };
        for row in found.iter().take(arguments.limit.get()) {
            results.print(row, row_lines)?;
        }
        let more = found.len().saturating_sub(arguments.limit.get()) as u64;
        if more > 0 {
            screen.note(format_args!("{} more: see --limit", plural(more, "row")));
        }
        Ok(TableEnd::Done)
    });
    Ok(shown.await?.exit())
}

fn row_lines(row: &QuarantineRow, palette: Palette) -> Vec<String> {
    let column = row.column.as_ref().map(|it| format!("{it}: ")).unwrap_or_default();
    let is_counted = if row.counts { "" } else { " (counts for nothing)" };
    let head = format!("{} row {}{is_counted}", row.object, row.row);
    vec![
        palette.strong(head),
        format!("  {column}{}", row.reason),
        palette.faint(format_args!("  set aside {}", shown(row.at))),
        format!("  {}", row.content.replace('\n', "\n  ")),
    ]
}

async fn release(arguments: &ReleaseArguments, screen: &Screen) -> Result<Exit> {
    let which = &arguments.which;
    let chosen = Chosen::open(&which.chosen(), Places::LakeAndStaging, screen).await?;
    let release = arguments.release();
    let released = chosen.each(async |table| {
        let source = &table.source;
        let plan = match Box::pin(chosen.pipeline.plan_release(table, &release)).await {
            Ok(plan) => plan,
            Err(error) => return Ok(TableEnd::refused_by(&error, source, screen)),
        };
        tell(&plan, table, screen)?;
        let end = end_of(&plan);
        if arguments.dry_run || plan.left() == 0 {
            return Ok(end);
        }
        if arguments.over {
            screen.line(format_args!(
                "{source}: what cannot be placed is applied over whatever is there"
            ))?;
        }
        if !screen.is_agreed(which.yes, source, "release") {
            return Ok(TableEnd::Attention);
        }
        let done = Box::pin(chosen.pipeline.release(table, &release, &chosen.limits)).await;
        match done {
            Ok(done) => {
                let version = done.version.map(|it| format!("version {it}; ")).unwrap_or_default();
                let counts = done.counts;
                screen.line(format_args!(
                    "{source}: {} released: {} inserted, {} updated, {} deleted, {} superseded; \
                     {version}{} in quarantine",
                    plural(done.left(), "row"),
                    count(counts.inserted),
                    count(counts.updated),
                    count(counts.deleted),
                    count(counts.superseded),
                    plural(done.waiting, "row"),
                ))?;
                Ok(end_of(&done))
            }
            Err(error) => Ok(TableEnd::refused_by(&error, source, screen)),
        }
    });
    Ok(released.await?.exit())
}

/// Whether every chosen row leaves the quarantine.
fn end_of(released: &Released) -> TableEnd {
    let is_done = released.left() == released.rows.len() as u64;
    if is_done { TableEnd::Done } else { TableEnd::Attention }
}

fn tell(plan: &Released, table: &TableSpec, screen: &Screen) -> Result<()> {
    let source = &table.source;
    if plan.rows.is_empty() {
        return screen.line(format_args!("{source}: no such row in quarantine"));
    }
    screen.line(format_args!(
        "{source}: of {}, {} would be applied and {} would change nothing, because newer changes \
         of the same keys were applied",
        plural(plan.rows.len() as u64, "row"),
        count(plan.count(RowFate::Applied)),
        count(plan.count(RowFate::Superseded)),
    ))?;
    let waits = |fate: RowFate| !matches!(fate, RowFate::Applied | RowFate::Superseded);
    let waiting: Vec<_> = plan.rows.iter().filter(|row| waits(row.fate)).collect();
    for outcome in waiting.iter().take(MOST_NAMED) {
        let row = &outcome.row;
        let column = match (outcome.fate, &row.column) {
            (RowFate::Undecodable, Some(column)) => format!("{column}: "),
            _ => String::new(),
        };
        let reason = outcome.reason.as_deref().unwrap_or("it is not known");
        screen.line(format_args!(
            "{source}: row {} of {} goes on waiting: {column}{reason}",
            row.row, row.object
        ))?;
    }
    let more = waiting.len().saturating_sub(MOST_NAMED) as u64;
    if more > 0 {
        screen.line(format_args!("{source}: so do {} more", plural(more, "row")))?;
    }
    Ok(())
}

async fn discard(arguments: &DiscardArguments, screen: &Screen) -> Result<Exit> {
    let which = &arguments.which;
    let chosen = Chosen::open(&which.chosen(), Places::LakeAndStaging, screen).await?;
    let rows = which.rows();
    let discarded = chosen.each(async |table| {
        let source = &table.source;
        let found = match Box::pin(inspect::quarantined_rows(&chosen.pipeline, table, &rows)).await {
            Ok(found) => found.unwrap_or_default(),
            Err(error) => return Ok(TableEnd::refused_by(&error, source, screen)),
        };
        if found.is_empty() {
            screen.line(format_args!("{source}: no such row in quarantine"))?;
            return Ok(TableEnd::Attention);
        }
        screen.line(format_args!(
            "{source}: {} in quarantine are lost: the table lacks them until they change again at the \
             source, or DMS loads it again",
            plural(found.len() as u64, "row")
        ))?;
        if !screen.is_agreed(which.yes, source, "discard them") {
            return Ok(TableEnd::Attention);
        }
        match Box::pin(chosen.pipeline.discard_quarantined(table, &rows)).await {
            Ok(given_up) => {
                let rows = plural(given_up.len() as u64, "row");
                screen.line(format_args!("{source}: {rows} discarded"))?;
                Ok(TableEnd::Done)
            }
            Err(error) => Ok(TableEnd::refused_by(&error, source, screen)),
        }
    });
    Ok(discarded.await?.exit())
}
