//! Objects that appear below a table's progress: an operator applies them out of their turn, or gives
//! them up, and both are written down.

use dmslake::error::ErrorKind;
use dmslake::pipeline::{Limits, Losses, Observer, Scope, Silent, Status, Step, Stop, TableReport};
use dmslake::storage::StoreKind;
use serde_json::Value;

use super::site::Site;

/// Where changes are not placed by their sequences, a person decides.
const UNGUARDED: &str = "guard = \"off\"";
const KINDS: [StoreKind; 2] = [StoreKind::S3, StoreKind::File];

/// A table of two rows, held by a late object of two changes, with another object that waits.
async fn held_by_a_late_object(kind: StoreKind) -> (Site, String) {
    let site = Site { extra: UNGUARDED.into(), ..Site::on(kind) };
    site.stage("LOAD00000001.csv", &["1,a", "2,b"]).await;
    site.stage(&site.change(20), &["U,1,newer"]).await;
    site.expect_ok(&["1=newer", "2=b"]).await;
    let late = site.change(10);
    site.stage(&late, &["U,1,older", "I,3,c"]).await;
    site.stage(&site.change(30), &["U,2,waits"]).await;
    let report = site
        .expect_held(&["below the table's progress", &late, "dmslake late apply shop.t OBJECT"])
        .await;
    assert_eq!((report.error_kind, report.pending), (Some(ErrorKind::LateObject), 1));
    assert_eq!(site.rows().await, ["1=newer", "2=b"]);
    (site, late)
}

async fn apply_late(site: &Site, name: &str) -> TableReport {
    let pipeline = site.pipeline();
    let spec = &pipeline.settings().tables[0];
    let late = pipeline.find_late(spec, name).await.unwrap();
    pipeline.apply_late(spec, &late, &Limits::default(), &Silent).await
}

async fn discard_late(site: &Site, name: &str) -> Option<u64> {
    let pipeline = site.pipeline();
    let spec = &pipeline.settings().tables[0];
    let late = pipeline.find_late(spec, name).await.unwrap();
    pipeline.discard_late(spec, &late).await.unwrap();
    late.rows
}

async fn state(site: &Site) -> Value {
    serde_json::from_str(&site.state().await).unwrap()
}

#[tokio::test]
async fn a_late_object_is_applied_over_what_is_stored_where_an_operator_says_so() {
    for kind in KINDS {
        let (site, late) = held_by_a_late_object(kind).await;
        let report = apply_late(&site, &late).await;
        assert_eq!((report.status, report.pending, report.objects), (Status::Ok, 0, 2));
        assert_eq!((report.counts.updated, report.counts.inserted), (2, 1), "{report:?}");
        assert_eq!(site.rows().await, ["1=older", "2=waits", "3=c"]);
        assert_eq!(state(&site).await["applied_late"][0]["object"], Value::from(late.as_str()));
        // It is applied once, and holds the table no more, also when it is gone.
        site.expect_ok(&["1=older", "2=waits", "3=c"]).await;
        site.expire(&late).await;
        site.expect_ok(&["1=older", "2=waits", "3=c"]).await;
    }
}

#[tokio::test]
async fn a_late_object_that_is_discarded_never_holds_again() {
    for kind in KINDS {
        let (site, late) = held_by_a_late_object(kind).await;
        assert_eq!(discard_late(&site, &late).await, Some(2));
        site.expect_ok(&["1=newer", "2=waits"]).await;
        let losses = &state(&site).await["losses"];
        assert_eq!((&losses[0]["first"], &losses[1]), (&Value::from(late.as_str()), &Value::Null));
        // A rebuild applies it in its turn, while it is staged.
        site.rebuild(Losses::Refused).await.unwrap();
        site.expire(&late).await;
        site.expect_ok(&["1=newer", "2=waits", "3=c"]).await;
    }
}

#[tokio::test]
async fn only_an_object_that_is_late_is_applied_out_of_its_turn() {
    let (site, late) = held_by_a_late_object(StoreKind::S3).await;
    let pipeline = site.pipeline();
    let spec = &pipeline.settings().tables[0];
    let waiting = site.change(30);
    let refused = pipeline.find_late(spec, &waiting).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(refused.chain().contains(&format!("late: {late}")), "{}", refused.chain());
    // What else holds the table goes on holding it.
    let found = pipeline.find_late(spec, &late).await.unwrap();
    site.pause(None).await;
    let report = pipeline.apply_late(spec, &found, &Limits::default(), &Silent).await;
    assert_eq!((report.error_kind, report.objects), (Some(ErrorKind::Paused), 0), "{report:?}");
    assert_eq!(site.rows().await, ["1=newer", "2=b"]);
}

#[tokio::test]
async fn several_late_objects_are_decided_one_by_one() {
    let (site, late) = held_by_a_late_object(StoreKind::S3).await;
    let other = site.change(11);
    site.stage(&other, &["I,4,d"]).await;
    let report = apply_late(&site, &late).await;
    assert_eq!((report.status, report.late.join(",")), (Status::Held, other.clone()));
    assert_eq!(site.rows().await, ["1=older", "2=b", "3=c"]);
    discard_late(&site, &other).await;
    site.expect_ok(&["1=older", "2=waits", "3=c"]).await;
}

/// Asks for a stop after the first commit.
struct Once(Stop);

impl Observer for Once {
    fn step(&self, step: Step) {
        if matches!(step, Step::Committed { .. }) {
            self.0.request();
        }
    }
}

/// A table of which a large object is applied in part.
async fn applied_in_part(kind: StoreKind) -> (Site, String, Vec<String>) {
    let mut site = Site { extra: UNGUARDED.into(), ..Site::on(kind) };
    site.small = true;
    let large: Vec<String> = (10..20).map(|id| format!("I,{id},{}", "x".repeat(40_000))).collect();
    site.stage("LOAD00000001.csv", &["1,a"]).await;
    site.expect_ok(&["1=a"]).await;
    let name = site.change(20);
    site.stage(&name, &large.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let pipeline = site.pipeline();
    let limits = Limits::default();
    let once = Once(limits.stop.clone());
    let spec = &pipeline.settings().tables[0];
    let report = pipeline.apply(spec, &Scope::Everything, &limits, &once).await;
    assert_eq!((report.status, report.pending, report.objects), (Status::Ok, 1, 0), "{report:?}");
    (site, name, large)
}

#[tokio::test]
async fn an_object_that_comes_before_one_that_is_applied_in_part_is_late() {
    for kind in KINDS {
        let (site, _, _) = applied_in_part(kind).await;
        let late = site.change(10);
        site.stage(&late, &["U,1,late"]).await;
        site.expect_held(&["below the table's progress", &late]).await;
        let report = apply_late(&site, &late).await;
        assert_eq!((report.status, report.pending, report.objects), (Status::Ok, 0, 2));
        let rows = site.rows().await;
        assert!(rows.len() == 11 && rows.contains(&"1=late".to_owned()), "{} rows", rows.len());
        site.apply().await;
        assert_eq!(site.rows().await.len(), 11);
    }
}

#[tokio::test]
async fn a_large_late_object_is_gone_on_with_by_the_next_run() {
    for kind in KINDS {
        let (site, name, large) = applied_in_part(kind).await;
        assert_eq!(site.apply().await.status, Status::Ok);
        let late = site.change(10);
        let rows: Vec<&str> = large.iter().map(String::as_str).collect();
        site.stage(&late, &rows).await;
        site.stage(&site.change(30), &["U,1,waits"]).await;
        site.expect_held(&[&late]).await;
        let pipeline = site.pipeline();
        let spec = &pipeline.settings().tables[0];
        let found = pipeline.find_late(spec, &late).await.unwrap();
        let limits = Limits::default();
        let report = pipeline.apply_late(spec, &found, &limits, &Once(limits.stop.clone())).await;
        assert_eq!((report.status, report.objects), (Status::Ok, 0), "{report:?}");
        let report = site.apply().await;
        assert_eq!((report.status, report.objects, report.pending), (Status::Ok, 2, 0));
        assert_eq!(site.rows().await.len(), 11);
        site.expire(&name).await;
        site.expire(&late).await;
        assert_eq!((site.apply().await.status, site.rows().await.len()), (Status::Ok, 11));
    }
}

#[tokio::test]
async fn an_object_that_changed_in_part_is_staged_again_as_it_was() {
    // The store in memory gives each object an ETag of its own, whatever its content.
    let (site, name, mut large) = applied_in_part(StoreKind::File).await;
    let stage = async |rows: &[String]| {
        site.stage(&name, &rows.iter().map(String::as_str).collect::<Vec<_>>()).await;
    };
    let last = large.pop().unwrap();
    stage(&large).await;
    site.expect_held(&["changed after", "stage the object again as it was"]).await;
    large.push(last);
    stage(&large).await;
    assert_eq!(site.apply().await.status, Status::Ok);
    assert_eq!(site.rows().await.len(), 11);
}
