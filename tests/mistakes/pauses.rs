//! A pause holds a table for every worker, until it is resumed.

use dmslake::error::ErrorKind;
use dmslake::pipeline::Losses;
use dmslake::storage::StoreKind;

use super::site::Site;

#[tokio::test]
async fn a_paused_table_takes_in_nothing_until_it_is_resumed() {
    let site = Site::on(StoreKind::S3);
    site.stage("LOAD00000001.csv", &["1,a"]).await;
    let worker = site.pipeline();
    let report = Site::apply_to(&worker).await;
    assert_eq!(report.counts.inserted, 1, "{report:?}");
    assert!(site.pause(Some("the source is being repaired")).await);
    site.stage(&site.change(10), &["U,1,b"]).await;
    // Also for a worker that has the table warm.
    let report = Site::apply_to(&worker).await;
    assert_eq!((report.error_kind, report.pending), (Some(ErrorKind::Paused), 1), "{report:?}");
    let report = site.expect_held(&["paused", "the source is being repaired", "since"]).await;
    assert_eq!((report.pending, report.objects), (1, 0), "{report:?}");
    assert!(!site.pause(None).await, "it is paused already");
    assert!(site.resume(Losses::Refused).await.was_paused);
    assert!(!site.resume(Losses::Refused).await.was_paused);
    site.expect_ok(&["1=b"]).await;
}

#[tokio::test]
async fn a_table_may_be_paused_before_it_begins() {
    let site = Site::on(StoreKind::File);
    assert!(site.pause(None).await);
    site.stage("LOAD00000001.csv", &["1,a"]).await;
    site.expect_held(&["paused"]).await;
    // What is seen meanwhile must not vanish either.
    site.expire("LOAD00000001.csv").await;
    site.resume(Losses::Refused).await;
    site.expect_held(&["vanished", "LOAD00000001.csv"]).await;
    site.stage("LOAD00000001.csv", &["1,a"]).await;
    site.expect_ok(&["1=a"]).await;
}
