//! Settings: what a user writes into `dmslake.toml`, as values that have been checked.

pub mod load;
mod table;
mod validate;

pub use table::{ColumnSpec, Layout, OnBadRow, TableName, TableSpec};

use crate::dms::S3Settings;

/// A whole, valid configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// URI or path of the DMS bucket folder.
    pub staging: String,
    /// URI or path under which tables stand as `<schema>/<table>`.
    pub lake: String,
    /// The DMS endpoint's settings that change bytes or names.
    pub dms: S3Settings,
    /// The tables to keep, in file order.
    pub tables: Vec<TableSpec>,
    /// Bytes of decoded rows that may be in memory at once; none = a share of the machine's.
    pub memory_budget: Option<u64>,
    /// How far below the watermark single objects are remembered.
    pub look_back: LookBack,
}

/// The window below a table's watermark in which applied objects are remembered one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookBack {
    /// At most so many objects, 1 to 256.
    pub objects: usize,
    /// At most so many minutes of CDC stamps before the watermark's.
    pub minutes: u32,
}

impl Default for LookBack {
    fn default() -> Self {
        Self { objects: 256, minutes: 24 * 60 }
    }
}
