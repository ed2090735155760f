//! What follows from what is staged for a table.

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::{OnReload, Settings, TableSpec};
use crate::error::Error;
use crate::pipeline::holds::{incomplete, paused, refuse_staging, refuse_vanished};
use crate::pipeline::look::{Hold, Reload};
use crate::pipeline::rebuild::Rebuilding;
use crate::progress::{NewLoad, Pending, SeenObject};
use crate::staging::{Listing, StagedObject};
use crate::storage::StoreKind;
use crate::table::TableState;

/// What a look sees of what is staged for a table.
pub(super) struct Sight<'a> {
    pub(super) listing: &'a Listing,
    /// The listing, compared with the table's progress.
    pub(super) found: Pending,
    /// What waits to be applied, as it is remembered.
    pub(super) waiting: Vec<SeenObject>,
    /// What was seen before and has vanished unapplied.
    pub(super) vanished: Vec<SeenObject>,
}

/// What follows from that.
pub(super) enum Judgement {
    Hold(Box<Hold>),
    Reload(Box<Reload>),
    /// These objects, and the same as they are remembered; none where all is applied.
    Apply(Vec<StagedObject>, Vec<SeenObject>),
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
        state: Option<&TableState>,
        refused: Option<Error>,
    ) -> Judgement {
        let Sight { listing, found, waiting, mut vanished } = sight;
        // What was staged before a new load is no longer needed.
        let new_load = found.reload.filter(|load| load.doubt.is_none());
        if let Some(load) = &new_load {
            vanished.retain(|seen| !load.is_after(seen));
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
                let objects = seen(&listing.objects, self.kind).into_iter();
                let objects = objects.filter(|seen| !load.is_after(seen)).collect();
                return Judgement::Reload(Box::new(Reload { begins: load.begins, objects }));
            }
        }
        let Some(cause) = cause.or(found.hold) else {
            return Judgement::Apply(found.objects, waiting);
        };
        let gone = vanished.iter().map(SeenObject::staged_at).min();
        let since = found.held_since.into_iter().chain(gone).min();
        let late = seen(&found.late, self.kind);
        Judgement::Hold(Box::new(Hold { cause, late, waiting, vanished, since }))
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

/// These objects as they are remembered.
pub(super) fn seen(objects: &[StagedObject], kind: StoreKind) -> Vec<SeenObject> {
    objects.iter().map(|object| SeenObject::of(object, kind)).collect()
}
