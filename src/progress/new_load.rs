//! A full load that DMS makes of a table that was loaded before.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::dms::Phase;
use crate::progress::{Ledger, MarkedLoad, SeenObject};
use crate::staging::{Listing, StagedObject};

/// What is staged of a new load, told from what the load before has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewLoad {
    /// When its first object was staged.
    pub begins: DateTime<Utc>,
    /// When its newest object was staged.
    last: DateTime<Utc>,
    /// Whether each series counts from one without a gap.
    is_gapless: bool,
    /// Whether a change object shows that DMS has ended it: DMS writes none before.
    is_ended: bool,
    /// Why it may be none.
    pub doubt: Option<Doubt>,
}

/// Why full-load objects that appeared or changed may be no new load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Times of objects do not tell them from those of the load before.
    Mixed,
    /// They have the content of those before, as far as those are remembered: they may have been
    /// copied, or put back from a backup.
    Copied,
}

impl NewLoad {
    /// The load of the changed ones among the listed objects; none if nothing changed.
    pub(super) fn of(
        ledger: &Ledger,
        listed: &[MarkedLoad<'_>],
        changed: &[usize],
        listing: &Listing,
    ) -> Option<Self> {
        let is_new = |index: &usize| changed.binary_search(index).is_ok();
        let new: Vec<&StagedObject> = changed.iter().map(|&index| listed[index].0).collect();
        let (begins, _) = span(&new)?;
        let old = (0..listed.len()).filter(|index| !is_new(index));
        let is_older = |index: usize| listed[index].0.last_modified < begins;
        let newest = ledger.load.newest.unwrap_or(i64::MIN);
        let is_told = old.into_iter().all(is_older) && begins.timestamp_millis() > newest;
        let is_copied = ledger.load.has_content_of(&new);
        let doubt = match (is_told, is_copied) {
            (false, _) => Some(Doubt::Mixed),
            (true, true) => Some(Doubt::Copied),
            (true, false) => None,
        };
        Some(Self { doubt, ..Self::made_of(&new, ledger, listing)? })
    }

    /// The load that these objects are.
    pub(crate) fn made_of(
        objects: &[&StagedObject],
        ledger: &Ledger,
        listing: &Listing,
    ) -> Option<Self> {
        let (begins, last) = span(objects)?;
        // Above the watermark too: what is below it was there before.
        let is_ended = listing
            .objects
            .iter()
            .any(|object| object.last_modified > last && ledger.cdc.is_behind(object));
        Some(Self { begins, last, is_gapless: is_gapless(objects), is_ended, doubt: None })
    }

    /// Whether all of it is staged: a change object has come after it, or nothing more of it for
    /// so long, and no object of it is missing.
    #[must_use]
    pub fn is_complete(&self, settle: TimeDelta, now: DateTime<Utc>) -> bool {
        self.is_gapless && (self.is_ended || now - self.last >= settle)
    }

    /// Whether what is staged of it has gaps.
    #[must_use]
    pub fn has_gaps(&self) -> bool {
        !self.is_gapless
    }

    /// Whether an object was staged before it began.
    #[must_use]
    pub fn is_after(&self, object: &SeenObject) -> bool {
        object.modified < self.begins.timestamp_millis()
    }
}

/// When the first and the last of these objects were staged.
fn span(objects: &[&StagedObject]) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let times = || objects.iter().map(|object| object.last_modified);
    times().min().zip(times().max())
}

/// Whether each series counts from one without a gap.
pub(crate) fn is_gapless(objects: &[&StagedObject]) -> bool {
    let mut series: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for object in objects {
        if let Phase::FullLoad { series: name, counter } = &object.name.phase {
            series.entry(name).or_default().push(*counter);
        }
    }
    series.into_values().all(|mut counters| {
        counters.sort_unstable();
        counters.dedup();
        counters.first() == Some(&1) && counters.last() == Some(&(counters.len() as u64))
    })
}
