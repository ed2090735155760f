//! Objects that a run saw and did not apply. If one of them vanishes, its changes are lost.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dms::{Classified, Phase, classify};
use crate::progress::packed::{from_letters, letters, shared_start};
use crate::progress::{Fingerprint, Ledger, Mark, Position};
use crate::staging::{Listing, StagedObject};
use crate::storage::StoreKind;

/// So many are remembered one by one: those whose turn is next, which expire first.
const MOST: usize = 4096;

/// An object as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenObject {
    /// Its path below the table's folder.
    pub object: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was staged, in milliseconds since the epoch.
    pub modified: i64,
    /// What a listing showed of it.
    listed: Fingerprint,
}

impl SeenObject {
    /// An object as a listing shows it.
    #[must_use]
    pub fn of(object: &StagedObject, kind: StoreKind) -> Self {
        Self {
            object: object.relative.clone(),
            size: object.size,
            modified: object.last_modified.timestamp_millis(),
            listed: Mark::listed_as(object, kind).unwrap_or_default(),
        }
    }

    /// When it was staged.
    #[must_use]
    pub fn staged_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.modified).unwrap_or_default()
    }

    /// Whether the ledger tells that it has been applied whole since.
    fn is_applied(&self, ledger: &Ledger, kind: StoreKind) -> bool {
        if ledger.partial.as_ref().is_some_and(|partial| partial.object == self.object) {
            return false;
        }
        let Classified::Changes(name) = classify(&self.object) else { return false };
        match name.phase {
            Phase::FullLoad { .. } => ledger.load.has_listed(self.listed, kind),
            Phase::Cdc { stamp } => {
                let position = Position { stamp, object: self.object.clone() };
                ledger.cdc.has_applied(&position, self.listed, self.modified, kind)
            }
        }
    }
}

/// Objects of one table that were seen and not applied, in order of application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unapplied {
    objects: Vec<SeenObject>,
    /// How many more there were behind those.
    more: u64,
}

impl Unapplied {
    /// Of objects in order of application. Those beyond the first thousands are only counted.
    #[must_use]
    pub fn of(mut objects: Vec<SeenObject>) -> Self {
        let beyond = objects.split_off(objects.len().min(MOST));
        Self { objects, more: beyond.len() as u64 }
    }

    /// Those remembered one by one that are like this.
    #[must_use]
    pub fn only(&self, is_like: impl Fn(&SeenObject) -> bool) -> Self {
        Self::of(self.objects.iter().filter(|seen| is_like(seen)).cloned().collect())
    }

    /// How many are only counted.
    #[must_use]
    pub fn more(&self) -> u64 {
        self.more
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Those that are remembered one by one.
    #[must_use]
    pub fn objects(&self) -> &[SeenObject] {
        &self.objects
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.objects.len() as u64 + self.more
    }

    /// Those that are neither staged any more, nor applied, nor of the time before the full load. An
    /// object that was staged again under
    /// its name, with other content, has not vanished. `listing` must be of everything.
    #[must_use]
    pub fn vanished(&self, listing: &Listing, ledger: &Ledger, kind: StoreKind) -> Vec<SeenObject> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut staged: Vec<&str> =
            listing.objects.iter().map(|object| object.relative.as_str()).collect();
        staged.sort_unstable();
        let is_gone = |seen: &&SeenObject| {
            staged.binary_search(&seen.object.as_str()).is_err()
                && ledger.load.begins.is_none_or(|begins| seen.modified >= begins)
                && !seen.is_applied(ledger, kind)
        };
        self.objects.iter().filter(is_gone).cloned().collect()
    }
}

/// The list as it is stored; every column has one entry per object.
#[derive(Serialize, Deserialize)]
struct Columns {
    /// The prefix that all names share; `object` is the rest of each.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    prefix: String,
    object: Vec<String>,
    size: Vec<u64>,
    /// When the first was staged, in milliseconds; `modified` is relative to it.
    since: i64,
    modified: Vec<i64>,
    /// What a listing showed of each.
    listed: Vec<String>,
    /// How many more there were.
    #[serde(skip_serializing_if = "is_none", default)]
    more: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_none(more: &u64) -> bool {
    *more == 0
}

impl Serialize for Unapplied {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let objects = &self.objects;
        let shared = shared_start(objects.iter().map(|seen| seen.object.as_str()));
        let since = objects.first().map_or(0, |first| first.modified);
        Columns {
            prefix: objects.first().map_or("", |first| &first.object[..shared]).to_owned(),
            object: objects.iter().map(|seen| seen.object[shared..].to_owned()).collect(),
            size: objects.iter().map(|seen| seen.size).collect(),
            since,
            modified: objects.iter().map(|seen| seen.modified.saturating_sub(since)).collect(),
            listed: objects.iter().map(|seen| letters(&seen.listed.to_bytes())).collect(),
            more: self.more,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Unapplied {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let disagree = || serde::de::Error::custom("the columns of the objects do not agree");
        let columns = Columns::deserialize(deserializer)?;
        let count = columns.object.len();
        if [columns.size.len(), columns.modified.len(), columns.listed.len()] != [count; 3] {
            return Err(disagree());
        }
        let seen = |at: usize| {
            Some(SeenObject {
                object: format!("{}{}", columns.prefix, columns.object[at]),
                size: columns.size[at],
                modified: columns.since.checked_add(columns.modified[at])?,
                listed: Fingerprint::from_bytes(from_letters(&columns.listed[at])?),
            })
        };
        let objects: Option<Vec<_>> = (0..count).map(seen).collect();
        Ok(Self { objects: objects.ok_or_else(disagree)?, more: columns.more })
    }
}
