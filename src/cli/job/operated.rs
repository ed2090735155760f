//! `dmslake job start`, `status` and `cancel`: what an operator asks and says of jobs in AWS Glue.

use crate::cli::args::OperatedJobArguments;
use crate::cli::chosen::{Chosen, Places, TableEnd};
use crate::cli::exit::Exit;
use crate::cli::output::{Results, Screen};
use crate::clock::shown;
use crate::error::{Error, ErrorKind, Result};
use crate::glue::{GlueJob, JobRuns};
use crate::pipeline::job::JobStatus;
use crate::table::Claim;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Start,
    Status,
    Cancel,
}

/// Does it for the chosen tables.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used, `StoreRefused` if the lake or
/// Glue cannot be used, `Unavailable` if one of them does not answer.
pub(super) async fn run(
    operation: Operation,
    arguments: &OperatedJobArguments,
    screen: &Screen,
) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.named.chosen(), Places::Lake, screen).await?;
    let pipeline = &chosen.pipeline;
    let job = pipeline.settings().hand_over.job.as_deref().map(GlueJob::new);
    let runs = job.as_ref().map(|job| job as &dyn JobRuns);
    let results = Results::new(screen, arguments.json);
    let operated = chosen.each(async |table| {
        let status = match operation {
            Operation::Start => pipeline.start_job(table, runs.ok_or_else(no_job)?).await,
            Operation::Status => pipeline.job_status(table, runs).await,
            Operation::Cancel => pipeline.cancel_job(table, runs).await,
        };
        match status {
            Ok(status) => {
                results.print(&status, |status, _| vec![line(status)])?;
                let is_as_asked = operation == Operation::Cancel || !has_failed(&status);
                Ok(if is_as_asked { TableEnd::Done } else { TableEnd::Attention })
            }
            Err(error) => Ok(TableEnd::refused_by(&error, &table.source, screen)),
        }
    });
    Ok(operated.await?.exit())
}

fn no_job() -> Error {
    Error::new(ErrorKind::Config, "the configuration names no job that could be started")
        .with_remedy(
            "set job in [hand_over] to the name of the job in Glue; or spread the work over this \
             machine: dmslake job run --table TABLE",
        )
}

fn has_failed(status: &JobStatus) -> bool {
    status.ended.is_some() || status.hand_over.is_some() && !status.is_live
}

fn line(status: &JobStatus) -> String {
    let JobStatus { table, hand_over, is_live, ended } = status;
    let Some(hand_over) = hand_over else { return format!("{table}: nothing is left to a job") };
    let stands = match (&hand_over.claim, ended) {
        (Claim::Failed { because, again, .. }, _) => {
            let again = again.map(|again| format!("; another one from {} on", shown(again)));
            format!("a job has failed: {because}{}", again.unwrap_or_default())
        }
        (_, Some(ended)) => ended.clone(),
        (Claim::Offered { .. } | Claim::Taken { .. }, None) if !is_live => {
            "a job has not been heard of in time".to_owned()
        }
        (Claim::Offered { .. }, None) => "a job is being started".to_owned(),
        (Claim::Taken { until, .. }, None) => {
            format!("a job is at work; it is to be heard of again by {}", shown(*until))
        }
    };
    let run = hand_over.run().map(|run| format!(", run {run}")).unwrap_or_default();
    let (since, why) = (shown(hand_over.since), &hand_over.why);
    format!("{table}: {stands} (since {since}{run}: {why})")
}
