//! Guarded tables, as all with a change sequence are by default: late objects and changes that a
//! resume writes again are placed by their change sequences, or the table is held with the reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use dmslake::error::ErrorKind;
use dmslake::pipeline::{Limits, Losses, Silent, Status, TableReport};
use dmslake::storage::StoreKind;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::site::{Site, faults};
use crate::support::hooked_store::{Fault, Faults, HookedStore};
use crate::support::property;
use crate::support::table::LakeTable;

const KINDS: [StoreKind; 2] = [StoreKind::S3, StoreKind::File];

/// A guarded table of one row, 1=a, and the objects of sequences 10, 20 and 30, of which the second
/// is not staged.
async fn guarded(kind: StoreKind) -> Site {
    let site = Site::on(kind);
    site.stage("LOAD00000001.csv", &["1,a"]).await;
    site.stage(&site.change(10), &["U,1,b,10", "I,2,b,11", "I,3,b,12"]).await;
    site.stage(&site.change(30), &["U,1,c,30", "D,2,c,31"]).await;
    site.expect_ok(&["1=c", "3=b"]).await;
    site
}

#[tokio::test]
async fn a_late_object_is_placed_by_its_sequences() {
    for kind in KINDS {
        let site = guarded(kind).await;
        let rows = ["U,1,older,20", "U,2,older,21", "D,3,x,22", "I,4,new,23"];
        site.stage(&site.change(20), &rows).await;
        let report = site.expect_ok(&["1=c", "4=new"]).await;
        // The row and the tombstone are newer; the other two changes are the newest of their keys.
        assert_eq!((report.counts.rows, report.counts.superseded), (4, 2), "{report:?}");
        assert_eq!((report.counts.deleted, report.counts.inserted), (1, 1), "{report:?}");
        // An older delete does not remove the row, and an older insert does not bring one back.
        site.stage(&site.change(21), &["D,4,x,15", "I,3,x,16", "U,5,x,17"]).await;
        let report = site.expect_ok(&["1=c", "4=new", "5=x"]).await;
        assert_eq!((report.counts.superseded, report.counts.inserted), (2, 1), "{report:?}");
        let again = site.expect_ok(&["1=c", "4=new", "5=x"]).await;
        assert_eq!((again.counts.rows, again.late.len()), (0, 0), "{again:?}");
    }
}

#[tokio::test]
async fn what_a_resume_writes_again_replaces_no_newer_row() {
    for kind in KINDS {
        let site = guarded(kind).await;
        site.stage(&site.change(40), &["U,1,b,10", "I,2,b,11"]).await;
        let report = site.expect_ok(&["1=c", "3=b"]).await;
        assert_eq!((report.replayed, report.counts.superseded), (1, 2), "{report:?}");
        site.stage(&site.change(50), &["I,2,again,50"]).await;
        site.expect_ok(&["1=c", "2=again", "3=b"]).await;
    }
}

#[tokio::test]
async fn a_late_object_that_cannot_be_placed_holds_the_table_and_says_why() {
    let late = async |site: &Site, row: &str, why: &[&str]| {
        let name = site.change(20);
        site.stage(&name, &[row]).await;
        site.stage(&site.change(60), &["I,9,waits,60"]).await;
        let report =
            site.expect_held(&[why, &[&name, "dmslake late discard shop.t OBJECT"]].concat()).await;
        assert_eq!(report.error_kind, Some(ErrorKind::LateObject), "{report:?}");
        assert_eq!(report.late, std::slice::from_ref(&name));
        assert!(!site.rows().await.contains(&"9=waits".to_owned()));
        // It is never applied by a later run either, and does not vanish unnoticed.
        site.expect_held(why).await;
        site.expire(&name).await;
        site.expect_held(&["vanished", &name]).await;
    };
    // Rows without a sequence.
    late(&guarded(StoreKind::S3).await, "U,1,x", &["changes of it have no sequence"]).await;
    let site = guarded(StoreKind::S3).await;
    site.stage(&site.change(40), &["U,3,x"]).await;
    site.expect_ok(&["1=c", "3=x"]).await;
    late(&site, "U,1,x,20", &["changes without a sequence were applied"]).await;
    // The table was not guarded when newer changes were applied.
    let mut site = Site::with("guard = \"off\"");
    site.stage("LOAD00000001.csv", &["1,a"]).await;
    site.stage(&site.change(30), &["U,1,c,30"]).await;
    site.expect_ok(&["1=c"]).await;
    site.extra.clear();
    late(&site, "U,1,x,20", &["before the table was guarded"]).await;
    // An operator has emptied it.
    let site = guarded(StoreKind::S3).await;
    let pipeline = site.pipeline();
    pipeline.truncate(&pipeline.settings().tables[0]).await.unwrap();
    late(&site, "U,1,x,20", &["an operator has emptied the table"]).await;
    // The tombstones are gone.
    let site = guarded(StoreKind::S3).await;
    for object in tombstones(&site).await {
        site.lake.store().delete(&object).await.unwrap();
    }
    late(&site, "U,1,x,20", &["tombstones of deleted rows are no longer kept"]).await;
}

#[tokio::test]
async fn values_that_were_not_supplied_are_not_placed() {
    let marked = || Site {
        dms: "use_csv_no_sup_value = true\ncsv_no_sup_value = \"?\"".into(),
        ..Site::on(StoreKind::S3)
    };
    let site = marked();
    site.stage("LOAD00000001.csv", &["1,a"]).await;
    site.stage(&site.change(30), &["I,2,c,30"]).await;
    site.expect_ok(&["1=a", "2=c"]).await;
    site.stage(&site.change(20), &["U,1,?,20"]).await;
    site.expect_held(&["its changes keep values of their rows"]).await;
    // Nor is an object placed among rows that were made from others.
    let site = marked();
    site.stage("LOAD00000001.csv", &["1,a"]).await;
    site.stage(&site.change(30), &["U,1,?,30"]).await;
    site.expect_ok(&["1=a"]).await;
    site.stage(&site.change(20), &["U,1,b,20"]).await;
    site.expect_held(&["changes were applied that kept values of their rows"]).await;
}

#[tokio::test]
async fn an_operator_may_apply_what_cannot_be_placed() {
    let site = guarded(StoreKind::S3).await;
    let late = site.change(20);
    site.stage(&late, &["U,1,older,20", "I,4,new"]).await;
    site.expect_held(&["changes of it have no sequence"]).await;
    let report = apply_late(&site, &late).await;
    // Whatever can be compared is.
    assert_eq!((report.status, report.counts.superseded), (Status::Ok, 1), "{report:?}");
    assert_eq!(site.rows().await, ["1=c", "3=b", "4=new"]);
    site.stage(&site.change(21), &["U,1,x,21"]).await;
    site.expect_held(&["an operator has applied an object out of its turn"]).await;
}

async fn apply_late(site: &Site, name: &str) -> TableReport {
    let pipeline = site.pipeline();
    let spec = &pipeline.settings().tables[0];
    let late = pipeline.find_late(spec, name).await.unwrap();
    pipeline.apply_late(spec, &late, &Limits::default(), &Silent).await
}

#[tokio::test]
async fn a_rebuilt_table_has_tombstones_of_its_own() {
    let site = guarded(StoreKind::S3).await;
    site.rebuild(Losses::Refused).await.unwrap();
    site.stage(&site.change(20), &["U,1,older,20", "I,2,older,21", "I,4,new,22"]).await;
    site.expect_ok(&["1=c", "3=b", "4=new"]).await;
}

#[tokio::test]
async fn the_sequence_of_every_row_is_kept_while_the_table_is_guarded() {
    let mut site = guarded(StoreKind::S3).await;
    let sequences =
        async |site: &Site| LakeTable::at(&site.lake, &["shop", "t"]).pairs("id", "_cdc_seq").await;
    assert_eq!(sequences(&site).await, ["1=30", "3=12"]);
    site.extra = "guard = \"off\"".into();
    site.stage(&site.change(40), &["U,1,d,40", "I,4,d,41"]).await;
    site.expect_ok(&["1=d", "3=b", "4=d"]).await;
    assert_eq!(sequences(&site).await, ["1=NULL", "3=12", "4=NULL"]);
    // Guarded again, it places what is newer than all that it has not seen.
    site.extra.clear();
    site.stage(&site.change(60), &["U,1,e,60"]).await;
    site.expect_ok(&["1=e", "3=b", "4=d"]).await;
    site.stage(&site.change(50), &["U,4,f,50", "U,1,f,51"]).await;
    site.expect_ok(&["1=e", "3=b", "4=f"]).await;
}

#[tokio::test]
async fn the_ledger_names_few_objects_of_tombstones() {
    let site = guarded(StoreKind::S3).await;
    for object in 0..40 {
        let id = 100 + object;
        let rows = [format!("I,{id},x,5{id}1"), format!("D,{id},x,5{id}2")];
        site.stage(&site.change(40 + object), &rows.each_ref().map(String::as_str)).await;
        site.expect_ok(&["1=c", "3=b"]).await;
    }
    let location = site.lake.folder(&["shop", "t"]).unwrap();
    let table = dmslake::table::open(&location, None).await.unwrap().unwrap();
    let ledger = table.ledger().clone();
    let named = ledger.guard.unwrap().tombstones;
    assert_eq!(named.iter().map(|it| it.rows).sum::<u64>(), 41);
    assert!(named.len() < 8, "{} objects", named.len());
    let there = tombstones(&site).await;
    assert!(named.iter().all(|it| there.iter().any(|path| path.filename() == Some(&it.name))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_every_write_of_a_guarded_table_heals() {
    let writes = crashed(None).await;
    assert!(writes > 5, "{writes} writes");
    faults(1..writes + 1, |fault| async move {
        crashed(Some(fault)).await;
    })
    .await;
}

/// A late object and the next one, both with deletes, which another process goes on with after the
/// fault. Then comes what is older than those deletes.
async fn crashed(fault: Option<Fault>) -> u64 {
    let site = guarded(StoreKind::S3).await;
    let faulty = HookedStore::new(Arc::clone(site.lake.store()), Faults::new(fault));
    let lake = site.lake.clone().map_store(|_| Arc::new(faulty.clone()));
    site.stage(&site.change(20), &["U,1,older,20", "U,2,older,21", "D,3,x,22", "I,4,new,23"]).await;
    site.stage(&site.change(40), &["D,1,c,40", "I,5,e,41"]).await;
    let hit = Site { lake, ..site.clone() }.apply().await;
    assert!(fault.is_some() || hit.status == Status::Ok, "{hit:?}");
    site.expect_ok(&["4=new", "5=e"]).await;
    let older = ["I,3,x,16", "U,1,x,24", "U,2,x,25", "U,5,x,26", "U,6,f,27"];
    site.stage(&site.change(25), &older).await;
    let report = site.expect_ok(&["4=new", "5=e", "6=f"]).await;
    assert_eq!(report.counts.superseded, 4, "{fault:?}: {report:?}");
    faulty.hooks().writes()
}

async fn tombstones(site: &Site) -> Vec<Path> {
    let folder = Path::from("_dmslake/tombstones/shop/t");
    let found = site.lake.store().list(Some(&folder));
    found.map_ok(|meta| meta.location).try_collect().await.unwrap()
}

/// A change at the source.
#[derive(Clone, Debug)]
struct Change {
    op: char,
    id: u32,
    old: u32,
    value: u32,
    sequence: u32,
}

impl Change {
    fn row(&self) -> String {
        let Self { op, id, old, value, sequence } = self;
        let before = if *op == 'U' { old.to_string() } else { String::new() };
        format!("{op},{id},v{value},{sequence:06},{before}")
    }
}

/// Objects in any order and at any time, some of them written again by a resume: after each run the
/// table is what a replay of all that is staged makes of it.
#[tokio::test(flavor = "multi_thread")]
async fn any_order_of_objects_comes_to_what_a_replay_by_sequence_makes() {
    let name = "any_order_of_objects_comes_to_what_a_replay_by_sequence_makes";
    property::check(name, 30, 12, shuffled).await;
}

async fn shuffled(mut rng: StdRng) {
    let kind = if rng.random() { StoreKind::S3 } else { StoreKind::File };
    let merge = ["copy-on-write", "deletion-vectors"][usize::from(rng.random::<bool>())];
    let site = Site {
        extra: format!("merge = \"{merge}\""),
        more_columns: ", { name = \"BI_id\", type = \"int\" }".into(),
        ..Site::on(kind)
    };
    let load: Vec<u32> = (0..rng.random_range(1..5)).collect();
    let rows: Vec<String> = load.iter().map(|id| format!("{id},v{id},,")).collect();
    site.stage("LOAD00000001.csv", &rows.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut source: Vec<u32> = load.clone();
    let mut history: Vec<Change> = Vec::new();
    for sequence in 0..rng.random_range(5..60) {
        let id = rng.random_range(0..10);
        let is_there = source.contains(&id);
        let other = rng.random_range(0..10);
        let (op, id, old) = match rng.random_range(0..4) {
            0 if is_there => ('D', id, id),
            1 if is_there && !source.contains(&other) => ('U', other, id),
            _ if is_there => ('U', id, id),
            _ => ('I', id, id),
        };
        source.retain(|known| *known != old);
        if op != 'D' {
            source.push(id);
        }
        history.push(Change { op, id, old, value: 100 + sequence, sequence });
    }
    let mut objects: Vec<(i64, Vec<Change>)> = Vec::new();
    let mut end = 0;
    let mut rest = history.as_slice();
    while !rest.is_empty() {
        let (object, behind) = rest.split_at(rng.random_range(1..=rest.len().min(8)));
        end += 60;
        objects.push((end, object.to_vec()));
        rest = behind;
    }
    for _ in 0..rng.random_range(0..3) {
        let from = rng.random_range(0..history.len());
        let until = rng.random_range(from..history.len()) + 1;
        let at = rng.random_range(1..end + 60);
        if objects.iter().all(|(known, _)| *known != at) {
            objects.push((at, history[from..until].to_vec()));
        }
    }
    objects.shuffle(&mut rng);
    let mut staged: BTreeMap<u32, Change> = BTreeMap::new();
    let count = objects.len();
    for (number, (at, changes)) in objects.into_iter().enumerate() {
        let rows: Vec<String> = changes.iter().map(Change::row).collect();
        site.stage(&site.change(at), &rows.iter().map(String::as_str).collect::<Vec<_>>()).await;
        staged.extend(changes.into_iter().map(|change| (change.sequence, change)));
        if number + 1 < count && rng.random_bool(0.4) {
            continue;
        }
        let mut rows: BTreeMap<u32, u32> = load.iter().map(|id| (*id, *id)).collect();
        for change in staged.values() {
            rows.remove(&change.old);
            if change.op != 'D' {
                rows.insert(change.id, change.value);
            }
        }
        let rows: Vec<String> = rows.iter().map(|(id, value)| format!("{id}=v{value}")).collect();
        site.expect_ok(&rows.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
}
