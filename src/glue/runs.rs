//! Runs of the Glue job that applies what is too much for the function (`infra/glue/apply_table.py`).

use std::error::Error as StdError;
use std::fmt;

use async_trait::async_trait;
use aws_sdk_glue::Client;
use aws_sdk_glue::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_glue::types::{JobRun, JobRunState};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::config::TableName;
use crate::error::{Error, ErrorKind, Result};
use crate::glue::{SERVICE, client, refused, unanswered};

const PERMIT: &str = "grant glue:StartJobRun, glue:GetJobRun and glue:BatchStopJobRun on the job to \
                      the role or user that runs dmslake, and try again";

/// What became of a request to start a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// It is started, or waits for workers; this is its id.
    Begun(String),
    /// There is none: why.
    Refused(String),
}

/// How a run stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It waits for workers, or works.
    Alive,
    /// It is over: how it ended.
    Ended(String),
}

/// Starts runs of a job and tells how they stand.
#[async_trait]
pub trait JobRuns: fmt::Debug + Send + Sync {
    /// Starts a run for one table, for the hand-over of that id.
    ///
    /// # Errors
    /// Where it is not known whether a run was started.
    async fn start(&self, table: &TableName, hand_over: Uuid) -> Result<Start>;
    /// How the run of that id stands.
    ///
    /// # Errors
    /// Where that is not told.
    async fn state(&self, run: &str) -> Result<RunState>;
    /// Stops the run of that id, if it is not over.
    ///
    /// # Errors
    /// Where it is not known whether it will stop.
    #[cfg(feature = "cli")]
    async fn stop(&self, run: &str) -> Result<()>;
}

/// A job in Glue, of the account and region in the standard AWS chain.
#[derive(Debug)]
pub struct GlueJob {
    name: String,
    /// Made when it is first needed: most invocations need none.
    client: OnceCell<Client>,
}

impl GlueJob {
    /// The job of that name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), client: OnceCell::new() }
    }

    async fn client(&self) -> &Client {
        self.client.get_or_init(client).await
    }

    fn failed<E>(&self, error: &SdkError<E>) -> Error
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let error = match error.as_service_error() {
            Some(answer) => refused(answer, "Glue rejected a request about the job", PERMIT),
            None => unanswered(error, SERVICE),
        };
        error.with("job", &self.name)
    }
}

/// Answers after which a run may have been started all the same.
const IN_DOUBT: [&str; 2] = ["InternalServiceException", "OperationTimeoutException"];

#[async_trait]
impl JobRuns for GlueJob {
    async fn start(&self, table: &TableName, hand_over: Uuid) -> Result<Start> {
        let asked = self.client().await.start_job_run().job_name(&self.name);
        let asked = asked.arguments("--table", table.to_string());
        let asked = asked.arguments("--claim", hand_over.to_string());
        let error = match Box::pin(asked.send()).await {
            Ok(answer) => {
                return answer.job_run_id.map(Start::Begun).ok_or_else(|| {
                    Error::new(ErrorKind::Unavailable, "Glue told no id of a run that it started")
                        .with("job", &self.name)
                });
            }
            Err(error) => error,
        };
        let told = self.failed(&error);
        let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
        let is_refused = match code {
            Some(code) => !IN_DOUBT.contains(&code),
            None => told.kind() == ErrorKind::StoreRefused,
        };
        if is_refused { Ok(Start::Refused(told.chain())) } else { Err(told) }
    }

    async fn state(&self, run: &str) -> Result<RunState> {
        let asked = self.client().await.get_job_run().job_name(&self.name).run_id(run);
        match Box::pin(asked.send()).await {
            Ok(answer) => Ok(answer.job_run.as_ref().map_or(RunState::Alive, state_of)),
            Err(error) if is_unknown(&error) => {
                Ok(RunState::Ended("Glue knows no such run".to_owned()))
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    #[cfg(feature = "cli")]
    async fn stop(&self, run: &str) -> Result<()> {
        let asked = self.client().await.batch_stop_job_run().job_name(&self.name);
        let answer = Box::pin(asked.job_run_ids(run).send()).await;
        let answer = answer.map_err(|error| self.failed(&error))?;
        let Some(refused) = answer.errors().first() else { return Ok(()) };
        // One that is over cannot be stopped, which is as well.
        if self.state(run).await? != RunState::Alive {
            return Ok(());
        }
        let why = refused.error_detail().and_then(|detail| detail.error_message());
        Err(Error::new(ErrorKind::Unavailable, "Glue did not stop the run")
            .with("job", &self.name)
            .with("run", run)
            .with("message", why.unwrap_or_default()))
    }
}

fn is_unknown<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    code == Some("EntityNotFoundException")
}

fn state_of(run: &JobRun) -> RunState {
    let Some(state) = run.job_run_state() else { return RunState::Alive };
    let is_over = matches!(
        state,
        JobRunState::Succeeded
            | JobRunState::Failed
            | JobRunState::Error
            | JobRunState::Timeout
            | JobRunState::Stopped
            | JobRunState::Expired
    );
    if !is_over {
        return RunState::Alive;
    }
    let how = format!("its run in Glue ended: {}", state.as_str());
    RunState::Ended(match run.error_message() {
        Some(message) if !message.is_empty() => format!("{how}: {message}"),
        _ => how,
    })
}
