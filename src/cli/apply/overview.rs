//! What became of many tables, for people: what is wrong first, then what was done, then totals.

use std::cmp::Reverse;

use super::remarks::remarks;
use crate::cli::output::{Align, Grid, Palette, Row, count, count_cells, plural, seconds, tallied};
use crate::disposition::{Action, disposition};
use crate::pipeline::{Status, TableReport};

const HEADINGS: [(&str, Align); 11] = [
    ("table", Align::Left),
    ("status", Align::Left),
    ("objects", Align::Right),
    ("rows", Align::Right),
    ("inserted", Align::Right),
    ("updated", Align::Right),
    ("deleted", Align::Right),
    ("superseded", Align::Right),
    ("ignored", Align::Right),
    ("version", Align::Right),
    ("time", Align::Right),
];

/// So many tables in which nothing is wrong have a line of their own: those with the most rows.
const MOST_APPLIED: usize = 20;

/// Which tables have a line of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Those with which something is wrong, and those to which most was applied.
    Notable,
    /// Every table.
    All,
}

/// How a table stands, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Failed,
    Held,
    /// Held by something that ends by itself, or paused.
    Waits,
    Unfinished,
    /// Caught up, but there is something to be said.
    Remarked,
    Applied,
    Idle,
}

impl Standing {
    const ALL: [Self; 7] = [
        Self::Failed,
        Self::Held,
        Self::Waits,
        Self::Unfinished,
        Self::Remarked,
        Self::Applied,
        Self::Idle,
    ];

    fn of(report: &TableReport, remarks: &[String]) -> Self {
        let waits = |kind| disposition(kind).action == Action::Wait;
        match report.status {
            Status::Failed => Self::Failed,
            Status::Held if report.error_kind.is_some_and(waits) => Self::Waits,
            Status::Held => Self::Held,
            Status::Ok if !report.is_caught_up() => Self::Unfinished,
            Status::Ok if !remarks.is_empty() => Self::Remarked,
            Status::Ok if report.objects > 0 => Self::Applied,
            Status::Ok => Self::Idle,
        }
    }

    /// As the sentence about all tables puts it.
    fn phrase(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Held => "held",
            Self::Waits => "waiting",
            Self::Unfinished => "not caught up",
            Self::Remarked => "with remarks",
            Self::Applied => "applied",
            Self::Idle => "with nothing to do",
        }
    }
}

/// One table.
struct Entry<'a> {
    report: &'a TableReport,
    remarks: Vec<String>,
    standing: Standing,
}

impl<'a> Entry<'a> {
    fn of(report: &'a TableReport, warned: &[String]) -> Self {
        let remarks = remarks(report, warned);
        Self { report, standing: Standing::of(report, &remarks), remarks }
    }
}

/// The lines about these tables, given in the configuration's order; all took so many seconds
/// together. Warnings in `warned` are not repeated.
pub(super) fn overview(
    reports: &[&TableReport],
    took: f64,
    shown: Shown,
    warned: &[String],
    palette: Palette,
) -> Vec<String> {
    let mut entries: Vec<Entry<'_>> =
        reports.iter().map(|report| Entry::of(report, warned)).collect();
    // The sort is stable: otherwise the order is the configuration's.
    entries.sort_by_key(|entry| (entry.standing, Reverse(entry.report.oldest_pending_seconds)));
    let totals = totals(&entries);
    let is_alone = entries.len() == 1;
    let left_out = if shown == Shown::Notable && !is_alone { leave_out(&mut entries) } else { 0 };

    let mut rows: Vec<Row> = entries.iter().map(|entry| cells(entry.report)).collect();
    if !is_alone && !entries.is_empty() {
        rows.push(totals_row(reports, took));
    }
    let mut grid = Grid::new(&HEADINGS).styled(palette);
    grid.fit(&rows);
    let mut lines = Vec::new();
    if !rows.is_empty() {
        lines.push(grid.header(palette));
    }
    for (entry, row) in entries.iter().zip(&rows) {
        let line = grid.row(row);
        let is_ok = entry.report.status == Status::Ok;
        lines.push(if is_ok { line } else { palette.bad(line) });
        lines.extend(entry.remarks.iter().map(|remark| format!("  {remark}")));
    }
    if left_out > 0 {
        let more = plural(left_out as u64, "more table");
        lines.push(palette.faint(format_args!("{more} with changes; --all shows every table")));
    }
    if let Some(row) = rows.get(entries.len()) {
        lines.push(grid.row(row));
    }
    if !is_alone {
        lines.push(totals);
    }
    lines
}

/// Takes away the tables that need no line of their own; gives the number of those to which
/// something was applied.
fn leave_out(entries: &mut Vec<Entry<'_>>) -> usize {
    entries.retain(|entry| entry.standing != Standing::Idle);
    let first = entries.partition_point(|entry| entry.standing < Standing::Applied);
    let applied = &mut entries[first..];
    if applied.len() <= MOST_APPLIED {
        return 0;
    }
    applied.sort_by_key(|entry| Reverse(entry.report.counts.rows));
    let left_out = applied.len() - MOST_APPLIED;
    entries.truncate(first + MOST_APPLIED);
    left_out
}

fn cells(report: &TableReport) -> Row {
    let version = report.version.map_or_else(|| "-".into(), |version| version.to_string());
    row(&report.table, status(report.status), report, version)
}

fn totals_row(reports: &[&TableReport], took: f64) -> Row {
    let none = TableReport { seconds: took, ..TableReport::default() };
    let all = reports.iter().fold(none, |mut all, report| {
        all.objects += report.objects;
        all.counts += report.counts;
        all
    });
    row("all", "", &all, String::new())
}

fn row(table: &str, status: &str, report: &TableReport, version: String) -> Row {
    let mut cells = vec![table.to_owned(), status.to_owned(), count(report.objects)];
    cells.extend(count_cells(&report.counts));
    cells.extend([version, seconds(report.seconds)]);
    cells
}

/// One sentence about all tables: `300 tables: 1 held, 12 applied, 287 with nothing to do`.
fn totals(entries: &[Entry<'_>]) -> String {
    let standings: Vec<Standing> = entries.iter().map(|entry| entry.standing).collect();
    let told = tallied(Standing::ALL, &standings, |standing| standing.phrase());
    format!("{}: {told}", plural(entries.len() as u64, "table"))
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Held => "held",
        Status::Failed => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::progress::Counts;

    fn table(number: u64, status: Status, objects: u64) -> TableReport {
        let counts = Counts { rows: 10 * objects * number, ..Counts::default() };
        TableReport {
            table: format!("shop.t{number}"),
            status,
            objects,
            counts,
            ..TableReport::default()
        }
    }

    fn shown(reports: &[TableReport], shown: Shown) -> Vec<String> {
        let reports: Vec<&TableReport> = reports.iter().collect();
        overview(&reports, 1.5, shown, &[], Palette::none())
    }

    fn three_hundred() -> Vec<TableReport> {
        let mut reports: Vec<TableReport> =
            (0..300).map(|number| table(number, Status::Ok, u64::from(number % 3 == 0))).collect();
        let held = |number, kind, since| TableReport {
            error: Some("why".into()),
            error_kind: Some(kind),
            oldest_pending_seconds: since,
            ..table(number, Status::Held, 0)
        };
        reports[7] = held(7, ErrorKind::Paused, 9_000);
        reports[100] = held(100, ErrorKind::LateObject, 10);
        reports[200] = held(200, ErrorKind::LateObject, 5_000);
        reports[250] = table(250, Status::Failed, 0);
        reports
    }

    #[test]
    fn what_is_wrong_comes_first_and_three_hundred_tables_fit_a_terminal() {
        let lines = shown(&three_hundred(), Shown::Notable);
        let named: Vec<&str> =
            lines.iter().filter_map(|line| line.split_whitespace().next()).collect();
        let first =
            ["table", "shop.t250", "shop.t200", "why", "shop.t100", "why", "shop.t7", "why"];
        assert_eq!(named[..8], first, "the longest held first: {lines:#?}");
        assert_eq!(named[8], "shop.t297", "then most rows first: {lines:#?}");
        assert_eq!(lines.len(), 8 + MOST_APPLIED + 3, "{lines:#?}");
        let [.., more, all, totals] = &lines[..] else { panic!("{lines:#?}") };
        assert_eq!(more, "80 more tables with changes; --all shows every table");
        assert!(all.starts_with("all "), "{all}");
        let sentence =
            "300 tables: 1 failed, 2 held, 1 waiting, 100 applied, 196 with nothing to do";
        assert_eq!(totals, sentence);
    }

    #[test]
    fn all_has_a_line_for_each_table() {
        let lines = shown(&three_hundred(), Shown::All);
        let tables = lines.iter().filter(|line| line.starts_with("shop.t")).count();
        assert_eq!(tables, 300);
    }

    #[test]
    fn where_nothing_was_done_one_line_says_so_unless_it_is_one_table() {
        let idle: Vec<TableReport> = (0..9).map(|number| table(number, Status::Ok, 0)).collect();
        assert_eq!(shown(&idle, Shown::Notable), ["9 tables: 9 with nothing to do"]);
        let alone = shown(&idle[..1], Shown::Notable);
        assert!(alone.len() == 2 && alone[1].starts_with("shop.t0 "), "{alone:?}");
    }
}
