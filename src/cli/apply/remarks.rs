//! What the columns of a table's line do not show.

use crate::cli::output::{count, plural};
use crate::clock::shown;
use crate::pipeline::TableReport;

/// What the columns do not show, most important first.
pub(super) fn remarks(report: &TableReport, warned: &[String]) -> Vec<String> {
    let mut remarks: Vec<String> = report.error.iter().cloned().collect();
    if let Some(since) = report.held_since {
        remarks.push(format!("held since {}", shown(since)));
    }
    let warnings = report.warnings.iter().filter(|warning| !warned.contains(warning));
    remarks.extend(warnings.map(|warning| format!("warning: {warning}")));
    if let Some(rebuilt) = &report.rebuilt {
        remarks.push(format!("rebuilt: {rebuilt}"));
    }
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
    for (names, what) in
        [(&report.added_columns, "added"), (&report.gone_columns, "gone from objects, and kept")]
    {
        if !names.is_empty() {
            remarks.push(format!("columns {what}: {}", names.join(", ")));
        }
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
    use crate::pipeline::Status;

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
