//! One round: what one commit takes in. Its objects become net changes, key range by key range, these
//! meet the data files, and one commit has all of it. Tasks do the stages; this only connects them.

use std::time::Instant;

use crate::change::SequenceSpan;
use crate::decode::BadRow;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::apply::{Applied, Setback, ledger_after, set_aside};
use crate::pipeline::budget::memory_budget;
use crate::pipeline::guard::Guard;
use crate::pipeline::job::commit::{Effect, Times};
use crate::pipeline::job::format::{ChunkEnd, PortionOutcome, RoundSpec, SliceOutcome, Span};
use crate::pipeline::job::plan::are_apart;
use crate::pipeline::job::read::{Read, read};
use crate::pipeline::job::reduced::{Reduced, reduce};
use crate::pipeline::job::replaced::Files;
use crate::pipeline::job::rounds::{RoundEnd, Rounds};
use crate::pipeline::job::scratch::Scratch;
use crate::pipeline::job::stages::Stages;
use crate::pipeline::mass::Mass;
use crate::pipeline::meter::Phase;
use crate::pipeline::race::{Race, Settled, is_as_planned};
use crate::pipeline::ready::Target;
use crate::pipeline::slice::{Portion, Slice, Turn};
use crate::pipeline::tally::{AppliedSlice, Tally};
use crate::schema::TableSchema;
use crate::staging::StagedObject;
use crate::table::{Freshness, LakeTable};

impl Rounds<'_> {
    /// Takes a round into the table, unless it is for others to do.
    ///
    /// # Errors
    /// What was met before the commit was tried, and any contradiction of its tasks.
    pub(super) async fn round(
        &self,
        round: RoundSpec,
        objects: &[StagedObject],
        table: &LakeTable,
        scratch: &Scratch,
        tally: &mut Tally,
    ) -> Result<RoundEnd, Setback> {
        let Target { pipeline, spec, .. } = *self.target;
        let meter = pipeline.meter(&spec.source);
        let begun = pipeline.clock().instant();
        let mut stages = Stages::of(self.job.workers, round);

        // Read.
        let reading = read(&self.job, &stages, objects, table, &self.is_unordered);
        let mut read = pipeline.phase(&spec.source, Phase::Read, reading).await?;
        tally.saw_gone(&read.gone);
        if read.slices.is_empty() {
            return Ok(match read.end {
                ChunkEnd::Columns(columns) => RoundEnd::Columns(TableSchema::new(columns)),
                ChunkEnd::Reshape(changes) => RoundEnd::Reshape(changes),
                // A task has less memory than an application.
                ChunkEnd::Failed(told) if told.is_for_want_of_memory() => RoundEnd::BySlices,
                ChunkEnd::Failed(told) => return Err(Error::from(told).into()),
                ChunkEnd::KeepsValues | ChunkEnd::Complete => RoundEnd::BySlices,
            });
        }
        let most_bad = memory_budget(pipeline.settings(), self.application.limits);
        if !read.keep_bad_rows_within(most_bad as u64) {
            return Ok(RoundEnd::BySlices);
        }
        let slice = self.slice_of(&read, objects, scratch, table, begun).await?;
        let finished = slice.finished_objects();
        let mut guard = Guard::of(pipeline, spec, table.ledger(), &slice)?;
        if guard.as_mut().is_some_and(|guard| must_compare(guard, &read, &slice)) {
            return Ok(RoundEnd::BySlices);
        }

        // Change.
        let is_load = slice.is_of_load();
        let reduced = if read.is_in_files() {
            Reduced::default()
        } else {
            let reducing = reduce(&self.job, &stages, &read, is_load);
            pipeline.phase(&spec.source, Phase::Change, reducing).await?
        };
        let (mut ledger, replayed) = ledger_after(table.ledger(), &slice, self.target.bound)?;
        ledger.keys = Some(spec.lake_keys());
        ledger.quarantined += slice.bad_rows();
        ledger.guard = match guard {
            Some(mut guard) => {
                self.leave_tombstones(&mut guard, &reduced, scratch).await?;
                Some(guard.into_progress())
            }
            None => None,
        };
        set_aside(pipeline, spec, &slice).await?;

        // Merge, commit.
        let times = Times { begun, reduced: pipeline.clock().instant() };
        let keys = spec.lake_keys();
        let mass = Mass::of(self.target, &slice);
        let mut table = table.clone();
        self.must_not_have_lost(&table).await?;
        let mut files = Files::default();
        let mut race = Race::default();
        loop {
            let effect = if read.is_in_files() {
                Effect::of_files(&read, slice.bad_rows())?
            } else {
                let merging = async {
                    files.bring_up_to(&self.job, &stages, &table, &reduced).await?;
                    let tasks = files.inserts(&reduced, &self.job.sizes)?;
                    stages.insert(tasks).await
                };
                let inserts = pipeline.phase(&spec.source, Phase::Merge, merging).await?;
                let (bad, clock) = (slice.bad_rows(), pipeline.clock().as_ref());
                Effect::of_changes(&table, &read, &reduced, &files, inserts, bad, clock)?
            };
            if is_load && effect.counts.updated > 0 {
                // Whether rows of one key differ is for slices to see.
                return Ok(RoundEnd::BySlices);
            }
            ledger.recent = mass.as_ref().map(|it| it.judge(&table, &effect.counts)).transpose()?;
            let counts = effect.counts;
            let touched = effect.files();
            let committing = effect.commit(pipeline, &table, &ledger, &slice, times);
            let outcome = pipeline.phase(&spec.source, Phase::Commit, committing).await?;
            let lost = match Settled::from(outcome) {
                Settled::Committed(table) => {
                    meter.touched(touched);
                    let took = pipeline.clock().instant() - begun;
                    let version = table.version();
                    let object_bytes = slice.finished_bytes();
                    let slice = AppliedSlice { version, counts, objects: finished, replayed };
                    let (foreign, written) = (race.foreign, None);
                    let applied = Applied { table, slice, foreign, took, object_bytes, written };
                    return Ok(RoundEnd::Committed(applied));
                }
                Settled::Lost(lost) => {
                    meter.conflicted();
                    lost
                }
                Settled::Failed(setback) => return Err(setback),
            };
            let may_replan = !read.is_in_files() || are_apart(lost.newer(), &keys, read.bounds())?;
            table = race.again(lost, spec, &table, may_replan)?;
            stages.round.version = table.version();
        }
    }

    /// To be asked before data files are written: whether others have applied what is being applied.
    async fn must_not_have_lost(&self, table: &LakeTable) -> Result<()> {
        if table.freshness().await? == Freshness::Newest {
            return Ok(());
        }
        let newer = table.clone().at_newest(self.target.location).await?;
        if is_as_planned(&newer, table) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Conflict, "others have applied objects of the round meanwhile"))
    }

    /// What was read as one slice, whose rows are elsewhere.
    async fn slice_of(
        &self,
        read: &Read,
        objects: &[StagedObject],
        scratch: &Scratch,
        table: &LakeTable,
        begun: Instant,
    ) -> Result<Slice> {
        let mut portions: Vec<Portion> = Vec::new();
        for (start, slice) in &read.slices {
            for outcome in &slice.portions {
                let object = objects.get(start + outcome.object);
                let object =
                    object.ok_or_else(|| contradiction("an object is not of the round"))?;
                let portion = portion(object, outcome, scratch).await?;
                match portions.last_mut() {
                    // Rows of one object that several slices took in.
                    Some(last) if !last.is_done && last.object.relative == object.relative => {
                        last.rows += portion.rows;
                        last.is_done = portion.is_done;
                        last.source_time = last.source_time.max(portion.source_time);
                        last.bad_rows.extend(portion.bad_rows);
                        last.sequence = match (last.sequence.take(), portion.sequence) {
                            (Some((first, _)), Some((_, last))) => Some((first, last)),
                            (before, after) => before.or(after),
                        };
                    }
                    _ => portions.push(portion),
                }
            }
        }
        Ok(Slice { portions, schema: table.schema().clone(), turn: Turn::Due, begun })
    }

    /// Leaves the tombstones of all ranges, some of them at once.
    async fn leave_tombstones(
        &self,
        guard: &mut Guard,
        reduced: &Reduced,
        scratch: &Scratch,
    ) -> Result<()> {
        const AT_ONCE: u64 = 1 << 19;
        let (mut deletes, mut rows) = (Vec::new(), 0);
        for range in &reduced.ranges {
            let Some(segment) = range.deletes else { continue };
            deletes.extend(scratch.batches(&range.object, &[segment]).await?);
            rows += segment.rows;
            if rows >= AT_ONCE {
                guard.leave_tombstones(&std::mem::take(&mut deletes), self.target.pipeline).await?;
                rows = 0;
            }
        }
        guard.leave_tombstones(&deletes, self.target.pipeline).await
    }
}

/// Whether changes must be compared with what was applied, which slices do.
fn must_compare(guard: &mut Guard, read: &Read, slice: &Slice) -> bool {
    // Rows of a load are older than every change.
    let is_of_changes = |outcome: &&SliceOutcome| outcome.changes > 0 && !slice.is_of_load();
    let mut compares = false;
    for outcome in read.slices.iter().map(|(_, outcome)| outcome).filter(is_of_changes) {
        let span = outcome.span.as_ref();
        let span = span.map(|Span { first, last, ascends }| SequenceSpan {
            first,
            last,
            ascends: *ascends,
        });
        compares |= guard.must_compare(span, false);
    }
    compares
}

async fn portion(
    object: &StagedObject,
    outcome: &PortionOutcome,
    scratch: &Scratch,
) -> Result<Portion> {
    let mut bad_rows: Vec<BadRow> = Vec::new();
    if let Some((name, segment)) = &outcome.bad_rows {
        for bytes in scratch.get(name, &[*segment]).await? {
            let rows: Vec<BadRow> = serde_json::from_slice(&bytes).map_err(|error| {
                Error::new(ErrorKind::Conflict, "bad rows of a task cannot be read").because(error)
            })?;
            bad_rows.extend(rows);
        }
    }
    let at = Portion::at(object.clone(), outcome.identity.clone(), outcome.from);
    Ok(Portion {
        rows: outcome.rows,
        is_done: outcome.is_done,
        bad_rows,
        sequence: outcome.sequence.clone(),
        source_time: outcome.source_time,
        ..at
    })
}

/// What a task's result must not say.
pub(super) fn contradiction(what: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("the tasks of a job contradict each other: {what}"))
}
