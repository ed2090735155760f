//! Progress of ongoing replication: a watermark, and the objects applied just below it.

use serde::{Deserialize, Serialize};

use crate::config::LookBack;
use crate::dms::Phase;
use crate::progress::remembered::{self, Remembered};
use crate::progress::{Fingerprint, Mark};
use crate::staging::StagedObject;
use crate::storage::StoreKind;

/// The order of CDC objects: by stamp as text, then by path below the table's folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Base name without suffixes.
    pub stamp: String,
    /// Path below the table's folder.
    pub object: String,
}

impl Position {
    /// The position of an object of ongoing replication; none for a full-load object.
    #[must_use]
    pub fn of(object: &StagedObject) -> Option<Self> {
        let Phase::Cdc { stamp } = &object.name.phase else { return None };
        Some(Self { stamp: stamp.clone(), object: object.relative.clone() })
    }
}

/// Which of a table's CDC objects have been applied: everything up to the watermark that was staged
/// when its turn came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CdcProgress {
    /// The greatest position applied.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub watermark: Option<Position>,
    /// The objects applied above `floor`.
    #[serde(with = "remembered", skip_serializing_if = "Vec::is_empty", default)]
    window: Vec<Remembered>,
    /// Objects up to this stamp have left the window; none if all are still in it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub floor: Option<String>,
    /// Newest last-modified time of the objects that have left the window, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    left: Option<i64>,
    /// All objects applied since the table began; none if it began before that was recorded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub applied: Option<Applied>,
}

/// A set of objects by number and content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// How many they are.
    pub count: u64,
    /// The sum of their fingerprints.
    pub digest: Fingerprint,
}

impl Applied {
    /// The set with one more object.
    #[must_use]
    pub fn with(self, mark: &Mark) -> Self {
        Self { count: self.count + 1, digest: self.digest.plus(mark.identity) }
    }
}

/// An object's state relative to the progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CdcStanding {
    /// Above the watermark: yet to be applied.
    Ahead,
    /// Known to be applied.
    Applied,
    /// Below the watermark and never applied.
    Late,
    /// On a file system: the object's content decides, see [`CdcProgress::knows`].
    AskContent,
}

impl CdcProgress {
    /// The progress as if these objects had been applied and had left the window.
    pub(super) fn behind(objects: &[&StagedObject]) -> Self {
        let watermark = objects.iter().filter_map(|object| Position::of(object)).max();
        let left = objects.iter().map(|object| object.last_modified.timestamp_millis()).max();
        let floor = watermark.as_ref().map(|position| position.stamp.clone());
        Self { watermark, window: Vec::new(), floor, left, applied: Some(Applied::default()) }
    }

    /// Those objects that are remembered one by one.
    pub(super) fn remembered(&self) -> impl Iterator<Item = &Mark> {
        self.window.iter().map(|known| &known.mark)
    }

    /// Newest last-modified time of those objects that are remembered one by one.
    pub(super) fn newest(&self) -> Option<i64> {
        self.window.iter().map(|known| known.modified).max()
    }

    /// Whether no object has been applied.
    pub(super) fn is_untouched(&self) -> bool {
        self.window.is_empty()
    }

    /// Whether the watermark is below an object: a change object that is yet to be applied.
    #[must_use]
    pub fn is_behind(&self, object: &StagedObject) -> bool {
        Position::of(object).is_some_and(|position| self.is_below(&position))
    }

    fn is_below(&self, position: &Position) -> bool {
        self.watermark.as_ref().is_none_or(|watermark| position > watermark)
    }

    /// The state of a listed object.
    #[must_use]
    pub fn standing(
        &self,
        position: &Position,
        object: &StagedObject,
        kind: StoreKind,
    ) -> CdcStanding {
        if self.is_below(position) {
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
            // Copying a folder resets times, so they prove nothing here.
            (StoreKind::File, false) => CdcStanding::Applied,
        }
    }

    /// Whether an object that is no longer staged has been applied: it was at this position, and a
    /// listing showed `listed` of it.
    pub(super) fn has_applied(
        &self,
        position: &Position,
        listed: Fingerprint,
        modified: i64,
        kind: StoreKind,
    ) -> bool {
        if self.is_below(position) {
            return false;
        }
        if self.window.iter().any(|known| known.mark.is_listed_as(listed, kind)) {
            return true;
        }
        let in_window = self.floor.as_ref().is_none_or(|floor| position.stamp > *floor);
        !in_window && (kind == StoreKind::File || self.left.is_some_and(|left| modified <= left))
    }

    /// Whether the window contains an object with that identity.
    #[must_use]
    pub fn knows(&self, mark: &Mark) -> bool {
        self.window.iter().any(|known| known.mark.identity == mark.identity)
    }

    /// Whether the window has room for this many more objects.
    #[must_use]
    pub fn has_room_for(&self, objects: usize, look_back: LookBack) -> bool {
        self.window.len() + objects <= look_back.objects
    }

    /// Records an object that was applied completely. If `bound` is given, older objects may leave
    /// the window. A bound may be given only if the whole folder was listed: every late object up
    /// to now has then been seen, and a later one is newer than all that left.
    pub fn record(
        &mut self,
        position: Position,
        modified: i64,
        mark: Mark,
        bound: Option<LookBack>,
    ) {
        self.applied = self.applied.map(|applied| applied.with(&mark));
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
            // Objects with the same stamp leave together, because the floor cannot separate them.
            let floor = first.stamp.clone();
            if floor == newest {
                return;
            }
            for known in self.window.extract_if(.., |known| known.stamp == floor) {
                self.left = self.left.max(Some(known.modified));
            }
            // A late object is remembered below the floor.
            self.floor = self.floor.take().max(Some(floor));
        }
    }
}

/// The stamp this many minutes earlier, to the second; none if the stamp is not a date and time.
pub(super) fn stamp_before(stamp: &str, minutes: u32) -> Option<String> {
    let seconds = stamp.get(..15)?;
    let time = chrono::NaiveDateTime::parse_from_str(seconds, "%Y%m%d-%H%M%S").ok()?;
    let earlier = time.checked_sub_signed(chrono::TimeDelta::minutes(i64::from(minutes)))?;
    Some(earlier.format("%Y%m%d-%H%M%S").to_string())
}
