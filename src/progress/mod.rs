//! How far a table is applied: the ledger that every commit carries.
//!
//! Progress is committed in the same Delta commit as the rows, so progress and data can never
//! disagree. Each of our commits has a [`CommitRecord`] under the key `dmslake` of its
//! `commitInfo`: the attempt that wrote it, the objects it took in, the outcomes of their changes,
//! and the whole [`Ledger`] after it. Progress is read only from the newest such commit. The `txn`
//! action of every commit makes any two of our commits conflict, so that no object is taken in
//! twice.
//!
//! The ledger is bounded: individual objects are remembered only in a look-back window below the
//! watermark, the rest by count, digest and newest last-modified time.

mod cdc;
mod counts;
mod deleted;
mod fingerprint;
mod guard;
mod lag;
mod latest;
mod load;
mod new_load;
mod objects;
mod packed;
mod pending;
mod recent;
mod record;
mod released;
mod remembered;
#[cfg(feature = "cli")]
mod taken_in;
mod turns;
mod unapplied;
mod whole;

pub use cdc::{Applied, CdcProgress, CdcStanding, Position};
pub use counts::Counts;
pub(crate) use counts::{event_with_counts, with_counts};
pub use fingerprint::{Fingerprint, Mark};
pub use guard::{GuardProgress, TombstoneObject, Untraced, WhyUntraced};
pub use lag::Lag;
pub use latest::{LatestIntake, NewestChange};
pub use load::{LoadProgress, LoadStanding, MarkedLoad};
pub(crate) use new_load::is_gapless;
pub use new_load::{Doubt, NewLoad};
pub use objects::{CommittedObject, ListLength};
pub use pending::{Pending, pending};
pub use recent::Recent;
pub(crate) use record::newer;
pub use record::{APP_ID, Books, CommitRecord, KEY};
pub use released::{Leaving, Released, RowPlace};
#[cfg(feature = "cli")]
pub use taken_in::{TakenIn, taken_in};
pub use turns::Turns;
pub use unapplied::{SeenObject, Unapplied};
pub use whole::{Missing, missing};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::LookBack;
use crate::dms::{Classified, Phase, classify};
use crate::staging::{Listing, StagedObject};

/// An object of which only the first rows are applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// Its path below the table's folder.
    pub object: String,
    /// Its mark.
    pub mark: Mark,
    /// The number of its rows that are applied.
    pub rows: u64,
}

/// How far a table is applied after a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The full load.
    pub load: LoadProgress,
    /// Ongoing replication.
    pub cdc: CdcProgress,
    /// The partially applied object, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub partial: Option<Partial>,
    /// The greatest change sequence applied, if the source provides it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sequence: Option<String>,
    /// The greatest commit time at the source that was applied, if the source provides it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source_time: Option<DateTime<Utc>>,
    /// The last commit that took in objects; none if it was made before that was recorded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub latest: Option<LatestIntake>,
    /// How the change sequences of the newest objects follow each other, if the source provides
    /// them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub turns: Option<Turns>,
    /// What the guard of the table can tell; none if it is not guarded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub guard: Option<GuardProgress>,
    /// The lake's key columns. None if the table has taken in nothing since the ledger records
    /// them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub keys: Option<Vec<String>>,
    /// Whether times of day in the key columns have the one spelling of their values. Programs that
    /// did not know it stored them as they came.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub one_time_spelling: bool,
    /// Whether all rows were removed since the full load, by an operator or because of a TRUNCATE:
    /// what is staged does not tell.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub emptied: bool,
    /// Newest last-modified time of the objects that were applied by then, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub emptied_behind: Option<i64>,
    /// What change objects of an hour have deleted and updated, where that is limited.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recent: Option<Recent>,
    /// The last rebuild of the table, if there was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rebuilt: Option<Uuid>,
    /// Rows in quarantine.
    #[serde(default)]
    pub quarantined: u64,
    /// What has left the quarantine by an operator's decision; none if nothing has.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub released: Option<Box<Released>>,
    /// Rows in the table.
    pub rows: u64,
}

impl Ledger {
    /// The ledger of a new table whose full load begins then, and that skips these change objects
    /// from before it.
    #[must_use]
    pub fn of_load(begins: Option<i64>, outdated: &[&StagedObject]) -> Self {
        Self {
            load: LoadProgress::beginning_at(begins),
            cdc: CdcProgress::behind(outdated),
            ..Self::default()
        }
    }

    /// Whether no row of any object has been applied.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.load.count == 0 && self.partial.is_none() && self.cdc.is_untouched()
    }

    /// Records an object that is now completely applied. For `bound` see [`CdcProgress::record`].
    pub fn finish(&mut self, object: &StagedObject, mark: Mark, bound: Option<LookBack>) {
        // A late object may be finished while another one is in part.
        self.partial = self.partial.take().filter(|partial| partial.object != object.relative);
        match &object.name.phase {
            Phase::FullLoad { .. } => self.load.record(object, mark),
            Phase::Cdc { stamp } => {
                let position = Position { stamp: stamp.clone(), object: object.relative.clone() };
                let modified = object.last_modified.timestamp_millis();
                self.load.open = false;
                self.cdc.record(position, modified, mark, bound);
            }
        }
    }

    /// Records an object of which the first `rows` rows are now applied.
    pub fn advance(&mut self, object: &StagedObject, mark: Mark, rows: u64) {
        if matches!(object.name.phase, Phase::Cdc { .. }) {
            self.load.open = false;
        }
        self.partial = Some(Partial { object: object.relative.clone(), mark, rows });
    }

    /// Whether the first rows of an object are applied, and not all.
    #[must_use]
    pub fn is_in_part(&self, object: &StagedObject) -> bool {
        self.partial.as_ref().is_some_and(|partial| partial.object == object.relative)
    }

    /// The partially applied object, if it is no longer staged; none unless all was listed.
    #[must_use]
    pub fn vanished_partial(&self, listing: &Listing) -> Option<&Partial> {
        let partial = self.partial.as_ref().filter(|_| listing.is_complete)?;
        let is_staged = listing.objects.iter().any(|object| object.relative == partial.object);
        (!is_staged).then_some(partial)
    }

    /// Records the partially applied object as if all of its rows were applied: they are lost.
    pub fn give_up_partial(&mut self) {
        let Some(Partial { object, mark, .. }) = self.partial.take() else { return };
        let Classified::Changes(name) = classify(&object) else { return };
        match name.phase {
            Phase::FullLoad { .. } => self.load.record_as(self.load.newest.unwrap_or(0), mark),
            Phase::Cdc { stamp } => self.cdc.record(Position { stamp, object }, 0, mark, None),
        }
    }

    /// Records a change sequence that was applied.
    pub fn raise_sequence(&mut self, last: &str) {
        if self.sequence.as_deref().is_none_or(|seen| last > seen) {
            self.sequence = Some(last.to_owned());
        }
    }

    /// Records what a commit of that time takes in.
    pub(crate) fn took_in(
        &mut self,
        objects: &[CommittedObject],
        newest: &NewestChange,
        now: DateTime<Utc>,
    ) {
        self.source_time = self.source_time.max(newest.time);
        self.latest = LatestIntake::of(objects, newest, now).or_else(|| self.latest.take());
    }

    /// Records that all rows were removed, by an operator or because of a TRUNCATE.
    pub fn empty(&mut self) {
        self.emptied = true;
        self.emptied_behind = self.newest_applied();
        let Some(guard) = &mut self.guard else { return };
        match &self.sequence {
            Some(last) => guard.lost_track_up_to(last, WhyUntraced::Emptied),
            None => guard.lost_track(WhyUntraced::Emptied),
        }
    }

    /// Records the change sequences of an object or of a later part of one. True if they go back
    /// behind one seen before.
    pub fn saw_sequence(&mut self, first: &str, last: &str, is_part: bool) -> bool {
        let turns = self.turns.get_or_insert_default();
        if is_part {
            turns.extend(last);
        } else {
            turns.follow(first, last);
        }
        let is_replay = self.sequence.as_deref().is_some_and(|seen| first <= seen);
        self.raise_sequence(last);
        is_replay
    }
}
