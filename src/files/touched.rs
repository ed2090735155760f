//! A data file with the rows that changed keys match.

use std::sync::Arc;

use deltalake::kernel::Add;
use parquet::file::metadata::ParquetMetaData;

/// A data file of the snapshot that contains changed keys.
#[derive(Clone, Debug)]
pub struct TouchedFile {
    /// Its entry in the log, with the path decoded once.
    pub add: Add,
    /// Its footer, with the page index if the file has one.
    pub footer: Arc<ParquetMetaData>,
    /// The rows with changed keys, by ascending position.
    pub matches: Vec<Match>,
    /// Physical rows masked by its deletion vector, in ascending order; empty without one.
    pub masked: Vec<u64>,
}

impl TouchedFile {
    /// The number of its physical rows, including masked ones.
    pub(crate) fn rows(&self) -> u64 {
        u64::try_from(self.footer.file_metadata().num_rows()).unwrap_or_default()
    }

    /// The number of rows that are masked or change.
    pub(crate) fn dead_rows(&self) -> u64 {
        (self.masked.len() + self.matches.len()) as u64
    }
}

/// A row that a net change matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Physical row in the file, from 0.
    pub position: u64,
    /// The net change: its index among the upserts followed by the deletes.
    pub change: u32,
}
