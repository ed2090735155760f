//! Whether a snapshot is still what its log says.

use crate::error::{Error, ErrorKind, Result};

/// Where a snapshot is in the log that it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// The log ends with its version.
    Newest,
    /// There are commits after it.
    Behind,
    /// The log no longer holds the commit that it knows. The table's folder was moved away,
    /// perhaps for another table to take its place: a snapshot of the old one must then be
    /// forgotten, not built upon.
    Gone,
}

impl Freshness {
    /// Whether a commit may be tried on this snapshot.
    ///
    /// # Errors
    /// `Conflict` unless the log ends with its version.
    pub(super) fn allows_commit(self) -> Result<()> {
        match self {
            Self::Newest => Ok(()),
            Self::Behind => Err(Error::new(ErrorKind::Conflict, "another commit came first")),
            Self::Gone => Err(gone()),
        }
    }
}

/// The refusal of what is built on a table whose log is another one by now.
pub(super) fn gone() -> Error {
    Error::new(ErrorKind::Conflict, "the table is no longer there")
}
