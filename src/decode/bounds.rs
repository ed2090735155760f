//! How much memory an object may ask for, checked before anything is allocated for it.

use crate::error::{Error, Result};
use crate::staging::object_context::ObjectContext;

/// A smaller budget counts as this one, so that objects of ordinary shape always fit.
const LEAST: usize = 16 << 20;
/// The same minimum for an object read ahead of its turn; there are at most sixteen of those.
const LEAST_AHEAD: usize = 256 << 10;
/// The longest text of a row or a page under any budget: Arrow's offsets have 31 bits, and a batch
/// may hold two pages.
const LONGEST_TEXT: usize = 256 << 20;
/// Footers up to this size are read under any budget.
const SMALL_FOOTER: usize = 64 << 10;

/// The most fields of a row: a MySQL table has at most 4,096 columns, and before images double
/// them.
pub(super) const MOST_FIELDS: usize = 16 * 1024;

/// How much memory the parts of one object may take while it is read: shares of one sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    sum: usize,
}

impl Bounds {
    /// The bounds of an object that is read in its turn.
    pub(super) fn of_budget(memory_budget: usize) -> Self {
        Self { sum: memory_budget.max(LEAST) }
    }

    /// The bounds of an object that is read ahead of its turn, for this share of the budget.
    pub(super) fn ahead(charge: usize) -> Self {
        Self { sum: charge.max(LEAST_AHEAD) }
    }

    /// For an object that is held as a whole, for the staged bytes of a row group, and for all of
    /// its pages that are unpacked at once.
    pub(super) fn whole(self) -> Bound {
        Bound { bytes: self.sum, share: 1, most: usize::MAX }
    }

    /// For one unpacked page: a batch may hold two of them.
    pub(super) fn page(self) -> Bound {
        Bound { bytes: (self.sum / 2).min(LONGEST_TEXT), share: 2, most: LONGEST_TEXT }
    }

    /// For one row: it is in the text that it is cut from, in a batch, and in the quarantine. The
    /// end of a longer row has not been seen, so the proposed budget allows twice what has been.
    pub(super) fn row(self) -> Bound {
        Bound { bytes: (self.sum / 4).min(LONGEST_TEXT), share: 8, most: LONGEST_TEXT }
    }

    /// For a Parquet footer as staged; once parsed it may take eight times that.
    pub(super) fn footer(self) -> Bound {
        Bound { bytes: (self.sum / 16).max(SMALL_FOOTER), share: 16, most: usize::MAX }
    }

    /// For a parsed footer.
    pub(super) fn metadata(self) -> Bound {
        Bound { bytes: (self.sum / 2).max(8 * SMALL_FOOTER), share: 2, most: usize::MAX }
    }
}

/// Which rows of an object are read, how many at a time, and within which bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadBounds {
    pub(super) skip_rows: u64,
    pub(super) batch_rows: usize,
    pub(super) batch_bytes: usize,
    pub(super) bounds: Bounds,
}

/// The most bytes that something in an object may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    bytes: usize,
    /// The budget must be this many times as large.
    share: u64,
    /// No budget allows more than this.
    most: usize,
}

impl Bound {
    /// The bound in bytes.
    pub(super) fn bytes(self) -> usize {
        self.bytes
    }

    /// Refuses something that takes more bytes; `instead` says what helps at the source.
    pub(super) fn check(
        self,
        what: &str,
        bytes: u64,
        instead: &str,
        context: &ObjectContext,
    ) -> Result<()> {
        if bytes <= self.bytes as u64 {
            return Ok(());
        }
        Err(self.exceeded(what, bytes, instead, context))
    }

    /// The error for something that takes at least this many bytes.
    pub(super) fn exceeded(
        self,
        what: &str,
        bytes: u64,
        instead: &str,
        context: &ObjectContext,
    ) -> Error {
        let message =
            format!("{what} takes {bytes} bytes, but memory_budget allows only {}", self.bytes);
        let may_fit = bytes <= self.most as u64;
        let remedy = if may_fit {
            let budget = bytes.saturating_mul(self.share);
            format!(
                "{instead}; if the object is as DMS wrote it, set memory_budget to {budget} or \
                 more and give the process eight times that memory"
            )
        } else {
            instead.to_owned()
        };
        let error = context.malformed(message).with_remedy(remedy);
        if may_fit { error.for_want_of_memory() } else { error }
    }
}
