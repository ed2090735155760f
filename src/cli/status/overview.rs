//! Many tables: what is wrong first, then totals.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};

use crate::cli::output::{
    Align, Grid, Palette, Row, bytes, count, or_dash, plural, span, span_or_dash, tallied, wrapped,
};
use crate::clock::seconds_between;
use crate::inspect::{State, TableStatus};

/// So many tables with which all is well have a line of their own.
const MOST_WELL: usize = 40;

/// What a column shows.
struct Column {
    heading: &'static str,
    align: Align,
    cell: fn(&TableStatus, DateTime<Utc>) -> String,
}

/// The columns that are always shown, and those for which there may be room, in order.
const COLUMNS: [Column; 10] = [
    Column { heading: "table", align: Align::Left, cell: |it, _| it.table.clone() },
    Column { heading: "state", align: Align::Left, cell: |it, _| it.state.as_str().to_owned() },
    Column {
        heading: "behind",
        align: Align::Right,
        cell: |it, _| span_or_dash(it.lag.behind_seconds),
    },
    Column { heading: "pending", align: Align::Right, cell: |it, _| count(it.pending.objects) },
    Column { heading: "rows", align: Align::Right, cell: |it, _| count(it.rows) },
    Column { heading: "version", align: Align::Right, cell: |it, _| version(it) },
    Column { heading: "last commit", align: Align::Right, cell: last_commit },
    Column { heading: "files", align: Align::Right, cell: |it, _| count(it.files) },
    Column { heading: "size", align: Align::Right, cell: |it, _| bytes(it.bytes) },
    Column { heading: "quarantined", align: Align::Right, cell: |it, _| count(it.quarantined) },
];
const ALWAYS: usize = 6;

/// The lines about these tables, for a screen of that width.
pub(super) fn lines(
    tables: &[TableStatus],
    now: DateTime<Utc>,
    width: usize,
    is_all: bool,
    palette: Palette,
) -> Vec<String> {
    let mut sorted: Vec<&TableStatus> = tables.iter().collect();
    sorted.sort_by_key(|it| (it.state, Reverse(it.lag.behind_seconds)));
    let wrong = sorted.iter().filter(|it| it.state != State::Ok).count();
    let most = if is_all { sorted.len() } else { wrong + MOST_WELL };
    let left_out = sorted.len().saturating_sub(most);
    sorted.truncate(most);

    let cells =
        |table: &&TableStatus| COLUMNS.iter().map(|column| (column.cell)(table, now)).collect();
    let mut rows: Vec<Row> = sorted.iter().map(cells).collect();
    let headings = COLUMNS.map(|column| (column.heading, column.align));
    let grid = Grid::fitting(&headings, ALWAYS, &mut rows, width).styled(palette);
    let mut lines = Vec::new();
    if !rows.is_empty() {
        lines.push(grid.header(palette));
    }
    for (table, row) in sorted.iter().zip(&rows) {
        let line = grid.row(row);
        let is_bad = matches!(table.state, State::Held | State::Unreadable);
        lines.push(if is_bad { palette.bad(line) } else { line });
        lines.extend(remarks(table, now, width, palette));
    }
    if left_out > 0 {
        let more = plural(left_out as u64, "more table");
        lines.push(palette.faint(format_args!("{more}, ok; --all shows every table")));
    }
    lines.push(totals(tables));
    lines
}

/// Why a table is not ok, and what to type.
pub(super) fn remarks(
    table: &TableStatus,
    now: DateTime<Utc>,
    width: usize,
    palette: Palette,
) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(reason) = &table.reason {
        let since = table.since.map(|it| format!(" (for {})", span(seconds_between(it, now))));
        lines.extend(wrapped(&format!("{reason}{}", since.unwrap_or_default()), "  ", width));
    }
    if let Some(next) = &table.next {
        lines.push(format!("  next: {}", palette.strong(next)));
    }
    lines
}

fn version(table: &TableStatus) -> String {
    or_dash(table.version, |version| version.to_string())
}

fn last_commit(table: &TableStatus, now: DateTime<Utc>) -> String {
    let at = table.last_commit.as_ref().and_then(|commit| commit.at);
    or_dash(at, |at| format!("{} ago", span(seconds_between(at, now))))
}

/// How tables stand: `3 ok, 1 held`.
pub(in crate::cli) fn states(tables: impl Iterator<Item = State>) -> String {
    let tables: Vec<State> = tables.collect();
    tallied(State::ALL.into_iter().rev(), &tables, |state| state.as_str())
}

/// One sentence about all tables.
fn totals(tables: &[TableStatus]) -> String {
    let sum = |of: fn(&TableStatus) -> u64| tables.iter().map(of).sum::<u64>();
    format!(
        "{}: {}; {} rows, {}, {} pending of {}",
        plural(tables.len() as u64, "table"),
        states(tables.iter().map(|it| it.state)),
        count(sum(|it| it.rows)),
        bytes(sum(|it| it.bytes)),
        plural(sum(|it| it.pending.objects), "object"),
        bytes(sum(|it| it.pending.bytes)),
    )
}
