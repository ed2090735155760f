//! How late a table is.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::clock::seconds_between;
use crate::progress::Ledger;

/// How late a table is, in three parts, as whole seconds. None is what nothing tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lag {
    /// From the newest commit at the source that the last applied objects hold, until the last of
    /// them was staged.
    pub source_to_object_seconds: Option<u64>,
    /// From then until it was committed to the table.
    pub object_to_commit_seconds: Option<u64>,
    /// How old the newest commit at the source is that the table has; 0 if nothing waits, since
    /// then the source itself is idle.
    pub behind_seconds: Option<u64>,
    /// The newest commit at the source that the table has.
    pub source_time: Option<DateTime<Utc>>,
    /// The greatest change sequence that it has.
    pub change_sequence: Option<String>,
}

impl Lag {
    /// What the ledger of a table tells. How far it is behind depends on what waits:
    /// [`Self::with_waiting`].
    #[must_use]
    pub fn of(ledger: &Ledger) -> Self {
        let latest = ledger.latest.as_ref();
        let to_object =
            latest.and_then(|it| it.source_time.map(|time| seconds_between(time, it.staged)));
        Self {
            source_to_object_seconds: to_object,
            object_to_commit_seconds: latest.map(|it| seconds_between(it.staged, it.committed)),
            behind_seconds: None,
            source_time: ledger.source_time,
            change_sequence: ledger.sequence.clone(),
        }
    }

    /// The same at this time; `oldest` is when the oldest object was staged that is not applied,
    /// none if nothing waits.
    #[must_use]
    pub fn with_waiting(self, oldest: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        let behind = match (oldest, self.source_time) {
            (None, _) => 0,
            // What waits is newer than what the table has.
            (Some(_), Some(source)) => seconds_between(source, now),
            (Some(oldest), None) => seconds_between(oldest, now),
        };
        Self { behind_seconds: Some(behind), ..self }
    }
}
