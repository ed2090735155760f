//! One measured case in a process of its own: this program again, with the case as arguments.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use serde::{Deserialize, Serialize};

use crate::batches::{self, Course};
use crate::merge::contestant::{self, Native};
use crate::merge::orders::Key;
use crate::objects::{Sequences, settings, settings_with};
use crate::reload::{self, Way};
use crate::{case, machine, memory, plan};

const CHILD: &str = "--case";
const FUNCTION_MEMORY: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";
/// What the function has where it has one whole processor.
pub(crate) const LAMBDA_MEMORY: &str = "1769";

/// What one run of a case took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    /// The most memory that the process had, in KiB; in a case 0 for all that it had.
    pub(crate) peak: u64,
    /// What every run of the case must come to.
    pub(crate) outcome: Vec<i64>,
    /// The table's version afterwards; 0 where there is no table.
    pub(crate) version: u64,
}

/// A case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Case {
    /// Decodes a staging folder and reduces it to net changes.
    Reduce { staging: PathBuf },
    /// Applies a staging folder to a lake.
    Apply { staging: PathBuf, lake: PathBuf, merge: String },
    /// The same, where changes have sequences.
    ApplyWithSequences { staging: PathBuf, lake: PathBuf, merge: String, sequences: Sequences },
    /// Plans what applying a staging folder to a lake would do, or applies it.
    Plan { staging: PathBuf, lake: PathBuf, merge: String, applies: bool },
    /// Merges one batch into one table of orders.
    Merge { native: Native, key: Key, table: PathBuf, batch: PathBuf },
    /// Makes a table equal to a new load of it.
    Reload { way: Way, table: PathBuf, built: PathBuf },
    /// Updates rows of a table with one large file of wide rows.
    UpdateWide { table: PathBuf, rows: u64 },
    /// Applies small objects one after another.
    Follow { course: Course, csv: PathBuf },
}

impl Case {
    fn is_of_the_library(&self) -> bool {
        matches!(
            self,
            Self::Merge { native: Native::MergeBuilder, .. }
                | Self::Reload { way: Way::MergeBuilder, .. }
        )
    }
}

/// Runs a case, with the memory budget of a function or of this machine.
pub(crate) fn run(case: &Case, in_lambda: bool) -> Run {
    run_within(case, in_lambda.then_some(LAMBDA_MEMORY))
}

/// Runs a case with the memory budget of a function of so many megabytes, or of this machine.
pub(crate) fn run_within(case: &Case, function_memory: Option<&str>) -> Run {
    let mut command = of_case(case);
    if let Some(megabytes) = function_memory {
        command.env(FUNCTION_MEMORY, megabytes);
    }
    read(command)
}

/// Runs a case that may not come to its end, such as one that takes all memory: how it ended, then.
pub(crate) fn try_run(case: &Case) -> Result<Run, ExitStatus> {
    try_read(&mut of_case(case))
}

fn of_case(case: &Case) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg(CHILD).arg(serde_json::to_string(case).expect("a case as JSON"));
    command.env_remove(FUNCTION_MEMORY);
    command
}

/// Runs a program that prints a [`Run`] as JSON.
pub(crate) fn read(mut command: Command) -> Run {
    try_read(&mut command).unwrap_or_else(|status| panic!("{command:?}: {status}"))
}

fn try_read(command: &mut Command) -> Result<Run, ExitStatus> {
    let output = command.stderr(std::process::Stdio::inherit()).output().expect("it starts");
    if !output.status.success() {
        return Err(output.status);
    }
    Ok(serde_json::from_slice(&output.stdout).expect("a run as JSON"))
}

/// The case that the arguments ask for; none in the process that measures.
pub(crate) fn asked(arguments: &[String]) -> Option<Case> {
    match arguments {
        [word, case] if word == CHILD => Some(serde_json::from_str(case).expect("a case")),
        _ => None,
    }
}

/// Runs a case here and prints what it took.
pub(crate) fn answer(case: &Case) {
    // As both binaries do; who uses the library has the allocator as it is.
    if !case.is_of_the_library() {
        dmslake::memory::return_freed_memory();
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut run = runtime.block_on(async {
        match case {
            Case::Reduce { staging } => case::reduce(staging).await,
            Case::Apply { staging, lake, merge } => {
                case::apply(settings(staging, lake, merge)).await
            }
            Case::ApplyWithSequences { staging, lake, merge, sequences } => {
                case::apply(settings_with(staging, lake, merge, *sequences)).await
            }
            Case::Plan { staging, lake, merge, applies } => {
                Box::pin(plan::plan_or_apply(settings(staging, lake, merge), *applies)).await
            }
            Case::Merge { native, key, table, batch } => {
                contestant::merge_here(*native, *key, table, batch).await
            }
            Case::Reload { way, table, built } => {
                Box::pin(reload::reload_here(*way, table, built)).await
            }
            Case::UpdateWide { table, rows } => memory::update(table, *rows).await,
            Case::Follow { course, csv } => Box::pin(batches::follow(course, csv)).await,
        }
    });
    if run.peak == 0 {
        run.peak = machine::peak_memory();
    }
    println!("{}", serde_json::to_string(&run).expect("numbers"));
}
