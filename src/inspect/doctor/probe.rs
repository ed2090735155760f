//! Whether the lake's store honours conditional writes: of two writers of one version of a table the
//! second must be refused. It writes one object and deletes it.

use futures::future::join_all;
use object_store::path::Path;
use object_store::{
    Error as StoreError, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutResult,
    UpdateVersion,
};

use crate::config::OWN;
use crate::disposition::remedy_of;
use crate::error::Error;
use crate::inspect::doctor::{Check, Finding, Severity};
use crate::pipeline::Pipeline;
use crate::storage::StoreKind;

/// Writers that want to create the object at the same time.
const WRITERS: usize = 8;
/// The folder of the object, below dmslake's own.
const FOLDER: &str = "doctor";

/// The folder in which a probe writes its object, as a person names it.
#[must_use]
pub fn probe_folder(pipeline: &Pipeline) -> String {
    format!("{}/", pipeline.lake().shown(&format!("{OWN}/{FOLDER}")))
}

/// That it was not asked for.
pub(super) fn not_asked(pipeline: &Pipeline) -> Finding {
    let what =
        "not tried, since it takes a write: that the store refuses the second of two writers";
    Finding::new(Severity::Unknown, Check::ConditionalPut, what)
        .with_advice(format!(
            "let it write one object below {} and delete it, once for each new store",
            probe_folder(pipeline)
        ))
        .then("dmslake doctor --write-probe")
}

/// Lets several writers create one object, and one replace it on a condition that is not met.
pub(super) async fn probe(pipeline: &Pipeline) -> Vec<Finding> {
    let lake = pipeline.lake();
    let name = pipeline.clock().attempt_id().to_string();
    let path = lake.prefix().clone().join(OWN).join(FOLDER).join(name);
    let store = lake.store().as_ref();
    let mut findings = vec![match race(store, &path, lake.kind()).await {
        Ok(finding) => finding,
        Err(error) => unwritable(pipeline, &error.into()),
    }];
    match store.delete(&path).await {
        Ok(()) | Err(StoreError::NotFound { .. }) => {}
        Err(error) => findings.push(undeletable(pipeline, &path, &error.into())),
    }
    findings
}

async fn race(
    store: &dyn ObjectStore,
    path: &Path,
    kind: StoreKind,
) -> Result<Finding, StoreError> {
    let create = || put(store, path, PutMode::Create);
    let attempts = join_all((0..WRITERS).map(|_| create())).await;
    let mut written = Vec::new();
    for attempt in attempts {
        written.extend(attempt?);
    }
    // What was written first is there for certain now.
    let again = create().await?;
    if written.len() > 1 || again.is_some() {
        return Ok(ignored("If-None-Match"));
    }
    if written.is_empty() {
        let what =
            format!("of {WRITERS} writers none was let through: the winner's answer was lost");
        return Ok(Finding::new(Severity::Unknown, Check::ConditionalPut, what)
            .with_advice("try again")
            .then("dmslake doctor --write-probe"));
    }
    // Only S3 has them: on a disk files are replaced under no condition.
    if kind == StoreKind::S3 {
        let stale = UpdateVersion { e_tag: Some("\"0\"".to_owned()), version: None };
        if put(store, path, PutMode::Update(stale)).await?.is_some() {
            return Ok(ignored("If-Match"));
        }
    }
    let what =
        format!("of {WRITERS} writers of one object the store let one through, and none after it");
    Ok(Finding::new(Severity::Ok, Check::ConditionalPut, what))
}

/// Writes on a condition; none if that is not met.
async fn put(
    store: &dyn ObjectStore,
    path: &Path,
    mode: PutMode,
) -> Result<Option<PutResult>, StoreError> {
    let options = PutOptions { mode, ..PutOptions::default() };
    match store.put_opts(path, "dmslake doctor\n".into(), options).await {
        Ok(written) => Ok(Some(written)),
        Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn ignored(condition: &str) -> Finding {
    let what = format!(
        "the store ignores {condition}: two writers may commit the same version of a table, and the \
         first one's rows are lost"
    );
    Finding::new(Severity::Problem, Check::ConditionalPut, what)
        .with_advice(
            "move the lake to a store that honours conditional writes (S3 does; old versions of \
             servers that speak its protocol do not), or never run two writers at once",
        )
        .then("dmslake doctor --write-probe")
}

fn unwritable(pipeline: &Pipeline, error: &Error) -> Finding {
    let what = format!("the lake cannot be written: {}", error.chain());
    Finding::new(Severity::Problem, Check::ConditionalPut, what)
        .with_advice(remedy_of(error))
        .then(super::places::look_into(pipeline.lake()))
}

fn undeletable(pipeline: &Pipeline, path: &Path, error: &Error) -> Finding {
    let object = pipeline.lake().shown(path.as_ref());
    let deletes = pipeline.settings().maintain.delete;
    let severity = if deletes { Severity::Warning } else { Severity::Note };
    let what = format!("{object} cannot be deleted again: {}", error.chain());
    let finding = Finding::new(severity, Check::ConditionalPut, what);
    if deletes {
        finding
            .with_advice(
                "grant s3:DeleteObject on the lake, which vacuum needs; or set delete = false in \
                 [maintain], and files that no version needs stay",
            )
            .then("dmslake help merging")
    } else {
        finding.with_advice("it does no harm there").then("dmslake help merging")
    }
}
