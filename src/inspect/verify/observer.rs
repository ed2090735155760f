//! What a verification tells while it runs.

/// A step of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// About so many rows are at the source.
    Expected {
        /// Rows.
        rows: u64,
    },
    /// So many more rows were read from the source, or replayed from staging.
    Source {
        /// Rows.
        rows: u64,
    },
    /// So many more rows were read from the lake.
    Lake {
        /// Rows.
        rows: u64,
    },
    /// So many keys differ so far and are looked at again.
    Rechecks {
        /// Keys.
        keys: u64,
    },
}

/// Follows a verification.
pub trait Observer: Send + Sync {
    /// Something was done.
    fn step(&self, step: Step);
}

/// Follows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn step(&self, _step: Step) {}
}
