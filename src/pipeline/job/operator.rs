//! What an operator asks and says of the jobs to which tables are left.

use serde::Serialize;

use crate::config::TableSpec;
use crate::error::Result;
use crate::glue::{JobRuns, RunState};
use crate::pipeline::Pipeline;
use crate::pipeline::hand_over::Why;
use crate::table::{HandOver, TableState};

/// What of a table is left to a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobStatus {
    /// `schema.table`
    pub table: String,
    /// The hand-over that stands; none if nothing is left to a job.
    #[serde(flatten)]
    pub hand_over: Option<HandOver>,
    /// Whether a job may be at work, or about to be.
    pub is_live: bool,
    /// How the run ended, if it has; none if it has not, or it is not known.
    pub ended: Option<String>,
}

impl Pipeline {
    /// Starts a job for a table, unless one may be at work already. Failures of earlier ones are
    /// forgotten.
    ///
    /// # Errors
    /// As [`crate::table::StateObject::update`].
    pub async fn start_job(&self, spec: &TableSpec, runs: &dyn JobRuns) -> Result<JobStatus> {
        let (_, hand_over) = self.offer_to_job(spec, Why::Asked, runs).await?;
        Ok(self.status_of(spec, Some(hand_over)))
    }

    /// What of a table is left to a job, and how its run stands, where there is one to ask.
    ///
    /// # Errors
    /// As [`crate::table::StateObject::read`], and where the run's state is not told.
    pub async fn job_status(
        &self,
        spec: &TableSpec,
        runs: Option<&dyn JobRuns>,
    ) -> Result<JobStatus> {
        let state = self.state_object(&spec.source)?.read().await?;
        let mut status = self.status_of(spec, state.and_then(|state| state.hand_over));
        let run = status.hand_over.as_ref().and_then(HandOver::run);
        if let (Some(runs), Some(run)) = (runs, run)
            && let RunState::Ended(how) = runs.state(run).await?
        {
            status.ended = Some(how);
        }
        Ok(status)
    }

    /// Ends what is left to a job, and stops its run, where there is one. None is started again
    /// before a person does.
    ///
    /// # Errors
    /// As [`crate::table::StateObject::update`], and where it is not known whether the run will stop.
    pub async fn cancel_job(
        &self,
        spec: &TableSpec,
        runs: Option<&dyn JobRuns>,
    ) -> Result<JobStatus> {
        let state = self.state_object(&spec.source)?.read().await?;
        let Some(found) = state.and_then(|state| state.hand_over) else {
            return Ok(self.status_of(spec, None));
        };
        let now = self.clock().now();
        let cancel = |state: &mut TableState| {
            if let Some(hand_over) = state.hand_over_of(found.id) {
                hand_over.cancel(now);
            }
        };
        let state = self.update_state(spec, cancel).await?;
        if let (Some(runs), Some(run)) = (runs, found.run()) {
            runs.stop(run).await?;
        }
        Ok(self.status_of(spec, state.hand_over))
    }

    fn status_of(&self, spec: &TableSpec, hand_over: Option<HandOver>) -> JobStatus {
        let now = self.clock().now();
        let is_live = hand_over.as_ref().is_some_and(|it| it.is_live(now));
        JobStatus { table: spec.source.to_string(), hand_over, is_live, ended: None }
    }
}
