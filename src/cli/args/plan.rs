//! The arguments of `dmslake plan`.

use clap::Args;

use super::ChosenArguments;
use super::inspect::SomeTablesArguments;
use crate::price;

/// Show what applying tables would do, and what it would cost. Nothing is changed.
///
/// For each table: whether it would be applied or held and why, pending objects and rows, what would
/// become of the changes, commits, data files that would be searched, rewritten and masked, bytes,
/// requests, memory, seconds, and US dollars for the function and for requests to S3. The worst
/// comes first, totals come last. One table alone is shown in full.
///
/// The plan is made by applying the tables, one after another, except that what is written goes to
/// the temporary folder, and away in the end. So it reads what applying would read. Of a large
/// backlog it reads a part, and infers the rest in proportion to the bytes.
///
/// It takes in as much by a commit as a function of that memory does (memory_budget). The time is
/// that of this process; for the function, at least the processor time that it took,
/// divided by the processors that the function's memory gives it.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:\n  dmslake plan\n  dmslake plan shop.orders\n  \
dmslake plan --function-memory 512 --json | jq .dollars\n  dmslake apply --dry-run\n\n\
Exit codes: 0 every table would be applied, 1 one would be held or fail, 2 bad usage or\n\
configuration.")]
pub(in crate::cli) struct PlanArguments {
    #[command(flatten)]
    named: SomeTablesArguments,

    /// Read at most about so many megabytes of what is pending of a table, in whole objects and
    /// commits, and infer the rest. By default 256.
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) read: Option<u64>,

    /// The memory of the function that is to apply the tables.
    #[arg(long, value_name = "MB", default_value_t = price::MEGABYTES_OF_A_PROCESSOR,
        value_parser = clap::value_parser!(u32).range(128..=10_240))]
    pub(in crate::cli) function_memory: u32,

    /// Print one line of JSON per table.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

impl PlanArguments {
    /// The tables to plan.
    pub(in crate::cli) fn chosen(&self) -> ChosenArguments {
        self.named.chosen()
    }
}
