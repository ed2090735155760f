//! The plan of one table, in full.

use std::time::Duration;

use super::overview::{dollars, remarks};
use crate::cli::output::{
    Align, Grid, Palette, Row, bytes, count, labelled, plural, seconds, wrapped,
};
use crate::inspect::{PlanAsked, PlanOutcome, TablePlan};
use crate::progress::Counts;

/// The lines about a plan, for a screen of that width.
pub(super) fn lines(
    plan: &TablePlan,
    asked: &PlanAsked,
    width: usize,
    palette: Palette,
) -> Vec<String> {
    let outcome = match plan.outcome {
        PlanOutcome::Nothing => palette.good("nothing to do"),
        PlanOutcome::Applies => palette.strong("would be applied"),
        PlanOutcome::Held => palette.bad("would be held"),
        PlanOutcome::Fails => palette.bad("would fail"),
    };
    let mut lines = vec![format!("{}: {outcome}", plan.table)];
    lines.extend(remarks(plan, width));
    if plan.outcome != PlanOutcome::Nothing {
        lines.extend(labelled(&facts(plan, asked), width));
    }
    lines.extend(monthly(plan, palette));
    lines.extend(plan.advice.iter().flat_map(|advice| wrapped(advice, "", width)));
    lines
}

/// What the table costs a month, by freshness.
fn monthly(plan: &TablePlan, palette: Palette) -> Vec<String> {
    if plan.monthly.is_empty() {
        return Vec::new();
    }
    let headings = ["freshness", "commits a day", "work", "old versions", "USD a month"];
    let mut rows: Vec<Row> = Vec::new();
    for one in &plan.monthly {
        let freshness = match one.freshness_seconds {
            0 => "as it is".to_owned(),
            seconds => humantime::format_duration(Duration::from_secs(seconds)).to_string(),
        };
        let dollars = [one.work_dollars, one.old_versions_dollars, one.dollars()];
        let mut row = vec![freshness, format!("{:.0}", one.commits_a_day)];
        row.extend(dollars.map(|dollars| format!("{dollars:.2}")));
        rows.push(row);
    }
    let headings = headings.map(|heading| (heading, Align::Right));
    let mut grid = Grid::new(&headings);
    grid.fit(&rows);
    let mut lines =
        vec!["a month, by how its newest commits went:".to_owned(), grid.header(palette)];
    lines.extend(rows.iter().map(|row| grid.row(row)));
    lines
}

fn facts(plan: &TablePlan, asked: &PlanAsked) -> Vec<(&'static str, String)> {
    let pending = format!("{} of {}", plural(plan.objects, "object"), bytes(plan.object_bytes));
    let files = format!(
        "{} searched, {} rewritten, {} masked, {} added",
        count(plan.files_searched),
        count(plan.files_rewritten),
        count(plan.files_masked),
        count(plan.files_added),
    );
    let moved = format!("{} read, {} written", bytes(plan.bytes.read), bytes(plan.bytes.written));
    let requests = &plan.requests;
    let cheap = requests.get + requests.head;
    let dear = requests.put + requests.list;
    let megabytes = count(u64::from(asked.function_megabytes));
    let mut facts = vec![
        ("pending", pending),
        ("changes", changes(&plan.changes)),
        ("commits", count(plan.commits)),
        ("files", files),
        ("bytes", moved),
        ("requests", format!("{} that read, {} that write or list", count(cheap), count(dear))),
    ];
    facts.extend(plan.peak_memory_bytes.map(|peak| ("memory", format!("{} at most", bytes(peak)))));
    let job = if plan.is_for_job { "; more than the function takes upon itself" } else { "" };
    facts.push(("time", format!("{}{job}", seconds(plan.seconds))));
    let cost = format!("{} USD: a function of {megabytes} MB, requests to S3", dollars(plan));
    facts.push(("cost", cost));
    facts
}

/// Each fate that any change has.
fn changes(counts: &Counts) -> String {
    let fates = counts.each().into_iter().skip(1).filter(|(_, number)| *number > 0);
    let fates: Vec<String> =
        fates.map(|(name, number)| format!("{} {name}", count(number))).collect();
    let rows = plural(counts.rows, "row");
    if fates.is_empty() { rows } else { format!("{rows}: {}", fates.join(", ")) }
}
