//! What the errors of decoding name: the table and the object.

use crate::error::{Error, ErrorKind};
use crate::staging::object::StagedObject;

/// The remedy for an object whose bytes are damaged.
pub(crate) const STAGE_AGAIN: &str =
    "stage the object again as DMS wrote it; no setting reads one that is damaged";

/// The table and the object that are being read, for messages.
#[derive(Clone, Debug)]
pub(crate) struct ObjectContext {
    pub(crate) table: String,
    pub(crate) object: String,
    /// What names the object in a layout's `from`.
    pub(crate) from: String,
}

impl ObjectContext {
    /// Of an object, which messages name as `shown`.
    pub(crate) fn new(table: String, object: &StagedObject, shown: String) -> Self {
        let plain = object.relative.strip_suffix(".gz").unwrap_or(&object.relative);
        let from = plain.strip_suffix(".csv").or_else(|| plain.strip_suffix(".parquet"));
        Self { table, object: shown, from: from.unwrap_or(plain).to_owned() }
    }

    /// The object's columns or types cannot be read into the table.
    pub(crate) fn refused(&self, message: impl Into<String>) -> Error {
        self.error(ErrorKind::SchemaRefused, message)
    }

    /// The object's bytes contradict its format: not one row is at fault, but the object.
    pub(crate) fn malformed(&self, message: impl Into<String>) -> Error {
        self.error(ErrorKind::MalformedObject, message).with_remedy(STAGE_AGAIN)
    }

    /// A failure of the store; an object that is gone or no longer the one that was listed is
    /// a conflict, because the next listing tells what became of it.
    pub(crate) fn unread(&self, source: object_store::Error) -> Error {
        match source {
            object_store::Error::NotFound { .. } | object_store::Error::Precondition { .. } => {
                self.changed().because(source)
            }
            other => Error::from(other).with("table", &self.table).with("object", &self.object),
        }
    }

    /// The object is no longer the one that was listed.
    pub(crate) fn changed(&self) -> Error {
        self.error(ErrorKind::Conflict, "the object changed while it was read")
    }

    fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, message).with("table", &self.table).with("object", &self.object)
    }
}
