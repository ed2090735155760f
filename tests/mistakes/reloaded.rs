//! DMS loads a table again: readers see the old rows until the new load is complete, and then its
//! rows, without an operator.

use dmslake::error::ErrorKind;
use dmslake::pipeline::{Limits, Losses, Scope, Status, Stop};
use dmslake::storage::StoreKind;

use super::site::Site;
use crate::support::stopper::Stopper;

const KINDS: [StoreKind; 2] = [StoreKind::S3, StoreKind::File];
const LOAD: &str = "LOAD00000001.csv";
const LOAD_2: &str = "LOAD00000002.csv";
const LOAD_3: &str = "LOAD00000003.csv";

/// A table whose source has lost row 2 and changed row 1 without a word.
async fn loaded(kind: StoreKind) -> Site {
    let site = Site::on(kind);
    site.stage(LOAD, &["1,a", "2,b"]).await;
    site.stage(LOAD_2, &["5,e"]).await;
    site.stage(&site.change(10), &["U,1,old", "I,3,c"]).await;
    site.expect_ok(&["1=old", "2=b", "3=c", "5=e"]).await;
    site
}

#[tokio::test]
async fn a_reload_takes_the_place_of_the_rows_when_the_next_change_shows_that_it_is_complete() {
    for kind in KINDS {
        let site = loaded(kind).await;
        let before = site.delta().await.version().unwrap();
        site.stage(LOAD, &["1,new", "3,c"]).await;
        let report = site.expect_held(&["loads the table again", "nothing: it is applied"]).await;
        assert_eq!(report.error_kind, Some(ErrorKind::Reloading));
        assert_eq!(site.rows().await, ["1=old", "2=b", "3=c", "5=e"], "readers see the old rows");
        site.stage(LOAD_2, &["6,f"]).await;
        site.expect_held(&["not complete yet"]).await;
        site.stage(&site.change(60), &["I,4,d"]).await;
        let report = site.expect_ok(&["1=new", "3=c", "4=d", "6=f"]).await;
        assert_eq!(report.before_load, 1, "{kind:?}: {report:?}");
        assert_eq!(report.version, Some(before + 1));
        site.stage(&site.change(70), &["D,4,d"]).await;
        site.expect_ok(&["1=new", "3=c", "6=f"]).await;
    }
}

#[tokio::test]
async fn a_reload_that_vanishes_before_it_is_complete_is_missed() {
    for kind in KINDS {
        let site = loaded(kind).await;
        site.stage(LOAD, &["1,new"]).await;
        site.expect_held(&["not complete yet"]).await;
        site.expire(LOAD).await;
        site.expect_held(&["vanished before it was applied", LOAD]).await;
        site.stage(LOAD, &["1,newer"]).await;
        site.stage(&site.change(60), &["I,4,d"]).await;
        site.expect_ok(&["1=newer", "4=d"]).await;
    }
}

#[tokio::test]
async fn objects_that_a_longer_load_has_left_are_none_of_a_shorter_one() {
    for kind in KINDS {
        let site = loaded(kind).await;
        site.stage(LOAD, &["1,new"]).await;
        site.stage(&site.change(60), &["I,4,d"]).await;
        site.expect_ok(&["1=new", "4=d"]).await;
        // Nor later, nor when the table is rebuilt.
        site.stage(&site.change(70), &["I,7,g"]).await;
        site.expect_ok(&["1=new", "4=d", "7=g"]).await;
        site.rebuild(Losses::Refused).await.unwrap();
        site.expect_ok(&["1=new", "4=d", "7=g"]).await;
    }
}

#[tokio::test]
async fn a_load_with_a_gap_is_waited_for() {
    for kind in KINDS {
        let site = loaded(kind).await;
        site.stage(LOAD, &["1,new"]).await;
        site.stage(LOAD_3, &["3,c"]).await;
        site.expect_held(&["not complete yet", "have vanished"]).await;
        // It was written in another order, or staged again.
        site.stage(LOAD_2, &["2,b"]).await;
        site.stage(&site.change(70), &["I,5,e"]).await;
        site.expect_ok(&["1=new", "2=b", "3=c", "5=e"]).await;
    }
}

#[tokio::test]
async fn a_reload_during_a_reload_takes_its_place() {
    for kind in KINDS {
        let site = Site { small: true, ..loaded(kind).await };
        let wide = "w".repeat(60_000);
        site.stage(LOAD, &[&format!("1,{wide}")]).await;
        site.stage(LOAD_2, &[&format!("2,{wide}")]).await;
        site.stage(&site.change(60), &["I,4,d"]).await;
        // It is built in part.
        let pipeline = site.pipeline();
        let spec = pipeline.settings().tables[0].clone();
        let limits = Limits { stop: Stop::default(), ..Limits::default() };
        let stopper = Stopper::after(1, limits.stop.clone());
        let report = pipeline.apply(&spec, &Scope::Everything, &limits, &stopper).await;
        assert_eq!(report.error_kind, Some(ErrorKind::Deadline), "{report:?}");
        site.stage(LOAD, &["1,newest"]).await;
        let report = site.apply().await;
        assert_eq!(report.status, Status::Held, "{kind:?}: {report:?}");
        assert_eq!(site.rows().await, ["1=old", "2=b", "3=c", "5=e"]);
        site.stage(&site.change(90), &["I,6,f"]).await;
        site.expect_ok(&["1=newest", "6=f"]).await;
    }
}

#[tokio::test]
async fn objects_that_are_gone_before_a_reload_are_no_loss() {
    let site = loaded(StoreKind::S3).await;
    let bad = site.change(20);
    site.stage(&bad, &["I,x,y"]).await;
    site.expect_held(&["row: 1"]).await;
    // DMS removes the table's objects before it loads it again.
    for name in [LOAD, LOAD_2, &site.change(10), &bad] {
        site.expire(name).await;
    }
    site.expect_held(&["vanished", &bad]).await;
    site.stage(LOAD, &["1,new"]).await;
    site.stage(&site.change(60), &["I,4,d"]).await;
    site.expect_ok(&["1=new", "4=d"]).await;
}

#[tokio::test]
async fn a_reload_can_be_held() {
    let site = Site { extra: "on_reload = \"hold\"".into(), ..loaded(StoreKind::S3).await };
    site.stage(LOAD, &["1,new"]).await;
    site.stage(&site.change(60), &["I,4,d"]).await;
    site.expect_held(&["a reload", "dmslake rebuild shop.t"]).await;
    site.expect_held(&["a reload"]).await;
    // By the bytes of its load.
    assert_eq!(site.plan_rebuild().await.estimate.rows_after, Some(1));
    site.rebuild(Losses::Refused).await.unwrap();
    site.expect_ok(&["1=new", "4=d"]).await;
}

#[tokio::test]
async fn a_reload_without_rows_empties_the_table() {
    for kind in KINDS {
        let site = loaded(kind).await;
        site.expire(LOAD_2).await;
        site.stage(LOAD, &[]).await;
        site.expect_held(&["not complete yet"]).await;
        site.stage(&site.change(60), &["I,4,d"]).await;
        site.expect_ok(&["4=d"]).await;
    }
}

#[tokio::test]
async fn a_reload_with_a_gap_is_not_applied_by_hand_either() {
    let site = Site { extra: "on_reload = \"hold\"".into(), ..loaded(StoreKind::S3).await };
    site.stage(LOAD, &["1,new"]).await;
    site.stage(LOAD_3, &["3,c"]).await;
    site.stage(&site.change(60), &["I,4,d"]).await;
    site.expire(LOAD_2).await;
    site.expect_held(&["a reload"]).await;
    let refused = site.rebuild(Losses::Refused).await.unwrap_err();
    assert!(refused.message().contains("missing between"), "{}", refused.message());
    assert_eq!(site.rows().await, ["1=old", "2=b", "3=c", "5=e"]);
}

#[tokio::test]
async fn a_stray_load_object_leaves_nothing_behind() {
    let site = loaded(StoreKind::S3).await;
    site.stage(LOAD_3, &["9,stray"]).await;
    site.expect_held(&["not complete yet"]).await;
    site.expire(LOAD_3).await;
    site.resume(Losses::Accepted).await;
    site.expect_ok(&["1=old", "2=b", "3=c", "5=e"]).await;
    site.rebuild(Losses::Refused).await.unwrap();
    site.expect_ok(&["1=old", "2=b", "3=c", "5=e"]).await;
}
