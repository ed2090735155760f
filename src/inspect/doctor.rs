//! Whether it can work at all: credentials, places, settings, tables, readers, events.
//!
//! Everything is read; [`Asked::writes_probe`] alone lets it write one object, which it deletes. A
//! check that cannot be made says so: it never counts as fine.

mod account;
mod catalog;
mod clock;
mod cost;
mod expiry;
mod finding;
mod keys;
mod names;
mod notification;
mod pace;
mod places;
mod probe;
mod queue;
mod readers;
mod staged;
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{StreamExt as _, stream};

use crate::config::TableSpec;
use crate::disposition::remedy_of;
use crate::error::Error;
use crate::pipeline::Pipeline;
use crate::readers::glue::Glue;
use account::Account;
use keys::Counting;
use table::{Means, Seen};

pub use finding::{Check, Finding, Severity};
pub use probe::probe_folder;
pub use readers::Reader;

/// So many tables are looked at side by side: it is the store's answers that take time.
const AT_ONCE: usize = 16;

/// What is to be checked beyond what always is.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Readers that must be able to read the tables.
    pub readers: Vec<Reader>,
    /// Keys that are there twice are looked for in tables of at most so many rows.
    pub key_rows: u64,
    /// Whether to write an object, to see whether the store honours conditional writes.
    pub writes_probe: bool,
    /// Set while such an object may be there, for whoever ends a checkup half-way.
    pub is_probing: Arc<AtomicBool>,
    /// Whether all tables of the configuration are checked, and what is staged beside them.
    pub is_whole: bool,
}

/// Hears how a checkup goes on.
pub trait Progress: Sync {
    /// Another table was looked at.
    fn another(&self);
}

/// Checks these tables and what they share. The worst finding comes first; findings that are as bad
/// are in the order of checks, then of tables.
pub async fn checkup(
    pipeline: &Pipeline,
    tables: &[TableSpec],
    asked: &Asked,
    progress: &dyn Progress,
) -> Vec<Finding> {
    let is_on_s3 = pipeline.staging().bucket().or_else(|| pipeline.lake().bucket()).is_some();
    let account = if is_on_s3 { Some(Box::pin(Account::open()).await) } else { None };
    let account = account.as_ref();
    let mut findings = Vec::new();
    if let Some(account) = account {
        findings.extend(Box::pin(account.credentials()).await);
    } else {
        let what = "staging and lake are folders of this machine";
        findings.push(Finding::new(Severity::Skipped, Check::Credentials, what));
    }
    findings.push(Box::pin(clock::compare(pipeline, account)).await);
    let mut can_go_on = true;
    for check in [Check::Staging, Check::Lake] {
        let (is_listable, finding) = Box::pin(places::listable(pipeline, check)).await;
        can_go_on &= is_listable;
        findings.push(finding);
    }
    if can_go_on {
        if asked.writes_probe {
            asked.is_probing.store(true, Ordering::Relaxed);
            findings.extend(Box::pin(probe::probe(pipeline)).await);
            asked.is_probing.store(false, Ordering::Relaxed);
        } else {
            findings.push(probe::not_asked(pipeline));
        }
        findings.extend(Box::pin(of_tables(pipeline, tables, asked, account, progress)).await);
    } else {
        let what = "nothing else was checked, since staging or lake cannot be listed";
        let finding = Finding::new(Severity::Unknown, Check::Tables, what);
        findings.push(finding.with_advice("mend that first").then("dmslake doctor"));
    }
    sorted(findings)
}

/// The checkup of places that cannot be opened.
#[must_use]
pub fn refused_places(error: &Error) -> Vec<Finding> {
    vec![
        Finding::new(Severity::Problem, Check::Staging, error.chain())
            .with_advice(remedy_of(error))
            .then("dmslake help configuration"),
        Finding::new(Severity::Unknown, Check::Tables, "nothing else was checked")
            .with_advice("mend that first")
            .then("dmslake doctor"),
    ]
}

fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    // Those of one table stay in their order.
    findings.sort_by(|one, other| {
        (one.severity, one.check, &one.table).cmp(&(other.severity, other.check, &other.table))
    });
    // What the store refuses, each table has met.
    findings.dedup();
    findings
}

async fn of_tables(
    pipeline: &Pipeline,
    tables: &[TableSpec],
    asked: &Asked,
    account: Option<&Account>,
    progress: &dyn Progress,
) -> Vec<Finding> {
    let (expiry_days, mut findings) = Box::pin(expiry::rules(pipeline, account)).await;
    let glue = match opened_glue(pipeline).await {
        Ok(glue) => glue,
        Err(finding) => {
            findings.push(finding);
            None
        }
    };
    let now = pipeline.clock().now();
    let counting = Counting::new(pipeline, asked.key_rows);
    let counting = match &counting {
        Ok(counting) => Some(counting),
        Err(error) => {
            findings.push(
                Finding::new(Severity::Unknown, Check::Keys, error.chain())
                    .with_advice("let the folder for temporary files be writable")
                    .then("mktemp"),
            );
            None
        }
    };
    let means = Means { pipeline, asked, counting, glue: glue.as_ref(), expiry_days, now };
    let checks = tables.iter().map(|spec| async {
        let seen = Box::pin(table::check(&means, spec)).await;
        progress.another();
        seen
    });
    let seen: Vec<Seen> = stream::iter(checks).buffered(AT_ONCE).collect().await;
    let (mut absent, mut paces, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    for table in seen {
        findings.extend(table.findings);
        absent.extend(table.absent);
        paces.extend(table.pace);
        keys.extend(table.keys);
    }
    if asked.is_whole {
        findings.extend(match Box::pin(pipeline.survey()).await {
            Ok(found) => names::compare(pipeline, &found, &absent),
            Err(error) => vec![
                Finding::new(Severity::Unknown, Check::Tables, error.chain())
                    .with_advice(remedy_of(&error))
                    .then(places::look_into(pipeline.staging())),
            ],
        });
    }
    findings.extend(pace::quiet(&paces, now));
    findings.extend(Box::pin(events(pipeline, account, &keys)).await);
    findings
}

/// Glue, if the configuration asks for entries in it.
async fn opened_glue(pipeline: &Pipeline) -> Result<Option<Glue>, Finding> {
    if !pipeline.settings().catalog.glue {
        return Ok(None);
    }
    let glue = Box::pin(Glue::open()).await;
    match Box::pin(glue.probe()).await {
        Ok(()) => Ok(Some(glue)),
        Err(error) => Err(Finding::new(Severity::Unknown, Check::Catalog, error.chain())
            .with_advice(remedy_of(&error))
            .then("aws glue get-databases --max-items 1")),
    }
}

/// Who is told of new objects, and whether they listen.
async fn events(
    pipeline: &Pipeline,
    account: Option<&Account>,
    keys: &[notification::Keys],
) -> Vec<Finding> {
    let (Some(account), Some(bucket)) = (account, pipeline.staging().bucket()) else {
        let what = "staging is a folder of this machine: there are no events";
        return vec![Finding::new(Severity::Skipped, Check::Notification, what)];
    };
    let told = Box::pin(notification::read(account, bucket, keys)).await;
    let mut findings = told.findings;
    for queue in &told.queues {
        findings.extend(Box::pin(queue::read(account, queue)).await);
    }
    findings
}
