//! The path of a table's staged objects into its Delta table: look, decide, read, change, merge,
//! commit. Names every stage and decides nothing itself.

mod application;
mod apply;
mod beginning;
mod budget;
mod comparison;
mod components;
mod estimate;
mod first_rows;
mod freshness;
mod guard;
mod hand_over;
mod holds;
#[cfg(feature = "cli")]
pub mod job;
mod judgement;
mod late;
mod look;
mod looker;
mod maintain;
mod mass;
mod memory;
mod meter;
mod operator;
mod race;
mod ready;
mod rebuild;
mod rebuild_plan;
#[cfg(feature = "cli")]
mod release;
mod replacement;
mod report;
mod reshape;
mod restore;
mod slice;
mod slicer;
mod suspicion;
mod tally;
mod truncated;

#[cfg(feature = "cli")]
pub(crate) use budget::memory_budget_of;
pub use components::Pipeline;
pub use estimate::Estimate;
pub use first_rows::FirstRows;
pub use hand_over::HandsOver;
pub use late::LateObject;
pub use look::{Hold, Look, Reload, Reshaping, Standing, Work};
pub use meter::{Effort, Phase, PhaseSeconds};
pub use operator::{Losses, Resumed};
pub use rebuild::Rebuilding;
pub use rebuild_plan::RebuildPlan;
#[cfg(feature = "cli")]
pub use release::{ChosenRows, Quarantine, Release, Released, Repair, RowFate, RowOutcome};
pub use replacement::Replacement;
pub use report::{Observer, Silent, Step, TableReport};
pub use restore::{Progress, RestorePlan};

pub use crate::disposition::Status;
pub use crate::limits::{Limits, Stop};
pub use crate::staging::Scope;

#[cfg(feature = "cli")]
use std::sync::atomic::AtomicBool;

use uuid::Uuid;

use crate::files::in_memory;
use crate::maintenance::checkpoint_after;
use crate::pipeline::application::Application;
use crate::pipeline::apply::{Setback, SliceOutcome, apply_slice};
use crate::pipeline::budget::{Pace, SliceTime};
use crate::pipeline::looker::Looker;
use crate::pipeline::memory::remember_waiting;
use crate::pipeline::ready::Target;
use crate::pipeline::rebuild::{Build, begin_reload, begin_with, unfinished};
use crate::pipeline::replacement::put_in_place;
use crate::pipeline::reshape::columns_of_successor;
use crate::pipeline::slice::Turn;
use crate::pipeline::slicer::{NextSlice, Slicer};
use crate::pipeline::tally::Tally;
use crate::pipeline::truncated::empty_truncated;
use crate::schema::ColumnChange;
use crate::staging::StagedObject;
use crate::table::{LakeTable, LostCommit};

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PassEnd {
    /// What it found is done, as far as there was time for it.
    Done,
    /// There is more to see at once.
    LookAgain,
}

/// How far slices of what is pending were applied.
enum SlicesEnd {
    /// All of them are.
    All,
    /// There was no time for more, or somebody asked to stop.
    Stopped,
    /// The table needs these changes of its columns before the rest.
    Reshape(Vec<ColumnChange>),
    /// A table was made whose columns no object told: the rest is to be read by them.
    Made,
    /// The rest is for a job, and why.
    TooMuch(String),
}

/// What is pending for a table, or for the one that is to take its place.
struct Pending<'a> {
    objects: Vec<StagedObject>,
    /// Those of them that are late, and why they may be applied.
    late: &'a [String],
    turn: Turn,
    /// How the columns will have changed when they are applied.
    changes: Vec<ColumnChange>,
    /// The rebuild that they are applied for, if they are for one.
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "tasks of a job open it"))]
    shadow: Option<Uuid>,
}

impl Application<'_> {
    /// Looks at the table and applies what is pending, slice by slice, until nothing is, or
    /// somebody asks to stop, or no further slice fits the time left.
    async fn pass(
        &self,
        lost: &mut Vec<LostCommit>,
        pace: &mut Pace,
        tally: &mut Tally,
    ) -> Result<PassEnd, Setback> {
        // Look.
        let looker = &self.looker;
        let Looker { pipeline, spec, ref location, .. } = *looker;
        let table = &spec.source;
        let opening = looker.open(pipeline.take_warm(table));
        let mut opened = pipeline.phase(table, Phase::Look, opening).await?;
        self.settle_claim(&mut opened).await?;
        self.settle(lost, opened.table.as_ref().map(LakeTable::version), tally).await?;
        tally.opened(opened.table.as_ref());
        // What an interrupted application left to be done for readers, also where this one is held.
        let followed = self.follow(opened.table.as_ref()).await;
        let Look { table, listing, rebuilding, standing, .. } = {
            let look = pipeline.phase(table, Phase::Look, looker.look(opened)).await?;
            tally.looked(&look);
            look
        };

        // Decide.
        let built_upon = table.as_ref().filter(|_| rebuilding.is_none());
        let (standing, turn) = self.as_asked_for(standing, &listing, built_upon);
        if let Some(waits) = self.leave_to_job(&standing, tally).await? {
            pipeline.keep_warm(&spec.source, table);
            return Err(waits.into());
        }
        let work = match standing {
            // Rows come first: the next commit is followed too, and fails then if it cannot be.
            Standing::CaughtUp => {
                pipeline.keep_warm(&spec.source, table);
                followed?;
                return Ok(PassEnd::Done);
            }
            Standing::Held(hold) => {
                pipeline.keep_warm(&spec.source, table);
                return Err(hold.cause.into());
            }
            Standing::Reload(reload) => {
                begin_reload(pipeline, spec, &reload).await?;
                pipeline.keep_warm(&spec.source, table);
                return Ok(PassEnd::LookAgain);
            }
            Standing::Truncated(_) if rebuilding.is_some() => {
                // What it is made from was deleted, and is no longer the table.
                pipeline.cancel_rebuild(spec).await?;
                pipeline.keep_warm(&spec.source, table);
                return Ok(PassEnd::LookAgain);
            }
            Standing::Truncated(_) => {
                tally.committed(&empty_truncated(pipeline, spec, table.as_ref()).await?);
                return Ok(PassEnd::LookAgain);
            }
            Standing::Replace => {
                let (table, rebuilding) = (table.as_ref(), rebuilding.as_ref());
                let replacement = put_in_place(pipeline, spec, self.limits, table, rebuilding);
                tally.replaced(replacement.await?);
                return Ok(PassEnd::LookAgain);
            }
            Standing::Reshape(reshaping) => {
                let (table, known) = (table.as_ref(), tally.known_state());
                self.reshape(table, known, &reshaping.changes, pace).await?;
                return Ok(PassEnd::LookAgain);
            }
            Standing::Apply(work) => work,
        };
        let is_begun = table.is_some() && rebuilding.is_none();
        if let Some(until) = looker.leaves_until(&work, turn).filter(|_| is_begun) {
            tally.leaves_until(until);
            pipeline.keep_warm(&spec.source, table);
            followed?;
            return Ok(PassEnd::Done);
        }
        tally.takes_up(&work);

        // Read, change, merge, commit.
        remember_waiting(looker, tally, &work, pipeline.clock().now()).await?;
        self.announce(&work.objects);
        let rebuild = rebuilding.as_ref().map(|it| it.rebuild.clone());
        let accepts_loss = rebuild.as_ref().is_some_and(|it| it.accepts_loss);
        let changes = rebuild.as_ref().map(|it| it.changes.clone()).unwrap_or_default();
        let (built, table, location, columns) = match rebuilding {
            None => (Build::InPlace, table, location.clone(), Vec::new()),
            Some(Rebuilding { table: built, location, .. }) => {
                let columns =
                    table.as_ref().map(|table| columns_of_successor(spec, table, &changes));
                pipeline.keep_warm(&spec.source, table);
                (Build::InShadow, built, location, columns.unwrap_or_default())
            }
        };
        let Work { objects, late, beginning, bound, ref let_pass, .. } = *work;
        let (location, beginning, columns) = (&location, &beginning, &*columns);
        let target = Target {
            pipeline,
            spec,
            location,
            beginning,
            bound,
            built,
            accepts_loss,
            let_pass,
            columns,
        };
        let base = table.as_ref().map(LakeTable::version);
        let shadow = rebuild.as_ref().map(|rebuild| rebuild.id);
        let pending = Pending { objects, late: &late, turn, changes, shadow };
        let (table, end) = Box::pin(self.take_in(&target, pending, table, pace, tally)).await?;
        if let Some(table) = &table {
            let writing = checkpoint_after(base, table);
            pipeline.phase(&spec.source, Phase::Commit, writing).await;
        }
        if let (SlicesEnd::Reshape(changes), None) = (&end, &rebuild) {
            self.reshape(table.as_ref(), tally.known_state(), changes, pace).await?;
            return Ok(PassEnd::LookAgain);
        }
        let newest = table.as_ref().map(LakeTable::version);
        if built == Build::InPlace {
            pipeline.keep_warm(&spec.source, table);
        }
        if let SlicesEnd::TooMuch(why) = &end {
            return Err(self.hand_over(why, tally).await?.into());
        }
        // A late object of which only the first rows are taken in stays late.
        let is_further = self.manner.first_rows.is_none() || newest != base;
        match (end, rebuild) {
            (SlicesEnd::All, None) if !late.is_empty() && is_further => {
                if turn == Turn::Asked {
                    self.note_late(&late).await?;
                }
                Ok(PassEnd::LookAgain)
            }
            (SlicesEnd::Reshape(changes), Some(rebuild)) => {
                begin_with(pipeline, spec, &rebuild, changes).await?;
                Ok(PassEnd::LookAgain)
            }
            (_, None) => Ok(PassEnd::Done),
            (SlicesEnd::All | SlicesEnd::Made, Some(_)) => Ok(PassEnd::LookAgain),
            (SlicesEnd::Stopped | SlicesEnd::TooMuch(_), Some(_)) => Err(unfinished().into()),
        }
    }

    /// Applies what is pending, by itself or spread over the tasks of a job; gives the table, and how
    /// far it came.
    async fn take_in(
        &self,
        target: &Target<'_>,
        pending: Pending<'_>,
        table: Option<LakeTable>,
        pace: &mut Pace,
        tally: &mut Tally,
    ) -> Result<(Option<LakeTable>, SlicesEnd), Setback> {
        #[cfg(feature = "cli")]
        if let Some(job) = self.manner.job {
            let is_unordered = AtomicBool::new(false);
            let rounds = job::Rounds { application: self, target, job, is_unordered };
            return Box::pin(rounds.apply(&pending, table, pace, tally)).await;
        }
        let objects = &pending.objects;
        Box::pin(self.by_slices(target, &pending, objects, table, pace, tally)).await
    }

    /// Applies some of what is pending slice by slice.
    async fn by_slices(
        &self,
        target: &Target<'_>,
        pending: &Pending<'_>,
        objects: &[StagedObject],
        table: Option<LakeTable>,
        pace: &mut Pace,
        tally: &mut Tally,
    ) -> Result<(Option<LakeTable>, SlicesEnd), Setback> {
        let cut = self.cut(pending.changes.clone(), target.let_pass);
        let late = (pending.late.to_vec(), pending.turn);
        let slicer = Slicer::new(cut, objects.to_vec(), late, table.as_ref());
        Box::pin(self.apply_slices(target, slicer, objects, table, pace, tally)).await
    }

    /// Applies slice by slice; gives the table, and how far it came.
    async fn apply_slices(
        &self,
        target: &Target<'_>,
        mut slicer: Slicer<'_>,
        objects: &[StagedObject],
        mut table: Option<LakeTable>,
        pace: &mut Pace,
        tally: &mut Tally,
    ) -> Result<(Option<LakeTable>, SlicesEnd), Setback> {
        let (pipeline, source) = (target.pipeline, &target.spec.source);
        let mut empty = Vec::new();
        let (begun, mut done) = (pipeline.clock().instant(), 0);
        let before = table.as_ref().map(|table| table.schema().clone());
        while !self.limits.stop.is_requested() {
            let until = match pace.time_for_slice(pipeline.clock().as_ref()) {
                SliceTime::Unbounded => None,
                SliceTime::ReadUntil(until) => Some(until),
                SliceTime::TooShort => break,
            };
            let next = pipeline.phase(source, Phase::Read, slicer.next(until)).await?;
            tally.saw_gone(slicer.gone());
            let slice = match next {
                NextSlice::Slice(slice) => slice,
                NextSlice::Reshape(changes) => return Ok((table, SlicesEnd::Reshape(changes))),
                NextSlice::End => {
                    // Empty objects that nothing follows are as good as applied.
                    tally.passed_over(empty.len());
                    return Ok((table, SlicesEnd::All));
                }
            };
            let makes_unread = table.is_none() && slice.schema.columns().is_empty();
            let slice = slice.after(std::mem::take(&mut empty));
            match Box::pin(apply_slice(target, table.take(), slice, pace)).await? {
                SliceOutcome::Committed(applied) => {
                    self.tell(&applied, target.built, tally);
                    tally.saw_columns(before.as_ref(), applied.table.schema());
                    if target.built == Build::InPlace {
                        self.follow(Some(&applied.table)).await?;
                    }
                    table = Some(*applied.table);
                    if makes_unread {
                        return Ok((table, SlicesEnd::Made));
                    }
                    done += in_memory(applied.slice.objects);
                    if let Some(why) = self.is_too_slow(objects, done, begun) {
                        return Ok((table, SlicesEnd::TooMuch(why)));
                    }
                }
                SliceOutcome::Empty(portions) => empty = portions,
                SliceOutcome::TooMuch(table, why) => {
                    return Ok((Some(*table), SlicesEnd::TooMuch(why)));
                }
            }
        }
        Ok((table, SlicesEnd::Stopped))
    }
}
