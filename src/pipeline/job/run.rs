//! A job on one table, from its claim to the end of it.

use crate::config::TableSpec;
use crate::maintenance::MaintenanceReport;
use crate::pipeline::application::{self, Manner};
use crate::pipeline::job::claim::HeldClaim;
use crate::pipeline::job::workers::Job;
use crate::pipeline::{Limits, Observer, Pipeline, Scope, TableReport};

impl Pipeline {
    /// As [`Self::apply`], spread over the tasks of a job. Other workers wait meanwhile; what another
    /// job is about to apply is left to that one.
    pub async fn apply_spread(
        &self,
        table: &TableSpec,
        limits: &Limits,
        observer: &dyn Observer,
        job: Job<'_>,
    ) -> TableReport {
        self.under_claim(table, limits, observer, job, false).await.0
    }

    /// The same, and then [`Self::maintain`], spread too, where all is applied.
    pub async fn run_job(
        &self,
        table: &TableSpec,
        limits: &Limits,
        observer: &dyn Observer,
        job: Job<'_>,
    ) -> (TableReport, Option<MaintenanceReport>) {
        self.under_claim(table, limits, observer, job, true).await
    }

    async fn under_claim(
        &self,
        table: &TableSpec,
        limits: &Limits,
        observer: &dyn Observer,
        job: Job<'_>,
        maintains: bool,
    ) -> (TableReport, Option<MaintenanceReport>) {
        // A claim that is lost stops the job on this table only.
        let limits = Limits { stop: limits.stop.below(), ..limits.clone() };
        let claim = match HeldClaim::take(self, table, job, &limits.stop).await {
            Ok(claim) => claim,
            Err(error) => return (TableReport::not_begun(table, &error), None),
        };
        let manner = Manner { job: Some(job), claim: Some(claim.id), ..Manner::default() };
        let scope = Scope::Everything;
        let applied = application::run(self, table, &scope, &limits, observer, manner);
        let report = Box::pin(applied).await;
        let maintained = if maintains && report.is_caught_up() {
            Some(Box::pin(self.maintain_spread(table, &limits, job)).await)
        } else {
            None
        };
        if let Err(error) = claim.end(&report).await {
            // It ends by itself in a while.
            tracing::warn!(table = %table.source, "the claim stays: {}", error.chain());
        }
        (report, maintained)
    }
}
