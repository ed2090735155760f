//! What a guarded table knows of the changes that were applied to it: each has left its sequence in
//! the row or in a tombstone, but for those up to a bound.

use serde::{Deserialize, Serialize};

use crate::progress::Ledger;

/// What the guard of a table can tell; by default, that of one that is guarded from its first change
/// on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardProgress {
    /// Up to where changes were applied that left no trace; none if each has left one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub untraced: Option<Untraced>,
    /// The objects with the tombstones of deleted rows, the oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tombstones: Vec<TombstoneObject>,
}

/// Changes that left no trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untraced {
    /// No change above this sequence is one of them; none while that is not known: the next object
    /// with change sequences tells.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub up_to: Option<String>,
    /// Why, of the newest.
    pub why: WhyUntraced,
}

/// Why changes left no trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhyUntraced {
    /// They were applied before the table was guarded.
    Unguarded,
    /// They may be older than the load that the table was made from.
    Loaded,
    /// They had no change sequence.
    NoSequence,
    /// They kept values of the row as it was then.
    KeptValues,
    /// The tombstones of deleted rows have expired, or were lost.
    Expired,
    /// An operator has emptied the table since.
    Emptied,
    /// An operator has applied an object out of its turn since.
    OutOfTurn,
}

impl WhyUntraced {
    /// The reason as part of a sentence.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unguarded => "changes were applied before the table was guarded",
            Self::Loaded => "they may be older than the full load",
            Self::NoSequence => "changes without a sequence were applied",
            Self::KeptValues => "changes were applied that kept values of their rows",
            Self::Expired => "tombstones of deleted rows are no longer kept",
            Self::Emptied => "an operator has emptied the table since",
            Self::OutOfTurn => "an operator has applied an object out of its turn since",
        }
    }
}

/// An object with tombstones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TombstoneObject {
    /// Its name in the table's folder of tombstones.
    pub name: String,
    /// How many tombstones it has.
    pub rows: u64,
    /// When the first of them was left, in milliseconds since the epoch.
    pub since: i64,
    /// When the last of them was left.
    pub until: i64,
    /// The greatest sequence in it.
    pub last: String,
}

impl GuardProgress {
    /// Of a table that is made from a load, of before which objects may come.
    #[must_use]
    pub fn of_load() -> Self {
        let untraced = Untraced { up_to: None, why: WhyUntraced::Loaded };
        Self { untraced: Some(untraced), ..Self::default() }
    }

    /// Of a table with that progress, which was not guarded so far.
    #[must_use]
    pub fn beginning_at(ledger: &Ledger) -> Self {
        let untraced = Untraced { up_to: ledger.sequence.clone(), why: WhyUntraced::Unguarded };
        Self { untraced: Some(untraced), ..Self::default() }
    }

    /// Takes in that changes up to that sequence left no trace.
    pub fn lost_track_up_to(&mut self, sequence: &str, why: WhyUntraced) {
        let is_known = self.untraced.as_ref().is_some_and(|untraced| {
            untraced.up_to.as_deref().is_none_or(|up_to| up_to >= sequence)
        });
        if !is_known {
            self.untraced = Some(Untraced { up_to: Some(sequence.to_owned()), why });
        }
    }

    /// Takes in that changes left no trace whose sequences are not known.
    pub fn lost_track(&mut self, why: WhyUntraced) {
        self.untraced = Some(Untraced { up_to: None, why });
    }

    /// Takes in the first and the last sequence of changes that were applied in their turn: where
    /// the bound was not known, it is now.
    pub fn found_track(&mut self, first: &str, last: &str) {
        let Some(untraced) = self.untraced.as_mut().filter(|it| it.up_to.is_none()) else { return };
        // Nothing of the time since a load is older than the first change after it.
        let bound = if untraced.why == WhyUntraced::Loaded { first } else { last };
        untraced.up_to = Some(bound.to_owned());
    }

    /// Why a change of that sequence cannot be compared with all that was applied, if it cannot.
    #[must_use]
    pub fn cannot_place(&self, sequence: &str) -> Option<WhyUntraced> {
        let untraced = self.untraced.as_ref()?;
        let is_above = untraced.up_to.as_deref().is_some_and(|up_to| sequence > up_to);
        (!is_above).then_some(untraced.why)
    }
}
