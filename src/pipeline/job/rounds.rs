//! Applies pending objects round by round, in the place of slices.

use std::sync::atomic::AtomicBool;

use uuid::Uuid;

use crate::decode::{Next, ReadAhead};
use crate::error::Result;
use crate::files::in_memory;
use crate::pipeline::application::Application;
use crate::pipeline::apply::{Applied, Setback};
use crate::pipeline::budget::Pace;
use crate::pipeline::job::format::RoundSpec;
use crate::pipeline::job::plan::{RoundBounds, bytes_of};
use crate::pipeline::job::scratch::Scratch;
use crate::pipeline::job::workers::Job;
use crate::pipeline::ready::{Target, ready_table};
use crate::pipeline::rebuild::Build;
use crate::pipeline::slice::{Slice, Turn};
use crate::pipeline::suspicion::Suspicion;
use crate::pipeline::tally::Tally;
use crate::pipeline::{Pending, SlicesEnd};
use crate::schema::{ColumnChange, TableSchema};
use crate::staging::StagedObject;
use crate::table::LakeTable;

/// Applies pending objects of one pass.
pub(in crate::pipeline) struct Rounds<'a> {
    pub(in crate::pipeline) application: &'a Application<'a>,
    pub(in crate::pipeline) target: &'a Target<'a>,
    pub(in crate::pipeline) job: Job<'a>,
    /// Whether keys of load objects were not apart: then it is not tried again.
    pub(in crate::pipeline) is_unordered: AtomicBool,
}

/// What became of a round.
pub(super) enum RoundEnd {
    /// It is in the table.
    Committed(Applied),
    /// Its first object needs these columns, the table's among them.
    Columns(TableSchema),
    /// Its first object needs these changes of columns.
    Reshape(Vec<ColumnChange>),
    /// It is for slices to apply.
    BySlices,
}

impl Rounds<'_> {
    /// Applies objects in order; gives the table, and how far it came.
    pub(in crate::pipeline) async fn apply(
        &self,
        pending: &Pending<'_>,
        mut table: Option<LakeTable>,
        pace: &mut Pace,
        tally: &mut Tally,
    ) -> Result<(Option<LakeTable>, SlicesEnd), Setback> {
        let (application, target) = (self.application, self.target);
        let objects = pending.objects.as_slice();
        if !pending.late.is_empty() {
            return Box::pin(application.by_slices(target, pending, objects, table, pace, tally))
                .await;
        }
        let before = table.as_ref().map(|table| table.schema().clone());
        let mut done = 0;
        while done < objects.len() {
            if self.application.limits.stop.is_requested() {
                return Ok((table, SlicesEnd::Stopped));
            }
            let rest = &objects[done..];
            let round = &rest[..self.bounds().round_of(rest)];
            let ready = Box::pin(self.ready(table.take(), round, pending)).await?;
            let (round, outcome) = match &ready {
                Some(ready) if self.is_for_tasks(round, ready) => {
                    (round, Box::pin(self.by_tasks(round, ready, pending, tally)).await?)
                }
                Some(_) => (round, RoundEnd::BySlices),
                // Objects that tell no columns go with the first that does.
                None => match self.first_columns(rest, pending).await? {
                    Some((_, count)) => (&rest[..count], RoundEnd::BySlices),
                    None => (rest, RoundEnd::BySlices),
                },
            };
            match outcome {
                RoundEnd::Committed(applied) => {
                    let finished = in_memory(applied.slice.objects);
                    self.application.tell(&applied, self.target.built, tally);
                    tally.saw_columns(before.as_ref(), applied.table.schema());
                    if self.target.built == Build::InPlace {
                        self.application.follow(Some(&applied.table)).await?;
                    }
                    table = Some(*applied.table);
                    done += finished;
                }
                RoundEnd::Columns(columns) => {
                    let slice = self.empty_slice(columns);
                    table = Some(ready_table(self.target, ready, &slice).await?);
                }
                RoundEnd::Reshape(changes) => {
                    return Ok((ready, SlicesEnd::Reshape(changes)));
                }
                RoundEnd::BySlices => {
                    let slices = application.by_slices(target, pending, round, ready, pace, tally);
                    let (applied, end) = Box::pin(slices).await?;
                    table = applied;
                    match end {
                        SlicesEnd::All => done += round.len(),
                        end => return Ok((table, end)),
                    }
                }
            }
        }
        Ok((table, SlicesEnd::All))
    }

    /// Has tasks take in a round, and deletes what they have left for each other.
    async fn by_tasks(
        &self,
        round: &[StagedObject],
        table: &LakeTable,
        pending: &Pending<'_>,
        tally: &mut Tally,
    ) -> Result<RoundEnd, Setback> {
        let id = self.target.pipeline.clock().file_id();
        let scratch = Scratch::of(self.target.pipeline, self.target.spec, id)?;
        let spec = self.spec_of(id, table, pending);
        let outcome = Box::pin(self.round(spec, round, table, &scratch, tally)).await;
        scratch.remove().await;
        match outcome {
            Ok(end) => Ok(end),
            // Files that a task misses may have been removed with every right.
            Err(Setback { error, lost }) => Err(Setback { error: table.judge(error).await, lost }),
        }
    }

    fn bounds(&self) -> RoundBounds<'_> {
        RoundBounds {
            sizes: &self.job.sizes,
            let_pass: self.target.let_pass,
            by_hours: self.target.spec.max_change_fraction.is_set(),
        }
    }

    /// Whether a round is worth its tasks, and none of what only slices do.
    fn is_for_tasks(&self, round: &[StagedObject], table: &LakeTable) -> bool {
        let is_let_pass =
            round.iter().any(|object| self.target.let_pass.contains(&object.relative));
        let is_load = round.iter().any(|object| object.name.phase.is_full_load());
        let spec = self.target.spec;
        // Whether a load is missing shows in which of the keys that are changed were inserted.
        let is_suspect = !is_load
            && !spec.keys.is_empty()
            && Suspicion::needs_load(spec, table.ledger(), self.target.accepts_loss);
        bytes_of(round) >= self.job.sizes.least_bytes && !is_let_pass && !is_suspect
    }

    /// The table as the round needs it; none if no object tells its columns.
    async fn ready(
        &self,
        table: Option<LakeTable>,
        round: &[StagedObject],
        pending: &Pending<'_>,
    ) -> Result<Option<LakeTable>> {
        let slice = match &table {
            Some(table) => self.empty_slice(table.schema().clone()),
            None => match self.first_columns(round, pending).await? {
                Some((columns, _)) => self.empty_slice(columns),
                None if self.target.columns.is_empty() => return Ok(None),
                None => self.empty_slice(TableSchema::default()),
            },
        };
        ready_table(self.target, table, &slice).await.map(Some)
    }

    /// The columns that the first objects bring, and how many objects tell them: empty ones do not.
    async fn first_columns(
        &self,
        objects: &[StagedObject],
        pending: &Pending<'_>,
    ) -> Result<Option<(TableSchema, usize)>> {
        let cut = self.application.cut(pending.changes.clone(), self.target.let_pass);
        let settings = cut.read_settings();
        let mut reading = ReadAhead::new(settings, objects.to_vec(), 0, TableSchema::default());
        let mut count = 0;
        while let Next::Object(_) = reading.next().await? {
            count += 1;
            if !reading.schema().columns().is_empty() {
                return Ok(Some((reading.schema().clone(), count)));
            }
        }
        Ok(None)
    }

    fn empty_slice(&self, schema: TableSchema) -> Slice {
        let begun = self.target.pipeline.clock().instant();
        Slice { portions: Vec::new(), schema, turn: Turn::Due, begun }
    }

    fn spec_of(&self, scratch: Uuid, table: &LakeTable, pending: &Pending<'_>) -> RoundSpec {
        let Target { pipeline, spec, .. } = *self.target;
        RoundSpec {
            changes: pending.changes.clone(),
            shadow: pending.shadow,
            ..RoundSpec::of(pipeline, spec, &self.job, table, scratch)
        }
    }
}
