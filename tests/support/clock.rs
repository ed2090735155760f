//! Clocks that a test moves.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use dmslake::clock::{Clock, SystemClock};
use uuid::Uuid;

/// The machine's time and some more; on top, some more with each instant that is asked for.
#[derive(Debug, Default)]
pub(crate) struct MovedClock {
    passed: Mutex<Duration>,
    each: Duration,
}

impl MovedClock {
    pub(crate) fn ahead_by(time: Duration) -> Arc<Self> {
        Arc::new(Self { passed: Mutex::new(time), each: Duration::ZERO })
    }

    pub(crate) fn ticking(each: Duration) -> Arc<Self> {
        Arc::new(Self { passed: Mutex::default(), each })
    }

    pub(crate) fn pass(&self, time: Duration) {
        *self.passed.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }

    fn passed(&self) -> Duration {
        *self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for MovedClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + self.passed()
    }

    fn instant(&self) -> Instant {
        self.pass(self.each);
        SystemClock.instant() + self.passed()
    }

    fn attempt_id(&self) -> Uuid {
        SystemClock.attempt_id()
    }

    fn jitter(&self, limit: Duration) -> Duration {
        SystemClock.jitter(limit)
    }
}

/// A clock that advances only when a test says so.
#[derive(Debug)]
pub(crate) struct StoppedClock {
    start: Instant,
    passed: Mutex<Duration>,
}

impl StoppedClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { start: SystemClock.instant(), passed: Mutex::default() })
    }

    pub(crate) fn pass(&self, time: Duration) {
        *self.passed.lock().expect("not poisoned") += time;
    }
}

impl Clock for StoppedClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + *self.passed.lock().expect("not poisoned")
    }

    fn instant(&self) -> Instant {
        self.start + *self.passed.lock().expect("not poisoned")
    }

    fn attempt_id(&self) -> Uuid {
        SystemClock.attempt_id()
    }

    fn jitter(&self, _limit: Duration) -> Duration {
        Duration::ZERO
    }
}
