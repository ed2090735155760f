//! What a commit of ours writes into its `commitInfo`.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::progress::Ledger;
use crate::source::{Identity, StagedObject};

/// The key of `commitInfo` under which a [`CommitRecord`] stands.
pub const KEY: &str = "dmslake";

/// The application id of our `txn` actions: one writer lane per table.
pub const APP_ID: &str = "dmslake";

/// An object as one commit took it in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedObject {
    /// Path below the table's folder.
    pub key: String,
    /// On S3.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub etag: Option<String>,
    /// BLAKE3 of the content, on a file system.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hash: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Last modified, milliseconds since the epoch.
    pub modified: i64,
    /// Rows of it that earlier commits took in.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub from: u64,
    /// Rows of it that this commit took in.
    pub rows: u64,
    /// False if more rows follow in a later commit.
    #[serde(skip_serializing_if = "is_true", default = "always")]
    pub done: bool,
}

impl CommittedObject {
    /// The record of rows `from .. from + rows` of an object.
    #[must_use]
    pub fn new(
        object: &StagedObject,
        identity: &Identity,
        from: u64,
        rows: u64,
        done: bool,
    ) -> Self {
        let (etag, hash) = match identity {
            Identity::ETag(tag) => (Some(tag.clone()), None),
            Identity::Content(hash) => (None, Some(hash.clone())),
        };
        Self {
            key: object.relative.clone(),
            etag,
            hash,
            size: object.size,
            modified: object.last_modified.timestamp_millis(),
            from,
            rows,
            done,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_true(flag: &bool) -> bool {
    *flag
}

fn always() -> bool {
    true
}

/// The fate of every change of one commit, each counted where it was decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// Changes taken in; a key change is two.
    pub rows: u64,
    /// Rows that were not in the table before.
    pub inserted: u64,
    /// Rows that were replaced.
    pub updated: u64,
    /// Rows that were removed.
    pub deleted: u64,
    /// Changes overridden by a later one of the same key.
    pub superseded: u64,
    /// Deletes of keys that were not there.
    pub ignored: u64,
    /// Rows set aside.
    pub quarantined: u64,
    /// Rows in the table before.
    pub before: u64,
    /// Rows in the table after.
    pub after: u64,
}

impl Books {
    /// Checks both equations: every change has one fate, and the table grew by what was
    /// inserted less what was deleted.
    ///
    /// # Errors
    /// `Internal` if one of them does not hold.
    pub fn check(&self) -> Result<()> {
        let fates = self.inserted
            + self.updated
            + self.deleted
            + self.superseded
            + self.ignored
            + self.quarantined;
        if self.rows != fates {
            return Err(Error::new(ErrorKind::Internal, "the fates of the changes do not add up")
                .with("rows", self.rows)
                .with("fates", fates));
        }
        if self.before + self.inserted != self.after + self.deleted {
            return Err(Error::new(ErrorKind::Internal, "the table's rows do not add up")
                .with("before", self.before)
                .with("inserted", self.inserted)
                .with("deleted", self.deleted)
                .with("after", self.after));
        }
        Ok(())
    }
}

/// The value of the key `dmslake` in `commitInfo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRecord {
    /// Version of this layout: 1.
    pub format: u8,
    /// The attempt that wrote the commit; decides whose it is after a lost answer.
    pub attempt: Uuid,
    /// What the commit took in, in order.
    pub objects: Vec<CommittedObject>,
    /// What became of it.
    pub books: Books,
    /// Progress after it.
    pub ledger: Ledger,
}

impl CommitRecord {
    /// The layout that this program writes and reads.
    pub const FORMAT: u8 = 1;

    /// The record as it is written.
    ///
    /// # Errors
    /// `Internal` if it cannot be serialised.
    pub fn to_json(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).map_err(|error| {
            Error::new(ErrorKind::Internal, "the commit record cannot be written").because(error)
        })
    }

    /// Reads a record.
    ///
    /// # Errors
    /// `TableCorrupt` if the value is no record of this layout.
    pub fn from_json(value: &serde_json::Value) -> Result<Self> {
        let refused =
            || Error::new(ErrorKind::TableCorrupt, "a commit record of the log cannot be read");
        let record: Self = serde::Deserialize::deserialize(value)
            .map_err(|error: serde_json::Error| refused().because(error))?;
        if record.format == Self::FORMAT {
            Ok(record)
        } else {
            Err(refused().with("format", record.format).with("known", Self::FORMAT))
        }
    }
}
