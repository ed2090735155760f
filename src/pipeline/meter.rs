//! What applications take: requests, bytes, files, lost races, and time by phase. Counted where it
//! happens, also where an application fails.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tracing::{Instrument as _, Span, info_span};

use crate::clock::Clock;
use crate::config::TableName;
use crate::merge::FileCounts;
use crate::pipeline::Pipeline;
use crate::storage::{Bytes, RequestCounter, Requests};

/// A part of an application that is timed, and that has a tracing span of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The log, the state and what is staged are read, and what follows is decided.
    Look,
    /// Rows of staged objects are waited for; they are decoded ahead, beside other phases.
    Read,
    /// Rows are reduced to one net change per key.
    Change,
    /// Net changes are looked up in the table, and data files are written.
    Merge,
    /// The log is written, also where a commit makes the table or its columns, and its checkpoints.
    Commit,
}

impl Phase {
    fn span(self, table: &TableName) -> Span {
        match self {
            Self::Look => info_span!("look", %table),
            Self::Read => info_span!("read", %table),
            Self::Change => info_span!("change", %table),
            Self::Merge => info_span!("merge", %table),
            Self::Commit => info_span!("commit", %table),
        }
    }
}

/// Seconds by phase. What is between phases, such as waiting before another try, is in none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PhaseSeconds {
    /// [`Phase::Look`]
    pub look: f64,
    /// [`Phase::Read`]
    pub read: f64,
    /// [`Phase::Change`]
    pub change: f64,
    /// [`Phase::Merge`]
    pub merge: f64,
    /// [`Phase::Commit`]
    pub commit: f64,
}

impl PhaseSeconds {
    /// Each phase by its name, in the order of a run.
    #[must_use]
    pub fn each(&self) -> [(&'static str, f64); 5] {
        [
            ("look", self.look),
            ("read", self.read),
            ("change", self.change),
            ("merge", self.merge),
            ("commit", self.commit),
        ]
    }

    /// Each phase of both, by a function of the two.
    fn with(self, other: Self, both: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            look: both(self.look, other.look),
            read: both(self.read, other.read),
            change: both(self.change, other.change),
            merge: both(self.merge, other.merge),
            commit: both(self.commit, other.commit),
        }
    }
}

/// What an application took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Effort {
    /// Requests to staging and lake, the quarantine included.
    pub requests: Requests,
    /// Bytes of their answers and bodies.
    pub bytes: Bytes,
    /// Data files that commits of objects added, replaced, masked or removed.
    pub files: u64,
    /// The same by what the commits of slices did about them.
    #[serde(skip)]
    pub file_counts: FileCounts,
    /// Such commits that others were first for.
    pub conflicts: u64,
    /// How often the table was looked at again after an error that may pass.
    pub retries: u64,
    /// Seconds by phase.
    pub phases: PhaseSeconds,
}

impl Effort {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.plus(other.requests),
            bytes: self.bytes.plus(other.bytes),
            files: self.files + other.files,
            file_counts: self.file_counts.with(other.file_counts, |one, other| one + other),
            conflicts: self.conflicts + other.conflicts,
            retries: self.retries + other.retries,
            phases: self.phases.with(other.phases, |one, other| one + other),
        }
    }

    /// What came since an earlier reading of the same meter.
    #[must_use]
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            requests: self.requests.since(earlier.requests),
            bytes: self.bytes.since(earlier.bytes),
            files: self.files - earlier.files,
            file_counts: self.file_counts.with(earlier.file_counts, |now, earlier| now - earlier),
            conflicts: self.conflicts - earlier.conflicts,
            retries: self.retries - earlier.retries,
            phases: self.phases.with(earlier.phases, |now, earlier| now - earlier),
        }
    }
}

/// Counts what all applications of a table take. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    requests: RequestCounter,
    files: AtomicU64,
    by_fate: Mutex<FileCounts>,
    conflicts: AtomicU64,
    retries: AtomicU64,
    /// Nanoseconds by phase, in their order.
    phases: [AtomicU64; 5],
}

impl Meter {
    /// The counter of requests.
    pub(super) fn requests(&self) -> &RequestCounter {
        &self.0.requests
    }

    /// A commit touched so many data files.
    pub(super) fn touched(&self, files: u64) {
        self.0.files.fetch_add(files, Ordering::Relaxed);
    }

    /// A commit of this process did that about them.
    pub(super) fn counted(&self, files: FileCounts) {
        let mut counts = self.0.by_fate.lock().unwrap_or_else(PoisonError::into_inner);
        *counts = counts.with(files, |so_far, more| so_far + more);
    }

    /// Others were first for a commit.
    pub(super) fn conflicted(&self) {
        self.0.conflicts.fetch_add(1, Ordering::Relaxed);
    }

    /// The table is looked at again after an error.
    pub(super) fn retried(&self) {
        self.0.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub(super) fn so_far(&self) -> Effort {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let Counts { requests, files, by_fate, conflicts, retries, phases } = &*self.0;
        let [look, read, change, merge, commit] =
            phases.each_ref().map(|nanos| Duration::from_nanos(count(nanos)).as_secs_f64());
        Effort {
            requests: requests.so_far(),
            bytes: requests.bytes_so_far(),
            files: count(files),
            file_counts: *by_fate.lock().unwrap_or_else(PoisonError::into_inner),
            conflicts: count(conflicts),
            retries: count(retries),
            phases: PhaseSeconds { look, read, change, merge, commit },
        }
    }

    fn took(&self, phase: Phase, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.0.phases[phase as usize].fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Pipeline {
    /// Does a phase of a table's application: in a span of its name, and timed. One that is dropped
    /// half-way counts nothing.
    pub(super) fn phase<'a, T>(
        &'a self,
        table: &'a TableName,
        phase: Phase,
        work: impl Future<Output = T> + 'a,
    ) -> impl Future<Output = T> + 'a {
        // Phases are large futures; what contains them holds a pointer.
        let work = Box::pin(work.instrument(phase.span(table)));
        async move {
            let clock: &dyn Clock = self.clock().as_ref();
            let begun = clock.instant();
            let done = work.await;
            self.meter(table).took(phase, clock.instant() - begun);
            done
        }
    }
}
