//! `dmslake plan` and `dmslake apply --dry-run`: what applying tables would do, and cost.

mod detail;
mod overview;

use std::num::NonZeroUsize;

use super::apply::Rest;
use super::args::{ApplyArguments, PlanArguments};
use super::chosen::{Chosen, Places, TableEnd};
use super::exit::Exit;
use super::output::{Results, Screen};
use super::progress_bar::{TableProgress, TablesProgress};
use crate::config::TableName;
use crate::error::Result;
use crate::inspect::{self, PlanAsked, PlanOutcome, TablePlan};
use crate::price;
use crate::staging::Survey;

/// So many megabytes of what is pending of a table are read, unless said otherwise.
const MOST_MEGABYTES: u64 = 256;

/// Plans the chosen tables, one after another, as one invocation of the function takes them.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used, `StoreRefused` if staging or
/// the lake cannot be used, `Unavailable` if the temporary folder or the result cannot be written.
pub(super) async fn run(arguments: &PlanArguments, screen: &Screen) -> Result<Exit> {
    let asked = PlanAsked {
        most_bytes: arguments.read.unwrap_or(MOST_MEGABYTES).saturating_mul(1_000_000),
        function_megabytes: arguments.function_memory,
        applies_here: false,
    };
    let tables = arguments.chosen();
    let chosen = Chosen::open(&tables, Places::LakeAndStaging, screen).await?;
    show(&chosen, asked, tables.tables.is_empty(), arguments.json, screen).await
}

/// The same for what [`super::apply`] would do.
///
/// # Errors
/// As [`run`].
pub(super) async fn dry_run(arguments: &ApplyArguments, screen: &Screen) -> Result<Exit> {
    let function_megabytes = price::MEGABYTES_OF_A_PROCESSOR;
    let most_bytes = MOST_MEGABYTES * 1_000_000;
    let asked = PlanAsked { most_bytes, function_megabytes, applies_here: true };
    let mut chosen = Chosen::open(&arguments.chosen, Places::LakeAndStaging, screen).await?;
    // As many tables share the memory as would be applied side by side.
    let tables = NonZeroUsize::new(chosen.len()).unwrap_or(NonZeroUsize::MIN);
    chosen.limits.sharers = chosen.pipeline.tables_at_once().min(tables);
    let is_all = arguments.chosen.tables.is_empty();
    show(&chosen, asked, is_all, arguments.json, screen).await
}

/// What is staged beside the tables, of which nothing would be applied.
fn beside(staged: &Survey) -> Vec<String> {
    let mut lines = Vec::new();
    if !staged.undiscovered.is_empty() {
        let names: Vec<String> = staged.undiscovered.iter().map(TableName::to_string).collect();
        lines.push(format!("staged, and not in the lock file, so held: {}", names.join(", ")));
    }
    lines.extend(Rest::of(&[], &staged.unconfigured).lines());
    lines
}

async fn show(
    chosen: &Chosen<'_>,
    asked: PlanAsked,
    is_all: bool,
    is_json: bool,
    screen: &Screen,
) -> Result<Exit> {
    let results = Results::new(screen, is_json);
    let width = chosen.name_width();
    let tables = TablesProgress::begin(screen, chosen.len());
    let mut plans: Vec<TablePlan> = Vec::new();
    let ended = chosen.each(async |spec| {
        let progress = TableProgress::begin(screen, &spec.source.to_string(), width);
        let planning = inspect::plan(&chosen.pipeline, spec, &asked, &chosen.limits, &progress);
        let planned = Box::pin(planning).await?;
        drop(progress);
        tables.another();
        // Of what was stopped half-way nothing is told.
        let Some(plan) = planned else { return Ok(TableEnd::Attention) };
        results.print(&plan, |_, _| Vec::new())?;
        let is_well = matches!(plan.outcome, PlanOutcome::Applies | PlanOutcome::Nothing);
        let end = TableEnd::of(is_well, plan.error_kind);
        plans.push(plan);
        Ok(end)
    });
    let ended = ended.await?;
    drop(tables);
    results.print_for_people(|palette| match &plans[..] {
        [one] => detail::lines(one, &asked, screen.width(), palette),
        all => overview::lines(all, &asked, screen.width(), palette),
    })?;
    // Plans of some tables say nothing of others.
    if !is_all || chosen.limits.stop.is_requested() {
        return Ok(ended.exit());
    }
    let staged = chosen.pipeline.survey().await?;
    results.print_for_people(|_| beside(&staged))?;
    let is_held = !staged.undiscovered.is_empty() && ended.exit() == Exit::Done;
    Ok(if is_held { Exit::Attention } else { ended.exit() })
}
