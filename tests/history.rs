//! The history of a table to which several writers committed: whose each commit is, and what it
//! did.

use std::path::Path;

use deltalake::logstore::LogStoreRef;
use dmslake::table::{Commit, history};
use futures::TryStreamExt;
use url::Url;

use crate::support::other_writer::Shop;

async fn log_store(root: &Path) -> LogStoreRef {
    let url = Url::from_directory_path(root).unwrap();
    deltalake::open_table(url).await.unwrap().log_store()
}

async fn commits(shop: &Shop) -> Vec<Commit> {
    let log_store = log_store(&shop.root()).await;
    history(&log_store, shop.version()).try_collect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_commit_says_who_wrote_it_and_what_it_did() {
    let shop = Shop::loaded("").await;
    shop.change("I,3,three\nU,2,deux\n");
    shop.apply().await;
    let url = Url::from_directory_path(shop.root()).unwrap();
    let delta = deltalake::open_table(url).await.unwrap();
    let _ = delta.delete().with_predicate("id = 3").await.unwrap();
    shop.commit(&[]);

    let commits = commits(&shop).await;
    let versions: Vec<u64> = commits.iter().map(|commit| commit.version).collect();
    assert_eq!(versions, (0..=shop.version()).rev().collect::<Vec<_>>(), "newest first");

    let [by_hand, delete, merge, ..] = commits.as_slice() else { panic!("{commits:?}") };
    assert_eq!((by_hand.operation.as_deref(), by_hand.engine.as_deref()), (Some("by hand"), None));
    assert!(by_hand.ours.is_none() && by_hand.foreign().is_none(), "no row changed");

    let engine = delete.engine.as_deref().unwrap();
    assert!(engine.starts_with("delta-rs:"), "{engine}");
    assert_eq!(delete.foreign().unwrap().operation, "DELETE");
    let counts = &delete.metrics;
    assert_eq!((counts.rows_deleted, counts.files_removed), (Some(1), Some(1)), "{counts:?}");
    assert!(counts.duration.is_some());

    let engine = merge.engine.as_deref().unwrap();
    assert!(engine.starts_with("dmslake/"), "{engine}");
    let record = &merge.ours.as_ref().unwrap().record;
    let counts = &merge.metrics;
    assert_eq!((record.books.counts.inserted, record.books.counts.updated), (1, 1));
    assert_eq!((counts.rows_inserted, counts.rows_updated), (Some(1), Some(1)), "{counts:?}");
    assert_eq!(record.objects[0].key, "20240101-000000001.csv");
    assert!(merge.timestamp.is_some() && merge.foreign().is_none());

    let first = commits.last().unwrap();
    assert!(first.operation.as_deref() == Some("CREATE TABLE") && first.ours.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_ends_where_the_log_was_cleaned_up() {
    let shop = Shop::loaded("").await;
    shop.change("I,3,three\n");
    shop.apply().await;
    let log_store = log_store(&shop.root()).await;
    let newest = shop.version();
    let removed = shop.root().join(format!("_delta_log/{:020}.json", newest - 1));
    std::fs::remove_file(removed).unwrap();
    let left: Vec<Commit> = history(&log_store, newest).try_collect().await.unwrap();
    assert_eq!(left.iter().map(|commit| commit.version).collect::<Vec<_>>(), [newest]);
}
