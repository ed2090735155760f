//! Pages of the source: as many rows at once as memory and the bound on the source's load allow.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;

use crate::clock::Clock;
use crate::error::Result;
use crate::inspect::verify::observer::{Observer, Step};
use crate::inspect::verify::source::{Reader, SqlKey};

/// Rows of the first page.
const FIRST: u64 = 500;
/// Later pages have about so many bytes, and at most so many rows.
const BYTES: u64 = 4 << 20;
const MOST: u64 = 10_000;

/// Reads the source page by page.
pub(super) struct Pages<'r, 's> {
    reader: &'r mut Reader<'s>,
    pace: Pace<'r>,
    observer: &'r dyn Observer,
    size: u64,
}

/// Some rows in key order.
pub(super) struct Page {
    pub(super) rows: RecordBatch,
    /// Whether none follow.
    pub(super) is_last: bool,
}

impl<'r, 's> Pages<'r, 's> {
    /// Pages of what the reader reads.
    pub(super) fn of(
        reader: &'r mut Reader<'s>,
        pace: Pace<'r>,
        observer: &'r dyn Observer,
    ) -> Self {
        let size = pace.most.map_or(FIRST, |most| FIRST.min(most.get()));
        Self { reader, pace, observer, size }
    }

    /// The next rows behind one key, and not behind another.
    ///
    /// # Errors
    /// As [`Reader::page`].
    pub(super) async fn next(
        &mut self,
        after: Option<&SqlKey>,
        until: Option<&SqlKey>,
    ) -> Result<Page> {
        let asked = self.size;
        let rows = self.reader.page(after, until, asked).await?;
        let found = rows.num_rows() as u64;
        self.observer.step(Step::Source { rows: found });
        self.pace.keep(found).await;
        if let Some(each) = (rows.get_array_memory_size() as u64).checked_div(found) {
            let most = self.pace.most.map_or(MOST, |most| MOST.min(most.get()));
            self.size = (BYTES / each.max(1)).clamp(1, most);
        }
        Ok(Page { rows, is_last: found < asked })
    }

    /// As [`Reader::sql_key`].
    pub(super) fn sql_key(&self, rows: &RecordBatch, row: usize) -> Option<SqlKey> {
        self.reader.sql_key(rows, row)
    }

    /// The reader, for what is not read page by page.
    pub(super) fn reader(&mut self) -> &mut Reader<'s> {
        self.reader
    }

    /// Waits until so many more rows may be read.
    pub(super) async fn keep_pace(&mut self, rows: u64) {
        self.pace.keep(rows).await;
    }
}

/// A bound on the rows that are read in a second.
pub(super) struct Pace<'a> {
    clock: &'a dyn Clock,
    most: Option<NonZeroU64>,
    begun: Instant,
    rows: u64,
}

impl<'a> Pace<'a> {
    /// At most so many rows a second from now on.
    pub(super) fn of(most: Option<NonZeroU64>, clock: &'a dyn Clock) -> Self {
        Self { clock, most, begun: clock.instant(), rows: 0 }
    }

    /// Takes in that rows were read, and waits until that was not too fast.
    async fn keep(&mut self, rows: u64) {
        let Some(most) = self.most else { return };
        self.rows += rows;
        #[expect(clippy::cast_precision_loss, reason = "a pace need not be exact")]
        let due = Duration::from_secs_f64(self.rows as f64 / most.get() as f64);
        let passed = self.clock.instant() - self.begun;
        tokio::time::sleep(due.saturating_sub(passed)).await;
    }
}
