//! The arguments of `dmslake job`.

use std::num::NonZeroUsize;

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::{ChosenArguments, NamedArguments};
use crate::pipeline::job::JobSizes;

/// Apply what is too much for one process: a first load, a reload, months of changes.
///
/// Objects are read, merged and written by tasks, side by side, and each round of them is one commit
/// of the same kind as any other: `apply`, the function and a job may take turns at every commit, and
/// race. What is small, or needs the order of rows, the driver applies by itself.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct JobArguments {
    #[command(subcommand)]
    pub(in crate::cli) command: JobCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum JobCommand {
    /// Apply everything that is staged, with tasks on the cores of this machine.
    ///
    /// The same tasks as on a cluster, and the same result. Exit codes and output are those of
    /// `apply`.
    #[command(verbatim_doc_comment)]
    Run(LocalJobArguments),
    /// Show what a job would take in, without any effect.
    ///
    /// For each table what is pending, in how many commits and tasks, and what the driver would apply
    /// by itself.
    #[command(verbatim_doc_comment)]
    Plan(LocalJobArguments),
    /// Apply everything that is staged, with tasks that another program schedules.
    ///
    /// For infra/glue/apply_table.py. Writes {"stage": …, "tasks": […]} lines to standard output and
    /// reads {"results": […]} lines from standard input, in the order of the tasks, then writes a
    /// {"maintenance": …} line for each table that was maintained, and a {"report": …} line for each.
    /// Tasks and results are opaque lines of text, for `dmslake job task`. Ends when standard input does.
    #[command(verbatim_doc_comment)]
    Drive(DriveJobArguments),
    /// Start a job in AWS Glue for tables, whatever is pending.
    ///
    /// The job is the one of [hand_over] in the configuration. Other workers wait for it. Failures of
    /// earlier jobs are forgotten.
    #[command(verbatim_doc_comment)]
    Start(OperatedJobArguments),
    /// Show what is left to jobs, and how their runs stand.
    ///
    /// Exit code 0 if nothing is left to one that is not at work, 1 if a job has failed.
    #[command(verbatim_doc_comment)]
    Status(OperatedJobArguments),
    /// End what is left to a job, and stop its run.
    ///
    /// Nothing more is left to a job before `dmslake job start`, and the function does not apply what
    /// was too much for it; `dmslake apply` does.
    #[command(verbatim_doc_comment)]
    Cancel(OperatedJobArguments),
    /// Do one task of a job: its line on standard input, its result on standard output.
    ///
    /// Needs no configuration. Exit codes: 0 it is done, 1 another attempt may do better, 3 none
    /// would. The result says so too.
    #[command(verbatim_doc_comment)]
    Task,
}

// No doc comment: clap would use it as the help text of the command that flattens it.
#[derive(Args, Clone, Copy, Debug)]
pub(in crate::cli) struct SizeArguments {
    /// Staged bytes below which the driver applies by itself.
    #[arg(long, value_name = "BYTES", default_value_t = JobSizes::default().least_bytes)]
    least_bytes: u64,

    /// Staged bytes that one commit takes in. A full load may be 50 times as much.
    #[arg(long, value_name = "BYTES", default_value_t = JobSizes::default().round_bytes)]
    round_bytes: u64,

    /// Staged bytes that one task reads at most. A larger object is one task.
    #[arg(long, value_name = "BYTES", default_value_t = JobSizes::default().chunk_bytes)]
    chunk_bytes: u64,

    /// Net changes that one task has in memory.
    #[arg(long, value_name = "ROWS", default_value_t = JobSizes::default().range_rows)]
    range_rows: u64,

    /// Bytes of decoded rows that a task may hold; by default a share of its machine's memory.
    #[arg(long, value_name = "BYTES")]
    pub(in crate::cli) task_memory: Option<u64>,
}

impl SizeArguments {
    pub(in crate::cli) fn sizes(&self) -> JobSizes {
        let default = JobSizes::default();
        JobSizes {
            least_bytes: self.least_bytes,
            round_bytes: self.round_bytes,
            load_bytes: self.round_bytes.saturating_mul(default.load_bytes / default.round_bytes),
            chunk_bytes: self.chunk_bytes,
            range_rows: self.range_rows,
            ..default
        }
    }
}

#[derive(Args, Debug)]
pub(in crate::cli) struct LocalJobArguments {
    #[command(flatten)]
    pub(in crate::cli) chosen: ChosenArguments,

    #[command(flatten)]
    pub(in crate::cli) sizes: SizeArguments,

    /// So many tasks are done at once; by default as many as there are cores.
    #[arg(long, value_name = "N")]
    pub(in crate::cli) slots: Option<NonZeroUsize>,

    /// Print one line of JSON per table.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct DriveJobArguments {
    #[command(flatten)]
    pub(in crate::cli) chosen: ChosenArguments,

    #[command(flatten)]
    pub(in crate::cli) sizes: SizeArguments,

    /// How many tasks the other program does at once.
    #[arg(long, value_name = "N")]
    pub(in crate::cli) slots: NonZeroUsize,

    /// The hand-over that it was started for: if that has ended, so does this, at once.
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) claim: Option<Uuid>,

    /// The id of the run that this is a part of, for those who look at the table meanwhile.
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) run: Option<String>,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct OperatedJobArguments {
    #[command(flatten)]
    pub(in crate::cli) named: NamedArguments,

    /// Print one line of JSON per table.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
