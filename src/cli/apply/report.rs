//! How tables stand after an application: a table for people, or a line of JSON each.

use serde::Serialize;

use crate::cli::output::{Align, Grid, Screen, count, plural, seconds};
use crate::config::TableName;
use crate::error::{Error, ErrorKind, Result};
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
/// Rows come one by one, so their widths are chosen beforehand: nine digits with separators.
const COUNT_WIDTH: usize = 11;
/// `99 min 59 s`.
const TIME_WIDTH: usize = 11;

/// Writes reports as they come.
#[derive(Debug)]
pub(super) struct Reports<'a> {
    screen: &'a Screen,
    form: Form,
    /// Warnings that are about no one table, and are said already.
    said: Vec<String>,
}

#[derive(Debug)]
enum Form {
    Json,
    Human(Grid),
}

/// The last line of JSON.
#[derive(Serialize)]
struct Rest {
    absent: Vec<Absent>,
    unconfigured: Vec<String>,
}

/// A table of which there is nothing, and the staged one that may be meant.
#[derive(Serialize)]
struct Absent {
    table: String,
    nearest: Option<String>,
}

impl<'a> Reports<'a> {
    /// Reports as JSON lines or under the headings of a table; names are at most `width` long.
    /// People are not told again what is `said` already.
    pub(super) fn begin(
        screen: &'a Screen,
        json: bool,
        width: usize,
        said: Vec<String>,
    ) -> Result<Self> {
        if json {
            return Ok(Self { screen, form: Form::Json, said });
        }
        let mut grid = Grid::new(&HEADINGS);
        grid.widen(0, width);
        for column in 3..=6 {
            grid.widen(column, COUNT_WIDTH);
        }
        grid.widen(HEADINGS.len() - 1, TIME_WIDTH);
        screen.line(grid.header(screen.palette()))?;
        Ok(Self { screen, form: Form::Human(grid), said })
    }

    /// One table.
    pub(super) fn table(&self, report: &TableReport) -> Result<()> {
        match &self.form {
            Form::Json => self.json(report),
            Form::Human(grid) => self.human(grid, report),
        }
    }

    /// What is known of all tables together: those of which there is nothing, and staged tables that
    /// no `[[table]]` takes. Says whether one of the former is likely to be one of the latter.
    pub(super) fn rest(&self, absent: &[String], unconfigured: &[TableName]) -> Result<bool> {
        let names: Vec<String> = unconfigured.iter().map(TableName::to_string).collect();
        let absent = absent.iter().map(|table| {
            let nearest = nearest(table, &names).cloned();
            Absent { table: table.clone(), nearest }
        });
        let absent: Vec<Absent> = absent.collect();
        let is_misspelled = absent.iter().any(|absent| absent.nearest.is_some());
        if let Form::Json = &self.form {
            self.json(&Rest { absent, unconfigured: names })?;
            return Ok(is_misspelled);
        }
        for Absent { table, nearest } in &absent {
            let meant = match nearest {
                Some(name) => format!("did you mean {name}, which is staged?"),
                None => "if it is empty at the source, it comes with its first row".to_owned(),
            };
            self.screen.line(format_args!(
                "{table}: nothing is staged for it, and there is no table; {meant}"
            ))?;
        }
        if !names.is_empty() {
            let names = names.join(", ");
            self.screen.line(format_args!("staged, but in no [[table]]: {names}"))?;
        }
        Ok(is_misspelled)
    }

    fn json(&self, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(value).map_err(|error| {
            Error::new(ErrorKind::Internal, "a report has no JSON form").because(error)
        })?;
        self.screen.line(text)
    }

    fn human(&self, grid: &Grid, report: &TableReport) -> Result<()> {
        let palette = self.screen.palette();
        let version = report.version.map_or_else(|| "-".into(), |version| version.to_string());
        let line = grid.row(&[
            report.table.clone(),
            status(report.status).into(),
            count(report.objects),
            count(report.counts.rows),
            count(report.counts.inserted),
            count(report.counts.updated),
            count(report.counts.deleted),
            count(report.counts.superseded),
            count(report.counts.ignored),
            version,
            seconds(report.seconds),
        ]);
        let is_fine = report.status == Status::Ok;
        self.screen.line(if is_fine { line } else { palette.bad(line) })?;
        for remark in remarks(report, &self.said) {
            self.screen.line(format_args!("  {remark}"))?;
        }
        Ok(())
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Held => "held",
        Status::Failed => "failed",
    }
}

/// What the columns do not say, in the order of importance.
fn remarks(report: &TableReport, said: &[String]) -> Vec<String> {
    let mut remarks: Vec<String> = report.error.iter().cloned().collect();
    let warnings = report.warnings.iter().filter(|warning| !said.contains(warning));
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
        remarks.push(format!("{objects} of before the full load, not applied"));
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
        remarks.push(format!("not applied, as no name that DMS gives: {names}"));
    }
    if !report.late.is_empty() {
        remarks.push(format!("late: {}", report.late.join(", ")));
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_promised_keys_in_order() {
        let report = TableReport { table: "shop.orders".into(), ..TableReport::default() };
        let text = serde_json::to_string(&report).expect("serialisable");
        assert_eq!(
            text,
            "{\"table\":\"shop.orders\",\"status\":\"ok\",\"objects\":0,\"rows\":0,\
             \"inserted\":0,\"updated\":0,\"deleted\":0,\"superseded\":0,\"ignored\":0,\
             \"quarantined\":0,\"in_quarantine\":0,\"before_load\":0,\"replayed\":0,\"version\":null,\"seconds\":0.0,\
             \"requests\":{\"get\":0,\"head\":0,\"list\":0,\"put\":0,\"delete\":0},\
             \"foreign\":[],\"late\":[],\"foreign_commits\":[],\"pending\":0,\
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
    fn a_warning_that_was_said_of_all_tables_is_not_said_of_each() {
        let warnings = vec!["of all".to_owned(), "of this one".to_owned()];
        let report = TableReport { warnings, ..TableReport::default() };
        assert_eq!(remarks(&report, &["of all".to_owned()]), ["warning: of this one"]);
    }
}
