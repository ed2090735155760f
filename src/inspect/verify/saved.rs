//! How far the source was counted, kept in a file so that an interrupted verification goes on
//! behind the last range that it finished.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::verify::encode::Key;
use crate::inspect::verify::parts::{Parts, Tally};
use crate::inspect::verify::source::SqlKey;

const SCHEMA: &str = "verify-state/1";
/// The file is written at most so often.
const INTERVAL: Duration = Duration::from_secs(5);

/// What was counted of the source.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Counted {
    schema: String,
    table: String,
    /// Names and types of the compared columns, those of the key first.
    columns: Vec<String>,
    /// Digests depend on it.
    pub(super) seed: [u8; 32],
    /// Rows by hash of their keys are in so many groups; none where there are ranges.
    groups: Option<usize>,
    /// The greatest key of each range.
    ends: Vec<Key>,
    /// The same in SQL.
    pub(super) sql_ends: Vec<SqlKey>,
    /// Rows and digests of each part.
    pub(super) tallies: Vec<Tally>,
    /// Behind which key the source is read on; none at its beginning.
    pub(super) after: Option<SqlKey>,
    /// Rows counted.
    pub(super) rows: u64,
}

impl Counted {
    /// Nothing of a table with these columns.
    pub(super) fn nothing(
        table: String,
        columns: Vec<String>,
        seed: [u8; 32],
        groups: Option<usize>,
    ) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            table,
            columns,
            seed,
            groups,
            ends: Vec::new(),
            sql_ends: Vec::new(),
            tallies: vec![Tally::default(); groups.unwrap_or(0)],
            after: None,
            rows: 0,
        }
    }

    /// Whether keys are divided by ranges.
    pub(super) fn has_ranges(&self) -> bool {
        self.groups.is_none()
    }

    /// A further range, up to a key.
    pub(super) fn push_range(&mut self, end: Key, sql_end: SqlKey, tally: Tally) {
        self.ends.push(end);
        self.sql_ends.push(sql_end);
        self.tallies.push(tally);
    }

    /// The greatest key of the last range.
    pub(super) fn last_end(&self) -> Option<&Key> {
        self.ends.last()
    }

    /// How rows are divided, once all are counted.
    pub(super) fn parts(&self) -> Parts {
        match self.groups {
            Some(groups) => Parts::Groups(groups),
            None => Parts::Ranges(self.ends.clone()),
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.schema == other.schema
            && self.table == other.table
            && self.columns == other.columns
            && self.groups.is_some() == other.groups.is_some()
    }
}

/// The file in which it is kept.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    written: Instant,
}

impl StateFile {
    /// The file, and what an interrupted verification has left in it.
    ///
    /// # Errors
    /// `Config` if the file cannot be read, or is about something else than `beginning`.
    pub(super) fn open(
        path: &Path,
        beginning: Counted,
        clock: &dyn Clock,
    ) -> Result<(Self, Counted)> {
        let file = Self { path: path.to_owned(), written: clock.instant() };
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok((file, beginning));
            }
            Err(error) => return Err(file.unusable("cannot be read").because(error)),
        };
        let found: Counted = serde_json::from_slice(&bytes)
            .map_err(|error| file.unusable("is not one of dmslake verify").because(error))?;
        if !found.is_like(&beginning) {
            return Err(file.unusable("is of another table, or of other columns"));
        }
        Ok((file, found))
    }

    /// Writes how far it came, unless that was done a moment ago.
    ///
    /// # Errors
    /// `Config` if the file cannot be written.
    pub(super) fn keep(&mut self, counted: &Counted, clock: &dyn Clock) -> Result<()> {
        if clock.instant() - self.written < INTERVAL {
            return Ok(());
        }
        self.write(counted, clock)
    }

    /// Writes how far it came.
    ///
    /// # Errors
    /// As [`Self::keep`].
    pub(super) fn write(&mut self, counted: &Counted, clock: &dyn Clock) -> Result<()> {
        let unwritable = |error: std::io::Error| self.unusable("cannot be written").because(error);
        let bytes = serde_json::to_vec(counted).map_err(|error| {
            Error::new(ErrorKind::Internal, "the state has no JSON form").because(error)
        })?;
        // A crash leaves the old file or the new one.
        let beside = self.path.with_extension("new");
        std::fs::write(&beside, bytes).map_err(unwritable)?;
        std::fs::rename(&beside, &self.path).map_err(unwritable)?;
        self.written = clock.instant();
        Ok(())
    }

    /// Removes it: the source is counted.
    pub(super) fn remove(self) {
        // It was perhaps never written.
        let _ = std::fs::remove_file(&self.path);
    }

    fn unusable(&self, why: &str) -> Error {
        Error::new(ErrorKind::Config, format!("the file of --resume {why}"))
            .with("file", self.path.display())
            .with_remedy(
                "give --resume a file of its own for each table, or one that does not exist yet",
            )
    }
}
