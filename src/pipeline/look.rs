//! A look at a table: what its log and staging show, and what follows. A look changes nothing, so
//! `apply` and read-only callers share the same decision.

use chrono::{DateTime, Utc};
use object_store::path::Path;

use crate::config::{LookBack, TableSpec};
use crate::disposition::Status;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::beginning::{Beginning, Known, beginning};
use crate::pipeline::{Pipeline, Scope};
use crate::progress::{Ledger, Pending, SeenObject, pending};
use crate::staging::{
    Identify, Listing, StagedObject, list_everything, list_window, refused_order,
};
use crate::storage::{Location, with_whole_paths};
use crate::table::{self, Freshness, LakeTable, StateObject, TableState, refuse_table};

/// So many objects are named in a message.
const MOST_NAMED: usize = 20;

/// What a table's log and its staged objects show.
#[derive(Debug)]
pub struct Look {
    /// The table; none if there is none yet. Its ledger is the one to go on from.
    pub table: Option<LakeTable>,
    /// What is staged for it, as much of it as was asked for.
    pub listing: Listing,
    /// What is known of it beside its log.
    pub state: Option<TableState>,
    /// Change objects from before the full load, which the table begins without.
    pub before_load: u64,
    /// What follows.
    pub standing: Standing,
}

/// What follows from a look.
#[derive(Debug)]
pub enum Standing {
    /// Nothing is to be applied.
    CaughtUp,
    /// These objects are to be applied.
    Apply(Box<Work>),
    /// Nothing may be applied until a person has looked.
    Held(Hold),
}

/// What is to be applied.
#[derive(Debug)]
pub struct Work {
    /// Whole objects in order of application; of the first one, [`Ledger::partial`] may tell that
    /// some rows are applied already.
    pub objects: Vec<StagedObject>,
    /// The same as they are remembered.
    pub seen: Vec<SeenObject>,
    /// The progress with which the table begins, if there is no table yet.
    pub beginning: Ledger,
    /// What may leave the ledger's window; none if staging was not listed whole.
    pub bound: Option<LookBack>,
}

/// Why a table is held, and what waits for it.
#[derive(Debug)]
pub struct Hold {
    /// Why, with what a person does about it.
    pub cause: Error,
    /// Objects below the table's progress that were never applied.
    pub late: Vec<SeenObject>,
    /// The objects that wait to be applied, in order of application.
    pub waiting: Vec<SeenObject>,
    /// Objects that were seen before, and have vanished without having been applied.
    pub vanished: Vec<SeenObject>,
    /// When the oldest object was staged that the hold is about, if it is about any.
    pub since: Option<DateTime<Utc>>,
}

impl Hold {
    /// Whether DMS has loaded the table again.
    #[must_use]
    pub fn is_reload(&self) -> bool {
        self.cause.kind() == ErrorKind::Reload
    }

    fn new(cause: Error) -> Self {
        let (late, waiting, vanished) = (Vec::new(), Vec::new(), Vec::new());
        Self { cause, late, waiting, vanished, since: None }
    }
}

/// Somebody who looks at one table.
pub(super) struct Looker<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) spec: &'a TableSpec,
    scope: &'a Scope,
    /// Where the table's objects are staged.
    pub(super) staging: Location,
    /// Where the table is.
    pub(super) location: Location,
}

/// A table that is open; what is staged for it is to be looked at next.
pub(super) struct Opened {
    pub(super) table: Option<LakeTable>,
    state: Option<TableState>,
    /// What was listed beside the opening.
    listing: Option<Listing>,
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
        Ok(Self { pipeline, spec, scope, staging, location })
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
            return Ok(Opened { table, state, listing: None });
        };
        let ledger = warm.ledger().clone();
        let newest = warm.newest();
        let opening = table::open(&self.location, Some(warm));
        let (table, state, listing) = tokio::join!(opening, state, self.list(&ledger));
        let (table, state) = (table?, state?);
        let is_unchanged = table.as_ref().is_some_and(|table| table.newest() == newest);
        let listing = if is_unchanged { Some(listing?) } else { None };
        Ok(Opened { table, state, listing })
    }

    /// Looks at what is staged for an open table.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be seen, and whatever else leaves open what follows.
    pub(super) async fn look(&self, opened: Opened) -> Result<Look> {
        let nothing = Ledger::default();
        let Opened { table, state, listing } = opened;
        let refused = table.as_ref().and_then(|table| refuse_table(self.spec, table).err());
        // Whether what was seen has vanished only a listing of everything tells.
        let asks_for_all = state.as_ref().is_some_and(|state| !state.unapplied.is_empty());
        let ledger = table.as_ref().map_or(&nothing, LakeTable::ledger);
        let listed = match listing {
            Some(listing) if listing.is_complete || !asks_for_all => Ok(listing),
            _ if asks_for_all => list_everything(&self.staging, ledger.load.open).await,
            _ => self.list(ledger).await,
        };
        let mut listing = match (listed, refused.is_some()) {
            (Ok(listing), _) => listing,
            (Err(error), false) => return Err(error),
            // The table itself says enough.
            (Err(_), true) => Listing::default(),
        };
        let begun = match self.begin(table.as_ref(), state.as_ref(), &listing) {
            Ok(begun) => begun,
            Err(cause) => {
                self.must_be_untouched(table.as_ref()).await?;
                let waiting = self.seen(&listing.objects);
                let since = waiting.iter().map(SeenObject::staged_at).min();
                let hold = Hold { waiting, since, ..Hold::new(refused.unwrap_or(cause)) };
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
        let (found, bound) = match self.compare(ledger, &mut listing).await {
            Ok(found) => found,
            Err(cause) => {
                let waiting = unapplied(state.as_ref()).to_vec();
                return self.held(table, state, listing, Hold { waiting, ..Hold::new(cause) });
            }
        };
        let mut waiting = self.seen(&found.objects);
        let mut vanished = Vec::new();
        if listing.is_complete {
            let before = state.as_ref().map(|state| &state.unapplied);
            let kind = self.staging.kind();
            vanished = before.map_or(vanished, |seen| seen.vanished(&listing, ledger, kind));
        } else if asks_for_all {
            waiting = unapplied(state.as_ref()).to_vec();
        }
        let cause = self
            .paused(state.as_ref())
            .or(refused)
            .or_else(|| self.refusal(&listing))
            .or_else(|| self.refuse_vanished(&vanished))
            .or(found.hold);
        let standing = match cause {
            Some(cause) => {
                let gone = vanished.iter().map(SeenObject::staged_at).min();
                Standing::Held(Hold {
                    cause,
                    late: self.seen(&found.late),
                    waiting,
                    vanished,
                    since: found.held_since.into_iter().chain(gone).min(),
                })
            }
            None if found.objects.is_empty() => Standing::CaughtUp,
            None => {
                let (objects, seen) = (found.objects, waiting);
                Standing::Apply(Box::new(Work { objects, seen, beginning, bound }))
            }
        };
        Ok(Look { table, listing, state, before_load, standing })
    }

    /// These objects as they are remembered.
    pub(super) fn seen(&self, objects: &[StagedObject]) -> Vec<SeenObject> {
        let kind = self.staging.kind();
        objects.iter().map(|object| SeenObject::of(object, kind)).collect()
    }

    /// Where the table's state is.
    pub(super) fn state_object(&self) -> Result<StateObject> {
        self.pipeline.state_object(&self.spec.source)
    }

    /// Why nothing that DMS stages in this way may be applied.
    fn refusal(&self, listing: &Listing) -> Option<Error> {
        if self.pipeline.settings().dms.preserve_transactions {
            return Some(Error::new(
                ErrorKind::SchemaRefused,
                "preserve_transactions is not supported: turn it off at the endpoint",
            ));
        }
        listing.transaction_ordered.first().map(|object| refused_order(object))
    }

    /// How the table begins, if it has taken in nothing yet.
    fn begin(
        &self,
        table: Option<&LakeTable>,
        state: Option<&TableState>,
        listing: &Listing,
    ) -> Result<Option<Beginning>> {
        if table.is_some_and(|table| !table.ledger().is_untouched()) {
            return Ok(None);
        }
        let state = state.filter(|state| state.begun);
        let known = Known { state, shown: self.state_object()?.shown().to_owned() };
        beginning(&known, table.is_some(), listing, self.staging.kind()).map(Some)
    }

    /// To be asked before a table is held for how it would begin: another worker may have begun it
    /// since it was opened.
    ///
    /// # Errors
    /// `Conflict` if one has, `Unavailable` if the log cannot be read.
    async fn must_be_untouched(&self, table: Option<&LakeTable>) -> Result<()> {
        let has_begun = match table {
            Some(table) => table.freshness().await? != Freshness::Newest,
            None => table::log_store(&self.location)?.is_delta_table_location().await?,
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

    async fn list(&self, ledger: &Ledger) -> Result<Listing> {
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
        let hold = match self.paused(state.as_ref()) {
            Some(cause) => Hold { cause, ..hold },
            None => hold,
        };
        Ok(Look { table, listing, state, before_load: 0, standing: Standing::Held(hold) })
    }

    fn paused(&self, state: Option<&TableState>) -> Option<Error> {
        let paused = state?.paused.as_ref()?;
        let error = Error::new(ErrorKind::Paused, "an operator has paused the table")
            .with("since", paused.since.format("%Y-%m-%d %H:%M:%S UTC"))
            .with_remedy(format!("dmslake resume {}", self.spec.source));
        Some(match &paused.reason {
            Some(reason) => error.with("reason", reason),
            None => error,
        })
    }

    fn refuse_vanished(&self, vanished: &[SeenObject]) -> Option<Error> {
        if vanished.is_empty() {
            return None;
        }
        let bytes: u64 = vanished.iter().map(|seen| seen.size).sum();
        let names = vanished.iter().take(MOST_NAMED).map(|seen| seen.object.as_str());
        let count = vanished.len();
        let what = if count == 1 { "object" } else { "objects" };
        Some(
            Error::new(
                ErrorKind::VanishedObject,
                format!("{count} staged {what} vanished before they were applied"),
            )
            .with("objects", names.collect::<Vec<_>>().join(", "))
            .with("bytes", bytes)
            .with_remedy(format!(
                "stage them again; or, if their changes are to be lost, dmslake resume {} \
                 --accept-loss",
                self.spec.source
            )),
        )
    }
}

/// What is remembered as seen and not applied.
fn unapplied(state: Option<&TableState>) -> &[SeenObject] {
    state.map_or(&[], |state| state.unapplied.objects())
}
