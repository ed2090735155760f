//! Other writers, versions that can no longer be read, objects that are no longer staged.

use std::collections::BTreeSet;
use std::path::Path;

use dmslake::error::ErrorKind;
use dmslake::inspect::{Check, Until, bisect, replay};
use dmslake::pipeline::{Limits, Silent};
use url::Url;

use super::search;
use crate::support::other_writer::Shop;
use crate::support::world::on_disk;

/// A shop to which another writer has committed between two changes, and the version of that.
async fn meddled(extra: &str) -> (Shop, u64) {
    let shop = Shop::loaded(extra).await;
    shop.change("I,3,three\nU,2,deux\n");
    shop.apply().await;
    let url = Url::from_directory_path(shop.root()).unwrap();
    let delta = deltalake::open_table(url).await.unwrap();
    let _ = delta.delete().with_predicate("id = 1").await.unwrap();
    let meddled = shop.version();
    for id in 4..8 {
        shop.change(&format!("I,{id},more\n"));
        shop.apply().await;
    }
    (shop, meddled)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_another_writer_is_found_and_named() {
    for merge in ["copy-on-write", "deletion-vectors", "auto"] {
        let (shop, meddled) = meddled(&format!("merge = \"{merge}\"")).await;
        let pipeline = shop.pipeline().await;
        // Before there is the row it is not there either, which must not mislead the search.
        let sql = "SELECT 1 FROM (SELECT count(*) AS n, count(*) FILTER (WHERE id = 1) AS one \
                   FROM items) AS t WHERE n > 0 AND one = 0";
        let found = search(&pipeline, 0, sql).await;
        let commit = found.commit.as_ref().unwrap();
        assert_eq!((commit.version, commit.writer.as_str()), (meddled, "delta-rs"), "{found:?}");
        assert_eq!(commit.operation.as_deref(), Some("DELETE"), "{found:?}");
        assert!(commit.changes_rows && commit.objects.is_empty(), "{found:?}");
        assert!(found.object.is_none() && found.row.is_none(), "{found:?}");

        let sql = "SELECT id FROM items WHERE id = 6";
        let found = search(&pipeline, 0, sql).await;
        assert_eq!(found.object.as_deref(), Some("20240101-000000004.csv"), "{found:?}");
        assert_eq!(found.row.as_ref().map(|row| (row.number, row.operation)), Some((1, "insert")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_shows_what_another_writer_has_changed() {
    let (shop, meddled) = meddled("").await;
    let folder = tempfile::tempdir().unwrap();
    let into = on_disk(folder.path()).await;
    let pipeline = shop.pipeline().await;
    let (spec, limits) = (&pipeline.settings().tables[0], Limits::default());
    let whole = replay(&pipeline, spec, &into, &Until::Everything, &limits, &Silent).await.unwrap();
    let compared = whole.compared.as_ref().unwrap();
    assert!(whole.done && !whole.is_well(), "{whole:?}");
    assert_eq!((compared.version, compared.equal), (shop.version(), false), "{whole:?}");
    assert_eq!(compared.only_in_replay, Some(1), "{whole:?}");
    assert_eq!((compared.differing, compared.only_in_table), (Some(0), Some(0)), "{whole:?}");
    assert_eq!(compared.foreign_versions, [meddled], "{whole:?}");
    // Before that it is the same.
    let folder = tempfile::tempdir().unwrap();
    let into = on_disk(folder.path()).await;
    let part = replay(&pipeline, spec, &into, &Until::Version(meddled - 1), &limits, &Silent)
        .await
        .unwrap();
    assert!(part.is_well() && part.compared.is_some_and(|it| it.version == meddled - 1));
}

/// Deletes the data files that the newest version does not need, as a vacuum does.
async fn vacuum(shop: &Shop) {
    let url = Url::from_directory_path(shop.root()).unwrap();
    let delta = deltalake::open_table(url).await.unwrap();
    let live: BTreeSet<String> =
        delta.get_file_uris().unwrap().map(|uri| name_of(Path::new(&uri))).collect();
    for entry in std::fs::read_dir(shop.root()).unwrap() {
        let path = entry.unwrap().path();
        let is_file = path.extension().is_some_and(|it| it == "parquet");
        if is_file && !live.contains(&name_of(&path)) {
            std::fs::remove_file(path).unwrap();
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn staging_is_replayed_where_versions_can_no_longer_be_read() {
    let shop = Shop::loaded("").await;
    shop.change("U,1,eins\nU,2,poison\nU,1,uno\n");
    shop.apply().await;
    shop.change("U,1,un\n");
    shop.apply().await;
    vacuum(&shop).await;
    let pipeline = shop.pipeline().await;
    let sql = "SELECT id FROM items WHERE name = 'poison'";
    let found = search(&pipeline, 0, sql).await;
    assert!(found.found && found.replayed, "{found:?}");
    assert_eq!(found.object.as_deref(), Some("20240101-000000001.csv"), "{found:?}");
    let row = found.row.as_ref().unwrap();
    assert_eq!((row.number, row.operation), (2, "update"), "{found:?}");
    assert_eq!(row.key.get("id").map(String::as_str), Some("2"), "{found:?}");
    assert_eq!(found.commit.as_ref().map(|commit| commit.version), Some(2), "{found:?}");

    std::fs::remove_file(shop.folder.path().join("staging/shop/items/20240101-000000001.csv"))
        .unwrap();
    let found = search(&pipeline, 0, sql).await;
    let reason = found.reason.as_deref().unwrap();
    assert!(!found.found && reason.contains("20240101-000000001.csv is not staged"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_staged_is_named() {
    let shop = Shop::loaded("").await;
    for id in 3..6 {
        shop.change(&format!("I,{id},one\nI,{id}0,more\n"));
        shop.apply().await;
    }
    let staging = shop.folder.path().join("staging/shop/items");
    std::fs::remove_file(staging.join("20240101-000000001.csv")).unwrap();
    std::fs::write(staging.join("20240101-000000002.csv"), "I,4,other\n").unwrap();
    let pipeline = shop.pipeline().await;
    let (spec, limits) = (&pipeline.settings().tables[0], Limits::default());
    let folder = tempfile::tempdir().unwrap();
    let into = on_disk(folder.path()).await;
    let until = Until::Version(4);
    let replayed = replay(&pipeline, spec, &into, &until, &limits, &Silent).await.unwrap();
    assert!(!replayed.done && !replayed.is_well(), "{replayed:?}");
    let missing = replayed.missing.join("\n");
    assert!(missing.contains("20240101-000000001.csv is not staged"), "{missing}");
    assert!(missing.contains("20240101-000000002.csv is another object"), "{missing}");
    // Nothing was written.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    // The load alone is there.
    let until = Until::Version(1);
    let replayed = replay(&pipeline, spec, &into, &until, &limits, &Silent).await.unwrap();
    assert!(replayed.is_well() && replayed.rows == 2, "{replayed:?}");

    // Within a commit whose object is another one now, the search ends at the object.
    let found = search(&pipeline, 0, "SELECT id FROM items WHERE id = 40").await;
    assert_eq!(found.object.as_deref(), Some("20240101-000000002.csv"), "{found:?}");
    assert!(found.found && found.row.is_none(), "{found:?}");
    assert!(found.reason.unwrap().contains("is another object now"));
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_that_hold_or_always_failed_or_are_none_are_told() {
    let shop = Shop::loaded("").await;
    let pipeline = shop.pipeline().await;
    let holds = search(&pipeline, 0, "SELECT id FROM items WHERE id > 7").await;
    assert!(!holds.found && holds.reason.unwrap().contains("holds at the newest version"));
    let always = search(&pipeline, 0, "SELECT 1 FROM items HAVING count(*) < 7").await;
    assert!(!always.found && always.reason.as_deref().unwrap().contains("already"), "{always:?}");
    assert_eq!((always.oldest, always.newest), (Some(0), 1));
    let (spec, limits) = (&pipeline.settings().tables[0], Limits::default());
    for sql in ["SELECT nothing FROM items", "SELEC", "DROP TABLE items", "SELECT 1 FROM others"] {
        let refused = bisect(&pipeline, spec, &Check::new(sql), &limits, &|_| {}).await;
        assert_eq!(refused.expect_err(sql).kind(), ErrorKind::Config, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_without_keys_are_compared_by_all_of_their_rows() {
    let shop = Shop::with("append_only = true").without_keys();
    shop.stage("LOAD00000001.csv", "1,one\n1,one\n2,two\n");
    shop.apply().await;
    shop.change("I,3,three\nI,1,one\n");
    shop.apply().await;
    let pipeline = shop.pipeline().await;
    let (spec, limits) = (&pipeline.settings().tables[0], Limits::default());
    let folder = tempfile::tempdir().unwrap();
    let into = on_disk(folder.path()).await;
    let whole = replay(&pipeline, spec, &into, &Until::Everything, &limits, &Silent).await.unwrap();
    assert!(whole.is_well() && whole.compared.as_ref().is_some_and(|it| it.equal), "{whole:?}");
    let sql = "SELECT id FROM items GROUP BY id HAVING count(*) > 2";
    let found = search(&pipeline, 0, sql).await;
    assert_eq!(found.row.as_ref().map(|row| row.number), Some(2), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_are_not_there_are_refused_with_a_way_on() {
    let shop = Shop::with("");
    shop.stage("LOAD00000001.csv", "1,one\n2,two\n");
    let replayed = async |until: Until| {
        let folder = tempfile::tempdir().unwrap();
        let into = on_disk(folder.path()).await;
        let pipeline = shop.pipeline().await;
        let (spec, limits) = (&pipeline.settings().tables[0], Limits::default());
        replay(&pipeline, spec, &into, &until, &limits, &Silent).await
    };
    // Without a table there is no version, and all that is staged is applied even so.
    let none = replayed(Until::Version(1)).await.expect_err("no table");
    assert_eq!(none.own_remedy(), Some("dmslake apply --table shop.items"));
    let whole = replayed(Until::Everything).await.unwrap();
    assert!(whole.is_well() && whole.rows == 2 && whole.compared.is_none(), "{whole:?}");
    shop.apply().await;
    assert!(replayed(Until::Version(1)).await.unwrap().is_well());

    shop.change("I,3,three\n");
    shop.apply().await;
    let url = Url::from_directory_path(shop.root()).unwrap();
    let delta = deltalake::open_table(url).await.unwrap();
    deltalake::checkpoints::create_checkpoint(&delta, None).await.unwrap();
    for version in 0..2 {
        std::fs::remove_file(shop.root().join(format!("_delta_log/{version:020}.json"))).unwrap();
    }
    let gone = replayed(Until::Version(1)).await.expect_err("the log begins later");
    assert_eq!(gone.own_remedy(), Some("choose a later version, or an object"));
    let later = replayed(Until::Version(2)).await.unwrap();
    assert!(later.is_well() && later.rows == 3, "{later:?}");
    let name = "LOAD00000001.csv".to_owned();
    let object = replayed(Until::Object { name, rows: Some(1) }).await.unwrap();
    assert!(object.is_well() && object.rows == 1, "{object:?}");
}
