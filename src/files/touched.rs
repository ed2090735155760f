//! What locating changed keys says about one data file.

use std::sync::Arc;

use deltalake::kernel::Add;
use parquet::file::metadata::ParquetMetaData;

/// A data file that holds changed keys, as the snapshot has it.
#[derive(Clone, Debug)]
pub struct TouchedFile {
    /// Its entry in the log, path decoded once.
    pub add: Add,
    /// Its footer, read with the page index if the file has one.
    pub footer: Arc<ParquetMetaData>,
    /// Where changed keys stand, by rising position.
    pub matches: Vec<Match>,
    /// Physical rows that its deletion vector masks, rising; empty without one.
    pub masked: Vec<u64>,
}

impl TouchedFile {
    /// Its physical rows, masked ones among them.
    pub(crate) fn rows(&self) -> u64 {
        u64::try_from(self.footer.file_metadata().num_rows()).unwrap_or_default()
    }

    /// Those that are masked or change.
    pub(crate) fn dead_rows(&self) -> u64 {
        (self.masked.len() + self.matches.len()) as u64
    }
}

/// A row that a net change meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Physical row in the file, from 0.
    pub position: u64,
    /// The net change: its place among upserts, then deletes.
    pub change: u32,
}
