//! What tells how late a table is: the newest changes, and when they were staged and committed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::progress::CommittedObject;

/// The newest changes of a commit, each as far as the source gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewestChange {
    /// The greatest commit time at the source.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time: Option<DateTime<Utc>>,
    /// The greatest change sequence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sequence: Option<String>,
}

impl NewestChange {
    /// Whether the source gives neither.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.time.is_none() && self.sequence.is_none()
    }

    /// Takes in what is known of more changes of the commit.
    pub fn raise(&mut self, time: Option<DateTime<Utc>>, sequence: Option<&str>) {
        self.time = self.time.max(time);
        if self.sequence.as_deref() < sequence {
            self.sequence = sequence.map(ToOwned::to_owned);
        }
    }
}

/// The last commit that took in objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatestIntake {
    /// The last of its objects: the path below the table's folder.
    pub object: String,
    /// When that was staged.
    pub staged: DateTime<Utc>,
    /// When it was committed, by its writer's clock.
    pub committed: DateTime<Utc>,
    /// The greatest commit time at the source among its changes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source_time: Option<DateTime<Utc>>,
    /// Bytes of the objects that it finished.
    pub bytes: u64,
    /// Rows of those, parts that were committed before included.
    pub rows: u64,
}

impl LatestIntake {
    /// Rows that so many bytes of staged objects hold, about, if they are like those of this commit.
    #[must_use]
    pub fn rows_in(&self, bytes: u64) -> Option<u64> {
        let rows = u128::from(bytes) * u128::from(self.rows);
        u64::try_from(rows.checked_div(u128::from(self.bytes))?).ok()
    }

    /// Of a commit that takes in these objects; none if it takes in none.
    pub(super) fn of(
        objects: &[CommittedObject],
        newest: &NewestChange,
        committed: DateTime<Utc>,
    ) -> Option<Self> {
        let last = objects.last()?;
        let finished = || objects.iter().filter(|object| object.done);
        Some(Self {
            object: last.key.clone(),
            staged: DateTime::from_timestamp_millis(last.modified).unwrap_or_default(),
            committed,
            source_time: newest.time,
            bytes: finished().map(|object| object.size).sum(),
            rows: finished().map(|object| object.from + object.rows).sum(),
        })
    }
}
