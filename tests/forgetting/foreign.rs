//! What others do to the table, before and meanwhile.

use std::collections::BTreeSet;
use std::fs;

use deltalake::DeltaTableBuilder;
use dmslake::pipeline::Status;
use serde_json::json;

use super::refusals::commit;
use super::site::{MARK, Site, line, without};
use super::{KEYS, MODES, files, scene};

/// Deletes rows as another writer, whose commit tells the condition.
pub(super) async fn delete(site: &Site, condition: &str) {
    let location = site.location();
    let table = DeltaTableBuilder::from_url(location.url().clone())
        .unwrap()
        .with_storage_backend(location.store().clone(), location.url().clone())
        .load()
        .await
        .unwrap();
    let deleted = table.delete().with_predicate(condition).await.unwrap();
    assert!(deleted.1.num_deleted_rows > Some(0), "{condition}");
}

/// Forgets the keys: they are gone from each of these versions, which lose nothing else, and from the
/// lake.
async fn forgets(site: &Site, before: &[BTreeSet<String>]) {
    let done = site.forget(&KEYS).await;
    assert!(done.is_proven(), "{done:?}");
    let after = site.history(site.newest().await).await;
    for (version, rows) in before.iter().enumerate() {
        assert_eq!(after[version], without(rows, &KEYS), "version {version}");
    }
    assert_eq!(site.marked().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_others_hold_stays_held_and_forgets() {
    let site = scene("on_foreign_commit = \"hold\"").await;
    delete(&site, "id = 13").await;
    let held = site.apply().await;
    assert_eq!(held.status, Status::Held, "{held:?}");
    let before = site.history(site.newest().await).await;

    let done = site.forget(&["13"]).await;
    assert!(done.is_proven() && done.found.conditions == 1, "{done:?}");
    // Its quarantine waits: the count of what is in it would be ours to change.
    let seven = site.forget(&["7"]).await;
    assert!(!seven.is_proven() && seven.proof.unwrap().quarantined_rows == 1, "{seven:?}");
    assert_eq!(seven.proof.unwrap().files_found, 0, "{seven:?}");
    assert!(seven.beyond.iter().any(|it| it.what.contains("others hold the table")), "{seven:?}");
    let after = site.history(site.newest().await).await;
    for (version, rows) in before.iter().enumerate() {
        assert_eq!(after[version], without(rows, &KEYS), "version {version}");
    }
    let log = site.table().log().await;
    let told = log.iter().flat_map(|commit| commit.actions("commitInfo"));
    let told = told.filter(|info| info["operation"] == "DELETE");
    let told: Vec<String> = told.map(|info| info["operationParameters"].to_string()).collect();
    assert!(told.len() == 1 && !told[0].contains("13"), "{told:?}");
    let still = site.apply().await;
    assert_eq!(still.status, Status::Held, "{still:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_others_wrote_are_written_again_as_they_were() {
    let site = scene("merge = \"copy-on-write\"\non_foreign_commit = \"report\"").await;
    // It rewrites the file with other row groups and statistics.
    delete(&site, "id = 3").await;
    let before = site.history(site.newest().await).await;
    forgets(&site, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_source_still_has_comes_back_and_is_told() {
    let mut site = scene(MODES[1]).await;
    let done = site.forget(&["13"]).await;
    let told = done.beyond.iter().find(|it| it.what.starts_with("the source")).unwrap();
    assert!(told.remedy.contains("dmslake verify shop.t"), "{told:?}");
    site.change(&[line("I", 13, &format!("{MARK} back"))]).await;
    let rows = site.history(site.newest().await).await.pop().unwrap();
    assert_eq!(rows.iter().filter(|row| row.contains(MARK)).count(), 2, "{rows:?}");
    let again = site.forget(&KEYS).await;
    assert!(again.is_proven() && again.found.rows == 2, "{again:?}");
    assert_eq!(site.marked().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_whose_paths_the_log_encodes_are_written_again() {
    let home = tempfile::tempdir().unwrap();
    let extra = "merge = \"copy-on-write\"\non_foreign_commit = \"report\"";
    let (site, folder) = files::scene(home.path(), extra).await;
    // Another writer gives the file another name.
    let log = site.table().log().await;
    let mut add = log.iter().flat_map(|commit| commit.actions("add")).last().unwrap().clone();
    let name = add["path"].as_str().unwrap().to_owned();
    fs::copy(folder.join(&name), folder.join("Stra\u{df}e 50% a+b.parquet")).unwrap();
    let remove = json!({"remove": {"path": name, "deletionTimestamp": 1, "dataChange": false}});
    add["path"] = json!("Stra%C3%9Fe%2050%25%20a+b.parquet");
    let version = commit(&site, &folder, &[remove, json!({"add": add})]).await;
    let before = site.history(version).await;
    assert_eq!(before.last(), before.iter().rev().nth(1));

    forgets(&site, &before).await;
}
