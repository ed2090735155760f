//! How much memory an object may ask for, told before anything is allocated for it.

use crate::error::{Error, Result};
use crate::staging::object_context::ObjectContext;

/// A smaller budget bounds objects as this one does, so that those of ordinary shape always fit.
const LEAST: usize = 16 << 20;
/// The same for what is read ahead of its turn, of which there are sixteen objects at most.
const LEAST_AHEAD: usize = 256 << 10;
/// The longest text that a row or a page may have, whatever the budget: Arrow's offsets have 31
/// bits, and a batch may hold two pages.
const LONGEST_TEXT: usize = 256 << 20;
/// Footers that are read within any bound.
const SMALL_FOOTER: usize = 64 << 10;

/// The most fields that a row may have: a table of MySQL has 4,096 columns at most, and before
/// images double them.
pub(super) const MOST_FIELDS: usize = 16 * 1024;

/// What one object may take of memory while it is read, each a share of the same sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    sum: usize,
}

impl Bounds {
    /// Of an object in its turn.
    pub(super) fn of_budget(memory_budget: usize) -> Self {
        Self { sum: memory_budget.max(LEAST) }
    }

    /// Of an object that is read ahead of its turn for so much of the budget.
    pub(super) fn ahead(charge: usize) -> Self {
        Self { sum: charge.max(LEAST_AHEAD) }
    }

    /// An object that is held as a whole; the staged bytes of a row group; all pages of it that
    /// are unpacked at once.
    pub(super) fn whole(self) -> Bound {
        Bound { bytes: self.sum, share: 1, most: usize::MAX }
    }

    /// One page, unpacked: a batch may hold two of them.
    pub(super) fn page(self) -> Bound {
        Bound { bytes: (self.sum / 2).min(LONGEST_TEXT), share: 2, most: LONGEST_TEXT }
    }

    /// One row: it stands in the text that it is cut from, in a batch, and in what is set aside.
    /// Of one that is longer the end has not been seen, so the budget that is named takes twice
    /// what has.
    pub(super) fn row(self) -> Bound {
        Bound { bytes: (self.sum / 4).min(LONGEST_TEXT), share: 8, most: LONGEST_TEXT }
    }

    /// A Parquet footer as it is staged; what it becomes may take eight times that.
    pub(super) fn footer(self) -> Bound {
        Bound { bytes: (self.sum / 16).max(SMALL_FOOTER), share: 16, most: usize::MAX }
    }

    /// What a footer becomes.
    pub(super) fn metadata(self) -> Bound {
        Bound { bytes: (self.sum / 2).max(8 * SMALL_FOOTER), share: 2, most: usize::MAX }
    }
}

/// Which rows of an object are read, how many at once, and within which bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadBounds {
    pub(super) skip_rows: u64,
    pub(super) batch_rows: usize,
    pub(super) batch_bytes: usize,
    pub(super) bounds: Bounds,
}

/// The bound of something that an object asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    bytes: usize,
    /// How many times as much the budget has to be.
    share: u64,
    /// More than this is allowed under no budget.
    most: usize,
}

impl Bound {
    /// So many bytes.
    pub(super) fn bytes(self) -> usize {
        self.bytes
    }

    /// Refuses what is asked for if it is more; `instead` says what helps at the source.
    pub(super) fn check(
        self,
        what: &str,
        bytes: u64,
        instead: &str,
        subject: &ObjectContext,
    ) -> Result<()> {
        if bytes <= self.bytes as u64 {
            return Ok(());
        }
        Err(self.exceeded(what, bytes, instead, subject))
    }

    /// The error for something that takes at least so many bytes.
    pub(super) fn exceeded(
        self,
        what: &str,
        bytes: u64,
        instead: &str,
        subject: &ObjectContext,
    ) -> Error {
        let message =
            format!("{what} takes {bytes} bytes, and memory_budget allows it {}", self.bytes);
        let remedy = if bytes > self.most as u64 {
            instead.to_owned()
        } else {
            let budget = bytes.saturating_mul(self.share);
            format!(
                "{instead}; if it is as DMS wrote it, set memory_budget to {budget} at least, in \
                 a process that has eight times as much"
            )
        };
        subject.malformed(message).with_remedy(remedy)
    }
}
