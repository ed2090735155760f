//! One invocation, from its event to its answer.

use lambda_runtime::LambdaEvent;
use serde_json::Value;
use tokio::sync::Mutex;
use tracing::{error, info, warn};

use super::apply::{apply_all, due, undiscovered};
use super::maintain::maintain_all;
use super::response::{refuse, to_queue, to_sender};
use super::status::told;
use super::{Answer, ApplyTables, Deadline, Warm};
use crate::clock::Clock;
use crate::config::TableName;
use crate::error::Result;
use crate::event::{self, Content, Invocation, Route};
use crate::metrics::{Process, Snapshot};
use crate::nearest::nearest;
use crate::staging::Survey;

/// Handles an event with the current configuration. One that asks how tables stand is answered, and
/// nothing is applied.
///
/// # Errors
/// `Config` or `Unavailable` if the configuration cannot be read. Nothing was applied then, and the
/// whole event has to be sent again. Otherwise as [`answer`].
pub async fn handle(
    warm: &Mutex<Warm>,
    clock: &dyn Clock,
    event: LambdaEvent<Value>,
) -> Result<Answer> {
    let deadline = Deadline::of_invocation(event.context.deadline, clock);
    let pipeline = warm.lock().await.pipeline().await?;
    if let Some(names) = event::asked_status(&event.payload) {
        let names = names.map_err(|reason| refuse(&reason))?;
        return told(&pipeline, &names, deadline).await;
    }
    answer(pipeline.as_ref(), &event.payload, deadline, clock).await
}

/// Applies the tables that an event names, and all of them in a sweep, which also maintains them.
/// Returns what has to be sent again. Maintenance that fails is logged, and retried by the next
/// sweep.
///
/// # Errors
/// Only for events that were sent to the function itself: if the event is not understood, or if a
/// table failed or needs more time. A queue is told which messages failed instead.
pub async fn answer(
    tables: &dyn ApplyTables,
    event: &Value,
    deadline: Deadline,
    clock: &dyn Clock,
) -> Result<Answer> {
    let begun = clock.now();
    let invocation = event::parse(event);
    let (ids, contents): (Vec<&str>, Vec<Content>) = match &invocation {
        Invocation::Queue(messages) => {
            messages.iter().map(|message| (message.id.as_str(), message.content.clone())).unzip()
        }
        Invocation::Direct(content) => (Vec::new(), vec![content.clone()]),
    };
    let mut route = event::route(tables.settings(), tables.staging(), &contents);
    write_log(&route, &ids);
    if let (Invocation::Direct(_), Some(reason)) = (&invocation, route.unreadable.get(&0)) {
        return Err(refuse(reason));
    }
    if route.is_sweep {
        for warning in tables.settings().warnings() {
            warn!("{warning}");
        }
    }
    route.work = due(tables, route.work).await;
    let mut reports = apply_all(tables, &route.work, deadline, clock).await;
    let staged = beside(tables, &route, deadline, clock).await;
    let unconfigured = names_of(&staged.unconfigured);
    if !unconfigured.is_empty() {
        warn!(tables = unconfigured.join(", "), "staged tables are not configured");
    }
    // After those of the tables that the event calls for.
    reports.extend(undiscovered(&staged.undiscovered));
    for report in reports.iter().filter(|report| report.absent && route.is_sweep) {
        let nearest = nearest(&report.table, &unconfigured);
        warn!(table = report.table, nearest, "nothing is staged, and there is no table");
    }
    let process = Process::this(tables.settings(), begun, clock.now());
    let time_left = deadline.drop.saturating_duration_since(clock.instant());
    tables.publish(&Snapshot::of_run(&reports, &process), time_left).await;
    let maintenance =
        if route.is_sweep { maintain_all(tables, deadline, clock).await } else { Vec::new() };
    match invocation {
        Invocation::Queue(_) => Ok(to_queue(&ids, &route, &reports)),
        Invocation::Direct(_) => to_sender(reports, unconfigured, maintenance),
    }
}

/// What is staged beside the configured tables, as far as the event names it. A sweep looks for all
/// of it, if there is time.
async fn beside(
    tables: &dyn ApplyTables,
    route: &Route<'_>,
    deadline: Deadline,
    clock: &dyn Clock,
) -> Survey {
    let named = Survey {
        unconfigured: route.unconfigured.iter().cloned().collect(),
        undiscovered: route.undiscovered.iter().cloned().collect(),
        transaction_ordered: Vec::new(),
    };
    if !route.is_sweep || clock.instant() >= deadline.commit {
        return named;
    }
    match tokio::time::timeout_at(deadline.drop.into(), tables.survey()).await {
        Ok(Ok(staged)) => {
            for object in &staged.transaction_ordered {
                error!(object, "transaction-ordered objects are not supported");
            }
            return staged;
        }
        Ok(Err(error)) => warn!(error = error.chain(), "staging could not be surveyed"),
        Err(_elapsed) => warn!("no time was left to survey staging"),
    }
    named
}

fn names_of(tables: &[TableName]) -> Vec<String> {
    tables.iter().map(ToString::to_string).collect()
}

fn write_log(route: &Route<'_>, ids: &[&str]) {
    for (message, reason) in &route.unreadable {
        let id = ids.get(*message).copied().unwrap_or_default();
        error!(message_id = id, reason = reason.0, "event is not understood");
    }
    if route.elsewhere > 0 {
        info!(objects = route.elsewhere, "objects are outside the staging folders of all tables");
    }
}
