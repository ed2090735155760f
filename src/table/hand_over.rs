//! That what is pending for a table is left to a job: which, and until when.
//!
//! A claim keeps workers from doing the same twice. Nothing relies on it: commits stay conditional,
//! and whoever loses one looks again. It stands in the table's state object and not in its ledger,
//! because it must be there before the table is, for a table that is rebuilt in another log, and
//! because it is renewed while a job prepares one commit, which must not lose to that.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// So long may a job take to begin, unless it is known to wait.
pub const OFFER: TimeDelta = TimeDelta::minutes(20);
/// So long is a claim good after it was taken or renewed.
pub const LEASE: TimeDelta = TimeDelta::minutes(10);
/// Before a job that failed is started again; twice as long each time.
const FIRST_WAIT: TimeDelta = TimeDelta::minutes(2);
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(1);

/// That what is pending for a table is left to a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOver {
    /// Its id: a job begins only for the one that it was started for.
    pub id: Uuid,
    /// Why.
    pub why: String,
    /// When it was first left to a job.
    pub since: DateTime<Utc>,
    /// Jobs that have failed in a row.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub failures: u32,
    /// How it stands.
    #[serde(flatten)]
    pub claim: Claim,
}

/// How a hand-over stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "claim", rename_all = "kebab-case")]
pub enum Claim {
    /// A job is to be started for it, and may have been.
    Offered {
        /// The id of the run that was started, once it is known.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        run: Option<String>,
        /// Until when it may begin.
        until: DateTime<Utc>,
    },
    /// A job is at work.
    Taken {
        /// Its driver: an id of its own, by which it knows what it has written itself.
        by: Uuid,
        /// The id of its run, if it has one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        run: Option<String>,
        /// Until when, unless it renews the claim.
        until: DateTime<Utc>,
    },
    /// The last job has ended before its work was done.
    Failed {
        /// Why.
        because: String,
        /// When that was seen.
        at: DateTime<Utc>,
        /// From when on another one may be started; none if not before an operator has acted.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        again: Option<DateTime<Utc>>,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl HandOver {
    /// Offers what is pending to a job that is started next, after `earlier` ones failed.
    #[must_use]
    pub fn offered(id: Uuid, why: &str, earlier: Option<&Self>, now: DateTime<Utc>) -> Self {
        Self::begun(id, why, earlier, now, Claim::Offered { run: None, until: now + OFFER })
    }

    /// A job is at work that nobody was asked to start.
    #[must_use]
    pub fn taken(by: Uuid, why: &str, earlier: Option<&Self>, now: DateTime<Utc>) -> Self {
        Self::begun(by, why, earlier, now, Claim::Taken { by, run: None, until: now + LEASE })
    }

    fn begun(
        id: Uuid,
        why: &str,
        earlier: Option<&Self>,
        now: DateTime<Utc>,
        claim: Claim,
    ) -> Self {
        let since = earlier.map_or(now, |earlier| earlier.since);
        let failures = earlier.map_or(0, |earlier| earlier.failures);
        Self { id, why: why.to_owned(), since, failures, claim }
    }

    /// Whether a job may be at work, or about to be.
    #[must_use]
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        match &self.claim {
            Claim::Offered { until, .. } | Claim::Taken { until, .. } => now < *until,
            Claim::Failed { .. } => false,
        }
    }

    /// The id of the run, if it is known.
    #[must_use]
    pub fn run(&self) -> Option<&str> {
        match &self.claim {
            Claim::Offered { run, .. } | Claim::Taken { run, .. } => run.as_deref(),
            Claim::Failed { .. } => None,
        }
    }

    /// Takes in which run was started. It may have begun by now.
    pub fn started(&mut self, started: &str) {
        if let Claim::Offered { run, .. } | Claim::Taken { run, .. } = &mut self.claim {
            run.get_or_insert_with(|| started.to_owned());
        }
    }

    /// Takes in that this driver begins, unless another one has: whether the claim is its own.
    #[must_use]
    pub fn take(&mut self, by: Uuid, began: Option<&str>, now: DateTime<Utc>) -> bool {
        if let Claim::Offered { run, .. } = &self.claim {
            let run = began.map(str::to_owned).or_else(|| run.clone());
            self.claim = Claim::Taken { by, run, until: now + LEASE };
        }
        self.is_taken_by(by)
    }

    /// Whether this driver has taken it, and nobody has ended it.
    #[must_use]
    pub fn is_taken_by(&self, driver: Uuid) -> bool {
        matches!(&self.claim, Claim::Taken { by, .. } if *by == driver)
    }

    /// Takes in that whoever has taken it is still at work, or that its run still waits to begin.
    pub fn renew(&mut self, now: DateTime<Utc>) {
        match &mut self.claim {
            Claim::Taken { until, .. } => *until = now + LEASE,
            Claim::Offered { until, .. } => *until = now + OFFER,
            Claim::Failed { .. } => {}
        }
    }

    /// Takes in that its job has ended before its work was done. After `attempts` of them, none is
    /// started before an operator has acted.
    pub fn failed(&mut self, because: &str, now: DateTime<Utc>, attempts: u32) {
        self.failures += 1;
        let doublings = (self.failures - 1).min(16);
        let wait = (FIRST_WAIT * (1 << doublings)).min(LONGEST_WAIT);
        let again = (self.failures < attempts).then(|| now + wait);
        self.claim = Claim::Failed { because: because.to_owned(), at: now, again };
    }

    /// Takes in that an operator has ended it.
    pub fn cancel(&mut self, now: DateTime<Utc>) {
        let because = "an operator has cancelled the job".to_owned();
        self.claim = Claim::Failed { because, at: now, again: None };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(now: DateTime<Utc>) -> HandOver {
        HandOver::offered(Uuid::from_u128(7), "too slow", None, now)
    }

    #[test]
    fn a_claim_ends_by_itself_and_is_taken_once() {
        let now = DateTime::UNIX_EPOCH;
        let mut hand_over = offered(now);
        hand_over.started("jr_1");
        assert!(hand_over.is_live(now) && !hand_over.is_live(now + OFFER));
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert!(hand_over.take(one, None, now + OFFER), "late, but nobody else has begun");
        assert!(!hand_over.take(other, Some("jr_2"), now + OFFER), "a second run of one offer");
        assert!(hand_over.take(one, None, now + OFFER), "written, but the answer was lost");
        assert_eq!(hand_over.run(), Some("jr_1"));
        assert!(!hand_over.is_live(now + OFFER + LEASE));
        hand_over.renew(now + OFFER + LEASE);
        assert!(hand_over.is_live(now + OFFER + LEASE));
    }

    #[test]
    fn failures_wait_longer_each_time_and_end_with_a_hold() {
        let now = DateTime::UNIX_EPOCH;
        let mut hand_over = offered(now);
        let mut waits = Vec::new();
        for _ in 0..3 {
            hand_over.failed("no workers", now, 3);
            let Claim::Failed { again, .. } = hand_over.claim else { panic!("{hand_over:?}") };
            waits.push(again.map(|again| (again - now).num_minutes()));
            hand_over = HandOver::offered(Uuid::nil(), "too slow", Some(&hand_over), now);
        }
        assert_eq!(waits, [Some(2), Some(4), None]);
    }

    #[test]
    fn it_is_stored_as_one_object() {
        let mut hand_over = offered(DateTime::UNIX_EPOCH);
        let json = serde_json::to_value(&hand_over).expect("JSON");
        assert_eq!(json["claim"], "offered");
        assert_eq!(json["until"], "1970-01-01T00:20:00Z");
        hand_over.failed("no workers", DateTime::UNIX_EPOCH, 1);
        let json = serde_json::to_string(&hand_over).expect("JSON");
        assert_eq!(serde_json::from_str::<HandOver>(&json).expect("the same"), hand_over);
    }
}
