//! A staged object as listed.

use chrono::{DateTime, Utc};
use object_store::path::Path;

use serde::{Deserialize, Serialize};

use crate::dms::ObjectName;

/// What a listing shows of an object that holds changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedObject {
    /// Its full path in the store.
    pub location: Path,
    /// Its path below the table's folder, as DMS wrote it.
    pub relative: String,
    /// Its parsed name.
    pub name: ObjectName,
    /// Its size in bytes.
    pub size: u64,
    /// Its ETag, on S3.
    pub e_tag: Option<String>,
    /// When it was stored.
    pub last_modified: DateTime<Utc>,
}

/// What identifies an object: its content, not only its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Identity {
    /// On S3: the ETag.
    ETag(String),
    /// On a file system: 128 bits of the BLAKE3 hash of the content, in hexadecimal.
    Content(String),
}
