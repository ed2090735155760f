//! Files that the log names and that are gone or are not what it says.

use crate::error::{Error, ErrorKind};

/// Nothing else brings back rows that stand nowhere else.
const PUT_BACK: &str = "put the file back as it was, from an older version of the object or from a \
                        backup, or move the table folder away and apply again";

/// The table lacks what its log names.
pub(crate) fn damaged(message: &str) -> Error {
    Error::new(ErrorKind::TableCorrupt, message).with_remedy(PUT_BACK)
}

/// The same of what a file cannot be read for: its error has no remedy that knows of files.
pub(crate) fn blamed(error: Error) -> Error {
    let is_blamed = error.kind() == ErrorKind::TableCorrupt && error.own_remedy().is_none();
    if is_blamed { error.with_remedy(PUT_BACK) } else { error }
}
