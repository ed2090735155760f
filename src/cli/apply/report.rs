//! The status of tables after an application: a grid for people, or a line of JSON each.

use serde::Serialize;

use crate::cli::output::{Align, Grid, Palette, Results, count, count_cells, plural, seconds};
use crate::config::TableName;
use crate::error::Result;
use crate::nearest::nearest;
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
/// Rows come one by one, so the widths are fixed beforehand: nine digits with separators.
const COUNT_WIDTH: usize = 11;
/// `99 min 59 s`.
const TIME_WIDTH: usize = 11;

/// Prints reports as they come.
#[derive(Debug)]
pub(super) struct Reports<'a> {
    results: Results<'a>,
    grid: Grid,
    /// Warnings that concern all tables. They are logged already.
    warned: Vec<String>,
}

/// The last line of JSON.
#[derive(Serialize)]
struct Rest {
    absent: Vec<Absent>,
    unconfigured: Vec<String>,
}

/// A table for which there is nothing, and the staged table that is probably meant.
#[derive(Serialize)]
struct Absent {
    table: String,
    nearest: Option<String>,
}

impl<'a> Reports<'a> {
    /// Prints the headings, for tables whose names are at most `width` long. Warnings in `warned`
    /// are not repeated to people.
    pub(super) fn begin(results: Results<'a>, width: usize, warned: Vec<String>) -> Result<Self> {
        let mut grid = Grid::new(&HEADINGS);
        grid.widen(0, width);
        for column in 3..=6 {
            grid.widen(column, COUNT_WIDTH);
        }
        grid.widen(HEADINGS.len() - 1, TIME_WIDTH);
        results.print_for_people(|palette| grid.header(palette))?;
        Ok(Self { results, grid, warned })
    }

    /// Prints the report of one table.
    pub(super) fn table(&self, report: &TableReport) -> Result<()> {
        self.results.print(report, |report, palette| self.lines(report, palette))
    }

    /// Prints what concerns all tables together: tables for which there is nothing, and staged
    /// tables that no `[[table]]` names. Returns whether one of the former is probably one of the
    /// latter, misspelled.
    pub(super) fn rest(&self, absent: &[String], unconfigured: &[TableName]) -> Result<bool> {
        let unconfigured: Vec<String> = unconfigured.iter().map(TableName::to_string).collect();
        let absent = absent.iter().map(|table| {
            let nearest = nearest(table, &unconfigured).cloned();
            Absent { table: table.clone(), nearest }
        });
        let rest = Rest { absent: absent.collect(), unconfigured };
        self.results.print(&rest, |rest, _palette| rest.lines())?;
        Ok(rest.absent.iter().any(|absent| absent.nearest.is_some()))
    }

    fn lines(&self, report: &TableReport, palette: Palette) -> Vec<String> {
        let version = report.version.map_or_else(|| "-".into(), |version| version.to_string());
        let mut cells = vec![report.table.clone(), status(report.status).into()];
        cells.push(count(report.objects));
        cells.extend(count_cells(&report.counts));
        cells.extend([version, seconds(report.seconds)]);
        let line = self.grid.row(&cells);
        let line = if report.status == Status::Ok { line } else { palette.bad(line) };
        let remarks = remarks(report, &self.warned).into_iter();
        std::iter::once(line).chain(remarks.map(|remark| format!("  {remark}"))).collect()
    }
}

impl Rest {
    fn lines(&self) -> Vec<String> {
        let absent = self.absent.iter().map(|Absent { table, nearest }| {
            let meant = match nearest {
                Some(name) => format!("did you mean {name}, which is staged?"),
                None => "if it is empty at the source, its first row will create it".to_owned(),
            };
            format!("{table}: nothing is staged for it, and there is no table; {meant}")
        });
        let mut lines: Vec<String> = absent.collect();
        if !self.unconfigured.is_empty() {
            let names = self.unconfigured.join(", ");
            lines.push(format!("staged, but in no [[table]]: {names}"));
        }
        lines
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Held => "held",
        Status::Failed => "failed",
    }
}

/// What the columns do not show, most important first.
fn remarks(report: &TableReport, warned: &[String]) -> Vec<String> {
    let mut remarks: Vec<String> = report.error.iter().cloned().collect();
    if let Some(since) = report.held_since {
        remarks.push(format!("held since {}", since.format("%Y-%m-%d %H:%M:%S UTC")));
    }
    let warnings = report.warnings.iter().filter(|warning| !warned.contains(warning));
    remarks.extend(warnings.map(|warning| format!("warning: {warning}")));
    if report.pending > 0 {
        remarks.push(format!("{} not applied yet", plural(report.pending, "object")));
    }
    if report.in_quarantine > 0 {
        let waiting = plural(report.in_quarantine, "row");
        remarks.push(format!(
            "{waiting} in quarantine, {} of them new",
            count(report.counts.quarantined)
        ));
    }
    if report.before_load > 0 {
        let objects = plural(report.before_load, "change object");
        remarks.push(format!("{objects} from before the full load not applied"));
    }
    for commit in &report.foreign_commits {
        remarks.push(format!("another writer changed rows: {commit}"));
    }
    if report.replayed > 0 {
        let objects = plural(report.replayed, "object");
        remarks.push(format!("{objects} written again by DMS after a resume"));
    }
    if !report.foreign.is_empty() {
        let names = report.foreign.join(", ");
        remarks.push(format!("not applied, since DMS gives no such names: {names}"));
    }
    if !report.late.is_empty() {
        remarks.push(format!("late: {}", report.late.join(", ")));
    }
    if !report.vanished.is_empty() {
        remarks.push(format!("vanished: {}", report.vanished.join(", ")));
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_documented_keys_in_order() {
        let report = TableReport { table: "shop.orders".into(), ..TableReport::default() };
        let text = serde_json::to_string(&report).expect("serialisable");
        assert_eq!(
            text,
            "{\"table\":\"shop.orders\",\"status\":\"ok\",\"objects\":0,\"rows\":0,\
             \"inserted\":0,\"updated\":0,\"deleted\":0,\"superseded\":0,\"ignored\":0,\
             \"quarantined\":0,\"in_quarantine\":0,\"before_load\":0,\"replayed\":0,\"version\":null,\"seconds\":0.0,\
             \"requests\":{\"get\":0,\"head\":0,\"list\":0,\"put\":0,\"delete\":0},\
             \"foreign\":[],\"late\":[],\"vanished\":[],\"foreign_commits\":[],\"held_since\":null,\"pending\":0,\
             \"absent\":false,\"oldest_pending_seconds\":0,\"warnings\":[],\"error\":null,\"kind\":null}"
        );
    }

    #[test]
    fn a_held_table_says_why_first() {
        let report = TableReport {
            status: Status::Held,
            error: Some("late object".into()),
            pending: 2,
            late: vec!["a.csv".into()],
            ..TableReport::default()
        };
        let shown = remarks(&report, &[]);
        assert_eq!(shown, ["late object", "2 objects not applied yet", "late: a.csv"]);
    }

    #[test]
    fn a_warning_about_all_tables_is_not_repeated_for_each() {
        let warnings = vec!["about all".to_owned(), "about this one".to_owned()];
        let report = TableReport { warnings, ..TableReport::default() };
        assert_eq!(remarks(&report, &["about all".to_owned()]), ["warning: about this one"]);
    }
}
