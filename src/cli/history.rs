//! `dmslake history`: the commits of a table.

use futures::{StreamExt as _, TryStreamExt as _};

use super::args::HistoryArguments;
use super::chosen::{Chosen, OpenTable, Places, TableEnd};
use super::exit::Exit;
use super::output::{Align, Grid, Palette, Results, Row, Screen, bytes, count, or_dash};
use crate::clock::shown;
use crate::error::Result;
use crate::inspect::{self, HistoryEntry};

const HEADINGS: [(&str, Align); 9] = [
    ("version", Align::Right),
    ("when", Align::Left),
    ("who", Align::Left),
    ("operation", Align::Left),
    ("objects", Align::Right),
    ("ins", Align::Right),
    ("upd", Align::Right),
    ("del", Align::Right),
    ("written", Align::Right),
];

/// Shows the newest commits of the chosen table.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used, `StoreRefused` if the lake
/// cannot be used, `Unavailable` if it does not answer or the result cannot be written.
pub(super) async fn run(arguments: &HistoryArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.table.chosen(), Places::Lake, screen).await?;
    let results = Results::new(screen, arguments.json);
    let shown = chosen.each_open(async |OpenTable { spec, table, .. }: OpenTable<'_>| {
        let name = spec.source.to_string();
        let commits = inspect::history(&table, &name, arguments.objects);
        let commits: Vec<HistoryEntry> = commits.take(arguments.limit.get()).try_collect().await?;
        for commit in &commits {
            results.print(commit, |_, _| Vec::new())?;
        }
        results.print_for_people(|palette| lines(&commits, palette))?;
        Ok(TableEnd::Done)
    });
    Ok(shown.await?.exit())
}

fn lines(commits: &[HistoryEntry], palette: Palette) -> Vec<String> {
    let mut grid = Grid::new(&HEADINGS).styled(palette);
    let rows: Vec<Row> = commits.iter().map(cells).collect();
    grid.fit(&rows);
    let mut lines = vec![grid.header(palette)];
    for (commit, row) in commits.iter().zip(&rows) {
        lines.push(grid.row(row));
        for object in commit.intake.iter().flatten() {
            let part = if object.from > 0 || !object.done {
                format!("rows {} to {} ", object.from + 1, object.from + object.rows)
            } else {
                format!("{} rows ", count(object.rows))
            };
            lines.push(palette.faint(format_args!(
                "    {part}of {}, {}, staged {}",
                object.object,
                bytes(object.bytes),
                shown(object.staged)
            )));
        }
    }
    lines
}

fn cells(commit: &HistoryEntry) -> Row {
    let number = |number: Option<u64>| or_dash(number, count);
    let when = or_dash(commit.at, |at| at.format("%m-%d %H:%M:%S").to_string());
    vec![
        commit.version.to_string(),
        when,
        commit.writer.clone(),
        commit.operation.clone().unwrap_or_else(|| "-".to_owned()),
        number(commit.objects),
        number(commit.inserted),
        number(commit.updated),
        number(commit.deleted),
        or_dash(commit.bytes_written, bytes),
    ]
}
