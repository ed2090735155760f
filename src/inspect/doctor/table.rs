//! All that is checked of one table.

use chrono::{DateTime, Utc};

use crate::config::{TableName, TableSpec};
use crate::error::ErrorKind;
use crate::inspect::doctor::keys::{self, Counting};
use crate::inspect::doctor::notification::Keys;
use crate::inspect::doctor::pace::Pace;
use crate::inspect::doctor::staged::{self, Sight};
use crate::inspect::doctor::{Asked, Check, Finding, Severity, catalog, cost, expiry, readers};
use crate::inspect::state::State;
use crate::inspect::status::{TableStatus, status_of};
use crate::pipeline::{Look, Pipeline, Scope, Standing};
use crate::readers::glue::Glue;
use crate::schema::ColumnChange;

/// What is told of one table, and what the checks of all tables together need of it.
pub(super) struct Seen {
    pub(super) findings: Vec<Finding>,
    /// Whether there is neither a table nor an object of it.
    pub(super) absent: Option<TableName>,
    pub(super) pace: Option<Pace>,
    pub(super) keys: Option<Keys>,
}

/// What all tables are checked with.
pub(super) struct Means<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) asked: &'a Asked,
    pub(super) counting: Option<&'a Counting>,
    pub(super) glue: Option<&'a Glue>,
    /// After how many days staged objects are deleted.
    pub(super) expiry_days: Option<u32>,
    pub(super) now: DateTime<Utc>,
}

/// Looks at one table once, and checks what is seen.
pub(super) async fn check(means: &Means<'_>, spec: &TableSpec) -> Seen {
    let Means { pipeline, asked, counting, glue, expiry_days, now } = *means;
    let looked = Box::pin(pipeline.look(spec, &Scope::Everything)).await;
    let (mut listing, mut table, mut changes) = (None, None, Vec::new());
    if let Ok(look) = &looked {
        listing = Some(look.listing.clone());
        table.clone_from(&look.table);
        changes = column_changes(look);
    }
    let status = Box::pin(status_of(pipeline, spec, looked)).await;
    let mut findings = vec![state(&status)];
    let mut seen = Seen { findings: Vec::new(), absent: None, pace: None, keys: None };
    if status.state == State::Absent {
        seen.absent = Some(spec.source.clone());
        return seen;
    }
    if let Some(listing) = &listing {
        let sight = Sight { pipeline, spec, table: table.as_ref(), changes: &changes };
        findings.extend(Box::pin(staged::look(&sight, listing, status.reason.as_deref())).await);
        seen.pace = Some(Pace::of(&spec.source, listing));
        seen.keys = pipeline.staging_folder(&spec.source).ok().map(|folder| {
            let newest = listing.objects.last().map(|object| object.location.to_string());
            Keys {
                table: spec.source.clone(),
                is_object: newest.is_some(),
                key: newest.unwrap_or_else(|| format!("{}/", folder.prefix())),
            }
        });
    }
    if let Some(table) = &table {
        if let Some(counting) = counting {
            findings.push(Box::pin(keys::unique(spec, table, counting)).await);
        }
        if let Some(protocol) = &status.protocol {
            findings.extend(readers::compare(
                spec,
                protocol,
                pipeline.lake().kind(),
                &asked.readers,
            ));
        }
        findings.push(Box::pin(cost::compare(spec, table)).await);
        findings.extend(Box::pin(catalog::compare(pipeline, spec, table, glue)).await);
    }
    findings.extend(expiry::of_pending(&spec.source, &status, expiry_days, now));
    seen.findings = findings;
    seen
}

/// That the store refuses what it lists. It is the same for all tables, so none is named.
pub(super) fn unreadable(check: Check, reason: &str) -> Finding {
    let sentence = reason.split(" (").next().unwrap_or(reason);
    let what = format!("objects are listed and cannot be read: {sentence}");
    Finding::new(Severity::Problem, check, what)
}

/// How columns are to be changed before the next object is applied.
fn column_changes(look: &Look) -> Vec<ColumnChange> {
    match &look.standing {
        Standing::Reshape(reshaping) => reshaping.changes.clone(),
        _ => Vec::new(),
    }
}

/// How the table stands, as `dmslake status` has it.
fn state(status: &TableStatus) -> Finding {
    if status.kind == Some(ErrorKind::StoreRefused) {
        return unreadable(Check::State, status.reason.as_deref().unwrap_or_default())
            .with_advice(status.remedy.as_deref().unwrap_or_default())
            .then("dmslake status");
    }
    let severity = match status.state {
        State::Unreadable | State::Held => Severity::Problem,
        State::Paused => Severity::Warning,
        State::Reloading | State::HandedOver | State::Behind | State::Absent => Severity::Note,
        State::Ok => Severity::Ok,
    };
    let reason = status.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let what = match status.state {
        State::Ok => "all that is staged is applied".to_owned(),
        state => format!("{}{reason}", state.as_str()),
    };
    Finding {
        table: Some(status.table.clone()),
        remedy: status.remedy.clone(),
        next: status.next.clone().or_else(|| {
            (severity < Severity::Ok).then(|| format!("dmslake status {}", status.table))
        }),
        ..Finding::new(severity, Check::State, what)
    }
}
