//! How an invocation spends its time.

use std::time::{Duration, Instant};

use chrono::DateTime;

use crate::clock::Clock;

/// The instants until which an invocation works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// No slice is begun that would not be committed by then.
    pub commit: Instant,
    /// Whatever still runs is dropped then, so that the answer arrives in time. For a table this is
    /// a crash, from which the next application recovers.
    pub drop: Instant,
    /// The time from the beginning of the invocation until no slice is begun any more.
    pub whole: Duration,
}

impl Deadline {
    /// Keeps a tenth of the time left in reserve, at least one second and at most fifteen, because
    /// the duration of a slice is an estimate. Half of the reserve is for the answer.
    #[must_use]
    pub fn after(left: Duration, now: Instant) -> Self {
        let reserve = (left / 10).clamp(Duration::from_secs(1), Duration::from_secs(15));
        let whole = left.saturating_sub(reserve);
        Self { commit: now + whole, drop: now + left.saturating_sub(reserve / 2), whole }
    }

    /// The deadline of an invocation that Lambda ends at this Unix time in milliseconds.
    #[must_use]
    pub fn of_invocation(unix_milliseconds: u64, clock: &dyn Clock) -> Self {
        let end = i64::try_from(unix_milliseconds).ok().and_then(DateTime::from_timestamp_millis);
        let left = end.and_then(|end| (end - clock.now()).to_std().ok()).unwrap_or_default();
        Self::after(left, clock.instant())
    }
}
