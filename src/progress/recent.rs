//! How much of a table recent changes have deleted and updated, however they were cut into objects
//! and commits.

use serde::{Deserialize, Serialize};

use crate::progress::Counts;
use crate::progress::cdc::stamp_before;

/// Changes count together if their objects are named within so many minutes.
const MINUTES: u32 = 60;

/// What change objects of an hour have done to a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// The stamp of the first of them.
    pub since: String,
    /// The table's rows before it.
    pub before: u64,
    /// Rows that they deleted.
    pub deleted: u64,
    /// Rows that they updated; one that several commits changed counts with each.
    pub updated: u64,
}

impl Recent {
    /// Together with a commit to a table of so many rows, whose first object has that stamp.
    #[must_use]
    pub fn with(recent: Option<&Self>, stamp: &str, rows: u64, counts: &Counts) -> Self {
        let hour_before = stamp_before(stamp, MINUTES);
        let is_same = |recent: &&Self| hour_before.as_ref().is_some_and(|at| recent.since >= *at);
        let Self { since, before, deleted, updated } =
            recent.filter(is_same).cloned().unwrap_or_else(|| Self {
                since: stamp.to_owned(),
                before: rows,
                deleted: 0,
                updated: 0,
            });
        let (deleted, updated) = (deleted + counts.deleted, updated + counts.updated);
        Self { since, before, deleted, updated }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_of_an_hour_count_together() {
        let counts = Counts { deleted: 3, updated: 1, ..Counts::default() };
        let first = Recent::with(None, "20240101-100000000", 10, &counts);
        let second = Recent::with(Some(&first), "20240101-110000000", 7, &counts);
        let expected = Recent { since: first.since.clone(), before: 10, deleted: 6, updated: 2 };
        assert_eq!(second, expected);
        let third = Recent::with(Some(&second), "20240101-110001000", 4, &counts);
        assert_eq!((third.since.as_str(), third.before), ("20240101-110001000", 4));
        assert_eq!((third.deleted, third.updated), (3, 1));
        // Stamps that are no times count each by itself.
        let other = Recent::with(Some(&third), "x", 4, &counts);
        assert_eq!((other.before, other.deleted), (4, 3));
    }
}
