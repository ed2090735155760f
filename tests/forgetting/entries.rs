//! Entries of the log that others have left: vectors that are gone, paths in another writing, removals
//! and their statistics, conditions and notes; and what is staged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use dmslake::error::ErrorKind;
use dmslake::forget::Forgotten;
use dmslake::pipeline::{Losses, Progress};
use dmslake::table::{self, AsOf};
use serde_json::json;
use uuid::Uuid;

use super::files::{age, log_file, scene};
use super::foreign::delete;
use super::site::{MARK, Site, line, without};
use super::{KEYS, MODES};

/// The remedy for what is out of reach.
fn remedy<'f>(report: &'f Forgotten, what: &str) -> &'f str {
    let found = report.beyond.iter().find(|it| it.what.contains(what));
    &found.unwrap_or_else(|| panic!("{what}: {report:?}")).remedy
}

#[tokio::test(flavor = "multi_thread")]
async fn staged_objects_that_are_not_applied_are_not_named_to_be_deleted() {
    let home = tempfile::tempdir().unwrap();
    let (mut site, _) = scene(home.path(), MODES[0]).await;
    let name = site.stage(&[line("U", 7, "later")]).await;
    let plan = site.plan(&["7"]).await;
    let [pending] = &plan.staged.pending[..] else { panic!("{plan:?}") };
    assert!(pending.ends_with(&name) && plan.staged.objects.len() == 5, "{plan:?}");
    let told = remedy(&plan, "5 staged objects");
    assert!(told.contains("dmslake apply --table shop.t") && !told.contains(&name), "{told}");
    assert_eq!(told.matches("rm '").count(), 4, "{told}");
    // As it says.
    site.apply().await;
    let done = site.forget(&["7"]).await;
    assert!(done.is_proven() && done.staged.pending.is_empty(), "{done:?}");
    let told = remedy(&done, "5 staged objects");
    assert!(!told.contains("apply") && told.matches("rm '").count() == 5, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_that_were_vacuumed_make_no_other_version_unreadable() {
    let home = tempfile::tempdir().unwrap();
    let (mut site, folder) = scene(home.path(), MODES[1]).await;
    for id in [6, 8] {
        site.change(&[line("U", id, "changed")]).await;
    }
    let newest = site.newest().await;
    let before = site.history(newest).await;
    let (mut named, mut last) = (Vec::new(), BTreeMap::new());
    for commit in site.table().log().await {
        for add in commit.actions("add") {
            let Some(vector) = add["deletionVector"]["pathOrInlineDv"].as_str() else { continue };
            let id = z85::decode(&vector[vector.len() - 20..]).unwrap();
            let file = format!("deletion_vector_{}.bin", Uuid::from_slice(&id).unwrap());
            named.push((commit.version, add["path"].to_string(), file.clone()));
            last.insert(add["path"].to_string(), file);
        }
    }
    let live: BTreeSet<&String> = last.values().collect();
    let gone: Vec<&String> = named.iter().map(|it| &it.2).filter(|it| !live.contains(it)).collect();
    assert!(gone.len() >= 2, "{named:?}");
    for file in &gone {
        fs::remove_file(folder.join(file)).unwrap();
    }
    let first = named.iter().find(|it| gone.contains(&&it.2)).unwrap().0;
    let done = site.forget(&["7"]).await;
    assert!(done.is_proven(), "{done:?}");
    for version in (0..first).chain([newest]) {
        let opened = table::open_at(&site.location(), version).await.unwrap();
        let expected = without(&before[usize::try_from(version).unwrap()], &["7"]);
        assert_eq!(opened.rows(), expected.len() as u64, "version {version}");
        let rows = crate::support::table::shown(&site.table().batches(version).await, "NULL");
        assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), expected, "version {version}");
    }
    site.change(&[line("U", 9, "goes on")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_was_planned_before_brings_no_deleted_file_back() {
    let home = tempfile::tempdir().unwrap();
    let (site, _) = scene(home.path(), MODES[0]).await;
    let pipeline = site.pipeline();
    let spec = Site::spec(&pipeline);
    let plan = pipeline.plan_restore(&spec, AsOf::Version(2), Progress::Stays).await.unwrap();
    assert!(site.forget(&["7"]).await.is_proven());
    let newest = site.newest().await;
    let refused = pipeline.restore(&spec, &plan, Losses::Accepted).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TableRefused, "{refused:?}");
    assert_eq!(site.newest().await, newest);
    // Planned anew, the version comes back without the row.
    let plan = pipeline.plan_restore(&spec, AsOf::Version(2), Progress::Stays).await.unwrap();
    pipeline.restore(&spec, &plan, Losses::Accepted).await.unwrap();
    let rows = site.history(site.newest().await).await.pop().unwrap();
    assert!(rows.len() == 19 && without(&rows, &["7"]) == rows, "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn removals_tell_nothing_of_files_that_no_entry_names() {
    let home = tempfile::tempdir().unwrap();
    let (site, folder) = scene(home.path(), MODES[0]).await;
    let bounds = |low: &str, text: &str| {
        json!({"numRecords": 2, "minValues": {"id": low.parse::<i32>().unwrap(), "v": text},
               "maxValues": {"id": 9, "v": text}, "nullCount": {}})
        .to_string()
    };
    let remove = |path: &str, stats: String| {
        json!({"remove": {"path": path, "deletionTimestamp": 1, "dataChange": true,
                          "stats": stats}})
    };
    let actions = [
        json!({"commitInfo": {"timestamp": 1, "operation": "WRITE", "userMetadata": "a note"}}),
        remove("expired.parquet", bounds("7", MARK)),
        remove("other.parquet", bounds("8", "kept")),
    ];
    let version = site.newest().await + 1;
    let file = log_file(&folder, version);
    fs::write(&file, actions.map(|it| it.to_string()).join("\n")).unwrap();
    let done = site.forget(&["7"]).await;
    assert!(done.is_proven() && done.found.gone_files == 1, "{done:?}");
    assert!(remedy(&done, "1 commit of other writers").contains("dmslake history"), "{done:?}");
    assert_eq!(site.marked().await, [""; 0]);
    assert!(fs::read_to_string(&file).unwrap().contains("kept"));
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_of_commits_that_touch_the_rows_are_withheld_without_the_key() {
    let home = tempfile::tempdir().unwrap();
    let (site, _) =
        scene(home.path(), &format!("{}\non_foreign_commit = \"report\"", MODES[0])).await;
    delete(&site, &format!("v = '{MARK} 2'")).await;
    let done = site.forget(&["7"]).await;
    assert!(done.is_proven() && done.found.conditions == 0, "{done:?}");
    assert_eq!(site.marked().await, [""; 0]);
    // What is withheld is no key, even if a key is called so.
    assert!(!site.forget(&["7"]).await.has_found());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_writers_have_not_finished_goes_after_a_day() {
    let home = tempfile::tempdir().unwrap();
    let (site, folder) = scene(home.path(), MODES[0]).await;
    let log = folder.join("_delta_log");
    let old = [log.join("_commit_one.json.tmp"), log.join("00000000000000000002.json#1")];
    let young = [log.join("_commit_two.json.tmp"), folder.join("part-one.parquet#3")];
    for file in old.iter().chain(&young) {
        fs::write(file, MARK).unwrap();
    }
    for file in &old {
        age(file, std::time::Duration::from_hours(48));
    }
    let plan = site.plan(&["4711"]).await;
    assert!(plan.has_found() && plan.found.left_objects == 2, "{plan:?}");
    let done = site.forget(&["7"]).await;
    assert!(remedy(&done, "2 files that a writer has not finished").contains("forget again after"));
    assert!(old.iter().all(|file| !file.exists()) && young.iter().all(|file| file.exists()));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_rows_leave_the_quarantine_at_once() {
    let mut site = Site::new(MODES[1]);
    site.change(&(1..=9).map(|id| line("", id, "loaded")).collect::<Vec<_>>()).await;
    let bad = |id: i32| format!("I,{id},eu,{MARK} bad,none");
    site.change(&[bad(7), bad(13), bad(7), bad(50), line("I", 51, "good")]).await;
    site.change(&[bad(7), bad(13), line("I", 52, "good")]).await;
    let newest = site.newest().await;
    let done = site.forget(&KEYS).await;
    assert!(done.is_proven() && done.done.unwrap().quarantined_rows == 5, "{done:?}");
    // That they leave the quarantine, that they have left it, and that row 7 of the load is gone.
    assert_eq!(site.newest().await, newest + 3);
    let pipeline = site.pipeline();
    let spec = Site::spec(&pipeline);
    assert_eq!(pipeline.quarantine(&spec).await.unwrap().unwrap().waiting, 1, "that of 50");
}
