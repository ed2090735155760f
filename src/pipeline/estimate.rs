//! What a rebuild would come to, and how long it would take, before it is begun.

use std::pin::pin;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};

use crate::error::Result;
use crate::pipeline::comparison::{BYTES_PER_SECOND, bytes, reading_takes};
use crate::staging::StagedObject;
use crate::table::{Commit, LakeTable, history};

/// So many of the newest commits tell the pace.
const MOST_COMMITS: usize = 30;

/// What a rebuild would come to, about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Rows that are read from staged objects; none if no earlier commit tells how many a byte holds.
    pub rows_read: Option<u64>,
    /// Rows in the table afterwards; none if that cannot be told.
    pub rows_after: Option<u64>,
    /// How long it takes, comparing the rows included.
    pub seconds: u64,
    /// Whether earlier commits of the table told the pace; else it is 16 MB of objects a second.
    pub is_measured: bool,
}

impl Estimate {
    /// For a table that is rebuilt from these objects, which hold a new load or not.
    ///
    /// # Errors
    /// As [`history`].
    pub(super) async fn of(
        table: &LakeTable,
        objects: &[StagedObject],
        is_reload: bool,
    ) -> Result<Self> {
        let pace = Pace::of(table).await?;
        let size = |object: &StagedObject| object.size;
        let staged: u64 = objects.iter().map(size).sum();
        let is_load = |object: &&StagedObject| object.name.phase.is_full_load();
        let loaded: u64 = objects.iter().filter(is_load).map(size).sum();
        let rows_after = if is_reload { pace.rows_in(loaded) } else { Some(table.rows()) };
        let rows_read = pace.rows_in(staged);
        let reading = rows_read.and_then(|rows| pace.takes(rows));
        let assumed = Duration::from_secs(staged / BYTES_PER_SECOND);
        // What is built has about as many bytes as the table.
        let all = reading.unwrap_or(assumed) + reading_takes(2 * bytes(table));
        let seconds = all.as_secs() + u64::from(all.subsec_nanos() > 0);
        Ok(Self { rows_read, rows_after, seconds, is_measured: reading.is_some() })
    }
}

/// How fast a table's newest commits took objects in.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    rows: u64,
    took: Duration,
    /// Bytes and rows of objects of which both are known.
    sized_bytes: u64,
    sized_rows: u64,
}

impl Pace {
    async fn of(table: &LakeTable) -> Result<Self> {
        let log_store = table.delta().log_store();
        let mut commits = pin!(history(&log_store, table.version()).take(MOST_COMMITS));
        let mut pace = Self::default();
        while let Some(commit) = commits.try_next().await? {
            pace.learn(&commit);
        }
        Ok(pace)
    }

    fn learn(&mut self, commit: &Commit) {
        let Some(ours) = &commit.ours else { return };
        for object in ours.record.objects.iter().filter(|object| object.done) {
            self.sized_bytes += object.size;
            self.sized_rows += object.from + object.rows;
        }
        // Without the time for reading, the duration is only that of writing.
        if let (Some(took), Some(_)) = (commit.metrics.duration, commit.metrics.scanned) {
            self.rows += ours.record.objects.iter().map(|object| object.rows).sum::<u64>();
            self.took += took;
        }
    }

    /// Rows in so many bytes of staged objects.
    fn rows_in(&self, bytes: u64) -> Option<u64> {
        let rows = u128::from(bytes) * u128::from(self.sized_rows);
        let rows = rows.checked_div(u128::from(self.sized_bytes))?;
        u64::try_from(rows).ok()
    }

    /// How long it takes to take in so many rows.
    fn takes(&self, rows: u64) -> Option<Duration> {
        let nanoseconds = self.took.as_nanos() * u128::from(rows);
        let nanoseconds = nanoseconds.checked_div(u128::from(self.rows))?;
        u64::try_from(nanoseconds).ok().map(Duration::from_nanos)
    }
}
