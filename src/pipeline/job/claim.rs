//! The claim of a job on a table: taken when its driver begins, renewed while it works, and ended with
//! it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use datafusion::common::runtime::SpawnedTask;
use uuid::Uuid;

use crate::config::TableSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::hand_over::handed_over;
use crate::pipeline::job::workers::Job;
use crate::pipeline::{Pipeline, Status, Stop, TableReport};
use crate::table::{HandOver, TableState};

/// Several times within a lease, so that a store which is away for minutes ends no job.
const RENEWED_EVERY: Duration = Duration::from_mins(2);

const BY_HAND: &str = "a person has started a job";

/// A claim that this process has taken.
pub(in crate::pipeline) struct HeldClaim<'a> {
    pipeline: &'a Pipeline,
    spec: &'a TableSpec,
    /// The hand-over that it is for.
    pub(in crate::pipeline) id: Uuid,
    /// This driver.
    by: Uuid,
    /// Whether it was started for a hand-over, whose attempts are counted.
    is_offered: bool,
    /// Ends with this.
    renewing: SpawnedTask<()>,
}

impl<'a> HeldClaim<'a> {
    /// Takes the claim that the job was started for, or makes one where a person has started it. From
    /// then on it is renewed; where it is lost, the stop is requested.
    ///
    /// # Errors
    /// `HandedOver` if another job has it, or what this one was started for has ended; as
    /// [`crate::table::StateObject::update`].
    pub(in crate::pipeline) async fn take(
        pipeline: &'a Pipeline,
        spec: &'a TableSpec,
        job: Job<'_>,
        stop: &Stop,
    ) -> Result<Self> {
        let (by, now) = (pipeline.clock().attempt_id(), pipeline.clock().now());
        let is_taken = AtomicBool::new(false);
        let take = |state: &mut TableState| {
            let taken = if let Some(asked) = job.claim {
                state.hand_over_of(asked).is_some_and(|it| it.take(by, job.run, now))
            } else {
                state.hand_over(now, |earlier| HandOver::taken(by, BY_HAND, earlier, now));
                state.hand_over.as_ref().is_some_and(|it| it.is_taken_by(by))
            };
            is_taken.store(taken, Ordering::Relaxed);
        };
        let state = pipeline.update_state(spec, take).await?;
        if !is_taken.into_inner() {
            return Err(state.live_claim(now).map_or_else(gone, handed_over));
        }
        let id = job.claim.unwrap_or(by);
        let renewing = SpawnedTask::spawn(renew(pipeline.clone(), spec.clone(), by, stop.clone()));
        Ok(Self { pipeline, spec, id, by, is_offered: job.claim.is_some(), renewing })
    }

    /// Ends the claim with what became of the table. A job that was started for a hand-over and has
    /// not done its work counts as failed.
    ///
    /// # Errors
    /// As [`crate::table::StateObject::update`].
    pub(in crate::pipeline) async fn end(self, report: &TableReport) -> Result<()> {
        let Self { pipeline, spec, by, is_offered, renewing, .. } = self;
        drop(renewing);
        let now = pipeline.clock().now();
        let attempts = pipeline.settings().hand_over.attempts;
        let unfinished = match report.status {
            Status::Failed => Some(report.error.as_deref().unwrap_or("it failed")),
            Status::Ok if report.pending > 0 => Some("it was stopped before its end"),
            // Whatever holds the table holds it for whoever looks next, too.
            Status::Ok | Status::Held => None,
        };
        let end = |state: &mut TableState| {
            let Some(hand_over) = state.hand_over.as_mut().filter(|it| it.is_taken_by(by)) else {
                return;
            };
            match unfinished.filter(|_| is_offered) {
                Some(because) => hand_over.failed(because, now, attempts),
                None => state.hand_over = None,
            }
        };
        pipeline.update_state(spec, end).await?;
        Ok(())
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::HandedOver, "what this job was started for has ended or been taken over")
        .with_remedy("nothing; what is pending is applied by whoever looks at the table next")
}

/// Renews a claim until it is lost.
async fn renew(pipeline: Pipeline, spec: TableSpec, by: Uuid, stop: Stop) {
    loop {
        tokio::time::sleep(RENEWED_EVERY).await;
        let now = pipeline.clock().now();
        let renew = |state: &mut TableState| {
            if let Some(it) = state.hand_over.as_mut().filter(|it| it.is_taken_by(by)) {
                it.renew(now);
            }
        };
        match pipeline.update_state(&spec, renew).await {
            Ok(state) if state.hand_over.as_ref().is_some_and(|it| it.is_taken_by(by)) => {}
            Ok(_) => {
                tracing::warn!(table = %spec.source, "the claim of this job is lost: it stops");
                stop.request();
                return;
            }
            Err(error) => {
                let table = &spec.source;
                tracing::warn!(%table, "the claim of this job is not renewed: {}", error.chain());
            }
        }
    }
}
