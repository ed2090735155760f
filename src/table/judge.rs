//! Whether what is wrong with a table's files is wrong with the table as it is now.

use crate::error::{Error, ErrorKind};
use crate::table::LakeTable;

impl LakeTable {
    /// What an error is that was met while files of this snapshot were read. Where the log no
    /// longer ends with it, somebody may have removed them with every right (a vacuum, a folder
    /// that is moved away): then the table is to be looked at again.
    pub(crate) async fn judge(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::TableCorrupt {
            return error;
        }
        match self.must_be_newest().await {
            Ok(()) => error,
            Err(outdated) => outdated.because(error),
        }
    }
}
