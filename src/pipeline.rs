//! The path of a table's staged objects into its Delta table: look, decide, read, change, merge,
//! commit. Names every stage and decides nothing itself.

mod application;
mod apply;
mod beginning;
mod budget;
mod comparison;
mod components;
mod estimate;
mod guard;
mod holds;
mod judgement;
mod late;
mod look;
mod looker;
mod maintain;
mod mass;
mod memory;
mod operator;
mod ready;
mod rebuild;
mod rebuild_plan;
mod replacement;
mod report;
mod slice;
mod slicer;
mod suspicion;
mod tally;

pub use components::Pipeline;
pub use estimate::Estimate;
pub use late::LateObject;
pub use look::{Hold, Look, Reload, Standing, Work};
pub use operator::{Losses, Resumed};
pub use rebuild::Rebuilding;
pub use rebuild_plan::RebuildPlan;
pub use replacement::Replacement;
pub use report::{Observer, Silent, Step, TableReport};

pub use crate::disposition::Status;
pub use crate::limits::{Limits, Stop};
pub use crate::staging::Scope;

use crate::maintenance::checkpoint_after;
use crate::pipeline::application::Application;
use crate::pipeline::apply::{Setback, SliceOutcome, apply_slice};
use crate::pipeline::budget::{Pace, SliceTime};
use crate::pipeline::looker::Looker;
use crate::pipeline::memory::remember_waiting;
use crate::pipeline::ready::Target;
use crate::pipeline::rebuild::{Build, begin_reload, unfinished};
use crate::pipeline::replacement::put_in_place;
use crate::pipeline::slice::Turn;
use crate::pipeline::slicer::Slicer;
use crate::pipeline::tally::Tally;
use crate::table::{LakeTable, LostCommit};

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PassEnd {
    /// What it found is done, as far as there was time for it.
    Done,
    /// There is more to see at once.
    LookAgain,
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
        let opened = looker.open(pipeline.take_warm(&spec.source)).await?;
        self.settle(lost, opened.table.as_ref().map(LakeTable::version), tally).await?;
        tally.opened(opened.table.as_ref());
        // What an interrupted application left to be done for readers, also where this one is held.
        let followed = self.follow(opened.table.as_ref()).await;
        let Look { table, listing, rebuilding, standing, .. } = {
            let look = looker.look(opened).await?;
            tally.looked(&look);
            look
        };

        // Decide.
        let built_upon = table.as_ref().filter(|_| rebuilding.is_none());
        let (standing, turn) = self.as_asked_for(standing, &listing, built_upon);
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
            Standing::Replace => {
                let (table, rebuilding) = (table.as_ref(), rebuilding.as_ref());
                let replacement = put_in_place(pipeline, spec, self.limits, table, rebuilding);
                tally.replaced(replacement.await?);
                return Ok(PassEnd::LookAgain);
            }
            Standing::Apply(work) => work,
        };
        tally.takes_up(&work);

        // Read, change, merge, commit.
        remember_waiting(looker, tally, &work, pipeline.clock().now()).await?;
        self.announce(&work.objects);
        let accepts_loss = rebuilding.as_ref().is_some_and(|it| it.rebuild.accepts_loss);
        let (built, table, location, columns) = match rebuilding {
            None => (Build::InPlace, table, location.clone(), Vec::new()),
            Some(Rebuilding { table: built, location, .. }) => {
                let columns = table.as_ref().map(|table| table.schema().columns().to_vec());
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
        let slicer = Slicer::new(self.cut(let_pass), objects, (late.clone(), turn), table.as_ref());
        let (table, is_all) = self.apply_slices(&target, slicer, table, pace, tally).await?;
        if let Some(table) = &table {
            checkpoint_after(base, table).await;
        }
        match (built, is_all) {
            (Build::InPlace, true) if !late.is_empty() => {
                if turn == Turn::Asked {
                    self.note_late(&late).await?;
                }
                pipeline.keep_warm(&spec.source, table);
                Ok(PassEnd::LookAgain)
            }
            (Build::InPlace, _) => {
                pipeline.keep_warm(&spec.source, table);
                Ok(PassEnd::Done)
            }
            (Build::InShadow, true) => Ok(PassEnd::LookAgain),
            (Build::InShadow, false) => Err(unfinished().into()),
        }
    }

    /// Applies slice by slice; gives the table, and whether all of what was pending is applied.
    async fn apply_slices(
        &self,
        target: &Target<'_>,
        mut slicer: Slicer<'_>,
        mut table: Option<LakeTable>,
        pace: &mut Pace,
        tally: &mut Tally,
    ) -> Result<(Option<LakeTable>, bool), Setback> {
        let mut empty = Vec::new();
        while !self.limits.stop.is_requested() {
            let until = match pace.time_for_slice(target.pipeline.clock().as_ref()) {
                SliceTime::Unbounded => None,
                SliceTime::ReadUntil(until) => Some(until),
                SliceTime::TooShort => break,
            };
            let Some(slice) = slicer.next(until).await? else {
                // Empty objects that nothing follows are as good as applied.
                tally.passed_over(empty.len());
                return Ok((table, true));
            };
            let slice = slice.after(std::mem::take(&mut empty));
            match Box::pin(apply_slice(target, table.take(), slice, pace)).await? {
                SliceOutcome::Committed(applied) => {
                    self.tell(&applied, target.built, tally);
                    if target.built == Build::InPlace {
                        self.follow(Some(&applied.table)).await?;
                    }
                    table = Some(*applied.table);
                }
                SliceOutcome::Empty(portions) => empty = portions,
            }
        }
        Ok((table, false))
    }
}
