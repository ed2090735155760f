//! A look at a table: what its log and staging show, and what follows. A look changes nothing, so
//! `apply` and read-only callers share the same decision.

use chrono::{DateTime, Utc};
use object_store::path::Path;

use crate::config::{LookBack, TableSpec};
use crate::disposition::Status;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::beginning::{Beginning, beginning};
use crate::pipeline::{Pipeline, Scope};
use crate::progress::{Ledger, Pending, pending};
use crate::staging::{
    Identify, Listing, StagedObject, list_everything, list_window, refused_order,
};
use crate::storage::{Location, with_whole_paths};
use crate::table::{self, Freshness, LakeTable, refuse_table};

/// What a table's log and its staged objects show.
#[derive(Debug)]
pub struct Look {
    /// The table; none if there is none yet. Its ledger is the one to go on from.
    pub table: Option<LakeTable>,
    /// What is staged for it, as much of it as was asked for.
    pub listing: Listing,
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
    pub late: Vec<String>,
    /// When each object was staged that waits to be applied, in order of application.
    pub waiting: Vec<DateTime<Utc>>,
    /// When the oldest object was staged that the hold is about, if it is about any.
    pub since: Option<DateTime<Utc>>,
}

impl Hold {
    /// Whether DMS has loaded the table again.
    #[must_use]
    pub fn is_reload(&self) -> bool {
        self.cause.kind() == ErrorKind::Reload
    }

    fn of_all(cause: Error, listing: &Listing) -> Self {
        let waiting = staged(&listing.objects);
        let since = waiting.iter().min().copied();
        Self { cause, late: Vec::new(), waiting, since }
    }
}

/// When each of these objects was staged.
pub(super) fn staged(objects: &[StagedObject]) -> Vec<DateTime<Utc>> {
    objects.iter().map(|object| object.last_modified).collect()
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

    /// Opens the table, from a warm snapshot of it if there is one. What its ledger asks for is
    /// then listed at once. That listing counts only if no commit of ours came in between: then it
    /// is as good as one made after the opening. Else it may lack objects that the new ledger
    /// knows.
    ///
    /// # Errors
    /// As [`table::open`]; `Unavailable` if staging cannot be listed.
    pub(super) async fn open(&self, warm: Option<LakeTable>) -> Result<Opened> {
        let Some(warm) = warm else {
            return Ok(Opened { table: table::open(&self.location, None).await?, listing: None });
        };
        let ledger = warm.ledger().clone();
        let newest = warm.newest();
        let opening = table::open(&self.location, Some(warm));
        let (table, listing) = tokio::join!(opening, self.list(&ledger));
        let table = table?;
        let is_unchanged = table.as_ref().is_some_and(|table| table.newest() == newest);
        let listing = if is_unchanged { Some(listing?) } else { None };
        Ok(Opened { table, listing })
    }

    /// Looks at what is staged for an open table.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be seen, and whatever else leaves open what follows.
    pub(super) async fn look(&self, opened: Opened) -> Result<Look> {
        let nothing = Ledger::default();
        let Opened { table, listing } = opened;
        let refused = table.as_ref().and_then(|table| refuse_table(self.spec, table).err());
        let listed = match listing {
            Some(listing) => Ok(listing),
            None => self.list(table.as_ref().map_or(&nothing, LakeTable::ledger)).await,
        };
        let mut listing = match (listed, refused.is_some()) {
            (Ok(listing), _) => listing,
            (Err(error), false) => return Err(error),
            // The table itself says enough.
            (Err(_), true) => Listing::default(),
        };
        let begun = match self.begin(table.as_ref(), &listing).await {
            Ok(begun) => begun,
            Err(cause) => {
                self.must_be_untouched(table.as_ref()).await?;
                let hold = Hold::of_all(refused.unwrap_or(cause), &listing);
                return held(table, listing, hold);
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
                let hold = Hold { cause, late: Vec::new(), waiting: Vec::new(), since: None };
                return held(table, listing, hold);
            }
        };
        let standing = match refused.or_else(|| self.refusal(&listing)).or(found.hold) {
            Some(cause) => Standing::Held(Hold {
                cause,
                late: found.late,
                waiting: staged(&found.objects),
                since: found.held_since,
            }),
            None if found.objects.is_empty() => Standing::CaughtUp,
            None => Standing::Apply(Box::new(Work { objects: found.objects, beginning, bound })),
        };
        Ok(Look { table, listing, before_load, standing })
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
    async fn begin(
        &self,
        table: Option<&LakeTable>,
        listing: &Listing,
    ) -> Result<Option<Beginning>> {
        if table.is_some_and(|table| !table.ledger().is_untouched()) {
            return Ok(None);
        }
        let state = self.pipeline.state_object(&self.spec.source)?;
        beginning(&state, table.is_some(), listing, self.staging.kind()).await.map(Some)
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
}

/// The look that ends with this hold. Errors that do not hold a table leave open what follows.
fn held(table: Option<LakeTable>, listing: Listing, hold: Hold) -> Result<Look> {
    if Status::after(hold.cause.kind()) != Status::Held {
        return Err(hold.cause);
    }
    Ok(Look { table, listing, before_load: 0, standing: Standing::Held(hold) })
}
