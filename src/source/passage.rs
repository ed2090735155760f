//! Which rows of an object are read.

use crate::source::bounds::Bounds;

/// Which rows of an object are read, how many at once, and within which bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passage {
    pub(super) skip_rows: u64,
    pub(super) batch_rows: usize,
    pub(super) batch_bytes: usize,
    pub(super) bounds: Bounds,
}
