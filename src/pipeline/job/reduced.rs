//! The net changes of a round: key range by key range, over all of its slices.

use crate::error::Result;
use crate::pipeline::job::format::RangeChanges;
use crate::pipeline::job::ranges::ranges;
use crate::pipeline::job::read::Read;
use crate::pipeline::job::stages::Stages;
use crate::pipeline::job::workers::{Job, JobSizes};

/// The net changes of a round, by key range.
#[derive(Default)]
pub(super) struct Reduced {
    pub(super) ranges: Vec<RangeChanges>,
    pub(super) superseded: u64,
}

/// Reduces what was read to net changes.
pub(super) async fn reduce(
    job: &Job<'_>,
    stages: &Stages<'_>,
    read: &Read,
    is_load: bool,
) -> Result<Reduced> {
    let runs = read.runs();
    let sizes = &job.sizes;
    let rows = runs.iter().flat_map(|run| &run.blocks).map(|block| block.segment.rows).sum();
    let range_rows = JobSizes::part(sizes.range_rows, rows, job.workers.slots());
    if rows == 0 {
        return Ok(Reduced::default());
    }
    let tasks = ranges(&runs, is_load, range_rows, sizes.range_bytes);
    let outcomes = stages.reduce(tasks).await?;
    let superseded = outcomes.iter().map(|outcome| outcome.superseded).sum();
    let numbered = outcomes.into_iter().zip(0..);
    let ranges = numbered.map(|(outcome, range)| RangeChanges { range, ..outcome.changes });
    Ok(Reduced { ranges: ranges.collect(), superseded })
}
