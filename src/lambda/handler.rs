//! One invocation from its event to its answer.

use lambda_runtime::LambdaEvent;
use serde_json::Value;
use tokio::sync::Mutex;
use tracing::{error, info, warn};

use super::apply::apply_all;
use super::maintain::maintain_all;
use super::response::{refuse, to_queue, to_sender};
use super::{Answer, ApplyTables, Deadline, Warm};
use crate::clock::Clock;
use crate::error::Result;
use crate::event::{self, Content, Invocation, Route};
use crate::nearest::nearest;

/// Handles an event with the configuration as it stands now.
///
/// # Errors
/// `Config` or `Unavailable` if the configuration cannot be read: then nothing was applied, and
/// the whole event is to be sent again. Otherwise as [`answer`].
pub async fn handle(
    warm: &Mutex<Warm>,
    clock: &dyn Clock,
    event: LambdaEvent<Value>,
) -> Result<Answer> {
    let deadline = Deadline::of_invocation(event.context.deadline, clock);
    let pipeline = warm.lock().await.pipeline().await?;
    answer(pipeline.as_ref(), &event.payload, deadline, clock).await
}

/// Applies the tables that an event rings for, maintains all of them after a sweep, and says what
/// is to be sent again. Maintenance that failed is logged; the next sweep tries it anew.
///
/// # Errors
/// Only for events that were sent to the function itself: that they are not understood, or that
/// a table failed or needs more time. A batch of a queue is told message by message instead.
pub async fn answer(
    tables: &dyn ApplyTables,
    event: &Value,
    deadline: Deadline,
    clock: &dyn Clock,
) -> Result<Answer> {
    let invocation = event::parse(event);
    let (ids, contents): (Vec<&str>, Vec<Content>) = match &invocation {
        Invocation::Queue(messages) => {
            messages.iter().map(|message| (message.id.as_str(), message.content.clone())).unzip()
        }
        Invocation::Direct(content) => (Vec::new(), vec![content.clone()]),
    };
    let route = event::route(tables.settings(), tables.staging(), &contents);
    write_log(&route, &ids);
    if let (Invocation::Direct(_), Some(reason)) = (&invocation, route.unreadable.get(&0)) {
        return Err(refuse(reason));
    }
    if route.is_sweep {
        for warning in tables.settings().warnings() {
            warn!("{warning}");
        }
    }
    let reports = apply_all(tables, &route.work, deadline, clock).await;
    let unconfigured = unconfigured(tables, &route, deadline, clock).await;
    for report in reports.iter().filter(|report| report.absent && route.is_sweep) {
        let nearest = nearest(&report.table, &unconfigured);
        warn!(table = report.table, nearest, "nothing is staged, and there is no table");
    }
    let maintenance =
        if route.is_sweep { maintain_all(tables, deadline, clock).await } else { Vec::new() };
    match invocation {
        Invocation::Queue(_) => Ok(to_queue(&ids, &route, &reports)),
        Invocation::Direct(_) => to_sender(reports, unconfigured, maintenance),
    }
}

/// Names of staged tables that are not configured. A sweep looks for them, if time is left.
async fn unconfigured(
    tables: &dyn ApplyTables,
    route: &Route<'_>,
    deadline: Deadline,
    clock: &dyn Clock,
) -> Vec<String> {
    let mut found = route.unconfigured.clone();
    if route.is_sweep && clock.instant() < deadline.commit {
        match tokio::time::timeout_at(deadline.drop.into(), tables.survey()).await {
            Ok(Ok(staged)) => {
                for object in &staged.transaction_ordered {
                    error!(object, "transaction-ordered objects are not supported");
                }
                found.extend(staged.unconfigured);
            }
            Ok(Err(error)) => warn!(error = error.chain(), "staging could not be looked through"),
            Err(_elapsed) => warn!("no time was left to look through staging"),
        }
    }
    let names: Vec<_> = found.iter().map(ToString::to_string).collect();
    if !names.is_empty() {
        warn!(tables = names.join(", "), "staged tables are not configured");
    }
    names
}

fn write_log(route: &Route<'_>, ids: &[&str]) {
    for (message, reason) in &route.unreadable {
        let id = ids.get(*message).copied().unwrap_or_default();
        error!(message_id = id, reason = reason.0, "event is not understood");
    }
    if route.elsewhere > 0 {
        info!(objects = route.elsewhere, "objects stand in no table's folder of staging");
    }
}
