//! What the errors of decoding name: table and object.

use crate::error::{Error, ErrorKind};
use crate::staging::object::StagedObject;

/// The remedy for an object whose bytes are damaged.
pub(crate) const STAGE_AGAIN: &str =
    "stage the object again as DMS wrote it; no setting makes a damaged object readable";

/// The table and the object being read, for messages.
#[derive(Clone, Debug)]
pub(crate) struct ObjectContext {
    pub(crate) table: String,
    pub(crate) object: String,
    /// The object's name in a layout's `from`.
    pub(crate) from: String,
}

impl ObjectContext {
    /// The context of an object that messages name as `shown`.
    pub(crate) fn new(table: String, object: &StagedObject, shown: String) -> Self {
        let plain = object.relative.strip_suffix(".gz").unwrap_or(&object.relative);
        let from = plain.strip_suffix(".csv").or_else(|| plain.strip_suffix(".parquet"));
        Self { table, object: shown, from: from.unwrap_or(plain).to_owned() }
    }

    /// The error if the object's columns or types cannot be read into the table.
    pub(crate) fn refused(&self, message: impl Into<String>) -> Error {
        self.error(ErrorKind::SchemaRefused, message)
    }

    /// The error if the object's bytes contradict its format: the object as a whole is at fault.
    pub(crate) fn malformed(&self, message: impl Into<String>) -> Error {
        self.error(ErrorKind::MalformedObject, message).with_remedy(STAGE_AGAIN)
    }

    /// The error for a failure of the store. An object that is gone, or no longer the one that was
    /// listed, is a conflict: the next listing shows what became of it.
    pub(crate) fn unread(&self, source: object_store::Error) -> Error {
        match source {
            object_store::Error::NotFound { .. } | object_store::Error::Precondition { .. } => {
                self.changed().because(source)
            }
            other => Error::from(other).with("table", &self.table).with("object", &self.object),
        }
    }

    /// The error if the object is no longer the one that was listed.
    pub(crate) fn changed(&self) -> Error {
        self.error(ErrorKind::Conflict, "the object changed while it was read")
    }

    fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, message).with("table", &self.table).with("object", &self.object)
    }
}
