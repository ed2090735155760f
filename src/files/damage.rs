//! Errors for files that are missing or do not match the log.

use crate::error::{Error, ErrorKind};

/// Nothing else restores rows that exist nowhere else.
const PUT_BACK: &str = "restore the file from an older version of the object or from a backup, or \
                        dmslake rebuild TABLE while everything since the load is staged";

/// The error for a file that is missing or does not match the log.
pub(crate) fn damaged(message: &str) -> Error {
    Error::new(ErrorKind::TableCorrupt, message).with_remedy(PUT_BACK)
}

/// Adds the remedy for files to an error about an unreadable file that has no remedy of its own.
pub(crate) fn blamed(error: Error) -> Error {
    let is_blamed = error.kind() == ErrorKind::TableCorrupt && error.own_remedy().is_none();
    if is_blamed { error.with_remedy(PUT_BACK) } else { error }
}
