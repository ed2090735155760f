//! What a commit did, under the names of Spark's MERGE metrics.

use std::time::Duration;

use deltalake::kernel::Add;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::files::Rewritten;
use crate::merge::MergePlan;

/// Data files by what commits do about them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileCounts {
    /// Searched for keys, a file as often as a commit searches it.
    pub searched: u64,
    /// Written again, or left with no row.
    pub rewritten: u64,
    /// Of which rows are masked.
    pub masked: u64,
    /// Added.
    pub added: u64,
}

impl FileCounts {
    /// Each count of both, by a function of the two.
    pub(crate) fn with(self, other: Self, both: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            searched: both(self.searched, other.searched),
            rewritten: both(self.rewritten, other.rewritten),
            masked: both(self.masked, other.masked),
            added: both(self.added, other.added),
        }
    }
}

/// Counts of one commit. Rows are known from the plan, files as they are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Metrics {
    source_rows: u64,
    /// Files of the table that may have contained changed keys, where that is known.
    searched: Option<u64>,
    inserted: u64,
    updated: u64,
    deleted: u64,
    copied: u64,
    files_added: u64,
    files_removed: u64,
    bytes_added: u64,
    bytes_removed: u64,
    vectors_added: u64,
    vectors_updated: u64,
    took: Duration,
    /// Until writing began, where it is known since when rows were read.
    scanned: Option<Duration>,
}

impl Metrics {
    /// What became of changes.
    pub(crate) fn of_rows(inserted: u64, updated: u64, deleted: u64, ignored: u64) -> Self {
        let source_rows = inserted + updated + deleted + ignored;
        Self { source_rows, inserted, updated, deleted, ..Self::default() }
    }

    /// The rows that a plan changes.
    pub(super) fn of(plan: &MergePlan) -> Self {
        let rows = Self::of_rows(plan.inserted, plan.updated, plan.deleted, plan.ignored);
        Self { searched: Some(plan.searched), ..rows }
    }

    /// Counts files as `more` does, which was counted elsewhere.
    #[cfg(feature = "cli")]
    pub(crate) fn count_files_of(&mut self, more: &Self) {
        self.copied += more.copied;
        self.files_added += more.files_added;
        self.files_removed += more.files_removed;
        self.bytes_added += more.bytes_added;
        self.bytes_removed += more.bytes_removed;
        self.vectors_added += more.vectors_added;
        self.vectors_updated += more.vectors_updated;
    }

    /// Counts a file with new rows.
    pub(crate) fn added(&mut self, file: &Add) {
        self.files_added += 1;
        self.bytes_added += file.size.unsigned_abs();
    }

    /// Counts a file and its replacement, if any row is left.
    pub(crate) fn replaced(&mut self, file: &Add, rewritten: &Rewritten) {
        self.files_removed += 1;
        self.bytes_removed += file.size.unsigned_abs();
        self.copied += rewritten.copied_rows + rewritten.encoded_rows - rewritten.updated_rows;
        if let Some(add) = &rewritten.add {
            self.added(add);
        }
    }

    /// Counts a file that was folded into new files, with this many unchanged rows.
    pub(crate) fn folded(&mut self, file: &Add, rows: u64) {
        self.files_removed += 1;
        self.bytes_removed += file.size.unsigned_abs();
        self.copied += rows;
    }

    /// Counts a file in which rows were masked; `after` is none if no row is left.
    pub(crate) fn masked(&mut self, before: &Add, after: Option<&Add>) {
        match (after, &before.deletion_vector) {
            (None, _) => {
                self.files_removed += 1;
                self.bytes_removed += before.size.unsigned_abs();
            }
            (Some(_), None) => self.vectors_added += 1,
            (Some(_), Some(_)) => self.vectors_updated += 1,
        }
    }

    /// Bytes of the data files that were written.
    pub(super) fn bytes_added(&self) -> u64 {
        self.bytes_added
    }

    /// What became of data files.
    pub(super) fn files(&self) -> FileCounts {
        FileCounts {
            searched: self.searched.unwrap_or_default(),
            rewritten: self.files_removed,
            masked: self.vectors_added + self.vectors_updated,
            added: self.files_added,
        }
    }

    /// Sets the time until everything was written, and how much of it went by before writing began.
    pub(crate) fn took(&mut self, took: Duration, scanned: Option<Duration>) {
        self.took = took;
        self.scanned = scanned;
    }

    /// The metrics as Spark writes them, with every value as text.
    pub(crate) fn to_json(self) -> Value {
        let milliseconds = |took: Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let metrics = [
            ("numSourceRows", self.source_rows),
            ("numTargetRowsInserted", self.inserted),
            ("numTargetRowsUpdated", self.updated),
            ("numTargetRowsDeleted", self.deleted),
            ("numTargetRowsCopied", self.copied),
            ("numOutputRows", self.inserted + self.updated + self.copied),
            ("numTargetFilesAdded", self.files_added),
            ("numTargetFilesRemoved", self.files_removed),
            ("numTargetBytesAdded", self.bytes_added),
            ("numTargetBytesRemoved", self.bytes_removed),
            ("numTargetDeletionVectorsAdded", self.vectors_added),
            ("numTargetDeletionVectorsUpdated", self.vectors_updated),
            ("executionTimeMs", milliseconds(self.took)),
        ];
        let entry = |(name, value): (&str, u64)| (name.to_owned(), Value::from(value.to_string()));
        let scanned = self.scanned.map(|scanned| ("scanTimeMs", milliseconds(scanned)));
        let searched = self.searched.map(|searched| ("numTargetFilesAfterSkipping", searched));
        let metrics = metrics.into_iter().chain(scanned).chain(searched);
        Value::Object(metrics.map(entry).collect::<Map<_, _>>())
    }
}
