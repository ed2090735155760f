//! Progress of ongoing replication: a watermark, and the objects applied just below it.

use serde::{Deserialize, Serialize};

use crate::config::LookBack;
use crate::dms::Phase;
use crate::progress::Mark;
use crate::progress::remembered::{self, Remembered};
use crate::staging::StagedObject;
use crate::storage::StoreKind;

/// The order of a CDC object: its stamp as text, ties by its path below the table's folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Base name without suffixes.
    pub stamp: String,
    /// Path below the table's folder.
    pub object: String,
}

impl Position {
    /// Of an object of ongoing replication; none of one of a full load.
    #[must_use]
    pub fn of(object: &StagedObject) -> Option<Self> {
        let Phase::Cdc { stamp } = &object.name.phase else { return None };
        Some(Self { stamp: stamp.clone(), object: object.relative.clone() })
    }
}

/// What of a table's CDC objects has been applied: everything up to the watermark that was
/// there when its turn came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CdcProgress {
    /// The greatest position applied.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub watermark: Option<Position>,
    /// Every object applied above `floor`.
    #[serde(with = "remembered", skip_serializing_if = "Vec::is_empty", default)]
    window: Vec<Remembered>,
    /// Objects up to this stamp have left the window; none while all are remembered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub floor: Option<String>,
    /// Newest last-modified time, in milliseconds, of what has left the window.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    left: Option<i64>,
}

/// How an object stands to the progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CdcStanding {
    /// Above the watermark: its turn is to come.
    Ahead,
    /// Known to be applied.
    Applied,
    /// Below the watermark and never applied.
    Late,
    /// On a file system: decided by the object's content, through [`CdcProgress::knows`].
    AskContent,
}

impl CdcProgress {
    /// As if these objects had been applied and had left the window.
    pub(super) fn behind(objects: &[&StagedObject]) -> Self {
        let watermark = objects.iter().filter_map(|object| Position::of(object)).max();
        let left = objects.iter().map(|object| object.last_modified.timestamp_millis()).max();
        let floor = watermark.as_ref().map(|position| position.stamp.clone());
        Self { watermark, window: Vec::new(), floor, left }
    }

    /// Whether no object was applied.
    pub(super) fn is_untouched(&self) -> bool {
        self.window.is_empty()
    }

    /// How a listed object stands.
    #[must_use]
    pub fn standing(
        &self,
        position: &Position,
        object: &StagedObject,
        kind: StoreKind,
    ) -> CdcStanding {
        if self.watermark.as_ref().is_none_or(|watermark| position > watermark) {
            return CdcStanding::Ahead;
        }
        if self.window.iter().any(|known| known.mark.is_listed(object, kind)) {
            return CdcStanding::Applied;
        }
        let in_window = self.floor.as_ref().is_none_or(|floor| position.stamp > *floor);
        match (kind, in_window) {
            (StoreKind::S3, true) => CdcStanding::Late,
            (StoreKind::S3, false) => {
                let modified = object.last_modified.timestamp_millis();
                let is_newer = self.left.is_some_and(|left| modified > left);
                if is_newer { CdcStanding::Late } else { CdcStanding::Applied }
            }
            (StoreKind::File, true) => CdcStanding::AskContent,
            // Copying a folder resets times, so they say nothing here.
            (StoreKind::File, false) => CdcStanding::Applied,
        }
    }

    /// Whether the window holds an object of that identity.
    #[must_use]
    pub fn knows(&self, mark: &Mark) -> bool {
        self.window.iter().any(|known| known.mark.identity == mark.identity)
    }

    /// Whether so many objects more can be remembered without any leaving the window.
    #[must_use]
    pub fn has_room_for(&self, objects: usize, look_back: LookBack) -> bool {
        self.window.len() + objects <= look_back.objects
    }

    /// Takes in an object that was applied whole. If a bound is given, older ones may leave the
    /// window: only where the whole folder was listed, so that each object that was late by then
    /// has been seen, and one that comes after is newer than all that left.
    pub fn record(
        &mut self,
        position: Position,
        modified: i64,
        mark: Mark,
        bound: Option<LookBack>,
    ) {
        self.window.push(Remembered { stamp: position.stamp.clone(), modified, mark });
        self.window.sort_by(|a, b| a.stamp.cmp(&b.stamp));
        if self.watermark.as_ref().is_none_or(|watermark| position > *watermark) {
            self.watermark = Some(position);
        }
        if let Some(look_back) = bound {
            self.shrink(look_back);
        }
    }

    fn shrink(&mut self, look_back: LookBack) {
        let Some(newest) = self.window.last().map(|known| known.stamp.clone()) else { return };
        let oldest_kept = stamp_before(&newest, look_back.minutes);
        while let Some(first) = self.window.first() {
            let is_old = oldest_kept.as_ref().is_some_and(|oldest| first.stamp < *oldest);
            if self.window.len() <= look_back.objects && !is_old {
                return;
            }
            // Objects of one stamp leave together: the floor cannot part them.
            let floor = first.stamp.clone();
            if floor == newest {
                return;
            }
            for known in self.window.extract_if(.., |known| known.stamp == floor) {
                self.left = self.left.max(Some(known.modified));
            }
            self.floor = Some(floor);
        }
    }
}

/// The stamp of so many minutes earlier, to the second; none if the stamp is no date and time.
fn stamp_before(stamp: &str, minutes: u32) -> Option<String> {
    let seconds = stamp.get(..15)?;
    let time = chrono::NaiveDateTime::parse_from_str(seconds, "%Y%m%d-%H%M%S").ok()?;
    let earlier = time.checked_sub_signed(chrono::TimeDelta::minutes(i64::from(minutes)))?;
    Some(earlier.format("%Y%m%d-%H%M%S").to_string())
}
