//! What the log tells of the objects that a table has taken in.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use chrono::DateTime;
use deltalake::kernel::Version;
use futures::TryStreamExt as _;
use object_store::path::Path;

use crate::dms::{Classified, classify};
use crate::error::Result;
use crate::pipeline::release::place::Place;
use crate::progress::{CommittedObject, Ledger, Mark};
use crate::staging::{Identity, StagedObject};
use crate::table::{self, LakeTable};

/// A row of the quarantine: the identity of its object, and its number there.
pub(super) type RowId = (String, u64);

/// Rows of an object that one commit took in.
#[derive(Clone, Debug)]
pub(super) struct Portion {
    pub(super) version: Version,
    /// The object as it was staged.
    pub(super) object: StagedObject,
    pub(super) identity: Identity,
    pub(super) from: u64,
    pub(super) rows: u64,
    /// Whether the commit took in a delete.
    pub(super) deletes: bool,
}

/// The commit that took in a row.
#[derive(Clone, Debug)]
pub(super) struct TakenBy {
    pub(super) version: Version,
    pub(super) object: StagedObject,
    /// Whether all rows of the table were removed since.
    pub(super) emptied_since: bool,
}

/// What the commits since the table was last built took in, as far back as was asked.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// Whether the log tells of all that may come after the rows.
    pub(super) is_complete: bool,
    pub(super) portions: Vec<Portion>,
    pub(super) taken: BTreeMap<RowId, TakenBy>,
    /// Versions of other writers that changed rows.
    pub(super) foreign: Vec<Version>,
}

impl Intake {
    /// Reads the log backwards until it has told of all these rows, and of all objects that may come
    /// after the first one of them.
    ///
    /// # Errors
    /// As [`table::history()`].
    pub(super) async fn of(
        table: &LakeTable,
        asked: &BTreeSet<RowId>,
        first: &Place,
    ) -> Result<Self> {
        let now = table.ledger();
        let mut found = Self::default();
        let mut commits = pin!(table::history(&table.delta().log_store(), table.version()));
        while let Some(commit) = commits.try_next().await? {
            let version = commit.version;
            found.foreign.extend(commit.foreign().map(|foreign| foreign.version));
            let Some(ours) = commit.ours else {
                found.is_complete = version == 0;
                continue;
            };
            let then = &ours.record.ledger;
            // What was taken in before was taken in again, or is of an earlier load.
            if then.rebuilt != now.rebuilt {
                break;
            }
            // An object that came late may have been taken in after those that come after it.
            let watermark = then.cdc.watermark.as_ref().and_then(|it| Place::end_of(&it.object));
            let is_before = watermark.is_none_or(|watermark| watermark < *first);
            if is_before && !first.is_of_load() && found.taken.len() == asked.len() {
                found.is_complete = true;
                break;
            }
            let counts = ours.record.books.counts;
            let deletes = counts.deleted + counts.ignored > 0;
            let emptied_since = is_emptied_since(then, now);
            for object in &ours.record.objects {
                let Some(staged) = staged(object) else { continue };
                let identity = Mark::of(&staged, &object.identity).identity.to_string();
                let last = object.from + object.rows;
                let of_object = (identity.clone(), object.from + 1)..=(identity, last);
                for row in asked.range(of_object) {
                    let taken = || TakenBy { version, object: staged.clone(), emptied_since };
                    found.taken.entry(row.clone()).or_insert_with(taken);
                }
                found.portions.push(Portion {
                    version,
                    object: staged,
                    identity: object.identity.clone(),
                    from: object.from,
                    rows: object.rows,
                    deletes,
                });
            }
            found.is_complete = version == 0;
        }
        Ok(found)
    }
}

fn is_emptied_since(then: &Ledger, now: &Ledger) -> bool {
    now.emptied && (!then.emptied || then.emptied_behind != now.emptied_behind)
}

/// The object as a listing showed it; none if its name is none of DMS.
fn staged(object: &CommittedObject) -> Option<StagedObject> {
    let Classified::Changes(name) = classify(&object.key) else { return None };
    let e_tag = match &object.identity {
        Identity::ETag(tag) => Some(tag.clone()),
        Identity::Content(_) => None,
    };
    Some(StagedObject {
        location: Path::from(object.key.as_str()),
        relative: object.key.clone(),
        name,
        size: object.size,
        e_tag,
        last_modified: DateTime::from_timestamp_millis(object.modified)?,
    })
}
