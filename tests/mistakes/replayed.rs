//! Replays of, and searches in, tables to which something has happened: late objects that their
//! guard placed, a load that DMS made again, rows that an operator removed.

use dmslake::inspect::{Bisected, Check, Replayed, Until, bisect, replay};
use dmslake::pipeline::{Limits, Silent};
use dmslake::storage::StoreKind;

use super::site::Site;
use crate::support::table::LakeTable;
use crate::support::world::in_memory;

const KINDS: [StoreKind; 2] = [StoreKind::S3, StoreKind::File];

/// A replay, and its rows.
async fn replayed(site: &Site, until: Until) -> (Replayed, Vec<String>) {
    let into = in_memory("memory:///again", StoreKind::File);
    let pipeline = site.pipeline();
    let (spec, limits) = (&pipeline.settings().tables[0], Limits::default());
    let replayed = replay(&pipeline, spec, &into, &until, &limits, &Silent).await.unwrap();
    (replayed, LakeTable::at(&into, &["shop", "t"]).pairs("id", "v").await)
}

async fn search(site: &Site, sql: &str) -> Bisected {
    let pipeline = site.pipeline();
    let (spec, limits) = (&pipeline.settings().tables[0], Limits::default());
    bisect(&pipeline, spec, &Check::new(sql), &limits, &|_| {}).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_a_late_object_is_found_and_a_replay_comes_to_the_same() {
    for kind in KINDS {
        let site = Site::on(kind);
        site.stage("LOAD00000001.csv", &["1,a"]).await;
        site.stage(&site.change(10), &["U,1,b,10", "I,2,b,11", "I,3,b,12"]).await;
        site.stage(&site.change(30), &["U,1,c,30", "D,2,c,31"]).await;
        site.expect_ok(&["1=c", "3=b"]).await;
        let rows = ["U,1,older,20", "U,2,older,21", "D,3,x,22", "I,4,new,23", "I,5,more,24"];
        site.stage(&site.change(20), &rows).await;
        site.expect_ok(&["1=c", "4=new", "5=more"]).await;
        site.stage(&site.change(40), &["I,6,last,40"]).await;
        site.expect_ok(&["1=c", "4=new", "5=more", "6=last"]).await;

        let found = search(&site, "SELECT id FROM t WHERE id = 4").await;
        assert_eq!(found.object.as_ref(), Some(&site.change(20)), "{kind:?}: {found:?}");
        let row = found.row.as_ref().unwrap();
        assert_eq!((row.number, row.operation), (4, "insert"), "{kind:?}: {found:?}");
        assert_eq!(row.change_sequence.as_deref(), Some("23"), "{kind:?}: {found:?}");
        let (whole, rows) = replayed(&site, Until::Everything).await;
        assert_eq!(rows, ["1=c", "4=new", "5=more", "6=last"], "{kind:?}");
        assert!(whole.compared.as_ref().is_some_and(|it| it.equal), "{kind:?}: {whole:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_replayed_from_the_load_that_it_was_made_from() {
    for kind in KINDS {
        let site = Site::on(kind);
        site.stage("LOAD00000001.csv", &["1,a", "2,b"]).await;
        site.stage(&site.change(10), &["U,1,old", "I,3,c"]).await;
        site.expect_ok(&["1=old", "2=b", "3=c"]).await;
        let before = site.delta().await.version().unwrap();
        site.stage("LOAD00000001.csv", &["1,new", "3,c"]).await;
        site.stage(&site.change(60), &["I,4,d"]).await;
        site.expect_ok(&["1=new", "3=c", "4=d"]).await;
        site.stage(&site.change(70), &["D,4,d"]).await;
        site.expect_ok(&["1=new", "3=c"]).await;

        let newest = site.delta().await.version().unwrap();
        for until in [Until::Everything, Until::Version(newest)] {
            let (whole, rows) = replayed(&site, until).await;
            assert_eq!(rows, ["1=new", "3=c"], "{kind:?}: {whole:?}");
            let compared = whole.compared.as_ref().expect("the newest version is the same");
            assert!(compared.equal && compared.version == newest, "{kind:?}: {whole:?}");
        }
        let (gone, rows) = replayed(&site, Until::Version(before)).await;
        assert!(!gone.done && rows.is_empty(), "{kind:?}: {gone:?}");
        assert!(gone.missing.iter().any(|it| it.contains("again since")), "{kind:?}: {gone:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_did_is_told_where_a_replay_cannot_know_it() {
    let site = Site::on(StoreKind::S3);
    site.stage("LOAD00000001.csv", &["1,a", "2,b"]).await;
    site.stage(&site.change(10), &["U,1,old"]).await;
    site.expect_ok(&["1=old", "2=b"]).await;
    let emptied = site.truncate().await.unwrap();
    site.stage(&site.change(20), &["I,3,c"]).await;
    site.expect_ok(&["3=c"]).await;
    let newest = site.delta().await.version().unwrap();
    let (whole, rows) = replayed(&site, Until::Version(newest)).await;
    assert_eq!(rows, ["1=old", "2=b", "3=c"], "{whole:?}");
    assert!(whole.remarks.iter().any(|it| it.contains("were removed")), "{whole:?}");
    let compared = whole.compared.as_ref().unwrap();
    assert_eq!((compared.equal, compared.only_in_replay), (false, Some(2)), "{whole:?}");

    let sql = "SELECT 1 FROM t HAVING sum(CASE WHEN id = 3 THEN 1 ELSE 0 END) = 1";
    let found = search(&site, sql).await;
    assert_eq!(found.object.as_ref(), Some(&site.change(20)), "{found:?}");
    assert!(found.commit.as_ref().is_some_and(|commit| commit.version > emptied), "{found:?}");
}
