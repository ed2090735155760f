//! One measured case in a process of its own: this program again, with the case as arguments.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::{case, machine};

const CHILD: &str = "--case";
/// What the function has where it has one whole processor.
pub(crate) const LAMBDA_MEMORY: &str = "1769";

/// What one run of a case took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    /// The most memory that the process had, in KiB.
    pub(crate) peak: u64,
    /// What every run of the case must come to.
    pub(crate) outcome: Vec<i64>,
    /// The table's version afterwards; 0 where there is no table.
    pub(crate) version: u64,
}

/// A case.
#[derive(Clone, Debug)]
pub(crate) enum Case {
    /// Decodes a staging folder and reduces it to net changes.
    Reduce { staging: PathBuf },
    /// Applies a staging folder to a lake.
    Apply { staging: PathBuf, lake: PathBuf, merge: String },
}

/// Runs a case, with the memory budget of a function or of this machine.
pub(crate) fn run(case: &Case, in_lambda: bool) -> Run {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg(CHILD).env_remove("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
    match case {
        Case::Reduce { staging } => command.arg("reduce").arg(staging),
        Case::Apply { staging, lake, merge } => {
            command.arg("apply").arg(staging).arg(lake).arg(merge)
        }
    };
    if in_lambda {
        command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", LAMBDA_MEMORY);
    }
    read(command)
}

/// Runs a program that prints a [`Run`] as JSON.
pub(crate) fn read(mut command: Command) -> Run {
    let output = command.stderr(std::process::Stdio::inherit()).output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", output.status);
    serde_json::from_slice(&output.stdout).expect("a run as JSON")
}

/// The case that the arguments ask for; none in the process that measures.
pub(crate) fn asked(arguments: &[String]) -> Option<Case> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let path = |word: &str| Path::new(word).to_owned();
    match words.as_slice() {
        [CHILD, "reduce", staging] => Some(Case::Reduce { staging: path(staging) }),
        [CHILD, "apply", staging, lake, merge] => Some(Case::Apply {
            staging: path(staging),
            lake: path(lake),
            merge: (*merge).to_owned(),
        }),
        _ => None,
    }
}

/// Runs a case here and prints what it took.
pub(crate) fn answer(case: &Case) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut run = runtime.block_on(async {
        match case {
            Case::Reduce { staging } => case::reduce(staging).await,
            Case::Apply { staging, lake, merge } => case::apply(staging, lake, merge).await,
        }
    });
    run.peak = machine::peak_memory();
    println!("{}", serde_json::to_string(&run).expect("numbers"));
}
