//! What follows from what is staged for a table.

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::{OnObjectsVanished, OnReload, Settings, TableSpec};
use crate::error::Error;
use crate::pipeline::holds::{all_deleted, incomplete, paused, refuse_staging, refuse_vanished};
use crate::pipeline::look::{Hold, Reload};
use crate::pipeline::rebuild::Rebuilding;
use crate::progress::{Ledger, NewLoad, Pending, Position, SeenObject};
use crate::staging::{Listing, StagedObject};
use crate::storage::StoreKind;
use crate::table::TableState;

/// So many late objects at once may be late; the ledger remembers them beside those in its window.
const MOST_LATE: usize = 64;

/// What a look sees of what is staged for a table.
pub(super) struct Sight<'a> {
    pub(super) listing: &'a Listing,
    /// The listing, compared with the table's progress.
    pub(super) found: Pending,
    /// What waits to be applied, as it is remembered.
    pub(super) waiting: Vec<SeenObject>,
    /// What was seen before and has vanished unapplied.
    pub(super) vanished: Vec<SeenObject>,
    /// Whether all that was applied was deleted before it expired.
    pub(super) is_all_deleted: bool,
    /// Whether the table is rebuilt beside the one that readers see.
    pub(super) is_rebuilt: bool,
}

/// What follows from that.
pub(super) enum Judgement {
    Hold(Box<Hold>),
    Reload(Box<Reload>),
    /// The table was truncated at the source, and these changes have come since.
    Truncated(Vec<SeenObject>),
    /// These objects; none where all is applied.
    Apply(Due),
}

/// What is to be applied next.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) objects: Vec<StagedObject>,
    /// What waits, as it is remembered: these objects first.
    pub(super) seen: Vec<SeenObject>,
    /// Those of them that are late, which the guard of the table may be able to place.
    pub(super) late: Vec<String>,
}

/// Who says what follows for one table.
pub(super) struct Judge<'a> {
    pub(super) spec: &'a TableSpec,
    pub(super) settings: &'a Settings,
    /// How staged objects are told.
    pub(super) kind: StoreKind,
    pub(super) now: DateTime<Utc>,
}

impl Judge<'_> {
    /// What follows from what is staged: a hold, a new load, or objects to apply.
    pub(super) fn judge(
        &self,
        sight: Sight<'_>,
        ledger: &Ledger,
        state: Option<&TableState>,
        refused: Option<Error>,
    ) -> Judgement {
        let Sight { listing, found, waiting, mut vanished, is_all_deleted, is_rebuilt } = sight;
        // What was staged before a new load is no longer needed.
        let new_load = found.reload.filter(|load| load.doubt.is_none());
        let mut reload = Vec::new();
        if let Some(load) = &new_load {
            vanished.retain(|seen| !load.is_after(seen));
            reload = seen(&listing.objects, self.kind);
            reload.retain(|seen| !load.is_after(seen));
        }
        let mut cause = paused(self.spec, state)
            .or(refused)
            .or_else(|| refuse_staging(&self.settings.dms, listing))
            .or_else(|| refuse_vanished(self.spec, &vanished));
        // Where late objects appear too, everything may have been copied.
        let may_reload = self.spec.on_reload == OnReload::Apply && found.late.is_empty();
        if let (None, Some(load)) = (&cause, new_load.filter(|_| may_reload)) {
            cause = self.waits_for(&load);
            if cause.is_none() {
                let begins = load.begins;
                return Judgement::Reload(Box::new(Reload { begins, objects: reload }));
            }
        }
        if is_all_deleted && cause.is_none() && found.hold.is_none() {
            let tells = self.spec.on_objects_vanished == OnObjectsVanished::Truncate;
            if tells && !found.objects.is_empty() {
                return Judgement::Truncated(waiting);
            }
            cause = Some(all_deleted(self.spec, is_rebuilt));
        }
        let is_in_part = late_in_part(&found.objects, ledger).is_some();
        if cause.is_none() && found.hold.is_none() && self.may_place(&found.late, is_in_part) {
            return Judgement::Apply(self.late_first(found, &waiting, ledger));
        }
        let late_hold = found.late_hold();
        let Some(cause) = cause.or(found.hold).or(late_hold) else {
            return Judgement::Apply(Due {
                objects: found.objects,
                seen: waiting,
                late: Vec::new(),
            });
        };
        let gone = vanished.iter().map(SeenObject::staged_at).min();
        let since = found.held_since.into_iter().chain(gone).min();
        let late = seen(&found.late, self.kind);
        reload.retain(|seen| !waiting.contains(seen) && !late.contains(seen));
        Judgement::Hold(Box::new(Hold { cause, late, waiting, reload, vanished, since }))
    }

    /// Whether there are late objects that are tried; one may be applied in part. So many more would
    /// be staging that was put back or copied.
    fn may_place(&self, late: &[StagedObject], is_in_part: bool) -> bool {
        self.spec.is_guarded() && (is_in_part || !late.is_empty()) && late.len() <= MOST_LATE
    }

    /// Late objects before all that is next: they are applied, or hold the table as they always
    /// did. Only an object that is applied in part comes first.
    fn late_first(&self, found: Pending, waiting: &[SeenObject], ledger: &Ledger) -> Due {
        let mut objects = found.objects;
        let in_part = objects.first().is_some_and(|first| ledger.is_in_part(first));
        objects.truncate(usize::from(in_part));
        let mut late: Vec<String> = late_in_part(&objects, ledger).into_iter().collect();
        late.extend(found.late.iter().map(|object| object.relative.clone()));
        objects.extend(found.late);
        let first = seen(&objects, self.kind);
        let others = waiting.iter().filter(|seen| !first.contains(seen));
        let seen = first.iter().chain(others).cloned().collect();
        Due { objects, seen, late }
    }

    /// Why a new load must not be applied yet.
    fn waits_for(&self, load: &NewLoad) -> Option<Error> {
        let settle = TimeDelta::minutes(self.settings.reload.settle_minutes.into());
        let is_complete = load.is_complete(settle, self.now);
        (!is_complete).then(|| incomplete(load))
    }

    /// Why a table that is rebuilt from a new load must not be put in place yet.
    pub(super) fn waits_for_all_of(
        &self,
        rebuilding: &Rebuilding,
        listing: &Listing,
    ) -> Option<Error> {
        let built = rebuilding.table.as_ref().filter(|_| rebuilding.rebuild.is_reload)?;
        let ledger = built.ledger();
        let loads: Vec<&StagedObject> = ledger.load.staged(listing).collect();
        let load = NewLoad::made_of(&loads, ledger, listing)?;
        // It is ended where changes are applied that came after it. Applied objects may expire.
        let is_seen_whole = loads.len() as u64 == ledger.load.count;
        if ledger.load.open {
            return self.waits_for(&load);
        }
        (load.has_gaps() && is_seen_whole).then(|| incomplete(&load))
    }
}

/// The name of the first of these objects, if it is late and applied in part.
fn late_in_part(objects: &[StagedObject], ledger: &Ledger) -> Option<String> {
    let first = objects.first().filter(|first| ledger.is_in_part(first))?;
    let position = Position::of(first)?;
    let watermark = ledger.cdc.watermark.as_ref()?;
    (position <= *watermark).then(|| first.relative.clone())
}

/// These objects as they are remembered.
pub(super) fn seen(objects: &[StagedObject], kind: StoreKind) -> Vec<SeenObject> {
    objects.iter().map(|object| SeenObject::of(object, kind)).collect()
}
