//! The limits of a run: a deadline, and a request to stop.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::clock::Clock;

/// A request to stop after the current commit. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    requested: Arc<AtomicBool>,
    /// A request that is for this one too.
    above: Option<Arc<AtomicBool>>,
}

impl Stop {
    /// Requests the stop.
    pub fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }

    /// Whether the stop was requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        let is_set = |flag: &Arc<AtomicBool>| flag.load(Ordering::Relaxed);
        is_set(&self.requested) || self.above.as_ref().is_some_and(is_set)
    }

    /// A request of its own, which a request of this one is too.
    #[cfg(feature = "cli")]
    pub(crate) fn below(&self) -> Self {
        Self { requested: Arc::default(), above: Some(Arc::clone(&self.requested)) }
    }
}

/// The limits of a run.
#[derive(Clone, Debug)]
pub struct Limits {
    /// No slice is started that would not be committed by then.
    pub deadline: Option<Instant>,
    /// The time that a run has which shares it with no other; none if it has no end. What does not
    /// fit that will not fit the next run either.
    pub whole: Option<Duration>,
    /// Checked before each slice.
    pub stop: Stop,
    /// How many runs share the memory budget, in equal parts.
    pub sharers: NonZeroUsize,
}

impl Default for Limits {
    /// No deadline, no stop, and the whole memory budget.
    fn default() -> Self {
        Self { deadline: None, whole: None, stop: Stop::default(), sharers: NonZeroUsize::MIN }
    }
}

impl Limits {
    /// The time left until the deadline, if there is one.
    pub(crate) fn time_left(&self, clock: &dyn Clock) -> Option<Duration> {
        self.deadline.map(|end| end.saturating_duration_since(clock.instant()))
    }
}
