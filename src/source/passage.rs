//! Which rows of an object are read.

/// Which rows of an object are read, and how many at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passage {
    pub(super) skip_rows: u64,
    pub(super) batch_rows: usize,
    pub(super) batch_bytes: usize,
}
