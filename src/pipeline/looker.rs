//! Looking at a table: its log, its state and what is staged for it, and what follows from them.

use object_store::path::Path;
use uuid::Uuid;

use crate::config::{LookBack, TableSpec};
use crate::disposition::Status;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::beginning::{Beginning, Known, beginning};
use crate::pipeline::holds::{paused, refuse_vanished};
use crate::pipeline::judgement::{Due, Judge, Judgement, Sight, seen};
use crate::pipeline::look::{Hold, Look, Reshaping, Standing, Work};
use crate::pipeline::rebuild::Rebuilding;
use crate::pipeline::reshape::wanted;
use crate::pipeline::truncated::is_all_deleted;
use crate::pipeline::{Pipeline, Scope};
use crate::progress::{GuardProgress, Ledger, Pending, SeenObject, pending};
use crate::staging::{Identify, Listing, StagedObject, list_everything, list_window};
use crate::storage::{Location, with_whole_paths};
use crate::table::{self, Freshness, LakeTable, Rebuild, StateObject, TableState, refuse_table};

/// Somebody who looks at one table.
pub(super) struct Looker<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) spec: &'a TableSpec,
    pub(super) scope: &'a Scope,
    /// Where the table's objects are staged.
    pub(super) staging: Location,
    /// Where the table is.
    pub(super) location: Location,
    /// The hand-over whose job looks, if one does: others wait for it.
    pub(super) job: Option<Uuid>,
}

/// A table that is open; what is staged for it is to be looked at next.
pub(super) struct Opened {
    pub(super) table: Option<LakeTable>,
    pub(super) state: Option<TableState>,
    rebuilding: Option<Rebuilding>,
    /// What was listed beside the opening.
    listing: Option<Listing>,
}

/// The table that a look is about.
struct Subject<'a> {
    table: Option<LakeTable>,
    location: &'a Location,
    /// Where it is to take another's place.
    rebuild: Option<&'a Rebuild>,
}

impl<'a> Looker<'a> {
    /// Looks at a table, and at so much of what is staged for it.
    ///
    /// # Errors
    /// `Config` if the table's name is not allowed in a path.
    pub(super) fn new(
        pipeline: &'a Pipeline,
        spec: &'a TableSpec,
        scope: &'a Scope,
    ) -> Result<Self> {
        let staging = pipeline.staging_folder(&spec.source)?;
        let location = pipeline.lake_folder(&spec.source)?;
        Ok(Self { pipeline, spec, scope, staging, location, job: None })
    }

    /// An error about the table, in which objects and files are named by whole paths.
    pub(super) fn with_whole_paths(&self, error: Error) -> Error {
        with_whole_paths(error, &self.staging, &self.location)
    }

    /// Opens the table, from a warm snapshot of it if there is one, and reads its state. What its
    /// ledger asks for is then listed at once. That listing counts only if no commit of ours came
    /// in between: then it is as good as one made after the opening. Else it may lack objects that
    /// the new ledger knows.
    ///
    /// # Errors
    /// As [`table::open`] and [`StateObject::read`]; `Unavailable` if staging cannot be listed.
    pub(super) async fn open(&self, warm: Option<LakeTable>) -> Result<Opened> {
        let state_object = self.state_object()?;
        let state = state_object.read();
        let Some(warm) = warm else {
            let (table, state) = tokio::try_join!(table::open(&self.location, None), state)?;
            return self.opened(table, state, None).await;
        };
        let ledger = warm.ledger().clone();
        let newest = warm.newest();
        let opening = table::open(&self.location, Some(warm));
        let (table, state, listing) = tokio::join!(opening, state, self.list(&ledger));
        let (table, state) = (table?, state?);
        let is_unchanged = table.as_ref().is_some_and(|table| table.newest() == newest);
        let listing = if is_unchanged { Some(listing?) } else { None };
        self.opened(table, state, listing).await
    }

    async fn opened(
        &self,
        table: Option<LakeTable>,
        state: Option<TableState>,
        listing: Option<Listing>,
    ) -> Result<Opened> {
        let both = state.as_ref().zip(table.as_ref());
        let rebuilding = match both.and_then(|(state, table)| state.rebuild_of(table.ledger())) {
            Some(rebuild) => {
                let Self { pipeline, spec, location, .. } = self;
                Some(Rebuilding::open(pipeline, spec, location, rebuild).await?)
            }
            None => None,
        };
        Ok(Opened { table, state, rebuilding, listing })
    }

    /// Looks at what is staged for an open table, or for the one that is to take its place.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be seen, and whatever else leaves open what follows.
    pub(super) async fn look_at_either(&self, opened: Opened) -> Result<Look> {
        let Opened { table, state, rebuilding, listing } = opened;
        let (Some(mut rebuilding), Some(replaced)) = (rebuilding, &table) else {
            let subject = Subject { table, location: &self.location, rebuild: None };
            return self.look_at(subject, state, listing).await;
        };
        let subject = Subject {
            table: rebuilding.table.take(),
            location: &rebuilding.location,
            rebuild: Some(&rebuilding.rebuild),
        };
        let look = self.look_at(subject, state, None).await?;
        rebuilding.table = look.table;
        let standing = match look.standing {
            Standing::CaughtUp => {
                let refusal = rebuilding.refusal(replaced, &look.listing);
                match refusal.or_else(|| self.judge().waits_for_all_of(&rebuilding, &look.listing))
                {
                    Some(cause) => Standing::Held(Box::new(Hold::new(cause))),
                    None => Standing::Replace,
                }
            }
            standing => standing,
        };
        Ok(Look { table, rebuilding: Some(rebuilding), standing, ..look })
    }

    /// Looks at what is staged for one table.
    async fn look_at(
        &self,
        subject: Subject<'_>,
        state: Option<TableState>,
        listing: Option<Listing>,
    ) -> Result<Look> {
        let Subject { table, location, rebuild } = subject;
        let refused = table.as_ref().and_then(|table| refuse_table(self.spec, table).err());
        // Whether what was seen has vanished, and whether a rebuild is complete, only a listing of
        // everything tells.
        let asks_for_all = rebuild.is_some() || !unapplied(state.as_ref()).is_empty();
        let listing = listing.filter(|listing| listing.is_complete || !asks_for_all);
        let mut listing = match (self.listed(table.as_ref(), listing, asks_for_all).await, &refused)
        {
            (Ok(listing), _) => listing,
            (Err(error), None) => return Err(error),
            // The table itself says enough.
            (Err(_), Some(_)) => Listing::default(),
        };
        let begun = match self.begin(table.as_ref(), rebuild, state.as_ref(), &listing) {
            Ok(begun) => begun,
            Err(cause) => {
                self.must_be_untouched(table.as_ref(), location).await?;
                let vanished = self.vanished(state.as_ref(), &listing, &Ledger::default());
                let lost = refuse_vanished(self.spec, &vanished);
                let waiting = self.seen(&listing.objects);
                let since = waiting.iter().map(SeenObject::staged_at).min();
                let cause = refused.or(lost).unwrap_or(cause);
                let hold = Hold { waiting, vanished, since, ..Hold::new(cause) };
                return self.held(table, state, listing, hold);
            }
        };
        let before_load = begun.as_ref().map_or(0, |begun| begun.outdated);
        let beginning = begun.map(|begun| begun.ledger);
        let table = match (table, &beginning) {
            (Some(table), Some(beginning)) => Some(table.beginning_with(beginning)),
            (table, _) => table,
        };
        let beginning = beginning.unwrap_or_default();
        let ledger = table.as_ref().map_or(&beginning, LakeTable::ledger);
        let is_all_deleted =
            is_all_deleted(self.pipeline, self.spec, ledger, &self.staging, &mut listing).await?;
        let (found, bound) = match self.compare(ledger, &mut listing).await {
            Ok(found) => found,
            Err(cause) => {
                let waiting = unapplied(state.as_ref()).to_vec();
                return self.held(table, state, listing, Hold { waiting, ..Hold::new(cause) });
            }
        };
        let vanished = self.vanished(state.as_ref(), &listing, ledger);
        let waiting = if listing.is_complete || !asks_for_all {
            self.seen(&found.objects)
        } else {
            unapplied(state.as_ref()).to_vec()
        };
        let is_rebuilt = rebuild.is_some();
        let sight =
            Sight { listing: &listing, found, waiting, vanished, is_all_deleted, is_rebuilt };
        let standing = match self.judge().judge(sight, ledger, state.as_ref(), refused) {
            Judgement::Hold(hold) => Standing::Held(hold),
            Judgement::Reload(reload) => Standing::Reload(reload),
            Judgement::Truncated(seen) => Standing::Truncated(seen),
            Judgement::Apply(due) => {
                let schema = table.as_ref().filter(|_| rebuild.is_none()).map(LakeTable::schema);
                let has_objects = !due.objects.is_empty();
                let wanted = |schema| wanted(self.spec, schema, state.as_ref(), has_objects);
                let Due { objects, seen, late } = due;
                match schema.map(wanted).transpose() {
                    Err(cause) => {
                        Standing::Held(Box::new(Hold { waiting: seen, ..Hold::new(cause) }))
                    }
                    Ok(Some(changes)) if !changes.is_empty() => {
                        Standing::Reshape(Box::new(Reshaping { changes, seen }))
                    }
                    Ok(_) if !has_objects => Standing::CaughtUp,
                    Ok(_) => {
                        let passing = |state: &TableState| state.passing(&seen);
                        let let_pass = state.as_ref().map(passing).unwrap_or_default();
                        // Nothing leaves the window while an object below it is not applied.
                        let bound = bound.filter(|_| late.is_empty());
                        let work = Work { objects, seen, let_pass, late, beginning, bound };
                        Standing::Apply(Box::new(work))
                    }
                }
            }
        };
        Ok(Look { table, listing, state, rebuilding: None, before_load, standing })
    }

    /// What is staged: that listing, else what the table's ledger asks for, or all of it.
    async fn listed(
        &self,
        table: Option<&LakeTable>,
        listing: Option<Listing>,
        asks_for_all: bool,
    ) -> Result<Listing> {
        let nothing = Ledger::default();
        let ledger = table.map_or(&nothing, LakeTable::ledger);
        match listing {
            Some(listing) => Ok(listing),
            None if asks_for_all => list_everything(&self.staging, ledger.load.open).await,
            None => self.list(ledger).await,
        }
    }

    /// What was seen before and has vanished without having been applied, if all was listed.
    fn vanished(
        &self,
        state: Option<&TableState>,
        listing: &Listing,
        ledger: &Ledger,
    ) -> Vec<SeenObject> {
        match state.filter(|_| listing.is_complete) {
            Some(state) => state.unapplied.vanished(listing, ledger, self.staging.kind()),
            None => Vec::new(),
        }
    }

    fn seen(&self, objects: &[StagedObject]) -> Vec<SeenObject> {
        seen(objects, self.staging.kind())
    }

    fn judge(&self) -> Judge<'_> {
        let Self { pipeline, spec, ref staging, .. } = *self;
        let (settings, kind, now) = (pipeline.settings(), staging.kind(), pipeline.clock().now());
        Judge { spec, settings, kind, now }
    }

    /// Where the table's state is.
    pub(super) fn state_object(&self) -> Result<StateObject> {
        self.pipeline.state_object(&self.spec.source)
    }

    /// How the table begins, if it has taken in nothing yet.
    fn begin(
        &self,
        table: Option<&LakeTable>,
        rebuild: Option<&Rebuild>,
        state: Option<&TableState>,
        listing: &Listing,
    ) -> Result<Option<Beginning>> {
        if table.is_some_and(|table| !table.ledger().is_untouched()) {
            return Ok(None);
        }
        let state = state.filter(|state| state.begun);
        let known = Known {
            state,
            load_begins: None,
            accepts_loss: false,
            shown: self.state_object()?.shown().to_owned(),
        };
        let is_there = table.is_some() || rebuild.is_some();
        let known = Known {
            load_begins: rebuild.and_then(|it| it.load_begins),
            accepts_loss: rebuild.is_some_and(|it| it.accepts_loss),
            ..known
        };
        let is_first = known.state.is_none() && rebuild.is_none();
        let mut begun = beginning(&known, is_there, listing, self.staging.kind())?;
        if self.spec.is_guarded() {
            let is_whole = is_first && begun.outdated == 0;
            begun.ledger.guard =
                Some(if is_whole { GuardProgress::default() } else { GuardProgress::of_load() });
        }
        Ok(Some(begun))
    }

    /// To be asked before a table is held for how it would begin: another worker may have begun it
    /// since it was opened.
    ///
    /// # Errors
    /// `Conflict` if one has, `Unavailable` if the log cannot be read.
    async fn must_be_untouched(
        &self,
        table: Option<&LakeTable>,
        location: &Location,
    ) -> Result<()> {
        let has_begun = match table {
            Some(table) => table.freshness().await? != Freshness::Newest,
            None => table::log_store(location)?.is_delta_table_location().await?,
        };
        if has_begun {
            return Err(Error::new(ErrorKind::Conflict, "the table was begun by another worker"));
        }
        Ok(())
    }

    /// What of a listing is to be applied. Staging is listed whole where more is pending than the
    /// ledger can remember without knowing what may leave its window.
    async fn compare(
        &self,
        ledger: &Ledger,
        listing: &mut Listing,
    ) -> Result<(Pending, Option<LookBack>)> {
        let identify = Identify::at(&self.staging);
        let look_back = self.pipeline.settings().look_back;
        let found = pending(ledger, listing, &identify).await?;
        if listing.is_complete {
            return Ok((found, Some(look_back)));
        }
        if ledger.cdc.has_room_for(found.objects.len(), look_back) {
            return Ok((found, None));
        }
        *listing = list_everything(&self.staging, ledger.load.open).await?;
        Ok((pending(ledger, listing, &identify).await?, Some(look_back.with_room())))
    }

    pub(super) async fn list(&self, ledger: &Ledger) -> Result<Listing> {
        let staging = &self.staging;
        let Scope::Named(keys) = self.scope else {
            return list_everything(staging, ledger.load.open).await;
        };
        let named: Vec<Path> = keys
            .iter()
            .map(|key| Path::parse(key).unwrap_or_else(|_| Path::from(key.as_str())))
            .collect();
        let is_flat = !self.pipeline.settings().dms.date_partition_enabled
            && named.iter().all(|key| {
                key.prefix_match(staging.prefix()).is_some_and(|below| below.count() == 1)
            });
        match &ledger.cdc.floor {
            Some(floor) if is_flat && !ledger.load.open => {
                list_window(staging, floor, &named).await
            }
            _ => list_everything(staging, ledger.load.open).await,
        }
    }

    /// The look that ends with this hold. Errors that do not hold a table leave open what follows.
    fn held(
        &self,
        table: Option<LakeTable>,
        state: Option<TableState>,
        listing: Listing,
        hold: Hold,
    ) -> Result<Look> {
        if Status::after(hold.cause.kind()) != Status::Held {
            return Err(hold.cause);
        }
        let hold = match paused(self.spec, state.as_ref()) {
            Some(cause) => Hold { cause, ..hold },
            None => hold,
        };
        let standing = Standing::Held(Box::new(hold));
        Ok(Look { table, listing, state, rebuilding: None, before_load: 0, standing })
    }
}

/// What is remembered as seen and not applied.
fn unapplied(state: Option<&TableState>) -> &[SeenObject] {
    state.map_or(&[], |state| state.unapplied.objects())
}
