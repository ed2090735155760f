//! `dmslake replay`: what is staged for a table, applied again into a folder.

mod folder;

use super::args::ReplayArguments;
use super::chosen::{Chosen, Places, TableEnd};
use super::exit::Exit;
use super::output::{Palette, Results, Screen, count, plural};
use super::progress_bar::TableProgress;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::{self, Comparison, Replayed, Until};
use folder::Folder;

/// Replays the chosen table.
///
/// # Errors
/// `Config` for a configuration, a table name, a bound or a folder that cannot be used,
/// `StoreRefused` if staging or the lake cannot be used.
pub(super) async fn run(arguments: &ReplayArguments, screen: &Screen) -> Result<Exit> {
    let until = until(arguments)?;
    let chosen = Chosen::open(&arguments.table.chosen(), Places::LakeAndStaging, screen).await?;
    let results = Results::new(screen, arguments.json);
    let replayed = chosen.each(async |spec| {
        let folder = Folder::create(&arguments.into, &chosen.pipeline, arguments.force).await?;
        let name = spec.source.to_string();
        let progress = TableProgress::begin(screen, &name, name.len());
        let (pipeline, limits) = (&chosen.pipeline, &chosen.limits);
        let replayed =
            inspect::replay(pipeline, spec, folder.lake(), &until, limits, &progress).await;
        drop(progress);
        let replayed = replayed?;
        results.print(&replayed, lines)?;
        Ok(TableEnd::of(replayed.is_well(), None))
    });
    Ok(replayed.await?.exit())
}

/// The bound that the arguments name.
fn until(arguments: &ReplayArguments) -> Result<Until> {
    let rows = arguments.rows;
    match (arguments.until.clone(), rows) {
        (None, _) => Ok(Until::Everything),
        (Some(Until::Object { name, .. }), rows) => Ok(Until::Object { name, rows }),
        (Some(until), None) => Ok(until),
        (Some(_), Some(rows)) => {
            let message = "--rows is about an object, and --until names none";
            Err(Error::new(ErrorKind::Config, message).with("--rows", rows))
        }
    }
}

fn lines(replayed: &Replayed, palette: Palette) -> Vec<String> {
    let table = &replayed.table;
    let mut lines = Vec::new();
    if replayed.version.is_some() {
        let part = match (&replayed.last_object, replayed.last_rows) {
            (Some(object), Some(rows)) => format!(", and {} of {object}", plural(rows, "row")),
            _ => String::new(),
        };
        let (objects, changes) =
            (plural(replayed.objects, "object"), plural(replayed.changes.rows, "change"));
        let rows = plural(replayed.rows, "row");
        lines.push(format!("{table}: {objects}{part} applied again: {changes}, {rows}"));
        lines.push(format!("  {}", replayed.location));
    } else if replayed.done {
        lines.push(format!("{table}: there is nothing to apply up to there"));
    }
    if !replayed.done {
        let reason = replayed.reason.as_deref().unwrap_or("it was not applied");
        lines.push(format!("{} {reason}", palette.bad("not done:")));
        lines.extend(replayed.remedy.iter().map(|remedy| format!("  {remedy}")));
    }
    match &replayed.compared {
        Some(compared) => lines.push(compared_line(compared, palette)),
        None if replayed.done => {
            lines.push("  not compared: no version of the table has taken in just that".to_owned());
        }
        None => {}
    }
    lines.extend(replayed.remarks.iter().map(|remark| palette.faint(format_args!("  {remark}"))));
    lines
}

fn compared_line(compared: &Comparison, palette: Palette) -> String {
    let version = compared.version;
    if compared.equal {
        let equal = palette.good(format_args!("equal to version {version} of the table"));
        return format!("  {equal}");
    }
    let mut how = Vec::new();
    let counted = [
        (compared.only_in_replay, "only in the replay"),
        (compared.differing, "with other values"),
        (compared.only_in_table, "only in the table"),
    ];
    for (rows, where_they_are) in counted {
        if let Some(rows) = rows.filter(|rows| *rows > 0) {
            how.push(format!("{} {where_they_are}", plural(rows, "row")));
        }
    }
    how.extend(
        compared.uncounted.map(|why| format!("{why} ({} in the table)", count(compared.rows))),
    );
    if !compared.columns.is_empty() {
        how.push(format!("columns that differ: {}", compared.columns.join(", ")));
    }
    if !compared.foreign_versions.is_empty() {
        let versions: Vec<String> =
            compared.foreign_versions.iter().map(ToString::to_string).collect();
        how.push(format!("other writers changed rows in version {}", versions.join(", ")));
    }
    let unequal = palette.bad(format_args!("differs from version {version} of the table:"));
    format!("  {unequal} {}", how.join("; "))
}
