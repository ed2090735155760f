//! Tables that are built anew from what is staged, on the same log.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;

use dmslake::error::ErrorKind;
use dmslake::pipeline::{Limits, Losses, Pipeline, Scope, Silent, Status, Stop};
use dmslake::storage::StoreKind;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use serde_json::Value;

use super::site::Site;
use crate::support::hooked_store::{Fault, Faults, HookedStore, Side};
use crate::support::stopper::Stopper;
use crate::support::table::LakeTable;

/// So wide that each object is a slice of its own within [`Site::small`].
fn wide(letter: char) -> String {
    letter.to_string().repeat(60_000)
}

/// A table with a load of two objects and two changes; all of it is staged.
async fn built(kind: StoreKind) -> Site {
    let site = Site { small: true, ..Site::on(kind) };
    site.stage("LOAD00000001.csv", &[&format!("1,{}", wide('a')), "2,b"]).await;
    site.stage("LOAD00000002.csv", &[&format!("3,{}", wide('c'))]).await;
    site.stage(&site.change(10), &[&format!("U,1,{}", wide('d')), "D,2,b"]).await;
    site.stage(&site.change(20), &["I,4,e"]).await;
    let report = site.apply().await;
    assert_eq!((report.status, report.pending), (Status::Ok, 0), "{report:?}");
    site
}

fn expected() -> Vec<String> {
    vec![format!("1={}", wide('d')), format!("3={}", wide('c')), "4=e".into()]
}

async fn names(site: &Site, folder: &str) -> Vec<String> {
    let listed = site.lake.store().list(Some(&Path::from(folder)));
    let metas: Vec<_> = listed.try_collect().await.unwrap();
    metas.into_iter().map(|meta| meta.location.to_string()).collect()
}

#[tokio::test]
async fn a_table_is_rebuilt_on_its_own_log() {
    for kind in [StoreKind::S3, StoreKind::File] {
        let site = built(kind).await;
        let before = site.delta().await.version().unwrap();
        let plan = site.plan_rebuild().await;
        assert_eq!((plan.rows, plan.objects, plan.lost.len()), (3, 4, 0), "{plan:?}");
        let estimate = plan.estimate;
        assert!(estimate.is_measured && estimate.seconds < 60, "{plan:?}");
        assert_eq!((estimate.rows_read, estimate.rows_after), (Some(6), Some(3)), "{plan:?}");
        let report = site.rebuild(Losses::Refused).await.unwrap();
        assert_eq!((report.status, report.pending), (Status::Ok, 0), "{report:?}");
        assert_eq!(report.objects, 4, "{report:?}");
        assert_eq!(site.rows().await, expected());
        // One commit, and older versions are still there.
        assert_eq!(report.version, Some(before + 1));
        let table = LakeTable::at(&site.lake, &["shop", "t"]);
        let rows = table.batches(before).await.iter().map(RecordBatch::num_rows).sum::<usize>();
        assert_eq!(rows, 3);
        // Nothing is left of the rebuild, and the table goes on.
        assert!(names(&site, "_dmslake/shadow").await.is_empty());
        let state: Value = serde_json::from_str(&site.state().await).unwrap();
        assert!(state["rebuild"].is_null() && state["unapplied"].is_null(), "{state}");
        site.stage(&site.change(30), &["D,3,c"]).await;
        let report = site.apply().await;
        assert_eq!((report.status, report.counts.deleted), (Status::Ok, 1), "{report:?}");
    }
}

#[tokio::test]
async fn keys_that_are_edited_are_rebuilt() {
    let mut site = Site::on(StoreKind::S3);
    site.keys = "[\"v\"]".into();
    site.stage("LOAD00000001.csv", &["1,a", "2,b"]).await;
    site.expect_ok(&["1=a", "2=b"]).await;
    site.keys = "[\"id\"]".into();
    site.stage(&site.change(10), &["U,1,c"]).await;
    site.expect_held(&["other key columns", "dmslake rebuild shop.t"]).await;
    site.rebuild(Losses::Refused).await.unwrap();
    site.expect_ok(&["1=c", "2=b"]).await;
}

#[tokio::test]
async fn what_is_not_staged_any_more_is_named_and_not_lost() {
    for kind in [StoreKind::S3, StoreKind::File] {
        let site = built(kind).await;
        site.expire("LOAD00000002.csv").await;
        site.expire(&site.change(10)).await;
        let refused = site.rebuild(Losses::Refused).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::VanishedObject);
        for words in ["1 of 2 objects of its full load", "1 change objects"] {
            assert!(refused.message().contains(words), "{}", refused.message());
        }
        site.expect_ok(&expected().iter().map(String::as_str).collect::<Vec<_>>()).await;
        // What is accepted is written down.
        let report = site.rebuild(Losses::Accepted).await.unwrap();
        assert_eq!(report.status, Status::Ok, "{report:?}");
        assert_eq!(site.rows().await, [format!("1={}", wide('a')), "2=b".into(), "4=e".into()]);
        let state: Value = serde_json::from_str(&site.state().await).unwrap();
        assert!(state["losses"][0]["first"].as_str().unwrap().contains("full load"), "{state}");
    }
}

#[tokio::test]
async fn what_expires_while_the_table_is_rebuilt_holds_it() {
    let site = built(StoreKind::S3).await;
    site.begin_rebuild(Losses::Refused).await.unwrap();
    site.expire("LOAD00000001.csv").await;
    let report = site.expect_held(&["vanished", "LOAD00000001.csv"]).await;
    assert_eq!(report.error_kind, Some(ErrorKind::VanishedObject));
    assert_eq!(site.rows().await, expected(), "readers see the old rows");
}

#[tokio::test]
async fn a_rebuild_is_gone_on_with_by_whoever_applies_next() {
    let site = built(StoreKind::S3).await;
    let (_, spec) = site.begin_rebuild(Losses::Refused).await.unwrap();
    let mut runs = 0;
    loop {
        let limits = Limits { stop: Stop::default(), ..Limits::default() };
        let stopper = Stopper::after(1, limits.stop.clone());
        let report = site.pipeline().apply(&spec, &Scope::Everything, &limits, &stopper).await;
        assert_eq!(site.rows().await, expected());
        runs += 1;
        if report.is_caught_up() {
            break;
        }
        assert_eq!(report.error_kind, Some(ErrorKind::Deadline), "{report:?}");
        // Changes go on meanwhile.
        if runs == 2 {
            site.stage(&site.change(30), &["U,4,f"]).await;
            site.stage(&site.change(40), &["U,4,e"]).await;
        }
        // Nothing of what is built is deleted.
        site.vacuum().await;
    }
    assert!(runs > 3, "{runs} runs");
}

#[tokio::test]
async fn a_crash_at_every_write_of_a_rebuild_heals() {
    let writes = crashed(None).await;
    assert!(writes > 10, "{writes} writes");
    let sides = [Side::Before, Side::After];
    let faults = (1..=writes).flat_map(|write| {
        sides.map(|side| Box::pin(crashed(Some(Fault { write, side, died: true }))))
    });
    // Most of the time they wait before they try again.
    stream::iter(faults).buffer_unordered(16).collect::<Vec<_>>().await;
}

/// A rebuild of a table that another process goes on with after the fault.
async fn crashed(fault: Option<Fault>) -> u64 {
    let site = built(StoreKind::S3).await;
    let before = site.delta().await.version().unwrap();
    let faulty = HookedStore::new(Arc::clone(site.lake.store()), Faults::new(fault));
    let lake = site.lake.clone().map_store(|_| Arc::new(faulty.clone()));
    let hit = Site { lake, ..site.clone() };
    // It fails where it is hit.
    let _ = hit.rebuild(Losses::Refused).await;
    let report = site.apply().await;
    assert_eq!((report.status, report.pending), (Status::Ok, 0), "{fault:?}: {report:?}");
    assert_eq!(site.rows().await, expected(), "{fault:?}");
    let after = report.version.unwrap();
    assert!(after == before || after == before + 1, "{fault:?}: {before}, then {after}");
    site.stage(&site.change(30), &["U,4,f"]).await;
    let report = site.apply().await;
    assert_eq!((report.status, report.counts.updated), (Status::Ok, 1), "{fault:?}: {report:?}");
    faulty.hooks().writes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_rebuild_one_table_once() {
    for _ in 0..5 {
        let site = built(StoreKind::S3).await;
        let before = site.delta().await.version().unwrap();
        let (one, spec) = site.begin_rebuild(Losses::Refused).await.unwrap();
        let other = site.pipeline();
        let run = async |pipeline: &Pipeline| {
            pipeline.apply(&spec, &Scope::Everything, &Limits::default(), &Silent).await
        };
        let (first, second) = tokio::join!(run(&one), run(&other));
        assert!(first.is_caught_up() && second.is_caught_up(), "{first:?} {second:?}");
        assert_eq!(site.rows().await, expected());
        assert_eq!(site.delta().await.version().unwrap(), before + 1);
    }
}

#[tokio::test]
async fn a_table_that_is_not_there_is_not_rebuilt() {
    let site = Site::on(StoreKind::S3);
    site.stage("LOAD00000001.csv", &["1,a"]).await;
    let refused = site.rebuild(Losses::Refused).await.unwrap_err();
    assert!(refused.message().contains("there is no table"), "{}", refused.message());
    let pipeline = site.pipeline();
    let refused = pipeline.truncate(&pipeline.settings().tables[0]).await.unwrap_err();
    assert!(refused.message().contains("there is no table"), "{}", refused.message());
    site.expect_ok(&["1=a"]).await;
}

#[tokio::test]
async fn loads_that_times_do_not_tell_apart_are_not_rebuilt_from() {
    let site = Site::on(StoreKind::File);
    site.stage("LOAD00000001.csv", &["1,a"]).await;
    site.stage("LOAD00000002.csv", &["2,b"]).await;
    site.stage(&site.change(10), &["I,3,c"]).await;
    site.expect_ok(&["1=a", "2=b", "3=c"]).await;
    // The first is another one, and the second was copied after it.
    site.stage("LOAD00000001.csv", &["1,new"]).await;
    site.stage("LOAD00000002.csv", &["2,b"]).await;
    site.expect_held(&["a reload"]).await;
    let refused = site.rebuild(Losses::Refused).await.unwrap_err();
    let remedy = refused.own_remedy().unwrap();
    assert!(remedy.contains("move the older ones out of staging"), "{remedy}");
    site.expire("LOAD00000002.csv").await;
    site.stage(&site.change(20), &["I,4,d"]).await;
    site.expect_ok(&["1=new", "4=d"]).await;
}

#[tokio::test]
async fn an_emptied_table_goes_on_with_what_comes() {
    let site = Site::with("merge = \"deletion-vectors\"");
    site.stage("LOAD00000001.csv", &["1,a", "2,b"]).await;
    site.stage(&site.change(10), &["D,1,a"]).await;
    site.expect_ok(&["2=b"]).await;
    let pipeline = site.pipeline();
    let spec = &pipeline.settings().tables[0];
    assert_eq!(pipeline.truncate(spec).await.unwrap(), 1);
    site.expect_ok(&[]).await;
    site.stage(&site.change(20), &["I,3,c"]).await;
    site.expect_ok(&["3=c"]).await;
    // What is staged knows nothing of it.
    let refused = site.rebuild(Losses::Refused).await.unwrap_err();
    assert!(refused.message().contains("would come back"), "{}", refused.message());
    site.expect_ok(&["3=c"]).await;
    // A new load does.
    site.stage("LOAD00000001.csv", &["3,c"]).await;
    site.stage(&site.change(60), &["I,4,d"]).await;
    site.expect_ok(&["3=c", "4=d"]).await;
    site.rebuild(Losses::Refused).await.unwrap();
    site.expect_ok(&["3=c", "4=d"]).await;
}

#[tokio::test]
async fn a_rebuild_can_be_given_up_or_begun_again_without_what_is_lost() {
    let site = built(StoreKind::S3).await;
    let (pipeline, spec) = site.begin_rebuild(Losses::Refused).await.unwrap();
    site.expire(&site.change(10)).await;
    site.expect_held(&["vanished"]).await;
    assert!(pipeline.cancel_rebuild(&spec).await.unwrap());
    assert!(!pipeline.cancel_rebuild(&spec).await.unwrap());
    site.expect_ok(&expected().iter().map(String::as_str).collect::<Vec<_>>()).await;
    // Begun again, it is refused, and then goes on from what there is.
    site.expire("LOAD00000001.csv").await;
    assert!(site.rebuild(Losses::Refused).await.is_err());
    let report = site.rebuild(Losses::Accepted).await.unwrap();
    assert!(report.is_caught_up(), "{report:?}");
    assert_eq!(site.rows().await, [format!("3={}", wide('c')), "4=e".into()]);
}

#[tokio::test]
async fn nothing_empties_a_table_that_is_being_rebuilt() {
    let site = built(StoreKind::S3).await;
    let (pipeline, spec) = site.begin_rebuild(Losses::Refused).await.unwrap();
    let refused = pipeline.truncate(&spec).await.unwrap_err();
    assert!(refused.own_remedy().unwrap().contains("--cancel"), "{}", refused.chain());
    pipeline.cancel_rebuild(&spec).await.unwrap();
    assert_eq!(pipeline.truncate(&spec).await.unwrap(), 3);
}

#[tokio::test]
async fn a_rebuild_does_not_outlive_its_table() {
    let site = built(StoreKind::S3).await;
    let (pipeline, spec) = site.begin_rebuild(Losses::Refused).await.unwrap();
    let limits = Limits { stop: Stop::default(), ..Limits::default() };
    let stopper = Stopper::after(1, limits.stop.clone());
    pipeline.apply(&spec, &Scope::Everything, &limits, &stopper).await;
    site.move_away().await;
    site.expect_ok(&expected().iter().map(String::as_str).collect::<Vec<_>>()).await;
    site.stage(&site.change(30), &["U,4,f"]).await;
    let report = site.apply().await;
    assert!(report.is_caught_up() && report.counts.updated == 1, "{report:?}");
}

#[tokio::test]
async fn a_table_whose_load_is_lost_can_be_rebuilt_from_its_changes() {
    let site = Site::on(StoreKind::S3);
    site.stage("LOAD00000001.csv", &["1,a", "2,b"]).await;
    site.stage(&site.change(10), &["U,1,c", "D,2,b", "I,3,d"]).await;
    site.expect_ok(&["1=c", "3=d"]).await;
    site.expire("LOAD00000001.csv").await;
    assert!(site.rebuild(Losses::Refused).await.is_err());
    site.rebuild(Losses::Accepted).await.unwrap();
    site.expect_ok(&["1=c", "3=d"]).await;
}
