//! The path of a table's staged objects into its Delta table: look, decide, read, change, merge,
//! commit. Names every stage and decides nothing itself.

mod application;
mod apply;
mod beginning;
mod budget;
mod components;
mod look;
mod maintain;
mod memory;
mod operator;
mod ready;
mod report;
mod slice;
mod slicer;
mod suspicion;
mod tally;

pub use components::Pipeline;
pub use look::{Hold, Look, Standing, Work};
pub use operator::{Losses, Resumed};
pub use report::{Observer, Silent, Step, TableReport};

pub use crate::disposition::Status;
pub use crate::limits::{Limits, Stop};
pub use crate::staging::Scope;

use crate::maintenance::checkpoint_after;
use crate::pipeline::application::Application;
use crate::pipeline::apply::{Setback, SliceOutcome, apply_slice};
use crate::pipeline::budget::{Pace, SliceTime};
use crate::pipeline::look::Looker;
use crate::pipeline::ready::Target;
use crate::pipeline::slicer::Slicer;
use crate::pipeline::tally::Tally;
use crate::table::{LakeTable, LostCommit};

impl Application<'_> {
    /// Looks at the table and applies what is pending, slice by slice, until nothing is, or
    /// somebody asks to stop, or no further slice fits the time left.
    async fn pass(
        &self,
        lost: &mut Vec<LostCommit>,
        pace: &mut Pace,
        tally: &mut Tally,
    ) -> Result<(), Setback> {
        // Look.
        let looker = &self.looker;
        let Looker { pipeline, spec, ref location, .. } = *looker;
        let opened = looker.open(pipeline.take_warm(&spec.source)).await?;
        self.settle(lost, opened.table.as_ref().map(LakeTable::version), tally).await?;
        tally.opened(opened.table.as_ref());
        // What an interrupted application left to be done for readers, also where this one is held.
        let followed = self.follow(opened.table.as_ref()).await;
        let Look { table, standing, .. } = {
            let look = looker.look(opened).await?;
            tally.looked(&look);
            look
        };

        // Decide.
        let work = match standing {
            // Rows come first: the next commit is followed too, and fails then if it cannot be.
            Standing::CaughtUp => {
                pipeline.keep_warm(&spec.source, table);
                return Ok(followed?);
            }
            Standing::Held(hold) => {
                pipeline.keep_warm(&spec.source, table);
                return Err(hold.cause.into());
            }
            Standing::Apply(work) => work,
        };

        // Read, change, merge, commit.
        self.announce(&work.objects);
        let target =
            Target { pipeline, spec, location, beginning: &work.beginning, bound: work.bound };
        let mut slicer = Slicer::new(self.cut(), work.objects, table.as_ref());
        let base = table.as_ref().map(LakeTable::version);
        let (mut table, mut empty) = (table, Vec::new());
        while !self.limits.stop.is_requested() {
            let until = match pace.time_for_slice(pipeline.clock().as_ref()) {
                SliceTime::Unbounded => None,
                SliceTime::ReadUntil(until) => Some(until),
                SliceTime::TooShort => break,
            };
            let Some(slice) = slicer.next(until).await? else {
                // Empty objects that nothing follows are as good as applied.
                tally.passed_over(empty.len());
                break;
            };
            let slice = slice.after(std::mem::take(&mut empty));
            match Box::pin(apply_slice(&target, table.take(), slice, pace)).await? {
                SliceOutcome::Committed(applied) => {
                    self.tell(&applied, tally);
                    self.follow(Some(&applied.table)).await?;
                    table = Some(*applied.table);
                }
                SliceOutcome::Empty(portions) => empty = portions,
            }
        }
        if let Some(table) = &table {
            checkpoint_after(base, table).await;
        }
        pipeline.keep_warm(&spec.source, table);
        Ok(())
    }
}
