//! What is known of a table beside its log: what must not go away with the table's folder, nor with
//! what is staged.
//!
//! Which rows are applied is in the log, in the commits that they belong to, and nowhere else. That
//! there was a table at all, who paused it, why and since when it is held, and what was staged and
//! not applied by then, must be known even if log or staging no longer tell.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::TableName;
use crate::error::Error;
use crate::progress::{Ledger, Position, SeenObject, Unapplied};
use crate::schema::ColumnChange;
use crate::table::hand_over::HandOver;

/// So many of an operator's decisions of one kind are kept, the newest.
const MOST_DECISIONS: usize = 20;

/// What is known of a table beside its log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableState {
    /// Version of this layout: 2. Number 1 has neither hold, pause, unapplied objects nor losses.
    format: u8,
    /// `schema.table` at the source.
    pub table: String,
    /// Whether there ever was a table. There was wherever number 1 of this layout stands.
    #[serde(default = "was_begun")]
    pub begun: bool,
    /// The columns in the lake by which rows are told apart.
    pub keys: Vec<String>,
    /// Where a reload was noticed: the last change that had been applied by then. It and all before
    /// it are older than the load, which is to be known where times of objects tell nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reloaded_behind: Option<Position>,
    /// When all of its rows were removed, by an operator or because of a TRUNCATE, if that was since
    /// its full load: what is staged does not tell.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub emptied: Option<DateTime<Utc>>,
    /// That an operator has paused it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub paused: Option<Paused>,
    /// Why nothing was applied any more when it was last tried.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held: Option<Held>,
    /// Objects that an operator lets pass once although they exceed a limit of the configuration.
    #[serde(skip_serializing_if = "Unapplied::is_empty", default)]
    pub let_pass: Unapplied,
    /// What was staged and not applied after the last run that left anything.
    #[serde(skip_serializing_if = "Unapplied::is_empty", default)]
    pub unapplied: Unapplied,
    /// The rebuild that is under way.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rebuild: Option<Rebuild>,
    /// The change of its columns that is under way. A program that drops it meets what asks for it
    /// again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reshape: Option<Reshape>,
    /// That what is pending is left to a job.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hand_over: Option<HandOver>,
    /// That keys of the table are being forgotten, which only one does at a time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub forgetting: Option<Forgetting>,
    /// Changes that an operator has given up.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    losses: Vec<Loss>,
    /// Late objects that an operator has applied.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    applied_late: Vec<AppliedLate>,
    /// Rows that an operator has repaired and released from quarantine, since the table was last
    /// built.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    repaired: Vec<RepairedRows>,
    /// Rows in quarantine that an operator has given up, by what identifies the content of their
    /// object: what is staged shows them still.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    discarded: BTreeMap<String, BTreeSet<u64>>,
}

fn was_begun() -> bool {
    true
}

/// A pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why, in the operator's words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// When a run first met it.
    pub since: DateTime<Utc>,
    /// The kind of the error.
    pub kind: String,
    /// What is wrong.
    pub cause: String,
    /// The objects that an operator may let pass.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub passable: Vec<String>,
}

/// A rebuild of the table that is not in its place yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuild {
    /// Its id: the ledger of the commit that puts it in place names it.
    pub id: Uuid,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When the first object of its full load was staged, in milliseconds, where times of objects
    /// tell: full-load objects of before are left over from an earlier load.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub load_begins: Option<i64>,
    /// Whether it is made from a new load.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub is_reload: bool,
    /// Whether an operator goes on without objects that have vanished.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub accepts_loss: bool,
    /// Whether the rows of it and of the table were begun to be compared: that is not tried twice.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub compared: bool,
    /// How columns will have changed by its end: objects that are read anew are read so from the
    /// first one on.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub changes: Vec<ColumnChange>,
}

/// A change of columns for which all rows are written again, and which is not in place yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reshape {
    /// Its id.
    pub id: Uuid,
    /// Since when.
    pub since: DateTime<Utc>,
    /// The changes.
    pub changes: Vec<ColumnChange>,
}

/// A forgetting of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgetting {
    /// Its id.
    pub id: Uuid,
    /// When it last said that it is at work: an hour later it is taken for dead.
    pub since: DateTime<Utc>,
}

/// Changes that will not be in the table, with an operator's consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// When it was accepted.
    pub at: DateTime<Utc>,
    /// How many staged objects it is about.
    pub objects: u64,
    /// The first of them.
    pub first: String,
}

/// A late object that was applied out of its turn, with an operator's consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedLate {
    /// When.
    pub at: DateTime<Utc>,
    /// Its path below the table's folder.
    pub object: String,
}

/// Rows of one object that an operator has repaired: what is staged does not tell what they became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairedRows {
    /// The object's path below the table's folder.
    pub object: String,
    /// When a row of it was last repaired.
    pub at: DateTime<Utc>,
    /// The first and the last of them.
    pub first: u64,
    /// See `first`.
    pub last: u64,
    /// The rebuild that the table was made by then: another one meets the rows as they were staged.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rebuilt: Option<Uuid>,
}

impl TableState {
    /// The layout that this program writes, and the newest that it reads.
    pub(super) const FORMAT: u8 = 2;

    /// Of a table that has not begun.
    #[must_use]
    pub fn new(table: &TableName, keys: Vec<String>) -> Self {
        Self {
            format: Self::FORMAT,
            table: table.to_string(),
            begun: false,
            keys,
            reloaded_behind: None,
            emptied: None,
            paused: None,
            held: None,
            let_pass: Unapplied::default(),
            unapplied: Unapplied::default(),
            rebuild: None,
            reshape: None,
            hand_over: None,
            forgetting: None,
            losses: Vec::new(),
            applied_late: Vec::new(),
            repaired: Vec::new(),
            discarded: BTreeMap::new(),
        }
    }

    /// Why what is staged does not tell what the table holds, if an operator has decided so.
    #[cfg(feature = "cli")]
    #[must_use]
    pub(crate) fn why_untold(&self) -> Option<&'static str> {
        if !self.losses.is_empty() {
            return Some("an operator gave up changes of it");
        }
        if !self.repaired.is_empty() {
            return Some("an operator repaired rows of it in quarantine");
        }
        (!self.applied_late.is_empty())
            .then_some("an operator applied late objects out of their turn")
    }

    /// The same in the layout that this program writes.
    pub(super) fn in_this_format(self) -> Self {
        Self { format: Self::FORMAT, ..self }
    }

    /// The rebuild that is under way: one that the table's ledger does not name as in place.
    #[must_use]
    pub fn rebuild_of(&self, ledger: &Ledger) -> Option<&Rebuild> {
        self.rebuild.as_ref().filter(|rebuild| ledger.rebuilt != Some(rebuild.id))
    }

    /// The hand-over whose job may be at work, or about to be.
    #[must_use]
    pub fn live_claim(&self, now: DateTime<Utc>) -> Option<&HandOver> {
        self.hand_over.as_ref().filter(|it| it.is_live(now))
    }

    /// Leaves what is pending to a job, unless another one may be at work.
    pub fn hand_over(
        &mut self,
        now: DateTime<Utc>,
        new: impl FnOnce(Option<&HandOver>) -> HandOver,
    ) {
        if self.live_claim(now).is_none() {
            self.hand_over = Some(new(self.hand_over.as_ref()));
        }
    }

    /// The hand-over of that id, if it is the one that stands.
    pub fn hand_over_of(&mut self, id: Uuid) -> Option<&mut HandOver> {
        self.hand_over.as_mut().filter(|it| it.id == id)
    }

    /// Takes in what a run or a rebuild has yet to apply, if `rebuild` is still the one that is
    /// under way: another one has a list of its own.
    pub fn left(&mut self, unapplied: &Unapplied, rebuild: Option<&Rebuild>) {
        let id = |rebuild: Option<&Rebuild>| rebuild.map(|rebuild| rebuild.id);
        if id(self.rebuild.as_ref()) == id(rebuild) {
            self.unapplied.clone_from(unapplied);
            self.let_pass = self.let_pass.only(|seen| unapplied.objects().contains(seen));
        }
    }

    /// Takes in that this error holds the table. A hold of the same kind has begun when it was
    /// first met.
    pub fn held_by(&mut self, error: &Error, now: DateTime<Utc>) {
        let kind = error.kind().as_str();
        let before = self.held.take().filter(|held| held.kind == kind);
        let since = before.map_or(now, |held| held.since);
        let passable = error.passable().to_vec();
        self.held = Some(Held { since, kind: kind.to_owned(), cause: error.chain(), passable });
    }

    /// Takes in that the objects of the hold, as they were seen, may pass once; names them.
    pub fn lets_pass(&mut self) -> Vec<String> {
        let Some(held) = &self.held else { return Vec::new() };
        let is_passable = |seen: &SeenObject| held.passable.contains(&seen.object);
        let chosen = self.unapplied.only(is_passable);
        if chosen.is_empty() {
            return Vec::new();
        }
        let names = chosen.objects().iter().map(|seen| seen.object.clone()).collect();
        self.let_pass = chosen;
        names
    }

    /// Those of the objects that may pass, by name.
    #[must_use]
    pub fn passing(&self, objects: &[SeenObject]) -> BTreeSet<String> {
        let let_pass = self.let_pass.objects().iter();
        let_pass.filter(|seen| objects.contains(seen)).map(|seen| seen.object.clone()).collect()
    }

    /// Takes in that these objects are given up.
    pub fn gave_up(&mut self, objects: &[String], at: DateTime<Utc>) {
        let Some(first) = objects.first() else { return };
        let first = first.clone();
        self.losses.push(Loss { at, objects: objects.len() as u64, first });
        keep_newest(&mut self.losses);
    }

    /// Takes in that these late objects are applied out of their turn.
    pub fn applied_late(&mut self, objects: &[String], at: DateTime<Utc>) {
        let applied = objects.iter().map(|object| AppliedLate { at, object: object.clone() });
        self.applied_late.extend(applied);
        keep_newest(&mut self.applied_late);
    }

    /// Takes in that a row of an object is repaired. Again changes nothing but the time.
    #[cfg(feature = "cli")]
    pub(crate) fn repaired(
        &mut self,
        (object, row): (&str, u64),
        ledger: &Ledger,
        at: DateTime<Utc>,
    ) {
        let rebuilt = ledger.rebuilt;
        self.repaired.retain(|known| known.rebuilt == rebuilt);
        if let Some(known) = self.repaired.iter_mut().find(|known| known.object == object) {
            (known.first, known.last) = (known.first.min(row), known.last.max(row));
            known.at = at;
            return;
        }
        let object = object.to_owned();
        self.repaired.push(RepairedRows { object, at, first: row, last: row, rebuilt });
    }

    /// Takes in that a row of an object is given up, or is not after all.
    #[cfg(feature = "cli")]
    pub(crate) fn discarded(&mut self, (identity, row): (&str, u64), is_given_up: bool) {
        if is_given_up {
            self.discarded.entry(identity.to_owned()).or_default().insert(row);
        } else if let Some(rows) = self.discarded.get_mut(identity) {
            rows.remove(&row);
            self.discarded.retain(|_, rows| !rows.is_empty());
        }
    }

    /// The rows that are given up, by what identifies the content of their object.
    #[cfg(feature = "cli")]
    pub(crate) fn discarded_rows(&self) -> impl Iterator<Item = (String, u64)> {
        self.discarded
            .iter()
            .flat_map(|(identity, rows)| rows.iter().map(|row| (identity.clone(), *row)))
    }

    /// The objects of which an operator has repaired rows since the table was built.
    pub fn repaired_rows(&self, ledger: &Ledger) -> impl Iterator<Item = &RepairedRows> {
        let rebuilt = ledger.rebuilt;
        self.repaired.iter().filter(move |known| known.rebuilt == rebuilt)
    }

    /// Late objects that an operator has applied, the oldest first.
    #[must_use]
    pub fn late_applied(&self) -> &[AppliedLate] {
        &self.applied_late
    }

    /// What an operator has given up, the oldest first.
    #[must_use]
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }
}

fn keep_newest<T>(decisions: &mut Vec<T>) {
    let too_many = decisions.len().saturating_sub(MOST_DECISIONS);
    decisions.drain(..too_many);
}
