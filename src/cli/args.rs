//! The command-line arguments: declarations only.
#![expect(clippy::doc_markdown, reason = "these comments are the help texts, shown as they are")]

mod configuration;
mod doctor;
mod init;
mod inspect;
mod job;
mod late;
mod manual;
mod operator;
mod plan;
mod quarantine;
mod replay;
mod verify;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(super) use configuration::ConfigurationArguments;
pub(super) use doctor::DoctorArguments;
pub(super) use init::{DiscoverArguments, InitArguments};
pub(super) use inspect::{
    AsOfArguments, DiffArguments, HistoryArguments, QueryArguments, ReportArguments, RowFormat,
    ShowArguments, StatusArguments, WhyArguments,
};
pub(super) use job::{
    DriveJobArguments, JobArguments, JobCommand, LocalJobArguments, OperatedJobArguments,
};
pub(super) use late::{LateArguments, LateCommand, OneLateArguments};
pub(super) use manual::{CompletionsArguments, HelpArguments, ManArguments, McpArguments};
pub(super) use operator::{
    ForgetArguments, PauseArguments, RebuildArguments, RestoreArguments, ResumeArguments,
    TruncateArguments,
};
pub(super) use plan::PlanArguments;
pub(super) use quarantine::{
    DiscardArguments, ListArguments, QuarantineArguments, QuarantineCommand, QuarantinedArguments,
    ReleaseArguments,
};
pub(super) use replay::{BisectArguments, ReplayArguments};
pub(super) use verify::VerifyArguments;

use crate::readers::statements::Engine;
use crate::version;

/// Keep Delta tables equal to their MySQL sources, from the change files that AWS DMS stages.
///
/// DMS writes full loads and changes as CSV or Parquet objects into a bucket folder (staging).
/// dmslake applies them, in order and each exactly once, to one Delta table per source table
/// (the lake), on S3 or in a local folder. Progress is part of each commit, so any command may
/// be interrupted and run again.
///
/// New here? `dmslake demo` shows the whole path on this machine, without an account.
#[derive(Debug, Parser)]
#[command(name = "dmslake", version = version::SHORT, long_version = version::LONG)]
#[command(verbatim_doc_comment, disable_help_subcommand = true)]
#[command(
    after_help = "Topics of `dmslake help TOPIC`: configuration, operations (held tables, errors), \
inspecting,\nmerging, readers, function (AWS Lambda), jobs, limits, formats (JSON output, exit codes).\n\n\
Exit codes: 0 all tables are caught up, 1 a table is held, failed or not \
caught up,\n2 bad usage or configuration. Results go to standard output, logs and progress to \
standard\nerror."
)]
pub(super) struct Arguments {
    /// Log more to standard error: -v each commit, -vv details, -vvv everything.
    ///
    /// RUST_LOG, if set, takes precedence (for example RUST_LOG=dmslake=debug,deltalake=warn).
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,

    /// For agents: compact Markdown, and errors as one object of JSON on standard error.
    ///
    /// DMSLAKE_AGENT=1 does the same. Neither has an effect on a terminal.
    #[arg(long, global = true)]
    pub(super) agent: bool,

    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Apply(ApplyArguments),
    Plan(PlanArguments),
    Status(StatusArguments),
    Doctor(DoctorArguments),
    History(HistoryArguments),
    Replay(ReplayArguments),
    Bisect(BisectArguments),
    Diff(DiffArguments),
    Why(WhyArguments),
    Show(ShowArguments),
    Report(ReportArguments),
    Query(QueryArguments),
    Verify(VerifyArguments),
    Job(JobArguments),
    Maintain(MaintainArguments),
    Pause(PauseArguments),
    Resume(ResumeArguments),
    Rebuild(RebuildArguments),
    Restore(RestoreArguments),
    Forget(ForgetArguments),
    Truncate(TruncateArguments),
    Late(LateArguments),
    Quarantine(QuarantineArguments),
    Init(InitArguments),
    Discover(DiscoverArguments),
    Demo(DemoArguments),
    Ddl(DdlArguments),
    Register(RegisterArguments),
    Mcp(McpArguments),
    Completions(CompletionsArguments),
    Man(ManArguments),
    Help(HelpArguments),
}

// No doc comment: clap would use it as the help text of the command that flattens it.
#[derive(Args, Debug)]
pub(super) struct ChosenArguments {
    #[command(flatten)]
    pub(super) configuration: ConfigurationArguments,

    /// Only this table, by its name at the source; * stands for any text. May be repeated.
    #[arg(short, long = "table", value_name = "SCHEMA.TABLE")]
    pub(super) tables: Vec<String>,
}

// No doc comment, as above.
#[derive(Args, Debug)]
pub(super) struct NamedArguments {
    /// The tables, by their names at the source; * stands for any text.
    #[arg(value_name = "SCHEMA.TABLE", required = true)]
    tables: Vec<String>,

    #[command(flatten)]
    configuration: ConfigurationArguments,
}

impl NamedArguments {
    /// The same as a choice of tables.
    pub(super) fn chosen(&self) -> ChosenArguments {
        ChosenArguments { configuration: self.configuration.clone(), tables: self.tables.clone() }
    }
}

/// Apply everything that is staged, until every table is caught up.
///
/// Lists staging, finds what has not been applied yet, and applies it in order: full load
/// first, then changes. A table that needs a person (a late object, a reload, a refused schema,
/// a bad row) is held at its last good commit, and the remedy is printed; the other tables
/// continue. Running it again is always safe, and commits nothing if nothing is new.
///
/// The first Ctrl-C (or SIGTERM) stops after the current commit, the second immediately.
/// Neither loses or repeats anything.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct ApplyArguments {
    #[command(flatten)]
    pub(super) chosen: ChosenArguments,

    /// Print one line of JSON per table, then {"absent": […], "unconfigured": […]}.
    #[arg(long)]
    pub(super) json: bool,

    /// Show a line for each table, also where nothing was done.
    #[arg(short, long)]
    pub(super) all: bool,

    /// Change nothing, and show what would be done and what it would cost, as `dmslake plan` does,
    /// but with the memory of this machine. It tells nothing of tables that are not configured.
    #[arg(long, conflicts_with_all = ["all", "jobs", "metrics_file"])]
    pub(super) dry_run: bool,

    /// Apply at most so many tables side by side. They share the memory budget.
    ///
    /// By default as many as the budget has parts of 64 MiB, 8 at most. An object that the part of
    /// its table cannot hold is read with the whole budget, while other tables wait.
    #[arg(short, long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,

    /// Write metrics of this run to a file, in the text format of Prometheus.
    ///
    /// Counters go on from what the file has; gauges are those of this run. The file is replaced as a
    /// whole. Runs at the same time need a file each.
    #[arg(long, value_name = "FILE")]
    pub(super) metrics_file: Option<PathBuf>,
}

/// Keep merges and queries cheap: compact, purge, checkpoint, vacuum.
///
/// Does what is due for each table, and says why it was due. It rewrites small files and files
/// with overlapping keys as a few files in key order, rewrites files in which deletion vectors
/// mask many rows, writes a checkpoint of the log, and deletes expired log entries and files
/// that no version within the retention needs (unless [maintain] delete = false). No row
/// changes. It may run at any time beside `apply`, the function and readers; running it again
/// does what has become due since.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct MaintainArguments {
    #[command(flatten)]
    pub(super) chosen: ChosenArguments,

    /// Print one line of JSON per table.
    #[arg(long)]
    pub(super) json: bool,
}

/// Show everything on this machine: a small shop, staged as DMS would, applied and compared.
///
/// Creates customers, orders and order items, stages a full load and dozens of change objects in
/// a local folder, sends an event (a doorbell) for each as S3 would (some twice, some late),
/// applies them, and compares every row with the source. The folder is kept, so that you can
/// open it with DuckDB, pandas or Spark. No account, no server, no network.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct DemoArguments {
    /// The folder to create. It must be new or empty.
    #[arg(long, value_name = "DIR", default_value = "dmslake-demo")]
    pub(super) dir: PathBuf,

    /// Replace an earlier demo in that folder. Nothing else is ever removed.
    #[arg(short, long)]
    pub(super) force: bool,
}

/// Print the statements that make tables known to an engine.
///
/// A table's database is its schema, prefixed with [catalog] database_prefix. Names are in lower
/// case, with _ for what Athena does not allow. Trino statements use the catalog `delta`.
/// Redshift reads symlink manifests, which only tables with redshift_manifest = true have.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct DdlArguments {
    /// The engine that runs the statements.
    #[arg(value_enum)]
    pub(super) engine: Engine,

    /// Only these tables, by their names at the source; * stands for any text.
    #[arg(value_name = "TABLE")]
    pub(super) tables: Vec<String>,

    #[command(flatten)]
    pub(super) configuration: ConfigurationArguments,

    /// For Redshift: the IAM role that reads S3 and Glue.
    #[arg(long, value_name = "ARN", default_value = "default")]
    pub(super) iam_role: String,
}

/// Create or update the tables' entries in AWS Glue.
///
/// Athena, Spark and Lake Formation find a table's columns and location in its entry. Run this
/// after columns have changed. With [catalog] glue = true, `apply` and the function do it
/// themselves. The databases must exist. Account and region come from the usual AWS chain.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct RegisterArguments {
    #[command(flatten)]
    pub(super) chosen: ChosenArguments,
}
