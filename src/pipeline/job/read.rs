//! Reads the objects of a round by tasks: what was read, and what ended it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Result;
use crate::merge::KeyInterval;
use crate::pipeline::job::format::{Chunk, ChunkEnd, ChunkOutcome, Run, SliceOutcome, SliceRows};
use crate::pipeline::job::plan::{are_apart, chunks};
use crate::pipeline::job::stages::Stages;
use crate::pipeline::job::workers::Job;
use crate::staging::StagedObject;
use crate::table::LakeTable;

/// What was read of a round's objects: slices in order, up to what ended it.
pub(super) struct Read {
    /// Each with the place of its chunk's first object.
    pub(super) slices: Vec<(usize, SliceOutcome)>,
    pub(super) gone: BTreeSet<String>,
    /// What ended it.
    pub(super) end: ChunkEnd,
}

impl Read {
    fn of(outcomes: Vec<ChunkOutcome>, starts: &[usize]) -> Self {
        let (mut slices, mut gone) = (Vec::new(), BTreeSet::new());
        for (outcome, start) in outcomes.into_iter().zip(starts) {
            slices.extend(outcome.slices.into_iter().map(|slice| (*start, slice)));
            gone.extend(outcome.gone);
            if outcome.end != ChunkEnd::Complete {
                return Self { slices, gone, end: outcome.end };
            }
        }
        Self { slices, gone, end: ChunkEnd::Complete }
    }

    /// Only so many chunks, from the first on, that their bad rows have at most so many bytes.
    /// Whether any is left.
    pub(super) fn keep_bad_rows_within(&mut self, most: u64) -> bool {
        let mut bytes = 0;
        let mut beyond = None;
        for (start, slice) in &self.slices {
            let own = slice.portions.iter().filter_map(|portion| portion.bad_rows.as_ref());
            bytes += own.map(|(_, segment)| segment.bytes).sum::<u64>();
            if bytes > most {
                beyond = Some(*start);
                break;
            }
        }
        if let Some(beyond) = beyond {
            self.slices.retain(|(start, _)| *start < beyond);
            self.end = ChunkEnd::Complete;
        }
        !self.slices.is_empty()
    }

    /// Whether each slice's rows are in data files.
    pub(super) fn is_in_files(&self) -> bool {
        self.slices.iter().all(|(_, slice)| matches!(slice.rows, SliceRows::Files(_)))
    }

    /// Changes, and those of them that a later one of their slice supersedes.
    pub(super) fn sums(&self) -> (u64, u64) {
        let slices = || self.slices.iter().map(|(_, slice)| slice);
        (slices().map(|slice| slice.changes).sum(), slices().map(|slice| slice.superseded).sum())
    }

    /// The least and the greatest key of each slice whose rows are in data files.
    pub(super) fn bounds(&self) -> Vec<KeyInterval> {
        let of_slice = |(_, slice): &(usize, SliceOutcome)| match &slice.rows {
            SliceRows::Files(loaded) => loaded.bounds.clone(),
            SliceRows::Run(_) => None,
        };
        self.slices.iter().filter_map(of_slice).map(|(low, high)| (low.0, high.0)).collect()
    }

    /// The runs of all slices, in order.
    pub(super) fn runs(&self) -> Vec<&Run> {
        let runs = self.slices.iter().filter_map(|(_, slice)| match &slice.rows {
            SliceRows::Run(run) => Some(run),
            SliceRows::Files(_) => None,
        });
        runs.collect()
    }
}

/// Reads the objects of a round. Rows of a load, and of a table without keys, become data files at
/// once where no key can be in two of them; where it can, so many of the objects are read as bounds a
/// round of changes. `is_unordered` remembers that.
pub(super) async fn read(
    job: &Job<'_>,
    stages: &Stages<'_>,
    objects: &[StagedObject],
    table: &LakeTable,
    is_unordered: &AtomicBool,
) -> Result<Read> {
    let partial = table.ledger().partial.as_ref();
    let planned = chunks(objects, partial, &job.sizes, job.workers.slots());
    let (places, mut chunks): (Vec<usize>, Vec<Chunk>) = planned.into_iter().unzip();
    let keys = stages.round.table.lake_keys();
    let is_load = objects.first().is_some_and(|first| first.name.phase.is_full_load());
    if keys.is_empty() || (is_load && !is_unordered.load(Ordering::Relaxed)) {
        let read = Read::of(stages.load(chunks.clone()).await?, &places);
        if are_apart(table, &keys, read.bounds())? {
            return Ok(read);
        }
        is_unordered.store(true, Ordering::Relaxed);
        tracing::info!(table = %stages.round.table.source, "keys of load objects are not in order");
    }
    let mut bytes = 0;
    let fits = |chunk: &&Chunk| {
        bytes += chunk.objects.iter().map(|object| object.size).sum::<u64>();
        bytes <= job.sizes.round_bytes
    };
    let count = chunks.iter().take_while(fits).count().max(1);
    chunks.truncate(count);
    Ok(Read::of(stages.net(chunks).await?, &places))
}
