//! An older program meets what a newer one wrote, because it was not upgraded, or put back.

use bytes::Bytes;
use dmslake::storage::StoreKind;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};

use super::site::{STATE, Site};

async fn loaded() -> Site {
    let site = Site::on(StoreKind::S3);
    site.stage("LOAD00000001.csv", &["1,a", "2,b"]).await;
    site.expect_ok(&["1=a", "2=b"]).await;
    site.stage(&site.change(10), &["U,1,c"]).await;
    site
}

/// Every object of the lake, with its size and ETag.
async fn lake(site: &Site) -> Vec<(Path, u64, Option<String>)> {
    let listed: Vec<_> = site.lake.store().list(None).try_collect().await.unwrap();
    let mut objects: Vec<_> =
        listed.into_iter().map(|meta| (meta.location, meta.size, meta.e_tag)).collect();
    objects.sort();
    objects
}

/// Rewrites the object as a program that is newer by one format would have written it.
async fn raise(site: &Site, path: &Path, from: &str, to: &str) -> Bytes {
    let store = site.lake.store();
    let before = store.get(path).await.unwrap().bytes().await.unwrap();
    let text = String::from_utf8(before.to_vec()).unwrap();
    assert_eq!(text.matches(from).count(), 1, "{text}");
    let newer = text.replace(from, to);
    store.put(path, PutPayload::from(newer.into_bytes())).await.unwrap();
    before
}

async fn put_back(site: &Site, path: &Path, bytes: Bytes) {
    site.lake.store().put(path, PutPayload::from(bytes)).await.unwrap();
}

#[tokio::test]
async fn a_commit_record_of_a_newer_format_holds_the_table() {
    let site = loaded().await;
    let version = site.delta().await.version().unwrap();
    let log = Path::from(format!("shop/t/_delta_log/{version:020}.json"));
    let older = raise(&site, &log, "\"format\":3", "\"format\":4").await;
    let before = lake(&site).await;
    site.expect_held(&["a newer version of dmslake wrote the commit record", "upgrade dmslake"])
        .await;
    let after = lake(&site).await.into_iter().filter(|(path, ..)| path.as_ref() != STATE);
    let before: Vec<_> = before.into_iter().filter(|(path, ..)| path.as_ref() != STATE).collect();
    assert_eq!(after.collect::<Vec<_>>(), before, "nothing is written but that it is held");
    put_back(&site, &log, older).await;
    site.expect_ok(&["1=c", "2=b"]).await;
}

#[tokio::test]
async fn a_state_object_of_a_newer_format_holds_the_table() {
    let site = loaded().await;
    let state = Path::from(STATE);
    let older = raise(&site, &state, "\"format\": 2", "\"format\": 3").await;
    let before = lake(&site).await;
    site.expect_held(&["a newer version of dmslake wrote the state object", "upgrade dmslake"])
        .await;
    assert_eq!(lake(&site).await, before, "nothing is written");
    put_back(&site, &state, older).await;
    site.expect_ok(&["1=c", "2=b"]).await;
}
