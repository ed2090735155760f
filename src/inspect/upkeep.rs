//! What a table costs a month, by how its newest commits went, and what it would cost with another
//! `freshness`: cost follows commits, and what they write again is kept until it expires.

use std::time::Duration;

use chrono::TimeDelta;
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;

use crate::error::Result;
use crate::inspect::history::is_of_load;
use crate::price;
use crate::storage::Requests;
use crate::table::features::file_retention;
use crate::table::{Commit, LakeTable, history};

/// So many of the newest commits are looked at,
const LOOKED_AT: usize = 50;
/// of which so many must have taken in change objects: fewer tell nothing.
const FEWEST: u64 = 6;
/// The freshness that others are compared with, in seconds.
const CHOICES: [u64; 4] = [60, 300, 900, 3600];
/// Requests of a commit to a warm table, beside one for each object: `src/guide/function.md`.
const OF_A_COMMIT: Requests = Requests { get: 18, head: 0, list: 4, put: 3, delete: 0 };

const DAYS_OF_A_MONTH: f64 = 30.0;
const SECONDS_OF_A_DAY: f64 = 86_400.0;
/// Old versions that cost less than this a month are not worth a thought,
const WORTH_A_THOUGHT: f64 = 1.0;
/// nor is a commit that writes less than so many times what it takes in.
const MUCH: f64 = 10.0;

/// How the newest commits of a table went.
#[derive(Clone, Copy, Debug)]
pub struct Upkeep {
    /// Seconds from one to the next, on average.
    interval: f64,
    /// Seconds that one took.
    seconds: f64,
    /// Objects that one took in, and their bytes.
    objects: f64,
    staged: f64,
    /// Bytes of the files that one replaced.
    replaced: f64,
    /// Bytes of the table.
    bytes: f64,
    /// For how long replaced files are kept.
    kept: Duration,
    /// Whether rows are masked instead of written again.
    masks: bool,
}

/// What a table costs a month with a freshness.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Monthly {
    /// The freshness in seconds; 0 is what the newest commits had.
    pub freshness_seconds: u64,
    /// Commits.
    pub commits_a_day: f64,
    /// US dollars for the time of the function and for requests to S3.
    pub work_dollars: f64,
    /// US dollars for what is replaced and not expired.
    pub old_versions_dollars: f64,
}

impl Monthly {
    /// All of it.
    #[must_use]
    pub fn dollars(&self) -> f64 {
        self.work_dollars + self.old_versions_dollars
    }
}

impl Upkeep {
    /// Looks at the newest commits; none if too few tell.
    ///
    /// # Errors
    /// As [`history`].
    pub async fn of(table: &LakeTable) -> Result<Option<Self>> {
        let log_store = table.delta().log_store();
        let commits = history(&log_store, table.version()).take(LOOKED_AT);
        let commits: Vec<Commit> = commits.try_collect().await?;
        let took: Vec<&Commit> = commits.iter().filter(|commit| takes_in_changes(commit)).collect();
        let (Some(newest), Some(oldest)) = (took.first(), took.last()) else { return Ok(None) };
        let span = newest.timestamp.zip(oldest.timestamp).map(|(last, first)| last - first);
        let Some(span) = span.filter(|span| *span > TimeDelta::zero()) else { return Ok(None) };
        let count = took.len() as u64;
        if count < FEWEST {
            return Ok(None);
        }
        let average = |of: fn(&Commit) -> u64| {
            number(took.iter().map(|commit| of(commit)).sum()) / number(count)
        };
        let milliseconds = average(|commit| {
            commit.metrics.duration.map_or(0, |took| u64::try_from(took.as_millis()).unwrap_or(0))
        });
        let metadata = table.delta().snapshot()?.metadata();
        let bytes = table.live_files()?.iter().map(|file| file.size.unsigned_abs()).sum();
        Ok(Some(Self {
            interval: span.as_seconds_f64() / number(count - 1),
            seconds: milliseconds / 1e3,
            objects: average(|commit| objects(commit).count() as u64),
            staged: average(|commit| objects(commit).sum()),
            replaced: average(|commit| commit.metrics.bytes_removed.unwrap_or(0)),
            bytes: number(bytes),
            kept: file_retention(metadata),
            masks: table.may_mask(),
        }))
    }

    /// What it costs as it is, and with each longer freshness, on a function of so many GB.
    #[must_use]
    pub fn monthly(&self, gigabytes: f64) -> Vec<Monthly> {
        let longer = CHOICES.into_iter().filter(|choice| number(*choice) > self.interval);
        std::iter::once(0).chain(longer).map(|choice| self.with(choice, gigabytes)).collect()
    }

    fn with(&self, freshness: u64, gigabytes: f64) -> Monthly {
        let interval = self.interval.max(number(freshness));
        let merged = interval / self.interval;
        let commits = SECONDS_OF_A_DAY / interval;
        let requests = price::of_requests(&OF_A_COMMIT)
            + self.objects
                * merged
                * price::of_requests(&Requests { get: 1, ..Requests::default() });
        let work = price::of_time(self.seconds, gigabytes) + requests;
        // More changes at once touch more files, up to all of them.
        let replaced = (self.replaced * merged).min(self.bytes.max(self.replaced));
        let kept = commits * replaced * self.kept.as_secs_f64() / SECONDS_OF_A_DAY;
        Monthly {
            freshness_seconds: freshness,
            commits_a_day: commits,
            work_dollars: commits * DAYS_OF_A_MONTH * work,
            old_versions_dollars: price::of_storage(kept),
        }
    }

    /// What would make it much cheaper, if anything would.
    #[must_use]
    pub fn advice(&self, gigabytes: f64) -> Option<String> {
        let now = self.with(0, gigabytes);
        let writes_much = self.replaced >= MUCH * self.staged;
        if self.masks || !writes_much || now.old_versions_dollars < WORTH_A_THOUGHT {
            return None;
        }
        let rarer = self.with(900, gigabytes);
        let day = now.old_versions_dollars * SECONDS_OF_A_DAY / self.kept.as_secs_f64();
        Some(format!(
            "a commit replaces {:.0} times the bytes that it takes in, and old versions are kept for \
             {}, which costs {:.2} USD a month: merge = \"deletion-vectors\" if all readers know \
             them; else freshness = \"15m\" ({:.2} USD) or retention = \"1 day\" ({day:.2} USD)",
            self.replaced / self.staged.max(1.0),
            humantime::format_duration(self.kept),
            now.old_versions_dollars,
            rarer.old_versions_dollars,
        ))
    }
}

/// Whether it is one of ours that took in change objects, and nothing of a full load.
fn takes_in_changes(commit: &Commit) -> bool {
    let record = commit.ours.as_ref().map(|ours| &ours.record);
    record
        .is_some_and(|record| !record.objects.is_empty() && !record.objects.iter().any(is_of_load))
}

/// The bytes of the objects that a commit took in.
fn objects(commit: &Commit) -> impl Iterator<Item = u64> {
    commit.ours.iter().flat_map(|ours| &ours.record.objects).map(|object| object.size)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn number(count: u64) -> f64 {
    count as f64
}
