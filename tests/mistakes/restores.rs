//! Our own way back to an older version: rows and progress, so that what came since is applied
//! again.

use dmslake::error::ErrorKind;
use dmslake::pipeline::{Losses, Progress, Status};
use dmslake::storage::StoreKind;
use dmslake::table::AsOf;
use serde_json::Value;

use futures::TryStreamExt as _;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;

use super::site::{Site, faults};
use crate::support::hooked_store::Faults;

const LOAD: &str = "LOAD00000001.csv";

/// The versions of the table after its load and after each of two changes.
struct Versions([u64; 3]);

async fn version(site: &Site) -> u64 {
    site.delta().await.version().unwrap()
}

async fn built(kind: StoreKind, extra: &str) -> (Site, Versions) {
    let site = Site { extra: extra.into(), ..Site::on(kind) };
    site.stage(LOAD, &["1,a", "2,b", "3,c"]).await;
    site.expect_ok(&["1=a", "2=b", "3=c"]).await;
    let loaded = version(&site).await;
    site.stage(&site.change(10), &["U,1,d", "D,2,b"]).await;
    site.expect_ok(&["1=d", "3=c"]).await;
    let changed = version(&site).await;
    site.stage(&site.change(20), &["I,4,e", "D,3,c"]).await;
    site.expect_ok(&["1=d", "4=e"]).await;
    let last = version(&site).await;
    (site, Versions([loaded, changed, last]))
}

#[tokio::test]
async fn rows_and_progress_come_back_and_what_came_since_is_applied_again() {
    for kind in [StoreKind::S3, StoreKind::File] {
        for extra in ["", "merge = \"deletion-vectors\""] {
            let (site, Versions([loaded, changed, last])) = built(kind, extra).await;
            // A worker that has the table warm.
            let worker = site.pipeline();
            assert_eq!(Site::apply_to(&worker).await.status, Status::Ok);
            let planned = site.plan_restore(loaded).await.unwrap();
            assert_eq!((planned.rows_now, planned.rows, planned.objects), (2, 3, 2), "{planned:?}");
            assert!(planned.lost.is_empty() && planned.committed.is_some(), "{planned:?}");
            assert_eq!(site.restore(loaded, Losses::Refused).await.unwrap(), last + 1);
            assert_eq!(site.rows().await, ["1=a", "2=b", "3=c"]);
            let report = Site::apply_to(&worker).await;
            assert_eq!((report.status, report.objects), (Status::Ok, 2), "{report:?}");
            site.expect_ok(&["1=d", "4=e"]).await;
            // Back and forth, also over a restore.
            site.restore(changed, Losses::Refused).await.unwrap();
            assert_eq!(site.rows().await, ["1=d", "3=c"]);
            site.restore(last, Losses::Refused).await.unwrap();
            assert_eq!(site.rows().await, ["1=d", "4=e"]);
            assert_eq!(site.apply().await.objects, 0);
            site.restore(loaded, Losses::Refused).await.unwrap();
            site.stage(&site.change(30), &["I,5,f"]).await;
            site.expect_ok(&["1=d", "4=e", "5=f"]).await;
        }
    }
}

#[tokio::test]
async fn what_is_no_longer_staged_is_named_and_not_lost() {
    for kind in [StoreKind::S3, StoreKind::File] {
        let (site, Versions([loaded, changed, _])) = built(kind, "").await;
        let gone = site.change(10);
        site.expire(&gone).await;
        let refused = site.restore(loaded, Losses::Refused).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::VanishedObject);
        let words = ["1 of the objects applied since are no longer staged", &gone];
        assert!(words.iter().all(|word| refused.message().contains(word)), "{refused}");
        assert!(refused.own_remedy().unwrap().contains("--accept-loss"));
        site.expect_ok(&["1=d", "4=e"]).await;
        // Under its name, with other content, it is not what was applied.
        site.stage(&gone, &["U,1,x"]).await;
        assert!(site.restore(loaded, Losses::Refused).await.is_err());
        site.expire(&gone).await;
        // What came before the version is not needed.
        site.expire(LOAD).await;
        site.restore(changed, Losses::Refused).await.unwrap();
        site.expect_ok(&["1=d", "4=e"]).await;
        site.restore(loaded, Losses::Accepted).await.unwrap();
        site.expect_ok(&["1=a", "2=b", "4=e"]).await;
        let state: Value = serde_json::from_str(&site.state().await).unwrap();
        let first = state["losses"][0]["first"].as_str().unwrap();
        assert!(first.contains(&gone), "{state}");
    }
}

#[tokio::test]
async fn what_vanishes_between_the_restore_and_the_next_run_is_missed() {
    let (site, Versions([loaded, ..])) = built(StoreKind::S3, "").await;
    site.restore(loaded, Losses::Refused).await.unwrap();
    let gone = site.change(10);
    site.expire(&gone).await;
    site.expect_held(&["1 staged object vanished", &gone]).await;
    site.stage(&gone, &["U,1,d", "D,2,b"]).await;
    site.expect_ok(&["1=d", "4=e"]).await;
}

/// Deletes what a vacuum deletes once it is old enough.
async fn delete_old_files(site: &Site) {
    let live: Vec<String> = site.delta().await.get_file_uris().unwrap().collect();
    let store = site.lake.store();
    let folder = Path::from("shop/t");
    let listed: Vec<_> = store.list(Some(&folder)).try_collect().await.unwrap();
    let names = listed.into_iter().map(|meta| meta.location);
    let is_old = |path: &Path| {
        let name = path.filename().unwrap_or_default();
        name.ends_with(".parquet") && !live.iter().any(|uri| uri.ends_with(name))
    };
    let old: Vec<Path> = names.filter(is_old).collect();
    assert!(!old.is_empty(), "nothing is old");
    for path in old {
        store.delete(&path).await.unwrap();
    }
}

#[tokio::test]
async fn a_version_whose_files_are_deleted_is_none_to_go_back_to() {
    let (site, Versions([loaded, ..])) = built(StoreKind::S3, "").await;
    delete_old_files(&site).await;
    let refused = site.plan_restore(loaded).await.unwrap_err();
    assert!(refused.message().contains("files of the version have been deleted"), "{refused}");
    assert_eq!(refused.own_remedy(), Some("choose a later version"));
    let newest = version(&site).await;
    for none in [newest, newest + 1] {
        assert!(site.plan_restore(none).await.is_err(), "{none}");
    }
    // What is left of it can still be read.
    site.expect_ok(&["1=d", "4=e"]).await;
}

/// Its rows with every column, in order.
async fn wide_rows(site: &Site) -> Vec<String> {
    let rows = crate::support::table::LakeTable::at(&site.lake, &["shop", "t"]);
    rows.pairs("v", "w").await
}

#[tokio::test]
async fn versions_from_before_and_after_a_new_column_are_alike() {
    let mut site = Site::on(StoreKind::S3);
    site.stage(LOAD, &["1,a"]).await;
    site.expect_ok(&["1=a"]).await;
    let before = version(&site).await;
    let from = site.change(10);
    site.layout = format!(
        "[[table.layout]]\nfrom = \"{}\"\ncolumns = [{{ name = \"id\", type = \"int\" }}, \
         {{ name = \"v\", type = \"text\" }}, {{ name = \"seq\", type = \"varchar(35)\" }}, \
         {{ name = \"w\", type = \"text\" }}]",
        from.trim_end_matches(".csv")
    );
    site.stage(&from, &["I,2,b,,w"]).await;
    let report = site.apply().await;
    assert_eq!(report.status, Status::Ok, "{report:?}");
    let after = version(&site).await;
    site.stage(&site.change(20), &["U,1,c,,x"]).await;
    assert_eq!(site.apply().await.status, Status::Ok);
    let newest = wide_rows(&site).await;
    site.restore(before, Losses::Refused).await.unwrap();
    assert_eq!(site.rows().await, ["1=a"]);
    assert_eq!(site.apply().await.status, Status::Ok);
    assert_eq!(wide_rows(&site).await, newest);
    site.restore(after, Losses::Refused).await.unwrap();
    assert_eq!(site.rows().await, ["1=a", "2=b"]);
    assert_eq!(site.apply().await.status, Status::Ok);
    assert_eq!(wide_rows(&site).await, newest);
}

#[tokio::test]
async fn what_others_did_is_undone() {
    let (site, Versions([_, changed, last])) = built(StoreKind::S3, "").await;
    site.delta().await.restore().with_version_to_restore(changed).await.unwrap();
    site.expect_held(&[&format!("dmslake restore shop.t --version {last}")]).await;
    site.restore(last, Losses::Refused).await.unwrap();
    site.expect_ok(&["1=d", "4=e"]).await;
    // The version that the other writer made is none to go back to.
    let theirs = last + 1;
    let refused = site.plan_restore(theirs).await.unwrap_err();
    assert!(refused.message().contains("put back older rows"), "{refused}");
    let holding = Site { extra: "on_foreign_commit = \"hold\"".into(), ..site.clone() };
    holding.delta().await.delete().with_predicate("id = 1").await.unwrap();
    let ours = version(&site).await - 1;
    holding.expect_held(&[&format!("dmslake restore shop.t --version {ours}")]).await;
    holding.restore(ours, Losses::Refused).await.unwrap();
    holding.expect_ok(&["1=d", "4=e"]).await;
}

#[tokio::test]
async fn rows_that_were_removed_since_do_not_come_back_by_themselves() {
    let (site, Versions([_, changed, last])) = built(StoreKind::S3, "").await;
    site.truncate().await.unwrap();
    let refused = site.restore(changed, Losses::Refused).await.unwrap_err();
    assert!(refused.message().contains("would come back"), "{refused}");
    // For whom it was a mistake.
    site.restore(last, Losses::Accepted).await.unwrap();
    site.expect_ok(&["1=d", "4=e"]).await;
}

#[tokio::test]
async fn a_table_goes_back_to_before_a_rebuild_and_a_reload() {
    for kind in [StoreKind::S3, StoreKind::File] {
        let (site, Versions([loaded, ..])) = built(kind, "").await;
        site.rebuild(Losses::Refused).await.unwrap();
        site.restore(loaded, Losses::Refused).await.unwrap();
        assert_eq!(site.rows().await, ["1=a", "2=b", "3=c"]);
        site.expect_ok(&["1=d", "4=e"]).await;
        site.stage(LOAD, &["7,x"]).await;
        site.stage(&site.change(60), &["I,8,y"]).await;
        site.expect_ok(&["7=x", "8=y"]).await;
        site.restore(loaded, Losses::Refused).await.unwrap();
        assert_eq!(site.rows().await, ["1=a", "2=b", "3=c"]);
        // The new load is met again.
        site.expect_ok(&["7=x", "8=y"]).await;
        // What it was made from must be there.
        site.expire(LOAD).await;
        let refused = site.restore(loaded, Losses::Refused).await.unwrap_err();
        assert!(refused.message().contains("1 of 1 objects of its full load"), "{refused}");
    }
}

#[tokio::test]
async fn nothing_goes_back_under_a_rebuild() {
    let (site, Versions([loaded, ..])) = built(StoreKind::S3, "").await;
    let (pipeline, spec) = site.begin_rebuild(Losses::Refused).await.unwrap();
    let refused = site.plan_restore(loaded).await.unwrap_err();
    assert!(refused.own_remedy().unwrap().contains("--cancel"), "{}", refused.chain());
    pipeline.cancel_rebuild(&spec).await.unwrap();
    site.restore(loaded, Losses::Refused).await.unwrap();
    site.expect_ok(&["1=d", "4=e"]).await;
}

#[tokio::test]
async fn other_keys_are_those_of_another_table() {
    let (mut site, Versions([loaded, ..])) = built(StoreKind::S3, "").await;
    site.keys = "[\"id\", \"v\"]".into();
    let refused = site.plan_restore(loaded).await.unwrap_err();
    assert!(refused.message().contains("other key columns"), "{refused}");
}

#[tokio::test]
async fn a_time_means_the_newest_version_by_then() {
    let (site, Versions([loaded, changed, last])) = built(StoreKind::S3, "").await;
    let pipeline = site.pipeline();
    let spec = &pipeline.settings().tables[0];
    let of = |version: u64| {
        let site = site.clone();
        async move { site.plan_restore(version).await.unwrap().committed.unwrap() }
    };
    let (loaded_at, changed_at) = (of(loaded).await, of(changed).await);
    assert!(loaded_at < changed_at);
    for (time, expected) in [
        (loaded_at, loaded),
        (changed_at - chrono::TimeDelta::milliseconds(1), loaded),
        (changed_at, changed),
    ] {
        let planned =
            pipeline.plan_restore(spec, AsOf::Time(time), Progress::GoesBack).await.unwrap();
        assert_eq!(planned.version, expected);
    }
    let day = chrono::TimeDelta::days(1);
    let before = pipeline
        .plan_restore(spec, AsOf::Time(loaded_at - day), Progress::GoesBack)
        .await
        .unwrap_err();
    assert!(before.message().contains("does not go back"), "{before}");
    let after = pipeline
        .plan_restore(spec, AsOf::Time(loaded_at + day), Progress::GoesBack)
        .await
        .unwrap_err();
    assert!(after.message().contains("not changed since"), "{after}");
    assert_eq!(version(&site).await, last);
}

#[tokio::test]
async fn there_must_be_a_table() {
    let site = Site::on(StoreKind::S3);
    let refused = site.plan_restore(0).await.unwrap_err();
    assert!(refused.own_remedy().unwrap().contains("dmslake apply"), "{refused}");
}

/// A failure before or after every write of a restore, and of the run after it.
#[tokio::test]
async fn a_crash_at_every_write_of_a_restore_heals() {
    faults(1..8, |fault| async move {
        let (site, Versions([loaded, ..])) = built(StoreKind::S3, "").await;
        let faulty = site.through(Faults::new(Some(fault)));
        let _ = faulty.restore(loaded, Losses::Refused).await;
        let _ = faulty.apply().await;
        let report = site.apply().await;
        assert_eq!((report.status, report.pending), (Status::Ok, 0), "{fault:?}: {report:?}");
        assert_eq!(site.rows().await, ["1=d", "4=e"], "{fault:?}");
        // Nor is anything missed that was only to be applied again.
        site.expire(&site.change(10)).await;
        site.expect_ok(&["1=d", "4=e"]).await;
    })
    .await;
}

#[tokio::test]
async fn of_a_restore_and_a_commit_beside_it_one_is_refused() {
    let (site, Versions([loaded, ..])) = built(StoreKind::S3, "").await;
    let plan = site.plan_restore(loaded).await.unwrap();
    site.stage(&site.change(30), &["I,5,f"]).await;
    site.expect_ok(&["1=d", "4=e", "5=f"]).await;
    let pipeline = site.pipeline();
    let spec = &pipeline.settings().tables[0];
    let refused = pipeline.restore(spec, &plan, Losses::Refused).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    site.expect_ok(&["1=d", "4=e", "5=f"]).await;
}

#[tokio::test]
async fn rows_that_were_removed_do_not_come_back_with_the_folder_gone() {
    for kind in [StoreKind::S3, StoreKind::File] {
        let (site, _) = built(kind, "").await;
        site.truncate().await.unwrap();
        site.stage(&site.change(30), &["I,5,f"]).await;
        site.expect_ok(&["5=f"]).await;
        site.move_away().await;
        site.expect_held(&["all of its rows had been removed", "have DMS reload the table"]).await;
        site.stage(LOAD, &["5,f"]).await;
        if kind == StoreKind::File {
            // Times tell nothing.
            site.expect_held(&["remove the state object"]).await;
            site.expire(&site.change(10)).await;
            site.expire(&site.change(20)).await;
            site.remove_state().await;
        }
        site.expect_ok(&["5=f"]).await;
    }
}
