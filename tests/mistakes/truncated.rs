//! A TRUNCATE at the source deletes all that is staged of a table, where the task handles it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use dmslake::clock::{Clock, SystemClock};
use dmslake::error::ErrorKind;
use dmslake::pipeline::{Limits, Losses, Scope, Silent, Status};
use dmslake::storage::StoreKind;
use uuid::Uuid;

use super::site::{Site, faults};
use crate::support::hooked_store::{Fault, Faults};

const TRUNCATE: &str = "on_objects_vanished = \"truncate\"";
const LOAD: &str = "LOAD00000001.csv";

/// Two rows from a load and a change, both of which a TRUNCATE then deletes.
async fn truncated(kind: StoreKind, extra: &str) -> Site {
    let site = loaded(kind, extra).await;
    site.expire(LOAD).await;
    site.expire(&site.change(10)).await;
    site
}

async fn loaded(kind: StoreKind, extra: &str) -> Site {
    let site = Site { extra: extra.into(), expiry_days: Some(7), ..Site::on(kind) };
    site.stage(LOAD, &["1,a"]).await;
    site.expect_ok(&["1=a"]).await;
    site.stage(&site.change(10), &["I,2,b"]).await;
    site.expect_ok(&["1=a", "2=b"]).await;
    site
}

#[tokio::test]
async fn a_truncate_holds_the_table_until_it_is_emptied() {
    for kind in [StoreKind::S3, StoreKind::File] {
        let site = truncated(kind, "").await;
        let words = ["deleted from staging before it expired", "dmslake truncate shop.t"];
        let held = site.expect_held(&words).await;
        assert_eq!(held.error_kind, Some(ErrorKind::VanishedObject));
        site.stage(&site.change(20), &["I,3,c"]).await;
        let held = site.expect_held(&words).await;
        assert_eq!((held.pending, held.objects), (1, 0), "{held:?}");
        site.truncate().await.unwrap();
        site.expect_ok(&["3=c"]).await;
        site.expect_ok(&["3=c"]).await;
    }
}

#[tokio::test]
async fn a_hold_ends_where_vanished_objects_are_ignored_until_the_next_change() {
    let site = truncated(StoreKind::S3, "").await;
    site.expect_held(&["on_objects_vanished = \"ignore\""]).await;
    let ignoring = Site { extra: "on_objects_vanished = \"ignore\"".into(), ..site.clone() };
    ignoring.expect_ok(&["1=a", "2=b"]).await;
    site.expect_held(&["deleted from staging"]).await;
    site.stage(&site.change(20), &["U,2,c"]).await;
    ignoring.expect_ok(&["1=a", "2=c"]).await;
    site.expect_ok(&["1=a", "2=c"]).await;
}

#[tokio::test]
async fn a_truncate_empties_the_table_if_configured_so_and_changes_go_on() {
    for kind in [StoreKind::S3, StoreKind::File] {
        let site = truncated(kind, TRUNCATE).await;
        // It may be the beginning of a load.
        site.expect_held(&["wait for the next object"]).await;
        assert_eq!(site.rows().await, ["1=a", "2=b"]);
        site.stage(&site.change(20), &["I,2,c"]).await;
        let report = site.expect_ok(&["2=c"]).await;
        let counts = report.counts;
        assert_eq!((counts.rows, counts.deleted, counts.inserted), (3, 2, 1), "{report:?}");
        // The ledger remembers it.
        site.expect_ok(&["2=c"]).await;
        let plan = site.plan_rebuild().await;
        assert!(plan.lost.iter().any(|lost| lost.contains("truncate")), "{plan:?}");
        // The next one is another.
        site.expire(&site.change(20)).await;
        site.expect_held(&["wait for the next object"]).await;
        site.stage(&site.change(30), &["I,4,d"]).await;
        site.expect_ok(&["4=d"]).await;
    }
}

#[tokio::test]
async fn a_load_that_begins_anew_is_no_truncate() {
    let site = truncated(StoreKind::S3, TRUNCATE).await;
    site.expect_held(&["wait for the next object"]).await;
    site.stage(LOAD, &["1,x", "5,y"]).await;
    let report = site.apply().await;
    assert_eq!(report.error_kind, Some(ErrorKind::Reloading), "{report:?}");
    assert_eq!(site.rows().await, ["1=a", "2=b"]);
    site.stage(&site.change(20), &["I,6,z"]).await;
    let report = site.expect_ok(&["1=x", "5=y", "6=z"]).await;
    assert_eq!(report.counts.deleted, 0, "{report:?}");
}

/// What is still staged of the time before shows that nothing was truncated.
#[tokio::test]
async fn a_partial_deletion_proves_nothing() {
    for is_load in [true, false] {
        let site = loaded(StoreKind::S3, TRUNCATE).await;
        let change = site.change(10);
        site.expire(if is_load { LOAD } else { &change }).await;
        site.expect_ok(&["1=a", "2=b"]).await;
        site.stage(&site.change(20), &["I,3,c"]).await;
        site.expect_ok(&["1=a", "2=b", "3=c"]).await;
    }
}

#[derive(Debug)]
struct Later(TimeDelta);

impl Clock for Later {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + self.0
    }

    fn instant(&self) -> Instant {
        SystemClock.instant()
    }

    fn attempt_id(&self) -> Uuid {
        SystemClock.attempt_id()
    }

    fn file_id(&self) -> Uuid {
        SystemClock.file_id()
    }

    fn jitter(&self, limit: Duration) -> Duration {
        SystemClock.jitter(limit)
    }
}

#[tokio::test]
async fn what_may_have_expired_proves_nothing() {
    // Older than the expiry, and of an age that is not known to matter.
    for (days, expiry_days, is_held) in [(8, Some(7), false), (6, Some(7), true), (0, None, false)]
    {
        let site = Site { expiry_days, ..truncated(StoreKind::S3, "").await };
        let pipeline = site.pipeline_at(Arc::new(Later(TimeDelta::days(days))));
        let report = site.apply_through(&pipeline).await;
        let expected = if is_held { Status::Held } else { Status::Ok };
        assert_eq!(report.status, expected, "{days} {expiry_days:?}: {report:?}");
    }
}

#[tokio::test]
async fn what_vanishes_unapplied_stays_held() {
    let site = loaded(StoreKind::S3, TRUNCATE).await;
    let bad = site.change(20);
    site.stage(&bad, &["I,x,y"]).await;
    site.expect_held(&["row: 1"]).await;
    for name in [LOAD, &site.change(10), &bad] {
        site.expire(name).await;
    }
    site.stage(&site.change(30), &["I,3,c"]).await;
    site.expect_held(&["1 staged object vanished", &bad]).await;
    site.resume(Losses::Accepted).await;
    site.expect_ok(&["3=c"]).await;
}

/// A doorbell lists only the newest objects.
#[tokio::test]
async fn a_doorbell_notices_a_truncate_too() {
    let site = loaded(StoreKind::S3, TRUNCATE).await;
    let mut names = vec![LOAD.to_owned(), site.change(10)];
    // So many that the ledger forgets the first of them.
    for at in 0..70 {
        let name = site.change(20 + at);
        site.stage(&name, &["U,2,c"]).await;
        names.push(name);
    }
    site.expect_ok(&["1=a", "2=c"]).await;
    for name in &names {
        site.expire(name).await;
    }
    let next = site.change(200);
    site.stage(&next, &["I,3,d"]).await;
    let pipeline = site.pipeline();
    let spec = pipeline.settings().tables[0].clone();
    let scope = Scope::Named(vec![format!("dms/shop/t/{next}")]);
    let report = pipeline.apply(&spec, &scope, &Limits::default(), &Silent).await;
    assert_eq!((report.status, report.pending), (Status::Ok, 0), "{report:?}");
    assert_eq!(site.rows().await, ["3=d"]);
}

#[tokio::test]
async fn a_crash_while_a_table_is_emptied_heals() {
    for died in [false, true] {
        faults(1..8, |fault| async move {
            let site = truncated(StoreKind::S3, TRUNCATE).await;
            site.stage(&site.change(20), &["I,2,c"]).await;
            let faulty = site.through(Faults::new(Some(Fault { died, ..fault })));
            let report = faulty.apply().await;
            if report.status == Status::Ok && report.pending == 0 {
                assert_eq!(site.rows().await, ["2=c"], "{fault:?}: {report:?}");
            }
            site.expect_ok(&["2=c"]).await;
        })
        .await;
    }
}

/// What was built of a new load is not the table any more, either.
#[tokio::test]
async fn a_truncate_during_a_reload_gives_the_rebuild_up() {
    for extra in [TRUNCATE, ""] {
        let site = loaded(StoreKind::S3, extra).await;
        site.stage(LOAD, &["1,x", "5,y"]).await;
        // It is not complete: begun by hand, it waits for its end.
        let report = site.rebuild(Losses::Refused).await.unwrap();
        assert_eq!(report.error_kind, Some(ErrorKind::Reloading), "{report:?}");
        site.expire(LOAD).await;
        site.expire(&site.change(10)).await;
        site.stage(&site.change(20), &["I,6,z"]).await;
        if extra.is_empty() {
            site.expect_held(&["dmslake rebuild shop.t --cancel"]).await;
            let pipeline = site.pipeline();
            pipeline.cancel_rebuild(&pipeline.settings().tables[0]).await.unwrap();
            site.expect_held(&["dmslake truncate shop.t"]).await;
            site.truncate().await.unwrap();
        }
        site.expect_ok(&["6=z"]).await;
    }
}
