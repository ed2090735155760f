//! What our commits write into their `commitInfo`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::progress::objects::{self, CommittedObject};
use crate::progress::{Counts, Ledger, NewestChange};

/// The key of a [`CommitRecord`] in `commitInfo`.
pub const KEY: &str = "dmslake";

/// The application id of our `txn` actions: one writer lane per table.
pub const APP_ID: &str = "dmslake";

/// The fate of every change of one commit, and what it did to the table's size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// What became of the changes.
    #[serde(flatten)]
    pub counts: Counts,
    /// Rows in the table before.
    pub before: u64,
    /// Rows in the table after.
    pub after: u64,
}

impl Books {
    /// Checks two equations: every change has exactly one outcome, and the table grew by the
    /// inserted minus the deleted rows.
    ///
    /// # Errors
    /// `Internal` if one of them is not satisfied.
    pub fn check(&self) -> Result<()> {
        self.counts.check()?;
        let Counts { inserted, deleted, .. } = self.counts;
        if self.before + inserted != self.after + deleted {
            return Err(Error::new(ErrorKind::Internal, "the table's rows do not add up")
                .with("before", self.before)
                .with("inserted", inserted)
                .with("deleted", deleted)
                .with("after", self.after));
        }
        Ok(())
    }
}

/// The value of the key `dmslake` in `commitInfo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRecord {
    /// The format of the record: 3. Number 1 lists objects one by one; 1 and 2 know neither when a
    /// full load began, nor how many change objects were applied, nor rebuilds.
    pub format: u8,
    /// The attempt that wrote the commit. After a lost answer it shows whose commit it is.
    pub attempt: Uuid,
    /// What the commit took in, in order.
    #[serde(with = "objects")]
    pub objects: Vec<CommittedObject>,
    /// The outcomes of its changes.
    pub books: Books,
    /// The newest of its changes.
    #[serde(skip_serializing_if = "NewestChange::is_unknown", default)]
    pub newest: NewestChange,
    /// Progress after the commit.
    pub ledger: Ledger,
}

impl CommitRecord {
    /// The format that this program writes, and the newest that it reads.
    pub const FORMAT: u8 = 3;

    /// The record of a commit that takes in these objects.
    #[must_use]
    pub fn of(attempt: Uuid, objects: Vec<CommittedObject>, books: Books, ledger: Ledger) -> Self {
        let ledger = Ledger { rows: books.after, ..ledger };
        let newest = NewestChange::default();
        Self { format: Self::FORMAT, attempt, objects, books, newest, ledger }
    }

    /// The same of a commit that is made now and whose newest changes are known.
    #[must_use]
    pub fn with_newest(mut self, newest: NewestChange, now: DateTime<Utc>) -> Self {
        self.ledger.took_in(&self.objects, &newest, now);
        Self { newest, ..self }
    }

    /// The record of a commit that takes in no object and does not change the table's rows.
    #[must_use]
    pub fn without_objects(attempt: Uuid, ledger: Ledger, rows: u64) -> Self {
        let books = Books { before: rows, after: rows, ..Books::default() };
        Self::of(attempt, Vec::new(), books, ledger)
    }

    /// The record of a commit that replaces what the table was built from: it takes in no object,
    /// and its changes have these outcomes.
    ///
    /// # Errors
    /// `Internal` if the books do not balance.
    pub fn replacing(
        attempt: Uuid,
        counts: Counts,
        before: u64,
        after: u64,
        ledger: Ledger,
    ) -> Result<Self> {
        let books = Books { counts, before, after };
        books.check()?;
        Ok(Self::of(attempt, Vec::new(), books, ledger))
    }

    /// The record as JSON.
    ///
    /// # Errors
    /// `Internal` if it cannot be serialised.
    pub fn to_json(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).map_err(|error| {
            Error::new(ErrorKind::Internal, "the commit record cannot be written").because(error)
        })
    }

    /// Reads a record of this format or an older one.
    ///
    /// What is added to a record that an older program may drop, because nothing goes wrong
    /// without it, is an optional member of the same format. Anything else raises the format, and
    /// this function reads the older ones still.
    ///
    /// # Errors
    /// `TableRefused` if a newer program wrote it, `TableCorrupt` if the value is no record.
    pub fn from_json(value: &serde_json::Value) -> Result<Self> {
        let refused =
            || Error::new(ErrorKind::TableCorrupt, "a commit record in the log cannot be read");
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(format) if format > u64::from(Self::FORMAT) => Err(newer("commit record", format)),
            _ => Self::deserialize(value).map_err(|error| refused().because(error)),
        }
    }
}

/// The refusal of what a newer program wrote: an older one would drop what it does not know.
pub(crate) fn newer(what: &str, format: u64) -> Error {
    Error::new(ErrorKind::TableRefused, format!("a newer version of dmslake wrote the {what}"))
        .with("format", format)
        .with_remedy("upgrade dmslake, here and wherever else it applies this table")
}
