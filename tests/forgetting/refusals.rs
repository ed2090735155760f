//! What is refused before anything is changed, and what lets it go on.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use chrono::TimeDelta;
use dmslake::clock::{Clock, SystemClock};
use dmslake::error::{Error, ErrorKind};
use dmslake::forget;
use dmslake::table::{Forgetting, HandOver, Reshape};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use super::files::{log_file, scene};
use super::site::{MARK, Site, line, objects};
use super::{KEYS, MODES, without};

/// The refusal of a plan, and of carrying it out: nothing is changed.
async fn refused(site: &Site, keys: &[&str]) -> Error {
    let before = objects(&site.lake).await;
    let pipeline = site.pipeline();
    let texts: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
    let planned = forget::plan_forget(&pipeline, &Site::spec(&pipeline), &texts, &|_| {}).await;
    let (planned, refused) = (planned.expect_err("refused"), act(site, keys).await);
    assert_eq!(planned.chain(), refused.chain());
    assert!(before == objects(&site.lake).await, "nothing is changed");
    refused
}

/// The refusal to carry it out.
async fn act(site: &Site, keys: &[&str]) -> Error {
    let refused = site.forget_on(site.lake.clone(), keys).await.expect_err("refused");
    assert_eq!(refused.kind(), ErrorKind::TableRefused, "{refused:?}");
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_at_which_a_job_is_at_work_waits_for_it() {
    let home = tempfile::tempdir().unwrap();
    let (site, _) = scene(home.path(), MODES[0]).await;
    site.with_state(|state| {
        state.hand_over =
            Some(HandOver::taken(SystemClock.attempt_id(), "much", None, SystemClock.now()));
    })
    .await;
    let refusal = refused(&site, &["7"]).await;
    assert!(refusal.chain().contains("a job is at work"), "{refusal:?}");
    site.with_state(|state| state.hand_over = None).await;
    assert!(site.forget(&["7"]).await.is_proven());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_in_several_files_is_refused_until_it_has_expired() {
    let home = tempfile::tempdir().unwrap();
    let (site, folder) = scene(home.path(), MODES[0]).await;
    let opened = dmslake::table::open(&site.location(), None).await.unwrap().unwrap();
    deltalake::checkpoints::create_checkpoint(opened.delta(), None).await.unwrap();
    let version = opened.version();
    let checkpoint = folder.join(format!("_delta_log/{version:020}.checkpoint.parquet"));
    let sidecar = folder.join("_delta_log/_sidecars/one.parquet");
    fs::create_dir_all(sidecar.parent().unwrap()).unwrap();
    fs::copy(&checkpoint, &sidecar).unwrap();
    let before = site.history(version).await;
    let refusal = refused(&site, &["7"]).await;
    assert!(refusal.own_remedy().unwrap().contains("delta.checkpointPolicy"), "{refusal:?}");
    assert_eq!(site.history(version).await, before);
    fs::remove_file(&sidecar).unwrap();
    assert!(site.forget(&["7"]).await.is_proven());
    assert_eq!(site.marked().await, [""; 0]);
}

/// Commits such actions as another writer, as the next version.
/// Commits actions as another writer.
pub(super) async fn commit(site: &Site, folder: &Path, actions: &[Value]) -> u64 {
    let version = site.newest().await + 1;
    let info = json!({"commitInfo": {"timestamp": 1, "operation": "WRITE"}});
    let lines: Vec<String> = [&info].into_iter().chain(actions).map(Value::to_string).collect();
    fs::write(log_file(folder, version), lines.join("\n")).unwrap();
    version
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_names_other_files_is_refused_whatever_they_hold() {
    let home = tempfile::tempdir().unwrap();
    let (site, folder) = scene(home.path(), MODES[0]).await;
    let opened = dmslake::table::open(&site.location(), None).await.unwrap().unwrap();
    deltalake::checkpoints::create_checkpoint(opened.delta(), None).await.unwrap();
    let name = format!("{:020}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json", 1);
    let checkpoint = folder.join("_delta_log").join(name);
    let actions = [
        json!({"checkpointMetadata": {"version": 1}}),
        json!({"sidecar": {"path": "one.parquet", "sizeInBytes": 1, "modificationTime": 1}}),
    ];
    fs::write(&checkpoint, actions.map(|it| it.to_string()).join("\n")).unwrap();
    let refusal = refused(&site, &["4711"]).await;
    assert!(refusal.own_remedy().unwrap().contains("delta.checkpointPolicy"), "{refusal:?}");
    fs::remove_file(&checkpoint).unwrap();
    assert!(site.forget(&["7"]).await.is_proven());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_whose_columns_are_being_changed_is_applied_first() {
    let home = tempfile::tempdir().unwrap();
    let (mut site, _) = scene(home.path(), MODES[0]).await;
    site.with_state(|state| {
        let (id, since) = (SystemClock.attempt_id(), SystemClock.now());
        state.reshape = Some(Reshape { id, since, changes: Vec::new() });
    })
    .await;
    let refusal = refused(&site, &["7"]).await;
    assert_eq!(refusal.own_remedy(), Some("dmslake apply --table TABLE"), "{refusal:?}");
    site.change(&[line("U", 8, "eight")]).await;
    assert!(site.forget(&["7"]).await.is_proven());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_forgets_at_a_time_and_who_died_is_waited_for_an_hour() {
    let home = tempfile::tempdir().unwrap();
    let (site, _) = scene(home.path(), MODES[0]).await;
    let id = SystemClock.attempt_id();
    site.with_state(|state| {
        state.forgetting = Some(Forgetting { id, since: SystemClock.now() });
    })
    .await;
    let before = objects(&site.lake).await;
    let refusal = act(&site, &["7"]).await;
    assert!(refusal.own_remedy().unwrap().contains("in an hour"), "{refusal:?}");
    assert!(before == objects(&site.lake).await, "nothing is changed");
    assert_eq!(site.plan(&["7"]).await.found.rows, 1, "whoever only looks need not wait");
    site.with_state(|state| {
        let since = SystemClock.now() - TimeDelta::minutes(61);
        state.forgetting = Some(Forgetting { id, since });
    })
    .await;
    assert!(site.forget(&["7"]).await.is_proven());
    assert_eq!(site.with_state(|_| {}).await.forgetting, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_not_those_of_the_table_are_none_to_forget_by() {
    let home = tempfile::tempdir().unwrap();
    let (mut site, _) = scene(home.path(), MODES[0]).await;
    site.keys = "\"n\"";
    let refusal = refused(&site, &["7"]).await;
    assert!(refusal.own_remedy().unwrap().starts_with("set keys back"), "{refusal:?}");
    site.keys = "\"id\"";
    assert!(site.forget(&["7"]).await.is_proven());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_only_added_stay_and_so_does_the_quarantine() {
    let home = tempfile::tempdir().unwrap();
    let (mut site, _) = scene(home.path(), MODES[0]).await;
    site.change(&[format!("I,7,eu,{MARK} bad,none"), line("I", 30, "good")]).await;
    let set = async |value: &str| {
        let table = dmslake::table::load(&site.location()).await.unwrap().unwrap();
        let properties = [("delta.appendOnly".to_owned(), value.to_owned())].into();
        table.set_tbl_properties().with_properties(properties).await.unwrap();
    };
    set("true").await;
    let refusal = refused(&site, &["7"]).await;
    assert!(refusal.own_remedy().unwrap().contains("delta.appendOnly"), "{refusal:?}");
    set("false").await;
    let done = site.forget(&["7"]).await;
    assert!(done.is_proven() && done.found.quarantined_rows == 1, "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_without_the_key_columns_are_refused_until_they_have_expired() {
    let home = tempfile::tempdir().unwrap();
    let (site, folder) = scene(home.path(), MODES[0]).await;
    let rows = RecordBatch::try_from_iter([(
        "region",
        Arc::new(StringArray::from(vec!["eu"])) as arrow::array::ArrayRef,
    )])
    .unwrap();
    let path = folder.join("keyless.parquet");
    let mut writer = ArrowWriter::try_new(fs::File::create(&path).unwrap(), rows.schema(), None);
    writer.as_mut().unwrap().write(&rows).unwrap();
    writer.unwrap().close().unwrap();
    let bytes = fs::metadata(&path).unwrap().len();
    let add = json!({"add": {"path": "keyless.parquet", "partitionValues": {}, "size": bytes,
                             "modificationTime": 1, "dataChange": true}});
    let remove = json!({"remove": {"path": "keyless.parquet", "deletionTimestamp": 1,
                                   "dataChange": true}});
    let added = commit(&site, &folder, &[add]).await;
    let removed = commit(&site, &folder, &[remove]).await;
    let refusal = refused(&site, &["7"]).await;
    assert!(refusal.own_remedy().unwrap().contains("dmslake maintain"), "{refusal:?}");
    // As if the versions had expired, with their file.
    for version in [removed, added] {
        fs::remove_file(log_file(&folder, version)).unwrap();
    }
    let done = site.forget(&["7"]).await;
    // It cannot be searched, which is told.
    let told = done.beyond.iter().any(|it| it.what.contains("keyless.parquet"));
    assert!(done.is_proven() && told, "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_counts_other_rows_is_counted_anew_by_forgetting_again() {
    let home = tempfile::tempdir().unwrap();
    let (site, folder) = scene(home.path(), MODES[0]).await;
    let file = log_file(&folder, 2);
    let text = fs::read_to_string(&file).unwrap();
    let mut changed = Vec::new();
    for action in text.lines() {
        let mut action: Value = serde_json::from_str(action).unwrap();
        if let Some(rows) = action.pointer_mut("/commitInfo/dmslake/ledger/rows") {
            *rows = json!(rows.as_u64().unwrap() + 1);
        }
        changed.push(action.to_string());
    }
    // As a forgetting leaves it that is interrupted between two writes.
    fs::write(&file, changed.join("\n")).unwrap();
    let corrupt = dmslake::table::open_at(&site.location(), 2).await.unwrap_err();
    assert_eq!(corrupt.kind(), ErrorKind::TableCorrupt, "{corrupt:?}");
    assert!(corrupt.own_remedy().unwrap().starts_with("dmslake forget TABLE"), "{corrupt:?}");
    assert!(site.forget(&KEYS).await.is_proven());
    let opened = dmslake::table::open_at(&site.location(), 2).await.unwrap();
    let rows = site.history(2).await.pop().unwrap();
    assert_eq!((opened.rows(), &without(&rows, &KEYS)), (rows.len() as u64, &rows));
}
