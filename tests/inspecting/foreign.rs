//! Commits of other writers and of maintenance, as diff, why and history tell them.

use arrow::array::{AsArray, RecordBatch};
use deltalake::DeltaTable;
use dmslake::inspect::{self, RowLife};
use dmslake::table::AsOf;
use futures::TryStreamExt;
use url::Url;

use crate::support::other_writer::Shop;

pub(super) async fn life(shop: &Shop, key: &str) -> RowLife {
    let pipeline = shop.pipeline().await;
    let spec = pipeline.settings().tables[0].clone();
    inspect::why(&pipeline, &spec, key, None).await.unwrap().expect("a table")
}

pub(super) async fn open(shop: &Shop) -> DeltaTable {
    let url = Url::from_directory_path(shop.root()).unwrap();
    deltalake::open_table(url).await.unwrap()
}

/// Kinds and keys that two versions differ in.
async fn differing(shop: &Shop, from: u64, to: u64) -> Vec<String> {
    let pipeline = shop.pipeline().await;
    let spec = pipeline.settings().tables[0].clone();
    let (from, to) = (AsOf::Version(from), Some(AsOf::Version(to)));
    let diff = inspect::diff(&pipeline, &spec, from, to, None).await.unwrap().expect("a table");
    let changes: Vec<RecordBatch> = diff.changes.try_collect().await.unwrap();
    let line = |batch: &RecordBatch, row: usize| {
        let key = batch["key"].as_struct().column(0).clone();
        let key = key.as_primitive::<arrow::datatypes::Int32Type>().value(row);
        format!("{} {key}", batch["change"].as_string::<i32>().value(row))
    };
    changes.iter().flat_map(|it| (0..it.num_rows()).map(|row| line(it, row))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_writer_did_to_a_row_is_part_of_its_life() {
    for merge in ["copy-on-write", "deletion-vectors"] {
        let shop = Shop::loaded(&format!("merge = \"{merge}\"")).await;
        shop.change("I,3,three\nU,2,deux\n");
        shop.apply().await;
        let ours = shop.version();
        let _ = open(&shop).await.delete().with_predicate("id = 3").await.unwrap();
        let deleted = shop.version();
        shop.change("U,2,zwei\n");
        shop.apply().await;
        let newest = shop.version();

        let three = life(&shop, "3").await;
        let events: Vec<(u64, &str, &str)> = three
            .events
            .iter()
            .map(|event| (event.version, event.change.unwrap(), event.writer.as_str()))
            .collect();
        let expected = [(ours, "inserted", "dmslake"), (deleted, "deleted", "delta-rs")];
        assert_eq!(events, expected, "{merge}: {three:?}");
        assert!(three.row.is_none() && three.events[1].changes.is_empty());
        assert_eq!(differing(&shop, ours, deleted).await, ["deleted 3"], "{merge}");
        assert_eq!(differing(&shop, ours, newest).await, ["updated 2", "deleted 3"], "{merge}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_only_moved_is_not_touched() {
    let shop = Shop::loaded("merge = \"deletion-vectors\"").await;
    for round in 0..12 {
        shop.change(&format!("I,{},new\nU,1,round {round}\n", 10 + round));
        shop.apply().await;
    }
    let before = shop.version();
    let report = shop.maintain().await;
    assert!(report.actions.iter().any(|it| it.version > Some(before)), "{report:?}");
    let one = life(&shop, "1").await;
    assert_eq!(one.events.len(), 13, "{one:?}");
    assert!(one.events.iter().all(|event| event.version <= before));
    assert_eq!(differing(&shop, before, shop.version()).await, Vec::<String>::new());
    let two = life(&shop, "2").await;
    assert_eq!(two.events.len(), 1, "{two:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_told_as_a_gap() {
    let shop = Shop::loaded("").await;
    shop.change("U,2,deux\n");
    shop.apply().await;
    let staged = shop.folder.path().join("staging/shop/items/20240101-000000001.csv");
    std::fs::remove_file(staged).unwrap();
    let two = life(&shop, "2").await;
    assert_eq!(two.events.len(), 2);
    assert!(two.events[1].changes.is_empty());
    assert!(two.gaps.iter().any(|gap| gap.contains("20240101-000000001.csv")), "{:?}", two.gaps);

    // The log may be cut where a checkpoint stands.
    let version = shop.version();
    deltalake::checkpoints::create_checkpoint(&open(&shop).await, None).await.unwrap();
    for older in 0..version {
        std::fs::remove_file(shop.root().join(format!("_delta_log/{older:020}.json"))).unwrap();
    }
    let two = life(&shop, "2").await;
    let told: Vec<_> = two.events.iter().map(|event| (event.version, event.change)).collect();
    assert_eq!(told, [(version, None)], "{two:?}");
    assert!(two.gaps.iter().any(|gap| gap.contains("was there in version")), "{:?}", two.gaps);
    assert!(two.row.is_some());
}
