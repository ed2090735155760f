//! One look at a table: what is pending, slice by slice into the table.

use object_store::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::maintenance::checkpoint_after;
use crate::pipeline::beginning::{Beginning, beginning, oldest};
use crate::pipeline::budget::{SliceTime, memory_budget};
use crate::pipeline::commit::{SliceOutcome, commit_slice};
use crate::pipeline::refusal::refuse_table;
use crate::pipeline::run::Run;
use crate::pipeline::slice::{Portion, Slice};
use crate::pipeline::slicer::{Cut, Slicer};
use crate::pipeline::target::Target;
use crate::pipeline::{Scope, Step};
use crate::progress::{Ledger, Pending, pending};
use crate::staging::{
    Identify, Listing, StagedObject, list_everything, list_window, refused_order,
};
use crate::storage::Location;
use crate::table::{self, ForeignCommit, LakeTable, TableState};

/// What became of a slice in the end.
enum Applied {
    /// The table after it.
    Table(Box<LakeTable>),
    /// Empty objects, to go with the next slice.
    Nothing(Slice),
}

impl Run<'_> {
    /// Opens the table, lists what is staged and applies what is pending, until nothing is, or
    /// somebody asks to stop, or no further slice fits the time left; the report tells what is
    /// pending still.
    ///
    /// # Errors
    /// What ended it early; everything committed by then stands.
    pub(super) async fn pass(&mut self, scope: &Scope) -> Result<()> {
        let staging = self.pipeline.staging_folder(&self.spec.source)?;
        let location = self.pipeline.lake_folder(&self.spec.source)?;
        let warm = self.pipeline.take_warm(&self.spec.source);
        let (opened, listing) = match warm {
            Some(warm) => self.reopen(&location, warm, &staging, scope).await?,
            None => (table::open(&location, None).await?, None),
        };
        self.settle_unknown(&location).await?;
        // What an interrupted application left to be done, also where this one is held.
        let not_followed = match &opened {
            Some(table) => self.follow(&location, table).await.err(),
            None => None,
        };
        self.report.version = opened.as_ref().map(LakeTable::version);
        self.meet(opened.as_ref().map(LakeTable::foreign).unwrap_or_default());
        if let Some(table) = &opened {
            self.report.in_quarantine = table.ledger().quarantined;
            refuse_table(self.spec, table)?;
        }

        let nothing = Ledger::default();
        let ledger = opened.as_ref().map_or(&nothing, LakeTable::ledger);
        let listing = match listing {
            Some(listing) => listing,
            None => self.list(&staging, ledger, scope).await?,
        };
        let beginning = self.begin(opened.as_ref(), &staging, &listing).await?;
        self.report.absent = opened.is_none() && listing.objects.is_empty();
        let opened = opened.map(|table| match &beginning {
            Some(beginning) => table.beginning_with(&beginning.ledger),
            None => table,
        });
        let beginning = beginning.map(|beginning| beginning.ledger).unwrap_or_default();
        let ledger = opened.as_ref().map_or(&beginning, LakeTable::ledger);
        let look_back = self.pipeline.settings().look_back;
        let mut bound = listing.is_complete.then_some(look_back);
        let (mut listing, mut found) = self.compare(&staging, ledger, listing).await?;
        if bound.is_none() && !ledger.cdc.has_room_for(found.objects.len(), look_back) {
            let everything = list_everything(&staging, ledger.load.open).await?;
            (listing, found) = self.compare(&staging, ledger, everything).await?;
            bound = Some(look_back.with_room());
        }
        self.report.foreign = listing.foreign;
        self.report.late = found.late;
        self.report.pending = found.objects.len() as u64;
        self.staged = found.objects.iter().map(|object| object.last_modified).collect();
        self.held_since = found.held_since;
        if let Some(hold) = found.hold {
            if hold.kind() == ErrorKind::Reload {
                self.note_reload(ledger).await?;
            }
            if let Some(table) = opened {
                self.pipeline.keep_warm(&self.spec.source, table);
            }
            return Err(hold);
        }
        // Rows come first: the next commit is followed too, and fails then if it cannot be.
        if let Some(error) = not_followed.filter(|_| found.objects.is_empty()) {
            return Err(error);
        }
        self.announce(&found.objects);
        let (pipeline, spec) = (self.pipeline, self.spec);
        let target = Target { pipeline, spec, location: &location, beginning: &beginning, bound };
        self.apply_objects(&staging, &target, opened, found.objects).await
    }

    /// Takes what others did to the table's rows into report and log, once a commit.
    fn meet(&mut self, foreign: &[ForeignCommit]) {
        for commit in foreign {
            if !self.report.foreign_commits.contains(commit) {
                tracing::warn!(table = %self.spec.source, %commit, "another writer changed rows");
                self.report.foreign_commits.push(commit.clone());
            }
        }
    }

    /// How the table begins, if it has taken in nothing yet.
    async fn begin(
        &mut self,
        opened: Option<&LakeTable>,
        staging: &Location,
        listing: &Listing,
    ) -> Result<Option<Beginning>> {
        if opened.is_some_and(|table| !table.ledger().is_untouched()) {
            return Ok(None);
        }
        let state = self.pipeline.state_object(&self.spec.source)?;
        match beginning(&state, opened.is_some(), listing, staging.kind()).await {
            Ok(beginning) => {
                if beginning.outdated > 0 && self.report.before_load == 0 {
                    tracing::warn!(
                        table = %self.spec.source,
                        objects = beginning.outdated,
                        "change objects of before the full load are not applied"
                    );
                }
                self.report.before_load = beginning.outdated;
                Ok(Some(beginning))
            }
            Err(error) => {
                self.report.pending = listing.objects.len() as u64;
                self.held_since = oldest(listing);
                Err(error)
            }
        }
    }

    /// Writes down which changes a reload has overtaken: times of objects may tell nothing.
    async fn note_reload(&self, ledger: &Ledger) -> Result<()> {
        let keys = || self.spec.lake_keys();
        let note = |state: &mut TableState| state.reloaded_behind.clone_from(&ledger.cdc.watermark);
        let state = self.pipeline.state_object(&self.spec.source)?;
        state.update(|| TableState::new(&self.spec.source, keys()), note).await
    }

    /// Opens a warm table and lists what its ledger asks for at once. The listing counts only if
    /// no commit of ours came in between: then it is as good as one made after the opening.
    /// Else it may lack objects that the new ledger knows, and must be made anew.
    async fn reopen(
        &self,
        location: &Location,
        warm: LakeTable,
        staging: &Location,
        scope: &Scope,
    ) -> Result<(Option<LakeTable>, Option<Listing>)> {
        let ledger = warm.ledger().clone();
        let newest = warm.newest();
        let opening = table::open(location, Some(warm));
        let (opened, listing) = tokio::join!(opening, self.list(staging, &ledger, scope));
        let opened = opened?;
        let is_unchanged = opened.as_ref().is_some_and(|table| table.newest() == newest);
        let listing = if is_unchanged { Some(listing?) } else { None };
        Ok((opened, listing))
    }

    async fn list(&self, staging: &Location, ledger: &Ledger, scope: &Scope) -> Result<Listing> {
        let settings = self.pipeline.settings();
        let Scope::Named(keys) = scope else {
            return list_everything(staging, ledger.load.open).await;
        };
        let named: Vec<Path> = keys
            .iter()
            .map(|key| Path::parse(key).unwrap_or_else(|_| Path::from(key.as_str())))
            .collect();
        let is_flat = !settings.dms.date_partition_enabled
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

    /// What of a listing is to be applied, and the listing.
    async fn compare(
        &self,
        staging: &Location,
        ledger: &Ledger,
        listing: Listing,
    ) -> Result<(Listing, Pending)> {
        self.refuse_transaction_ordered(&listing)?;
        let found = pending(ledger, &listing, &Identify::at(staging)).await?;
        Ok((listing, found))
    }

    fn refuse_transaction_ordered(&self, listing: &Listing) -> Result<()> {
        if self.pipeline.settings().dms.preserve_transactions {
            return Err(Error::new(
                ErrorKind::SchemaRefused,
                "preserve_transactions is not supported: turn it off at the endpoint",
            ));
        }
        match listing.transaction_ordered.first() {
            Some(object) => Err(refused_order(object)),
            None => Ok(()),
        }
    }

    fn announce(&self, objects: &[StagedObject]) {
        let bytes = objects.iter().map(|object| object.size).sum();
        self.observer.step(Step::Pending { objects: objects.len() as u64, bytes });
    }

    async fn apply_objects(
        &mut self,
        staging: &Location,
        target: &Target<'_>,
        mut table: Option<LakeTable>,
        objects: Vec<StagedObject>,
    ) -> Result<()> {
        let pipeline = self.pipeline;
        let cut = Cut {
            table: self.spec,
            dms: &pipeline.settings().dms,
            staging,
            clock: pipeline.clock.as_ref(),
            observer: self.observer,
            memory_budget: memory_budget(pipeline.settings()),
        };
        let schema = table.as_ref().map(|table| table.schema().clone()).unwrap_or_default();
        let partial = table.as_ref().and_then(|table| table.ledger().partial.clone());
        let mut slicer = Slicer::new(cut, objects, partial.as_ref(), schema);
        let base = table.as_ref().map(LakeTable::version);
        let mut waiting: Vec<Portion> = Vec::new();
        while !self.limits.stop.is_requested() {
            let until = match self.pace.time_for_slice(pipeline.clock.as_ref()) {
                SliceTime::Unbounded => None,
                SliceTime::ReadUntil(until) => Some(until),
                SliceTime::TooShort => break,
            };
            let Some(mut slice) = slicer.next(until).await? else { break };
            waiting.append(&mut slice.portions);
            slice.portions = std::mem::take(&mut waiting);
            match self.apply_slice(target, table.take(), slice).await? {
                Applied::Table(applied) => {
                    self.follow(target.location, &applied).await?;
                    table = Some(*applied);
                }
                Applied::Nothing(empty) => waiting = empty.portions,
            }
        }
        // Empty objects that nothing follows yet are as good as applied: nothing is pending.
        self.report.pending -= waiting.len() as u64;
        if let Some(table) = table {
            checkpoint_after(base, &table).await;
            pipeline.keep_warm(&self.spec.source, table);
        }
        Ok(())
    }

    async fn follow(&self, location: &Location, table: &LakeTable) -> Result<()> {
        self.pipeline.follow(self.spec, location, table, self.limits).await
    }

    async fn apply_slice(
        &mut self,
        target: &Target<'_>,
        table: Option<LakeTable>,
        slice: Slice,
    ) -> Result<Applied> {
        let pipeline = self.pipeline;
        let clock = pipeline.clock.as_ref();
        let begun = clock.instant();
        let finished = slice.finished_objects();
        let rows = slice.rows();
        match Box::pin(commit_slice(target, table, slice, &mut self.pace)).await? {
            SliceOutcome::Nothing(slice) => Ok(Applied::Nothing(slice)),
            SliceOutcome::Committed { table, books, replayed, foreign } => {
                self.meet(&foreign);
                let took = clock.instant() - begun;
                self.pace.committed(took);
                self.book(table.version(), &books, finished, replayed);
                tracing::info!(
                    table = %self.spec.source,
                    version = table.version(),
                    objects = finished,
                    rows = books.rows,
                    inserted = books.inserted,
                    updated = books.updated,
                    deleted = books.deleted,
                    superseded = books.superseded,
                    ignored = books.ignored,
                    quarantined = books.quarantined,
                    milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                    "committed"
                );
                let step = Step::Committed { version: table.version(), objects: finished, rows };
                self.observer.step(step);
                Ok(Applied::Table(table))
            }
            SliceOutcome::Unknown { lost, error } => {
                self.unknown = lost;
                Err(error)
            }
        }
    }
}
