//! Maintenance of a table by a job: rewrites that are too large for one process are written in parts, by
//! its tasks.

use async_trait::async_trait;
use deltalake::kernel::Add;

use crate::config::TableSpec;
use crate::error::Result;
use crate::maintenance::{MaintenanceReport, RewritePart, Rewriter};
use crate::pipeline::job::format::{RewriteOutcome, RoundSpec};
use crate::pipeline::job::stages::Stages;
use crate::pipeline::job::workers::Job;
use crate::pipeline::{Limits, Pipeline};
use crate::table::LakeTable;

/// So many parts for each slot are one commit.
const PARTS_EACH: usize = 2;

/// The tasks of a job that write parts of rewrites.
pub(in crate::pipeline) struct Tasks<'a> {
    job: Job<'a>,
    pipeline: &'a Pipeline,
    spec: &'a TableSpec,
}

impl std::fmt::Debug for Tasks<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tasks").field("spec", &self.spec.source).finish_non_exhaustive()
    }
}

#[async_trait]
impl Rewriter for Tasks<'_> {
    fn part_bytes(&self) -> u64 {
        self.job.sizes.sorted_bytes
    }

    fn parts_at_once(&self) -> usize {
        self.job.workers.slots().get() * PARTS_EACH
    }

    async fn rewrite(&self, table: &LakeTable, parts: Vec<RewritePart>) -> Result<Vec<Vec<Add>>> {
        let Self { ref job, pipeline, spec } = *self;
        // Nothing is left for later tasks.
        let scratch = pipeline.clock().file_id();
        let round = RoundSpec::of(pipeline, spec, job, table, scratch);
        let outcomes = Stages::of(job.workers, round).rewrite(parts).await?;
        Ok(outcomes.into_iter().map(|RewriteOutcome { files }| files).collect())
    }
}

impl Pipeline {
    /// As [`Self::maintain`], with rewrites of any size spread over the tasks of a job.
    pub(in crate::pipeline) async fn maintain_spread(
        &self,
        spec: &TableSpec,
        limits: &Limits,
        job: Job<'_>,
    ) -> MaintenanceReport {
        let tasks = Tasks { job, pipeline: self, spec };
        self.maintain_by(spec, limits, Some(&tasks)).await
    }
}
