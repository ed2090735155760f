//! When maintenance acts: the thresholds, all in one place.

use std::time::Duration;

/// Runs of files that may overlap in their keys before some are merged. Each costs every merge
/// and every reader that looks a key up one more place to look.
pub(super) const MOST_RUNS: usize = 8;

/// A run is taken into a merge of smaller ones if it has at most so many times their size.
pub(super) const RUN_RATIO: u64 = 2;

/// A file is small below this part of the table's target file size.
pub(super) const SMALL_SHARE: u64 = 4;

/// Small neighbours that are worth a commit.
pub(super) const FEWEST_SMALL: usize = 8;

/// A file is rewritten without its masked rows from this part of its rows on: a reader reads and
/// drops them each time.
pub(super) const MASKED_SHARE: u64 = 4;

/// Commits after which opening the table is worth a checkpoint.
pub(super) const CHECKPOINT_COMMITS: u64 = 10;

/// So many commits back a checkpoint is looked for: with their checkpoints they fit one page of a
/// listing.
pub(super) const LISTED_COMMITS: u64 = 800;

/// Longer than any write takes from its file to its commit, and than clocks differ: added to the
/// retention before anything is deleted. A job that takes longer gives its commit up.
pub(super) const DELETION_SLACK: Duration = Duration::from_hours(1);

/// Bytes of data files that a rewrite is sure to read and write in a second on one processor of
/// Lambda; what would not be done in the time left is not begun.
pub(super) const BYTES_A_SECOND: u64 = 4 << 20;

/// Commits that one maintenance makes at most: what is left is due the next time.
pub(super) const MOST_COMMITS: usize = 64;

/// How often a rewrite is tried whose files others have changed meanwhile.
pub(super) const MOST_RACES: usize = 5;
