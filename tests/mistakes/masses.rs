//! Changes that delete or update more of a table than its configuration allows, and objects that
//! may pass once.

use dmslake::error::ErrorKind;
use dmslake::pipeline::{Losses, Status};
use dmslake::storage::StoreKind;
use serde_json::Value;

use super::site::{Site, faults};
use crate::support::hooked_store::Faults;

const LIMIT: &str = "max_change_fraction = { deleted = 0.5, updated = 0.75, min_rows = 10 }";

fn lines(op: &str, ids: std::ops::Range<u32>) -> Vec<String> {
    ids.map(|id| format!("{op},{id},v")).collect()
}

async fn stage(site: &Site, name: &str, rows: &[String]) {
    site.stage(name, &rows.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

/// A table of so many rows.
async fn loaded(extra: &str, rows: u32) -> Site {
    let site = Site::with(extra);
    let load: Vec<String> = (0..rows).map(|id| format!("{id},v")).collect();
    stage(&site, "LOAD00000001.csv", &load).await;
    assert_eq!(site.apply().await.status, Status::Ok);
    site
}

#[tokio::test]
async fn changes_that_delete_most_of_a_table_are_held_and_may_pass_once() {
    let site = loaded(LIMIT, 20).await;
    let mass = site.change(10);
    let mut rows = lines("D", 0..11);
    rows.push("I,50,v".into());
    stage(&site, &mass, &rows).await;
    let held = site
        .expect_held(&[
            "would delete 11 and update 0 of 20 rows",
            "inserted: 1",
            &mass,
            "dmslake resume shop.t",
        ])
        .await;
    assert_eq!(held.error_kind, Some(ErrorKind::TableRefused));
    assert_eq!((held.pending, held.objects, site.rows().await.len()), (1, 0, 20), "{held:?}");
    let resumed = site.resume(Losses::Refused).await;
    assert_eq!(resumed.let_pass, [mass]);
    // Also beside others, which share no commit with it.
    stage(&site, &site.change(20), &lines("U", 11..13)).await;
    let report = site.apply().await;
    assert_eq!((report.status, report.counts.deleted), (Status::Ok, 11), "{report:?}");
    let state: Value = serde_json::from_str(&site.state().await).unwrap();
    assert!(state["let_pass"].is_null() && state["held"].is_null(), "{state}");
    // Once: what comes next is judged again, by the rows that are left.
    stage(&site, &site.change(30), &lines("D", 11..17)).await;
    site.expect_held(&["would delete 6 and update 2 of 10 rows"]).await;
}

#[tokio::test]
async fn an_object_that_takes_the_place_of_one_that_may_pass_is_judged_itself() {
    for kind in [StoreKind::S3, StoreKind::File] {
        let site = Site { extra: LIMIT.into(), ..Site::on(kind) };
        let load: Vec<String> = (0..20).map(|id| format!("{id},v")).collect();
        stage(&site, "LOAD00000001.csv", &load).await;
        let mass = site.change(10);
        stage(&site, &mass, &lines("D", 0..11)).await;
        site.expect_held(&["would delete 11"]).await;
        assert_eq!(site.resume(Losses::Refused).await.let_pass.len(), 1);
        stage(&site, &mass, &lines("D", 0..19)).await;
        site.expect_held(&["would delete 19"]).await;
        assert_eq!(site.resume(Losses::Refused).await.let_pass.len(), 1);
        let report = site.apply().await;
        assert_eq!((report.status, report.counts.deleted), (Status::Ok, 19), "{report:?}");
    }
}

#[tokio::test]
async fn a_mass_change_in_many_objects_and_runs_is_one() {
    let site = loaded(LIMIT, 20).await;
    for (at, ids) in [(10, 0..4), (600, 4..8)] {
        stage(&site, &site.change(at), &lines("D", ids)).await;
        assert_eq!(site.apply().await.status, Status::Ok);
    }
    stage(&site, &site.change(1_200), &lines("D", 8..12)).await;
    site.expect_held(&[
        "would delete 12 and update 0 of 20 rows",
        "deleted and updated already: 8 and 0",
    ])
    .await;
    // What comes an hour later counts anew.
    let site = loaded(LIMIT, 20).await;
    for (at, ids) in [(10, 0..8), (3_700, 8..14)] {
        stage(&site, &site.change(at), &lines("D", ids)).await;
        let report = site.apply().await;
        assert_eq!(report.status, Status::Ok, "{report:?}");
    }
}

#[tokio::test]
async fn a_mass_change_that_memory_cuts_into_slices_is_one() {
    let site = Site { small: true, ..loaded(LIMIT, 12_000).await };
    let mass = site.change(10);
    let long = "v".repeat(200);
    let rows: Vec<String> = (0..12_000).map(|id| format!("D,{id},{long}")).collect();
    stage(&site, &mass, &rows).await;
    let held = site.expect_held(&["of 12000 rows", "deleted and updated already"]).await;
    let left = site.rows().await.len();
    assert!((6_000..12_000).contains(&left), "{left} rows are left: {held:?}");
    // All of the object may then pass.
    assert_eq!(site.resume(Losses::Refused).await.let_pass, [mass]);
    site.expect_ok(&[]).await;
}

#[tokio::test]
async fn usual_changes_pass() {
    for (setting, rows, changes) in [
        // Nothing is limited by default.
        ("", 20, lines("D", 0..20)),
        (LIMIT, 9, lines("D", 0..9)),
        (LIMIT, 20, lines("D", 0..10)),
        (LIMIT, 20, lines("U", 0..15)),
        ("max_change_fraction = { updated = 0.5, min_rows = 10 }", 20, lines("D", 0..20)),
        (LIMIT, 20, lines("I", 20..200)),
    ] {
        let site = loaded(setting, rows).await;
        stage(&site, &site.change(10), &changes).await;
        let report = site.apply().await;
        assert_eq!((report.status, report.pending), (Status::Ok, 0), "{setting}: {report:?}");
    }
    let site = loaded(LIMIT, 20).await;
    stage(&site, &site.change(10), &lines("U", 0..16)).await;
    site.expect_held(&["would delete 0 and update 16 of 20 rows"]).await;
}

#[tokio::test]
async fn an_object_with_many_bad_rows_may_pass_once() {
    let site = loaded("on_bad_row = \"quarantine\"", 1).await;
    let bad: Vec<String> = (0..20).map(|_| "I,x,y".to_owned()).collect();
    let (first, second) = (site.change(10), site.change(20));
    stage(&site, &first, &bad).await;
    stage(&site, &second, &bad).await;
    site.expect_held(&["20 of 20 rows", "dmslake resume shop.t"]).await;
    assert_eq!(site.resume(Losses::Refused).await.let_pass, [first]);
    let held = site.expect_held(&["20 of 20 rows", &second]).await;
    assert_eq!((held.objects, held.counts.quarantined, held.pending), (1, 20, 1), "{held:?}");
}

/// Whatever write of the run that spends it fails, before or after it had its effect: the object
/// passes, and only it.
#[tokio::test]
async fn a_crash_does_not_let_more_pass() {
    faults(1..12, |fault| async move {
        let site = loaded(LIMIT, 24).await;
        stage(&site, &site.change(10), &lines("D", 0..13)).await;
        site.expect_held(&["would delete 13"]).await;
        site.resume(Losses::Refused).await;
        let faulty = site.through(Faults::new(Some(fault)));
        let _ = faulty.apply().await;
        let report = site.apply().await;
        assert_eq!((report.status, report.pending), (Status::Ok, 0), "{fault:?}: {report:?}");
        assert_eq!(site.rows().await.len(), 11);
        stage(&site, &site.change(20), &lines("D", 13..19)).await;
        site.expect_held(&["would delete 6 and update 0 of 11 rows"]).await;
    })
    .await;
}

#[tokio::test]
async fn a_pause_that_ends_lets_nothing_pass() {
    let site = loaded(LIMIT, 20).await;
    stage(&site, &site.change(10), &lines("D", 0..11)).await;
    site.expect_held(&["would delete 11"]).await;
    site.pause(None).await;
    site.expect_held(&["paused"]).await;
    let resumed = site.resume(Losses::Refused).await;
    assert!(resumed.was_paused && resumed.let_pass.is_empty(), "{resumed:?}");
    site.expect_held(&["would delete 11"]).await;
}
