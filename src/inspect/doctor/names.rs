//! Whether what is staged is configured, and the reverse.

use std::collections::BTreeMap;

use crate::config::{TableName, TableSpec, catalog_names};
use crate::disposition::remedy_of;
use crate::inspect::doctor::{Check, Finding, Severity};
use crate::nearest::nearest;
use crate::pipeline::Pipeline;
use crate::staging::{Survey, refused_order};

/// What a survey of staging shows beside the configured tables, of which `absent` have neither a
/// table nor an object.
pub(super) fn compare(pipeline: &Pipeline, found: &Survey, absent: &[TableName]) -> Vec<Finding> {
    let configured = &pipeline.settings().tables;
    let mut findings = Vec::new();
    if let Some(object) = found.transaction_ordered.first() {
        let refused = refused_order(object);
        findings.push(
            Finding::new(Severity::Problem, Check::Tables, refused.chain())
                .with_advice(remedy_of(&refused))
                .then("aws dms describe-endpoints --filters Name=endpoint-type,Values=target"),
        );
    }
    for name in &found.undiscovered {
        let what = "it is staged and matches a pattern, and the lock file does not know it";
        let finding = Finding::new(Severity::Warning, Check::Tables, what).of(name);
        let advice = "write the lock file anew, and deploy it with the configuration";
        findings.push(finding.with_advice(advice).then("dmslake discover"));
    }
    findings.extend(found.unconfigured.iter().map(|name| unconfigured(pipeline, name)));
    findings.extend(absent.iter().map(|name| nothing_of(name, &found.unconfigured)));
    findings.extend(alike(&found.unconfigured));
    findings.extend(names_of_catalogues(pipeline, configured));
    if findings.is_empty() {
        let what = "every staged table is configured, and every configured one is staged";
        findings.push(Finding::new(Severity::Ok, Check::Tables, what));
    }
    findings
}

/// A table that no `[[table]]` takes.
fn unconfigured(pipeline: &Pipeline, name: &TableName) -> Finding {
    let settings = pipeline.settings();
    let twin = settings.tables.iter().find(|table| differ_by_case(&table.source, name));
    if let Some(TableSpec { source, .. }) = twin {
        let what =
            format!("it is staged and not configured; {source} is: the names differ by case only");
        return Finding::new(Severity::Problem, Check::Tables, what)
            .of(name)
            .with_advice(format!(
                "DMS's folders are spelled as the source spells them: set source = \"{name}\", or \
                 give both a [[table]] with a name of its own if they are two tables"
            ))
            .then(proposal(pipeline));
    }
    Finding::new(Severity::Warning, Check::Tables, "it is staged, and no [[table]] takes it")
        .of(name)
        .with_advice("add its [[table]], which this prints; or take it out of the task's rules")
        .then(proposal(pipeline))
}

/// The command that prints a configuration for all that is staged.
fn proposal(pipeline: &Pipeline) -> String {
    let settings = pipeline.settings();
    format!("dmslake init --staging {} --lake {} --output -", settings.staging, settings.lake)
}

/// A configured table of which there is nothing.
fn nothing_of(name: &TableName, unconfigured: &[TableName]) -> Finding {
    let staged: Vec<String> = unconfigured.iter().map(TableName::to_string).collect();
    let what = "nothing is staged for it, and there is no table";
    match nearest(&name.to_string(), &staged) {
        Some(meant) => {
            let what = format!("{what}; {meant} is staged: is that meant?");
            Finding::new(Severity::Warning, Check::Tables, what)
                .of(name)
                .with_advice(format!("set source = \"{meant}\" if it is"))
                .then("dmslake status")
        }
        None => Finding::new(Severity::Note, Check::Tables, what)
            .of(name)
            .with_advice(
                "if it is empty at the source, its first row will create it; otherwise look at \
                 what DMS says of it",
            )
            .then(TASKS),
    }
}

/// The command that tells how DMS's tasks stand.
pub(super) const TASKS: &str = "aws dms describe-replication-tasks --query \
    'ReplicationTasks[].[ReplicationTaskIdentifier,Status,StopReason,LastFailureMessage]'";

/// Staged tables whose names differ by case only, and of which none is configured.
fn alike(unconfigured: &[TableName]) -> Vec<Finding> {
    let mut by_case: BTreeMap<String, Vec<&TableName>> = BTreeMap::new();
    for name in unconfigured {
        by_case.entry(name.to_string().to_lowercase()).or_default().push(name);
    }
    let alike = by_case.into_values().filter(|names| names.len() > 1);
    let finding = |names: Vec<&TableName>| {
        let listed: Vec<String> = names.iter().map(ToString::to_string).collect();
        let what = format!("{} are staged: the names differ by case only", listed.join(" and "));
        Finding::new(Severity::Warning, Check::Tables, what)
            .with_advice(
                "if they are one table, lower_case_table_names of the source was changed: stage \
                 its load again under one name",
            )
            .then(TASKS)
    };
    alike.map(finding).collect()
}

fn differ_by_case(one: &TableName, other: &TableName) -> bool {
    one != other && one.to_string().to_lowercase() == other.to_string().to_lowercase()
}

/// Tables that would have one name in catalogues.
fn names_of_catalogues(pipeline: &Pipeline, configured: &[TableSpec]) -> Option<Finding> {
    let error = catalog_names(pipeline.settings(), configured).err()?;
    Some(
        Finding::new(Severity::Warning, Check::Tables, error.chain())
            .with_advice(remedy_of(&error))
            .then("dmslake help readers"),
    )
}
