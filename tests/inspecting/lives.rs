//! The lives of rows through many versions, and what is read for them.

use dmslake::inspect::RowLife;

use super::foreign::{life, open};
use crate::support::other_writer::Shop;

fn told(life: &RowLife) -> Vec<(u64, &'static str)> {
    life.events.iter().map(|event| (event.version, event.change.unwrap())).collect()
}

/// A table of a hundred rows, and the version after it.
async fn hundred_rows() -> (Shop, u64) {
    let shop = Shop::with("merge = \"deletion-vectors\"\non_foreign_commit = \"report\"");
    let rows: Vec<String> = (0..100).map(|id| format!("{id},loaded\n")).collect();
    shop.stage("LOAD00000001.csv", &rows.concat());
    shop.apply().await;
    let loaded = shop.version();
    (shop, loaded)
}

async fn change(shop: &Shop, lines: &str) -> u64 {
    shop.change(lines);
    shop.apply().await;
    shop.version()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_row_went_is_found_without_reading_every_mask() {
    let (shop, loaded) = hundred_rows().await;
    let mut gone = 0;
    for round in 0..48 {
        let goes = if round == 11 { "D,7,\n" } else { "" };
        let version = change(&shop, &format!("U,{},new\n{goes}", 40 + round)).await;
        gone = if round == 11 { version } else { gone };
    }
    let seven = life(&shop, "7").await;
    assert_eq!(told(&seven), [(loaded, "inserted"), (gone, "deleted")], "{seven:?}");
    assert!(seven.row.is_none() && seven.gaps.is_empty());
    // Of the 48 masks of the file of the load those that tell are read.
    let read = seven.read;
    let others = read.requests.get - read.commits;
    assert!(read.data_files == 1 && others < 32, "{read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_restore_brought_back_have_come_back() {
    let (shop, loaded) = hundred_rows().await;
    let before = change(&shop, "U,1,one\nD,9,\n").await;
    let mut gone = 0;
    for round in 0..6 {
        let goes = if round == 2 { "D,7,\n" } else { "" };
        let version = change(&shop, &format!("U,{},new\n{goes}", 40 + round)).await;
        gone = if round == 2 { version } else { gone };
    }
    open(&shop).await.restore().with_version_to_restore(before).await.unwrap();
    let restored = shop.version();
    let _ = open(&shop).await.delete().with_predicate("id = 7").await.unwrap();
    let newest = shop.version();

    let seven = life(&shop, "7").await;
    let expected =
        [(loaded, "inserted"), (gone, "deleted"), (restored, "inserted"), (newest, "deleted")];
    assert_eq!(told(&seven), expected, "{seven:?}");
    assert_eq!(told(&life(&shop, "9").await), [(loaded, "inserted"), (before, "deleted")]);
    assert_eq!(told(&life(&shop, "1").await), [(loaded, "inserted"), (before, "updated")]);
    let forty = life(&shop, "40").await;
    let (updated, put_back) = (before + 1, restored);
    let expected = [(loaded, "inserted"), (updated, "updated"), (put_back, "updated")];
    assert_eq!(told(&forty), expected, "{forty:?}");
}
