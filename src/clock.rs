//! The single source of time, randomness and ids, so that tests are reproducible.

use std::fmt::Display;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rand::Rng;
use uuid::Uuid;

/// A time as messages tell it.
pub(crate) fn shown(time: DateTime<Utc>) -> impl Display {
    time.format("%Y-%m-%d %H:%M:%S UTC")
}

/// Whole seconds from one time to another; 0 if that is earlier.
pub(crate) fn seconds_between(from: DateTime<Utc>, to: DateTime<Utc>) -> u64 {
    u64::try_from((to - from).num_seconds()).unwrap_or_default()
}

/// Source of time, ids and jitter.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The wall clock, for recorded times. Never used to order changes.
    fn now(&self) -> DateTime<Utc>;
    /// A monotonic instant, for durations and deadlines.
    fn instant(&self) -> Instant;
    /// Time that processors have worked for this process. A clock that is not the machine's may not
    /// know it.
    fn processor_time(&self) -> Duration {
        Duration::ZERO
    }
    /// A new id for one attempt to commit.
    fn attempt_id(&self) -> Uuid;
    /// A new id for the name of a data file.
    fn file_id(&self) -> Uuid {
        self.attempt_id()
    }
    /// A random duration below `limit`.
    fn jitter(&self, limit: Duration) -> Duration;
}

/// The machine's clock and random generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[expect(clippy::disallowed_methods, reason = "this is the door")]
impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn processor_time(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::try_from(time).unwrap_or_default()
    }

    fn attempt_id(&self) -> Uuid {
        Uuid::new_v4()
    }

    fn jitter(&self, limit: Duration) -> Duration {
        limit.mul_f64(rand::rng().random::<f64>())
    }
}
