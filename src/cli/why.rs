//! `dmslake why`: the life of a row.

use super::args::WhyArguments;
use super::chosen::{Chosen, Places, TableEnd};
use super::exit::Exit;
use super::output::{Palette, Results, Screen, plural, wrapped};
use crate::clock::shown;
use crate::error::Result;
use crate::inspect::{self, RowEvent, RowLife, StagedChange, Values};

/// Tells the life of a row of the chosen table.
///
/// # Errors
/// `Config` for a configuration, a table or a key that cannot be used, `StoreRefused` if staging or
/// the lake cannot be used, `Unavailable` if one of them does not answer or the result cannot be
/// written.
pub(super) async fn run(arguments: &WhyArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.table.chosen(), Places::LakeAndStaging, screen).await?;
    let results = Results::new(screen, arguments.json);
    let told = chosen.each(async |table| {
        let found = inspect::why(&chosen.pipeline, table, &arguments.key, arguments.since);
        let Some(life) = Box::pin(found).await? else {
            return Ok(TableEnd::without_table(&table.source, screen));
        };
        results.print(&life, |life, palette| lines(life, screen.width(), palette))?;
        Ok(if life.events.is_empty() { TableEnd::Attention } else { TableEnd::Done })
    });
    Ok(told.await?.exit())
}

fn lines(life: &RowLife, width: usize, palette: Palette) -> Vec<String> {
    let key = pairs(&life.key);
    let state = if life.row.is_some() { "is there" } else { "is not there" };
    let mut lines =
        vec![palette.strong(format_args!("{}: {key} {state} in version {}", life.table, life.to))];
    if life.events.is_empty() {
        lines.push(format!("  no version from {} to {} has touched it", life.from, life.to));
    }
    for event in &life.events {
        lines.extend(of_event(event, &life.key, width, palette));
    }
    for gap in &life.gaps {
        lines.extend(wrapped(&format!("not told: {gap}"), "  ", width));
    }
    let read = &life.read;
    lines.push(palette.faint(format_args!(
        "read: {}, {}, {}",
        plural(read.commits, "commit"),
        plural(read.data_files, "data file"),
        plural(read.objects, "staged object"),
    )));
    lines
}

fn of_event(event: &RowEvent, key: &Values, width: usize, palette: Palette) -> Vec<String> {
    let at = event.at.map(|at| format!(", {}", shown(at))).unwrap_or_default();
    let by = match &event.operation {
        Some(operation) => format!("{operation} by {}", event.writer),
        None => format!("by {}", event.writer),
    };
    let mut lines = vec![match event.change {
        Some(change) => format!("version {}: {} ({by}{at})", event.version, palette.strong(change)),
        None => format!("version {}: there already", event.version),
    }];
    let values = match (event.change, &event.before, &event.after) {
        (Some("updated"), Some(before), Some(after)) => {
            let change = |name: &String| {
                let value =
                    |image: &Values| text(image.get(name).and_then(Option::as_deref)).to_owned();
                format!("{name}: {} -> {}", value(before), value(after))
            };
            event.columns.iter().map(change).collect::<Vec<_>>().join(", ")
        }
        (_, _, Some(image)) | (_, Some(image), None) => {
            let others = image.iter().filter(|(name, _)| !key.contains_key(*name));
            let others: Values =
                others.map(|(name, value)| (name.clone(), value.clone())).collect();
            pairs(&others)
        }
        _ => String::new(),
    };
    lines.extend(wrapped(&values, "    ", width));
    lines.extend(event.changes.iter().map(|change| of_change(change, palette)));
    lines
}

fn of_change(change: &StagedChange, palette: Palette) -> String {
    let told = [
        change.change_sequence.as_ref().map(|sequence| format!(", sequence {sequence}")),
        change.source_time.as_ref().map(|time| format!(", at the source {time}")),
    ];
    let told: String = told.into_iter().flatten().collect();
    let StagedChange { op, row, object, won, .. } = change;
    let line = format!("    {op} in row {row} of {object}{told}");
    if *won { line } else { palette.faint(format_args!("{line}: lost to a newer one")) }
}

fn pairs(values: &Values) -> String {
    let pairs = values.iter().map(|(name, value)| format!("{name}={}", text(value.as_deref())));
    pairs.collect::<Vec<_>>().join(", ")
}

fn text(value: Option<&str>) -> &str {
    value.unwrap_or("NULL")
}
