//! Progress of the full load: one generation, open until the first CDC object is applied.

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::progress::remembered::{self, Remembered};
use crate::progress::{Fingerprint, Mark};
use crate::staging::{Identify, Identity, Listing, StagedObject};
use crate::storage::StoreKind;

/// The number of objects of a generation that are remembered individually: the newest.
const REMEMBERED: usize = 24;

/// Which objects of a table's full load have been applied.
///
/// The newest objects are remembered individually, all of them by count and by a digest, the sum of
/// their fingerprints. Listed objects that are no longer remembered individually are found by order
/// and proven by the digest. Without a proof, the load counts as changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadProgress {
    /// Whether new objects still belong to this generation.
    pub open: bool,
    /// Objects applied.
    pub count: u64,
    /// Sum of the fingerprints of the objects applied.
    pub digest: Fingerprint,
    /// When the first object of this generation was staged, in milliseconds, where times of objects
    /// tell: what was staged before it belongs to the time before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub begins: Option<i64>,
    /// Newest last-modified time of the objects applied, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub newest: Option<i64>,
    #[serde(with = "remembered", skip_serializing_if = "Vec::is_empty", default)]
    recent: Vec<Remembered>,
}

impl Default for LoadProgress {
    fn default() -> Self {
        Self {
            open: true,
            count: 0,
            digest: Fingerprint::default(),
            begins: None,
            newest: None,
            recent: Vec::new(),
        }
    }
}

/// What a listing shows about a load generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadStanding {
    /// Objects yet to be applied, as indices into the listing's full-load objects.
    Pending(Vec<usize>),
    /// Objects that appeared or changed and cannot belong to the generation: a reload.
    Changed(Vec<usize>),
}

/// A listed full-load object with its mark.
pub type MarkedLoad<'a> = (&'a StagedObject, Mark);

impl LoadProgress {
    /// Of a generation whose first object was staged then.
    pub(super) fn beginning_at(begins: Option<i64>) -> Self {
        Self { begins, ..Self::default() }
    }

    /// The mark of an object if the listing alone shows that it was applied and is remembered.
    #[must_use]
    pub fn remembered(&self, object: &StagedObject, kind: StoreKind) -> Option<Mark> {
        let known = self.recent.iter().find(|known| known.mark.is_listed(object, kind))?;
        Some(known.mark)
    }

    /// Whether an object was staged with this load or after it began, as far as times tell.
    #[must_use]
    pub fn is_of_generation(&self, object: &StagedObject) -> bool {
        self.begins.is_none_or(|begins| object.last_modified.timestamp_millis() >= begins)
    }

    /// The staged objects of this generation and of later ones, in load order.
    pub fn staged<'a>(&self, listing: &'a Listing) -> impl Iterator<Item = &'a StagedObject> {
        listing
            .objects
            .iter()
            .filter(|object| object.name.phase.is_full_load() && self.is_of_generation(object))
    }

    /// The mark of a listed object, whose content is read only if it is not remembered.
    pub(super) async fn mark(&self, object: &StagedObject, identify: &Identify) -> Result<Mark> {
        match self.remembered(object, identify.kind()) {
            Some(mark) => Ok(mark),
            None => Mark::identified(object, identify).await,
        }
    }

    /// Whether objects are those of this load, but for the time when they were staged: each of
    /// them, or as many as are remembered.
    pub(super) fn has_content_of(&self, objects: &[&StagedObject]) -> bool {
        let known = objects.iter().filter(|object| self.has_content(object)).count();
        known > 0 && known >= objects.len().min(self.recent.len())
    }

    fn has_content(&self, object: &StagedObject) -> bool {
        let Some(tag) = &object.e_tag else { return false };
        self.recent.iter().any(|known| {
            let Some(staged) = DateTime::from_timestamp_millis(known.modified) else {
                return false;
            };
            let then = StagedObject { last_modified: staged, ..object.clone() };
            Mark::of(&then, &Identity::ETag(tag.clone())).identity == known.mark.identity
        })
    }

    /// Whether an object is remembered of which a listing showed that.
    pub(super) fn has_listed(&self, listed: Fingerprint, kind: StoreKind) -> bool {
        self.recent.iter().any(|known| known.mark.is_listed_as(listed, kind))
    }

    /// Records an object that was applied completely.
    pub fn record(&mut self, object: &StagedObject, mark: Mark) {
        self.record_as(object.last_modified.timestamp_millis(), mark);
    }

    pub(super) fn record_as(&mut self, modified: i64, mark: Mark) {
        self.count += 1;
        self.digest = self.digest.plus(mark.identity);
        self.newest = self.newest.max(Some(modified));
        self.recent.push(Remembered { stamp: String::new(), modified, mark });
        if self.recent.len() > REMEMBERED {
            self.recent.sort_by_key(|known| known.modified);
            self.recent.remove(0);
        }
    }

    /// Compares a listing of full-load objects, in load order, with the generation. `is_complete`
    /// says whether the listing contains every staged full-load object.
    #[must_use]
    pub fn standing(
        &self,
        listed: &[MarkedLoad<'_>],
        kind: StoreKind,
        is_complete: bool,
    ) -> LoadStanding {
        let is_recent =
            |mark: &Mark| self.recent.iter().any(|known| known.mark.identity == mark.identity);
        let others: Vec<usize> =
            (0..listed.len()).filter(|&index| !is_recent(&listed[index].1)).collect();
        let remembered_listed = listed.len() - others.len();
        let forgotten = usize::try_from(self.count).unwrap_or(usize::MAX) - self.recent.len();

        if let Some(new) = self.prove_forgotten(listed, &others, forgotten) {
            let has_gap = is_complete && remembered_listed < self.recent.len();
            // In an open generation objects do not vanish. If one is gone and another has come, the
            // load was rewritten.
            return if new.is_empty() || (self.open && !has_gap) {
                LoadStanding::Pending(new)
            } else {
                LoadStanding::Changed(new)
            };
        }
        // Some of the objects no longer remembered are gone, or one of them changed.
        let newer: Vec<usize> = others
            .iter()
            .copied()
            .filter(|&index| {
                let modified = listed[index].0.last_modified.timestamp_millis();
                kind == StoreKind::S3 && self.newest.is_some_and(|newest| modified > newest)
            })
            .collect();
        let is_too_many = others.len() >= forgotten && is_complete;
        if !newer.is_empty() {
            LoadStanding::Changed(newer)
        } else if is_too_many {
            LoadStanding::Changed(others)
        } else {
            LoadStanding::Pending(Vec::new())
        }
    }

    /// Finds the applied objects that are no longer remembered among `others`, and returns the
    /// rest; none if no order agrees with the digest.
    fn prove_forgotten(
        &self,
        listed: &[MarkedLoad<'_>],
        others: &[usize],
        forgotten: usize,
    ) -> Option<Vec<usize>> {
        if others.len() < forgotten {
            return None;
        }
        let expected =
            self.recent.iter().fold(self.digest, |sum, known| sum.minus(known.mark.identity));
        let modified = |index: usize| listed[index].0.last_modified.timestamp_millis();
        let by_load_order = others.to_vec();
        let mut by_time = others.to_vec();
        by_time.sort_by_key(|&index| modified(index));
        // In a parallel load, the applied objects precede the last remembered one and are not
        // newer. Later objects of a series that continues come after it or are newer.
        let last = (0..listed.len()).rev().find(|index| !others.contains(index));
        let may_be_applied = |index: usize| {
            last.is_some_and(|last| index < last) && Some(modified(index)) <= self.newest
        };
        let mut by_both = others.to_vec();
        by_both.sort_by_key(|&index| !may_be_applied(index));
        for order in [by_time, by_load_order, by_both] {
            let (applied, new) = order.split_at(forgotten);
            let sum = applied
                .iter()
                .fold(Fingerprint::default(), |sum, &index| sum.plus(listed[index].1.identity));
            if sum == expected {
                let mut new = new.to_vec();
                new.sort_unstable();
                return Some(new);
            }
        }
        None
    }
}
