//! How a command ends, and its exit code.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Everything is done.
    Done,
    /// A table is held, failed or unfinished.
    Attention,
    /// The command line or the configuration cannot be used.
    Usage,
    /// A task of a job has failed as every attempt would.
    Final,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Attention => 1,
            Exit::Usage => 2,
            Exit::Final => 3,
        })
    }
}
