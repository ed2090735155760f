//! Keys that are not unique, and keys that change.

use dmslake::pipeline::Losses;
use dmslake::storage::StoreKind;

use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload};

use super::site::Site;

#[tokio::test]
async fn a_load_that_holds_a_key_in_rows_that_differ_is_held() {
    for is_met_at_once in [true, false] {
        let mut site = Site::on(StoreKind::S3);
        site.keys = "[\"v\"]".into();
        site.stage("LOAD00000001.csv", &["1,same", "2,other", "2,other"]).await;
        if is_met_at_once {
            site.stage("LOAD00000002.csv", &["3,same"]).await;
            site.expect_held(&[
                "different rows with the same key",
                "keys: v",
                "rows that would be lost: 1",
            ])
            .await;
        } else {
            // A later commit of the same load finds it in the table.
            site.expect_ok(&["1=same", "2=other"]).await;
            site.stage("LOAD00000002.csv", &["3,same", "4,new"]).await;
            site.expect_held(&["different rows with the same key", "rows that would be lost: 1"])
                .await;
        }
        site.keys = "[\"id\"]".into();
        if is_met_at_once {
            site.expect_ok(&["1=same", "2=other", "3=same"]).await;
        } else {
            site.expect_held(&["other key columns than those configured"]).await;
            site.rebuild(Losses::Refused).await.unwrap();
            site.expect_ok(&["1=same", "2=other", "3=same", "4=new"]).await;
        }
    }
}

#[tokio::test]
async fn a_row_that_a_load_copies_twice_is_one_row() {
    let site = Site::on(StoreKind::S3);
    site.stage("LOAD00000001.csv", &["1,a", "2,b", "1,a"]).await;
    let report = site.expect_ok(&["1=a", "2=b"]).await;
    assert_eq!((report.counts.rows, report.counts.superseded), (3, 1));
    site.stage("LOAD00000002.csv", &["2,b", "3,c"]).await;
    site.expect_ok(&["1=a", "2=b", "3=c"]).await;
}

/// One row whatever the number of fraction digits, which an ALTER TABLE changes.
#[tokio::test]
async fn a_time_is_one_key_however_it_is_spelled() {
    let site = Site { id_type: "time(6)".into(), ..Site::on(StoreKind::S3) };
    site.stage("LOAD00000001.csv", &["10:00:00.500000,a", "-00:30:00,b", "100:00:00.000,c"]).await;
    site.expect_ok(&["-00:30:00=b", "100:00:00=c", "10:00:00.5=a"]).await;
    site.stage(&site.change(10), &["U,10:00:00.5,d", "D,-00:30:00.000,b", "U,100:00:00,e"]).await;
    site.expect_ok(&["100:00:00=e", "10:00:00.5=d"]).await;
}

#[tokio::test]
async fn a_table_with_times_as_they_came_for_keys_is_rebuilt() {
    let site = Site { id_type: "time(3)".into(), ..Site::on(StoreKind::S3) };
    site.stage("LOAD00000001.csv", &["10:00:00.500,a"]).await;
    site.expect_ok(&["10:00:00.5=a"]).await;
    // A program of before wrote the newest commit.
    let log = Path::from("shop/t/_delta_log/00000000000000000001.json");
    let store = site.lake.store();
    let text = store.get(&log).await.unwrap().bytes().await.unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let older = text.replace("\"one_time_spelling\":true,", "");
    assert_ne!(older, text);
    store.put(&log, PutPayload::from(older.into_bytes())).await.unwrap();
    site.stage(&site.change(10), &["U,10:00:00.500,b"]).await;
    site.expect_held(&["not in one spelling", "column: id", "dmslake rebuild shop.t"]).await;
    site.rebuild(Losses::Refused).await.unwrap();
    site.expect_ok(&["10:00:00.5=b"]).await;
}

#[tokio::test]
async fn keys_that_are_edited_hold_the_table_until_it_is_made_anew() {
    let mut site = Site::on(StoreKind::S3);
    site.stage("LOAD00000001.csv", &["1,a", "2,b"]).await;
    site.expect_ok(&["1=a", "2=b"]).await;
    site.keys = "[\"id\", \"v\"]".into();
    site.stage(&site.change(10), &["U,1,c"]).await;
    site.expect_held(&["keys of the table: id", "keys configured: id, v", "set keys back"]).await;
    site.keys = "[\"id\"]".into();
    site.expect_ok(&["1=c", "2=b"]).await;
    site.keys = "[\"v\", \"id\"]".into();
    site.expect_held(&["other key columns"]).await;
    site.rebuild(Losses::Refused).await.unwrap();
    // With these keys, an update of `v` makes another row.
    site.expect_ok(&["1=a", "1=c", "2=b"]).await;
    site.keys = "[\"id\", \"v\"]".into();
    site.expect_ok(&["1=a", "1=c", "2=b"]).await;
}
