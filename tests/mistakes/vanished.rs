//! Objects that vanish before they are applied: the table is held until they are staged again or
//! given up, whatever else comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use dmslake::error::ErrorKind;
use dmslake::pipeline::{Losses, Status};
use dmslake::storage::StoreKind;
use object_store::path::Path;
use serde_json::Value;

use super::site::Site;
use crate::support::hooked_store::{Hooks, Operation};

const KINDS: [StoreKind; 2] = [StoreKind::S3, StoreKind::File];

/// A table of two rows, and a change object of two changes with a bad row.
async fn held_at_a_bad_row(kind: StoreKind) -> (Site, String) {
    let site = Site::on(kind);
    site.stage("LOAD00000001.csv", &["1,a", "2,b"]).await;
    site.expect_ok(&["1=a", "2=b"]).await;
    let bad = site.change(10);
    site.stage(&bad, &["U,1,c", "D,2,b", "I,x,y"]).await;
    site.expect_held(&["row: 3", "column: id"]).await;
    (site, bad)
}

#[tokio::test]
async fn a_held_object_that_expires_stays_held_whatever_comes_next() {
    for kind in KINDS {
        let (site, bad) = held_at_a_bad_row(kind).await;
        site.expire(&bad).await;
        let report = site
            .expect_held(&["1 staged object vanished", &bad, "dmslake resume shop.t --accept-loss"])
            .await;
        assert_eq!(report.error_kind, Some(ErrorKind::VanishedObject));
        assert_eq!(report.vanished.join(","), bad);
        let next = site.change(20);
        site.stage(&next, &["I,3,z"]).await;
        let report = site.expect_held(&["vanished", &bad]).await;
        assert_eq!((report.pending, site.rows().await), (1, vec!["1=a".into(), "2=b".into()]));
        // Nor is it forgotten when the next one vanishes too.
        site.expire(&next).await;
        let report = site.expect_held(&["2 staged objects vanished", &bad, &next]).await;
        assert_eq!(report.pending, 0);
    }
}

#[tokio::test]
async fn what_is_staged_again_under_its_name_has_not_vanished() {
    for kind in KINDS {
        let (site, bad) = held_at_a_bad_row(kind).await;
        site.expire(&bad).await;
        site.expect_held(&["vanished"]).await;
        site.stage(&bad, &["U,1,c", "D,2,b", "I,3,y"]).await;
        site.expect_ok(&["1=c", "3=y"]).await;
        // It was applied, so it may go.
        site.expire(&bad).await;
        site.expect_ok(&["1=c", "3=y"]).await;
        let state: Value = serde_json::from_str(&site.state().await).unwrap();
        assert!(state["held"].is_null() && state["unapplied"].is_null(), "{state}");
    }
}

#[tokio::test]
async fn what_is_given_up_is_written_down_and_the_table_goes_on() {
    for kind in KINDS {
        let (site, bad) = held_at_a_bad_row(kind).await;
        site.expire(&bad).await;
        site.expect_held(&["vanished"]).await;
        site.stage(&site.change(20), &["I,3,z"]).await;
        let resumed = site.resume(Losses::Refused).await;
        assert!(resumed.given_up.is_empty(), "{resumed:?}");
        site.expect_held(&["vanished"]).await;
        let resumed = site.resume(Losses::Accepted).await;
        assert_eq!(resumed.given_up.join(","), bad);
        site.expect_ok(&["1=a", "2=b", "3=z"]).await;
        let state: Value = serde_json::from_str(&site.state().await).unwrap();
        assert_eq!(state["losses"][0]["first"], Value::from(bad.as_str()), "{state}");
        // What is given up is so once, and nothing else with it.
        assert!(site.resume(Losses::Accepted).await.given_up.is_empty());
    }
}

#[tokio::test]
async fn a_late_object_that_is_moved_out_is_still_missing() {
    let site = Site::on(StoreKind::S3);
    site.stage("LOAD00000001.csv", &["1,a"]).await;
    site.stage(&site.change(20), &["U,1,c"]).await;
    site.expect_ok(&["1=c"]).await;
    let late = site.change(10);
    site.stage(&late, &["I,2,b"]).await;
    let report = site.expect_held(&[&late]).await;
    assert_eq!(report.error_kind, Some(ErrorKind::LateObject));
    site.expire(&late).await;
    site.expect_held(&["vanished", &late]).await;
    assert_eq!(site.resume(Losses::Accepted).await.given_up, [late]);
    site.expect_ok(&["1=c"]).await;
}

#[tokio::test]
async fn applied_objects_may_expire_also_behind_a_hold() {
    for kind in KINDS {
        let (site, bad) = held_at_a_bad_row(kind).await;
        site.expire("LOAD00000001.csv").await;
        let report = site.expect_held(&["row: 3"]).await;
        assert_eq!(
            (report.error_kind, report.vanished.len()),
            (Some(ErrorKind::MalformedObject), 0)
        );
        site.stage(&bad, &["U,1,c"]).await;
        site.expect_ok(&["1=c", "2=b"]).await;
    }
}

#[tokio::test]
async fn a_hold_says_since_when_and_why_beside_the_table() {
    let (site, bad) = held_at_a_bad_row(StoreKind::S3).await;
    let first: Value = serde_json::from_str(&site.state().await).unwrap();
    assert_eq!(first["held"]["kind"], "MalformedObject", "{first}");
    assert_eq!(first["unapplied"]["object"], serde_json::json!([""]), "{first}");
    assert_eq!(first["unapplied"]["prefix"], Value::from(bad.as_str()), "{first}");
    site.expect_held(&["row: 3"]).await;
    let again: Value = serde_json::from_str(&site.state().await).unwrap();
    assert_eq!(again, first, "the same hold is one hold");
    site.stage(&bad, &["U,1,c"]).await;
    let report = site.expect_ok(&["1=c", "2=b"]).await;
    assert!(report.held_since.is_none());
    let after: Value = serde_json::from_str(&site.state().await).unwrap();
    assert!(after["held"].is_null(), "{after}");
}

#[tokio::test]
async fn a_state_object_that_is_lost_is_noticed_and_made_again() {
    let site = Site::on(StoreKind::S3);
    site.stage("LOAD00000001.csv", &["1,a"]).await;
    site.expect_ok(&["1=a"]).await;
    site.remove_state().await;
    let report = site.expect_ok(&["1=a"]).await;
    assert!(report.warnings.iter().any(|warning| warning.contains("state object")), "{report:?}");
    let state: Value = serde_json::from_str(&site.state().await).unwrap();
    assert_eq!((&state["begun"], &state["keys"][0]), (&Value::from(true), &Value::from("id")));
    assert!(site.expect_ok(&["1=a"]).await.warnings.is_empty());
}

#[tokio::test]
async fn a_table_that_never_began_is_not_taken_for_one_that_is_gone() {
    let site = Site::on(StoreKind::S3);
    site.stage("LOAD00000001.csv", &["x,a"]).await;
    site.expect_held(&["row: 1"]).await;
    site.stage("LOAD00000001.csv", &["1,a"]).await;
    site.expect_ok(&["1=a"]).await;
}

/// Refuses to write the state object, while it is told to.
#[derive(Debug)]
struct StateRefused(Arc<AtomicBool>);

#[async_trait]
impl Hooks for StateRefused {
    type Ticket = ();

    async fn before(&self, operation: Operation, path: &Path) -> object_store::Result<()> {
        let is_state = path.as_ref().starts_with("_dmslake/state");
        if operation == Operation::Put && is_state && self.0.load(Ordering::Relaxed) {
            let source = "the state object is not written".into();
            return Err(object_store::Error::Generic { store: "test", source });
        }
        Ok(())
    }
}

#[tokio::test]
async fn what_could_not_be_written_down_is_written_by_the_next_run() {
    let is_refused = Arc::new(AtomicBool::new(false));
    let site = Site::on(StoreKind::S3).through(StateRefused(Arc::clone(&is_refused)));
    site.stage("LOAD00000001.csv", &["1,a"]).await;
    site.expect_ok(&["1=a"]).await;
    let bad = site.change(10);
    site.stage(&bad, &["I,x,y"]).await;
    is_refused.store(true, Ordering::Relaxed);
    site.expect_held(&["row: 1"]).await;
    is_refused.store(false, Ordering::Relaxed);
    site.expect_held(&["row: 1"]).await;
    // The mended object is applied, but that the hold is over cannot be written down.
    site.stage(&bad, &["I,2,y"]).await;
    is_refused.store(true, Ordering::Relaxed);
    let report = site.apply().await;
    assert_eq!(report.status, Status::Failed, "{report:?}");
    is_refused.store(false, Ordering::Relaxed);
    site.expect_ok(&["1=a", "2=y"]).await;
}
