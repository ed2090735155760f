//! The arguments of the commands that only look.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::ChosenArguments;

/// Show how tables stand, and what to do next. Nothing is changed.
///
/// For each table: its state (ok, behind, held, paused, reloading, handed-over), why and since
/// when, the command to type next, how late it is, what is pending, rows and files, and which
/// maintenance is due. The worst comes first, totals come last. One table alone is shown in full.
///
/// How late a table is has three parts: from the commit at the source until the object was staged,
/// from then until it was in the table, and how old the newest commit is that the table has. The
/// last one is 0 while nothing is pending: an idle source is not late. The first and the last need
/// timestamp_column_name in [dms].
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:\n  dmslake status\n  dmslake status shop.orders\n  \
dmslake status \"shop.*\" --json | jq 'select(.state != \"ok\")'\n  dmslake status --watch 10\n  \
dmslake status --metrics-file /var/lib/node_exporter/dmslake.prom\n\n\
Exit codes: 0 every table is ok, 1 one is not, 2 bad usage or configuration.")]
pub(in crate::cli) struct StatusArguments {
    #[command(flatten)]
    named: SomeTablesArguments,

    /// Print one line of JSON per table.
    #[arg(long)]
    pub(in crate::cli) json: bool,

    /// Show a line for each table, also where all is well with many.
    #[arg(short, long)]
    pub(in crate::cli) all: bool,

    /// Show it again every so many seconds, until Ctrl-C.
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "5",
        value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) watch: Option<u64>,

    /// Write how the tables stand to a file, in the text format of Prometheus.
    ///
    /// Counters of `dmslake apply --metrics-file` with the same file stay in it.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) metrics_file: Option<PathBuf>,
}

impl StatusArguments {
    /// The tables to look at.
    pub(in crate::cli) fn chosen(&self) -> ChosenArguments {
        self.named.chosen()
    }
}

// No doc comment: clap would use it as the help text of the command that flattens it.
#[derive(Args, Debug)]
pub(in crate::cli) struct SomeTablesArguments {
    /// Only these tables, by their names at the source; * stands for any text.
    #[arg(value_name = "SCHEMA.TABLE")]
    tables: Vec<String>,

    /// The configuration; paths without a scheme in it are relative to its folder.
    #[arg(short, long, value_name = "FILE", default_value = "dmslake.toml")]
    config: PathBuf,
}

impl SomeTablesArguments {
    /// The same as a choice of tables.
    pub(in crate::cli) fn chosen(&self) -> ChosenArguments {
        ChosenArguments { config: self.config.clone(), tables: self.tables.clone() }
    }
}

// No doc comment, as above.
#[derive(Args, Debug)]
pub(in crate::cli) struct OneTableArguments {
    /// The table, by its name at the source.
    #[arg(value_name = "SCHEMA.TABLE")]
    table: String,

    /// The configuration; paths without a scheme in it are relative to its folder.
    #[arg(short, long, value_name = "FILE", default_value = "dmslake.toml")]
    config: PathBuf,
}

impl OneTableArguments {
    /// The same as a choice of tables.
    pub(in crate::cli) fn chosen(&self) -> ChosenArguments {
        ChosenArguments { config: self.config.clone(), tables: vec![self.table.clone()] }
    }
}

/// Show the commits of a table, the newest first: who, when, what, how much.
///
/// Reads the Delta log alone. Commits of other writers are shown with what they say of themselves.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:\n  dmslake history shop.orders\n  \
dmslake history shop.orders --objects --limit 5\n  \
dmslake history shop.orders --limit 1000 --json | jq -r '[.version, .at, .inserted] | @tsv'")]
pub(in crate::cli) struct HistoryArguments {
    #[command(flatten)]
    pub(in crate::cli) table: OneTableArguments,

    /// Name the objects that each commit took in.
    #[arg(long)]
    pub(in crate::cli) objects: bool,

    /// Show at most so many commits.
    #[arg(short = 'n', long, value_name = "N", default_value = "20")]
    pub(in crate::cli) limit: NonZeroUsize,

    /// Print one line of JSON per commit.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
