//! How a snapshot stands to the log that it was read from.

use crate::error::{Error, ErrorKind, Result};

/// How a snapshot stands to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The log ends with its version.
    Newest,
    /// There are commits behind it.
    Behind,
    /// The log no longer holds the commit that it knows. So it is where the table's folder was
    /// moved away, perhaps for another table to take its place: a snapshot of the old one must
    /// then be forgotten, not built upon.
    Gone,
}

impl Standing {
    /// Whether a commit may be tried on this snapshot.
    ///
    /// # Errors
    /// `Conflict` unless the log ends with its version.
    pub(crate) fn allows_commit(self) -> Result<()> {
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
