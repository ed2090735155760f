//! Where the slices of one pass go.

use crate::config::{LookBack, TableSpec};
use crate::pipeline::Pipeline;
use crate::progress::Ledger;
use crate::storage::Location;

/// Where the slices of one pass go.
pub(super) struct Target<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) spec: &'a TableSpec,
    pub(super) location: &'a Location,
    /// With which progress the table begins, if it is not there yet.
    pub(super) beginning: &'a Ledger,
    /// What may leave the ledger's window.
    pub(super) bound: Option<LookBack>,
}
