//! Whether manifests and the entries in AWS Glue are those of the newest version.

use crate::config::TableSpec;
use crate::disposition::remedy_for;
use crate::error::{Error, Result};
use crate::inspect::doctor::{Check, Finding, Severity};
use crate::pipeline::Pipeline;
use crate::readers::glue::{EntryState, Glue};
use crate::readers::manifest_lag;
use crate::table::LakeTable;

/// Compares what follows a table with it; `glue` is there if the configuration asks for entries.
pub(super) async fn compare(
    pipeline: &Pipeline,
    spec: &TableSpec,
    table: &LakeTable,
    glue: Option<&Glue>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if spec.redshift_manifest {
        let found = Box::pin(manifest(pipeline, spec, table)).await;
        findings.push(found.unwrap_or_else(|error| unknown(spec, &error)));
    }
    if let Some(glue) = glue {
        let found = Box::pin(entry(pipeline, spec, table, glue)).await;
        findings.push(found.unwrap_or_else(|error| unknown(spec, &error)));
    }
    findings
}

async fn manifest(pipeline: &Pipeline, spec: &TableSpec, table: &LakeTable) -> Result<Finding> {
    let location = pipeline.lake_folder(&spec.source)?;
    let source = &spec.source;
    Ok(match manifest_lag(&location, table).await? {
        None => Finding::new(Severity::Ok, Check::Catalog, "the manifest lists the newest files"),
        Some(why) => {
            let what = format!("Redshift does not see the newest version: {why}");
            Finding::new(Severity::Warning, Check::Catalog, what)
                .with_advice(
                    "maintenance writes masked rows out, and the next application the manifest",
                )
                .then(format!(
                    "dmslake maintain --table {source} && dmslake apply --table {source}"
                ))
        }
    }
    .of(source))
}

async fn entry(
    pipeline: &Pipeline,
    spec: &TableSpec,
    table: &LakeTable,
    glue: &Glue,
) -> Result<Finding> {
    let name = pipeline.settings().catalog.name_of(spec);
    let location = pipeline.lake_folder(&spec.source)?;
    let register = format!("dmslake register --table {}", spec.source);
    let warning = |what: String| Finding::new(Severity::Warning, Check::Catalog, what);
    Ok(match glue.compare(&name, &location, table).await? {
        EntryState::InStep => {
            Finding::new(Severity::Ok, Check::Catalog, "its entry in Glue has its columns")
        }
        EntryState::Missing => warning(format!("Glue has no entry {name}"))
            .with_advice("make it; its database must be there")
            .then(register),
        EntryState::Behind => warning(format!("the entry {name} in Glue has other columns"))
            .with_advice("bring it in step")
            .then(register),
        EntryState::OfOthers(theirs) => Finding::new(
            Severity::Problem,
            Check::Catalog,
            format!("the entry {name} in Glue belongs to {theirs}"),
        )
        .with_advice(
            "give the table another catalog name (name = \"…\" in its [[table]]), or delete the \
                 entry if nobody needs it",
        )
        .then(format!(
            "aws glue get-table --database-name {} --name {}",
            name.database, name.table
        )),
    }
    .of(&spec.source))
}

fn unknown(spec: &TableSpec, error: &Error) -> Finding {
    Finding::new(Severity::Unknown, Check::Catalog, error.chain())
        .of(&spec.source)
        .with_advice(remedy_for(error, &spec.source.to_string()))
        .then("aws glue get-databases --max-items 1")
}
