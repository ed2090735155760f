//! `dmslake bisect`: the change after which a check of a table fails.

use super::args::BisectArguments;
use super::chosen::{Chosen, Places, TableEnd};
use super::exit::Exit;
use super::output::{Palette, Results, Screen, plural};
use super::progress_bar::{LOOKING, begin};
use crate::clock::shown;
use crate::error::Result;
use crate::inspect::{self, Bisected, Check, CulpritCommit, CulpritRow, Evaluated};

/// Searches for the change of the chosen table.
///
/// # Errors
/// `Config` for a configuration, a table name or a query that cannot be used, `StoreRefused` if
/// staging or the lake cannot be used.
pub(super) async fn run(arguments: &BisectArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.table.chosen(), Places::LakeAndStaging, screen).await?;
    let results = Results::new(screen, arguments.json);
    let check = Check::new(arguments.check.as_str());
    let searched = chosen.each(async |spec| {
        let bar = begin(screen, LOOKING);
        bar.set_prefix(spec.source.to_string());
        let watcher = |evaluated: Evaluated<'_>| {
            let Evaluated { checks, at, fails } = evaluated;
            let verdict = if fails { "fails" } else { "holds" };
            bar.set_message(format!("{}: {verdict} at {at}", plural(checks, "check")));
        };
        let (pipeline, limits) = (&chosen.pipeline, &chosen.limits);
        let found = Box::pin(inspect::bisect(pipeline, spec, &check, limits, &watcher)).await;
        bar.finish_and_clear();
        let found = found?;
        results.print(&found, lines)?;
        Ok(TableEnd::of(found.found, None))
    });
    Ok(searched.await?.exit())
}

fn lines(found: &Bisected, palette: Palette) -> Vec<String> {
    let mut lines = Vec::new();
    let checks = plural(found.checks, "check");
    let heading = if found.found { "found" } else { "not found" };
    lines.push(format!(
        "{}: {} after {checks} of the versions up to {}",
        found.table,
        palette.strong(heading),
        found.newest
    ));
    if let Some(commit) = &found.commit {
        lines.push(format!("  commit   {}", commit_line(commit)));
    }
    if let Some(object) = &found.object {
        lines.push(format!("  object   {object}"));
    }
    if let Some(row) = &found.row {
        lines.push(format!("  row      {}", row_line(row)));
    }
    if found.replayed {
        lines.push(palette.faint("  older versions can no longer be read: staging was replayed"));
    }
    lines.extend(found.reason.iter().map(|reason| format!("  {reason}")));
    lines.extend(found.next.iter().map(|command| palette.faint(format_args!("  {command}"))));
    lines
}

fn commit_line(commit: &CulpritCommit) -> String {
    let CulpritCommit { version, at, writer, operation, changes_rows, .. } = commit;
    let operation = operation.as_deref().unwrap_or("an unnamed operation");
    let at = at.map(|at| format!(", {}", shown(at))).unwrap_or_default();
    let rows = if *changes_rows { "" } else { ", which changed no row" };
    format!("version {version}: {operation} by {writer}{at}{rows}")
}

fn row_line(row: &CulpritRow) -> String {
    let key: Vec<String> =
        row.key.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    let of = if key.is_empty() { String::new() } else { format!(" of {}", key.join(", ")) };
    let sequence = row.change_sequence.as_ref();
    let sequence = sequence.map(|it| format!(", change sequence {it}")).unwrap_or_default();
    let time = row.source_time.map(|at| format!(", at the source {}", shown(at)));
    format!("{}: {}{of}{sequence}{}", row.number, row.operation, time.unwrap_or_default())
}
