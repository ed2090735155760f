//! How much may be in memory, and how long reading may take.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::config::Settings;
use crate::pipeline::Limits;

/// Merging needs several times the decoded rows, so they get an eighth of the memory.
const SHARE: u64 = 8;
const LEAST: u64 = 16 << 20;
const MOST: u64 = 512 << 20;
/// Where the machine does not tell.
const ASSUMED_MEMORY: u64 = 4 << 30;

/// With less than this each, fewer tables are applied side by side.
const LEAST_EACH: usize = 64 << 20;
/// More tables side by side would wait for the same cores and the same store.
const MOST_AT_ONCE: NonZeroUsize = NonZeroUsize::new(8).expect("not zero");

/// Bytes of decoded rows that one slice may hold, of a run with these limits.
pub(super) fn memory_budget(settings: &Settings, limits: &Limits) -> usize {
    (whole_budget(settings) / limits.sharers).max(1)
}

/// How many tables may be applied side by side, so that each has memory for large slices.
pub(super) fn tables_at_once(settings: &Settings) -> NonZeroUsize {
    let fitting = NonZeroUsize::new(whole_budget(settings) / LEAST_EACH);
    fitting.unwrap_or(NonZeroUsize::MIN).min(MOST_AT_ONCE)
}

/// Bytes of decoded rows for a process with so much memory, where the configuration does not say.
pub(crate) fn memory_budget_of(memory: u64) -> u64 {
    (memory / SHARE).clamp(LEAST, MOST)
}

fn whole_budget(settings: &Settings) -> usize {
    let budget = settings.memory_budget.unwrap_or_else(|| memory_budget_of(memory()));
    usize::try_from(budget).unwrap_or(usize::MAX)
}

/// Bytes of decoded rows that one task of a job may hold, where it has one of the machine's cores.
#[cfg(feature = "cli")]
pub(super) fn task_budget(given: Option<u64>) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get) as u64;
    let budget = given.unwrap_or_else(|| (memory() / SHARE / cores).clamp(LEAST, MOST));
    usize::try_from(budget).unwrap_or(usize::MAX)
}

/// The function's memory in Lambda, else the machine's.
fn memory() -> u64 {
    let lambda = std::env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").ok();
    let megabytes = lambda.and_then(|text| text.parse::<u64>().ok());
    megabytes.map(|megabytes| megabytes << 20).or_else(machine_memory).unwrap_or(ASSUMED_MEMORY)
}

fn machine_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes << 10)
}

/// The time that one slice has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SliceTime {
    /// There is no deadline.
    Unbounded,
    /// Reading must end by then, so that merging has the rest.
    ReadUntil(Instant),
    /// No slice fits any more.
    TooShort,
}

/// Watches the deadline of an application.
#[derive(Debug)]
pub(super) struct Pace {
    deadline: Option<Instant>,
    whole: Option<Duration>,
    /// The longest that taking one slice to its commit took so far.
    slowest_commit: Duration,
}

impl Pace {
    /// Reading may use this share of what is left; merging gets the rest.
    const READING: u32 = 4;
    /// A slice never begins with less left.
    const RESERVE: Duration = Duration::from_millis(1500);

    pub(super) fn new(limits: &Limits) -> Self {
        let Limits { deadline, whole, .. } = *limits;
        Self { deadline, whole, slowest_commit: Duration::ZERO }
    }

    /// Whether what takes so long fits no run, even one that does nothing else.
    pub(super) fn is_beyond_any_run(&self, takes: Duration) -> bool {
        self.whole.is_some_and(|whole| takes > whole * (Self::READING - 1) / Self::READING)
    }

    /// What is left for the next slice.
    pub(super) fn time_for_slice(&self, clock: &dyn Clock) -> SliceTime {
        let Some(deadline) = self.deadline else { return SliceTime::Unbounded };
        let now = clock.instant();
        let left = deadline.saturating_duration_since(now);
        let reserve = Self::RESERVE.max(self.slowest_commit * 2);
        match left.checked_sub(reserve) {
            Some(spare) => SliceTime::ReadUntil(now + spare / Self::READING),
            None => SliceTime::TooShort,
        }
    }

    /// Whether another slice, or the same once more, fits what is left.
    pub(super) fn has_time(&self, clock: &dyn Clock) -> bool {
        self.time_for_slice(clock) != SliceTime::TooShort
    }

    /// Learns how long a commit took, or the attempt at one.
    pub(super) fn committed(&mut self, took: Duration) {
        self.slowest_commit = self.slowest_commit.max(took);
    }
}
