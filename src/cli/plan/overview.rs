//! The plans of many tables: what is wrong first, then totals.

use std::cmp::Reverse;

use crate::cli::output::{
    Align, Grid, Palette, Row, bytes, count, plural, seconds, tallied, wrapped,
};
use crate::inspect::{PlanAsked, PlanOutcome, TablePlan};

/// What a column shows.
struct Column {
    heading: &'static str,
    align: Align,
    cell: fn(&TablePlan) -> String,
}

const fn number(heading: &'static str, cell: fn(&TablePlan) -> String) -> Column {
    Column { heading, align: Align::Right, cell }
}

/// The columns that are always shown, and those for which there may be room, in order.
const COLUMNS: [Column; 12] = [
    Column { heading: "table", align: Align::Left, cell: |it| it.table.clone() },
    Column { heading: "outcome", align: Align::Left, cell: |it| it.outcome.as_str().to_owned() },
    number("objects", |it| count(it.objects)),
    number("rows", |it| count(it.changes.rows)),
    number("written", |it| bytes(it.bytes.written)),
    number("time", |it| seconds(it.seconds)),
    number("USD", dollars),
    number("commits", |it| count(it.commits)),
    number("rewritten", |it| count(it.files_rewritten)),
    number("masked", |it| count(it.files_masked)),
    number("searched", |it| count(it.files_searched)),
    number("read", |it| bytes(it.bytes.read)),
];
const ALWAYS: usize = 7;

/// The lines about these tables, for a screen of that width.
pub(super) fn lines(
    plans: &[TablePlan],
    asked: &PlanAsked,
    width: usize,
    palette: Palette,
) -> Vec<String> {
    let mut sorted: Vec<&TablePlan> = plans.iter().collect();
    sorted.sort_by_key(|plan| (plan.outcome, Reverse(plan.object_bytes)));
    sorted.retain(|plan| plan.outcome != PlanOutcome::Nothing);
    let cells = |plan: &&TablePlan| COLUMNS.iter().map(|column| (column.cell)(plan)).collect();
    let mut rows: Vec<Row> = sorted.iter().map(cells).collect();
    let headings = COLUMNS.map(|column| (column.heading, column.align));
    let grid = Grid::fitting(&headings, ALWAYS, &mut rows, width).styled(palette);
    let mut lines = Vec::new();
    if !rows.is_empty() {
        lines.push(grid.header(palette));
    }
    for (plan, row) in sorted.iter().zip(&rows) {
        let line = grid.row(row);
        let is_bad = matches!(plan.outcome, PlanOutcome::Held | PlanOutcome::Fails);
        lines.push(if is_bad { palette.bad(line) } else { line });
        lines.extend(remarks(plan, width));
    }
    lines.extend(wrapped(&totals(plans, asked), "", width));
    lines
}

/// Why a table would not be applied, and of how much of it the plan tells.
pub(super) fn remarks(plan: &TablePlan, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    // The reason names the remedy.
    lines.extend(plan.reason.iter().flat_map(|reason| wrapped(reason, "  ", width)));
    lines.extend(plan.warnings.iter().flat_map(|warning| wrapped(warning, "  ", width)));
    if plan.inferred {
        let (read, whole) = (bytes(plan.object_bytes_read), bytes(plan.object_bytes));
        let told = format!("inferred from {read} of {whole} that are pending");
        lines.extend(wrapped(&told, "  ", width));
    }
    lines
}

/// Dollars, with as many digits as tell anything.
pub(super) fn dollars(plan: &TablePlan) -> String {
    shown_dollars(plan.dollars)
}

fn shown_dollars(dollars: f64) -> String {
    if dollars >= 0.1 { format!("{dollars:.2}") } else { format!("{dollars:.6}") }
}

/// One sentence about all tables.
fn totals(plans: &[TablePlan], asked: &PlanAsked) -> String {
    let outcomes: Vec<PlanOutcome> = plans.iter().map(|plan| plan.outcome).collect();
    let sum = |of: fn(&TablePlan) -> u64| plans.iter().map(of).sum::<u64>();
    let took: f64 = plans.iter().map(|plan| plan.seconds).sum();
    let cost: f64 = plans.iter().map(|plan| plan.dollars).sum();
    let peak = plans.iter().filter_map(|plan| plan.peak_memory_bytes).max();
    let memory = peak.map(|peak| format!(", {} of memory at most", bytes(peak)));
    format!(
        "{}: {}; {} rows of {} in {}, {} written, {}{}; {} USD on a function of {} MB",
        plural(plans.len() as u64, "table"),
        tallied(PlanOutcome::ALL, &outcomes, |outcome| outcome.as_str()),
        count(sum(|plan| plan.changes.rows)),
        plural(sum(|plan| plan.objects), "object"),
        plural(sum(|plan| plan.commits), "commit"),
        bytes(sum(|plan| plan.bytes.written)),
        seconds(took),
        memory.unwrap_or_default(),
        shown_dollars(cost),
        count(u64::from(asked.function_megabytes)),
    )
}
