//! What a table may be started from.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use dmslake::pipeline::{Losses, Pipeline, Status};
use dmslake::storage::StoreKind;
use object_store::path::Path;

use super::site::{STATE, Site};
use crate::support::hooked_store::{Hooks, Operation};

const LOAD: &str = "LOAD00000001.csv";

#[tokio::test]
async fn a_table_whose_load_has_expired_is_not_begun_anew_from_the_next_change() {
    let site = Site::on(StoreKind::S3);
    site.stage(LOAD, &["1,a", "2,b"]).await;
    let first = site.change(10);
    site.stage(&first, &["I,3,c"]).await;
    site.expect_ok(&["1=a", "2=b", "3=c"]).await;
    site.expire(LOAD).await;
    site.expire(&first).await;
    site.move_away().await;
    site.expect_held(&["the table is gone", "have DMS reload the table"]).await;
    site.stage(&site.change(20), &["I,4,d"]).await;
    let held =
        site.expect_held(&["full load is not staged any more", "_dmslake/state/shop/t.json"]);
    assert_eq!(held.await.pending, 1);

    // DMS reloads the table: earlier changes are part of that load.
    site.stage(LOAD, &["1,a", "2,b", "3,c", "4,d"]).await;
    let report = site.expect_ok(&["1=a", "2=b", "3=c", "4=d"]).await;
    assert_eq!(report.before_load, 1, "{report:?}");
}

#[tokio::test]
async fn a_load_of_an_empty_table_is_a_load_whatever_the_first_change_is() {
    let site = Site::on(StoreKind::S3);
    site.stage(LOAD, &[]).await;
    site.stage(&site.change(10), &["U,1,a"]).await;
    site.expect_ok(&["1=a"]).await;
    let without = Site::on(StoreKind::S3);
    without.stage(&without.change(10), &["U,1,a"]).await;
    without.expect_held(&["no full load is staged"]).await;
}

#[tokio::test]
async fn without_the_state_object_a_table_begins_from_what_is_staged() {
    let site = Site::on(StoreKind::S3);
    site.stage(&site.change(10), &["I,3,c"]).await;
    site.expect_ok(&["3=c"]).await;
    site.expire(&site.change(10)).await;
    site.move_away().await;
    site.stage(&site.change(20), &["I,4,d"]).await;
    site.expect_held(&["remove the state object"]).await;
    site.remove_state().await;
    site.expect_ok(&["4=d"]).await;
}

#[tokio::test]
async fn a_load_that_has_expired_in_part_is_no_load_to_begin_from() {
    let site = Site::on(StoreKind::S3);
    site.stage(LOAD, &["1,a"]).await;
    site.stage("LOAD00000002.csv", &["2,b"]).await;
    site.stage(&site.change(10), &["U,2,c"]).await;
    site.expect_ok(&["1=a", "2=c"]).await;
    site.expire(LOAD).await;
    site.expect_ok(&["1=a", "2=c"]).await;
    site.move_away().await;
    site.expect_held(&["staged in part", "LOAD00000002.csv", "stage the missing objects"]).await;
    site.remove_state().await;
    site.expect_ok(&["2=c"]).await;
}

#[tokio::test]
async fn changes_of_rows_that_were_never_inserted_mean_that_a_load_is_missing() {
    for change in ["U,1,x", "D,1,"] {
        let site = Site::on(StoreKind::S3);
        site.stage(&site.change(10), &["I,3,c", "U,3,d", "I,4,e", "D,4,"]).await;
        site.expect_ok(&["3=d"]).await;
        site.stage(&site.change(20), &["D,3,", "I,3,f", change]).await;
        let held = site.expect_held(&["no full load is staged", "cdc_only = true"]).await;
        assert_eq!((held.pending, held.objects), (1, 0), "{held:?}");
        assert_eq!(site.rows().await, ["3=d"]);
        let site = Site { extra: "cdc_only = true".into(), ..site };
        let rows = if change.starts_with('U') { vec!["1=x", "3=f"] } else { vec!["3=f"] };
        site.expect_ok(&rows).await;
    }
}

/// The load appears later: it is applied first, and includes the earlier change.
#[tokio::test]
async fn a_load_that_is_staged_after_the_first_changes_is_begun_with() {
    let site = Site::on(StoreKind::S3);
    site.stage(&site.change(10), &["U,1,old"]).await;
    site.expect_held(&["no full load is staged"]).await;
    site.stage(LOAD, &["1,loaded"]).await;
    site.stage(&site.change(20), &["I,2,b"]).await;
    let report = site.expect_ok(&["1=loaded", "2=b"]).await;
    assert_eq!(report.before_load, 1, "{report:?}");
    site.expect_ok(&["1=loaded", "2=b"]).await;
}

#[tokio::test]
async fn changes_of_before_a_reload_are_not_applied_onto_it() {
    // On S3 the times of objects tell; on a disk, the table's progress does.
    for kind in [StoreKind::S3, StoreKind::File] {
        let site = Site { extra: "on_reload = \"hold\"".into(), ..Site::on(kind) };
        site.stage(LOAD, &["1,a", "2,b"]).await;
        site.stage(&site.change(10), &["U,1,old", "I,3,c"]).await;
        site.expect_ok(&["1=old", "2=b", "3=c"]).await;
        // At the source 2 is deleted and 1 is changed, which no remaining change object shows.
        site.stage(LOAD, &["1,new", "3,c"]).await;
        site.stage(&site.change(30), &["I,4,d"]).await;
        site.expect_held(&["reload", "dmslake rebuild shop.t"]).await;
        let report = site.rebuild(Losses::Refused).await.unwrap();
        site.expect_ok(&["1=new", "3=c", "4=d"]).await;
        assert_eq!(report.before_load, 1, "{kind:?}: {report:?}");
        site.stage(&site.change(40), &["D,4,"]).await;
        site.expect_ok(&["1=new", "3=c"]).await;
    }
}

/// Names are from 2024, times from now: DMS itself staged none of it.
#[tokio::test]
async fn changes_of_before_a_reload_are_known_in_a_copied_folder_too() {
    let site = Site::with("on_reload = \"hold\"");
    site.stage(LOAD, &["1,a"]).await;
    site.stage("20240301-175902985.csv", &["U,1,old"]).await;
    site.expect_ok(&["1=old"]).await;
    site.stage(LOAD, &["1,new"]).await;
    site.stage("20240302-175902985.csv", &["I,2,b"]).await;
    site.expect_held(&["reload"]).await;
    let report = site.rebuild(Losses::Refused).await.unwrap();
    site.expect_ok(&["1=new", "2=b"]).await;
    assert_eq!(report.before_load, 1, "{report:?}");
}

#[tokio::test]
async fn a_folder_that_was_copied_is_read_by_its_names_alone() {
    let site = Site::on(StoreKind::S3);
    // Digits are copied before letters, and the times are those of the copy.
    site.stage("20240301-175902985.csv", &["U,1,b"]).await;
    site.stage(LOAD, &["1,a"]).await;
    let report = site.expect_ok(&["1=b"]).await;
    assert_eq!(report.before_load, 0, "{report:?}");
}

#[tokio::test]
async fn objects_that_a_shorter_reload_left_hold_the_table_until_they_are_moved() {
    let site = Site::on(StoreKind::S3);
    site.stage(LOAD, &["1,a"]).await;
    site.stage("LOAD00000002.csv", &["2,gone at the source"]).await;
    site.stage(&site.change(10), &["U,1,b"]).await;
    site.stage(LOAD, &["1,c"]).await;
    site.stage(&site.change(20), &["U,1,d"]).await;
    site.expect_held(&["two full loads", "LOAD00000002.csv", "move the older load objects"]).await;
    site.expire("LOAD00000002.csv").await;
    site.expect_ok(&["1=d"]).await;
}

#[tokio::test]
async fn a_state_object_that_cannot_be_read_is_restored_or_removed() {
    let site = Site::on(StoreKind::S3);
    site.stage(LOAD, &["1,a"]).await;
    site.expect_ok(&["1=a"]).await;
    site.move_away().await;
    let whole = site.state().await;
    for broken in ["{", "{\"format\": 1}", "{\"table\": \"shop.t\", \"keys\": []}"] {
        site.set_state(broken).await;
        site.expect_held(&["state object", "restore the object; or remove it"]).await;
    }
    site.set_state(&whole).await;
    site.expect_ok(&["1=a"]).await;
    site.move_away().await;
    site.set_state("{").await;
    site.remove_state().await;
    site.expect_ok(&["1=a"]).await;
}

/// Another worker that begins the table just before this one asks for its state.
#[derive(Debug)]
struct Rival {
    pipeline: Pipeline,
    has_run: AtomicBool,
}

#[async_trait]
impl Hooks for Rival {
    type Ticket = ();

    async fn before(&self, operation: Operation, path: &Path) -> object_store::Result<()> {
        let is_asked = operation == Operation::Get && *path == Path::from(STATE);
        if is_asked && !self.has_run.swap(true, Ordering::Relaxed) {
            let report = Site::apply_to(&self.pipeline).await;
            assert_eq!((report.status, report.objects), (Status::Ok, 1), "{report:?}");
        }
        Ok(())
    }
}

/// What the other worker has begun is not a table that is gone.
#[tokio::test]
async fn two_workers_may_begin_a_table_at_once() {
    let site = Site::with("cdc_only = true");
    site.stage(&site.change(10), &["I,1,a"]).await;
    let rival = Rival { pipeline: site.pipeline(), has_run: AtomicBool::new(false) };
    let late = site.through(rival);
    let report = late.apply().await;
    assert_eq!((report.status, report.objects), (Status::Ok, 0), "{report:?}");
    site.expect_ok(&["1=a"]).await;
}
