//! A rebuilt table takes the place of the one before it: only the rows that differ are changed,
//! where that pays, else all files are swapped.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, new_null_array};
use arrow::datatypes::{Field, SchemaRef};
use dmslake::clock::{Clock, SystemClock};
use dmslake::pipeline::{
    Limits, Losses, Pipeline, Replacement, Scope, Silent, Status, TableReport,
};
use dmslake::storage::StoreKind;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use serde_json::Value as Json;

use super::site::Site;
use crate::support::hooked_store::{Fault, Faults, HookedStore, Side};
use crate::support::stopper::Stopper;
use crate::support::table::LakeTable;

const LOAD: &str = "LOAD00000001.csv";
const VECTORS: &str = "merge = \"deletion-vectors\"";

/// So wide that each object is a slice of its own within [`Site::small`].
fn wide(number: u32) -> String {
    format!("{number:07}").repeat(8_600)
}

fn load(object: u32) -> String {
    format!("LOAD{object:08X}.csv")
}

/// A table of six files with ten rows each, and room to compare it.
async fn six_files(extra: &str) -> Site {
    let site = Site { small: true, ..Site::with(extra) };
    for object in 1..=6 {
        site.stage(&load(object), &lines(object, |_| None)).await;
    }
    site.stage(&site.change(10), &["I,900,first"]).await;
    let report = site.apply().await;
    assert_eq!((report.status, report.pending), (Status::Ok, 0), "{report:?}");
    Site { small: false, ..site }
}

/// The rows of an object of the load; one wide, so that it is a slice. A value may be another one.
fn rows_of(object: u32, value: impl Fn(u32) -> Option<String>) -> Vec<(u32, String)> {
    let ids = (0..10).map(|row| object * 10 + row);
    let of = |id: u32| if id.is_multiple_of(10) { wide(id) } else { format!("v{id}") };
    ids.map(|id| (id, value(id).unwrap_or_else(|| of(id)))).collect()
}

fn lines(object: u32, value: impl Fn(u32) -> Option<String>) -> Vec<&'static str> {
    let line = |(id, value): (u32, String)| &*format!("{id},{value}").leak();
    rows_of(object, value).into_iter().map(line).collect()
}

/// The same rows as [`six_files`] has by now, staged as a new load in another order, with these
/// changes.
async fn reloaded(site: &Site, value: impl Fn(u32) -> Option<String> + Copy, more: &[&str]) {
    for object in 1..=6 {
        let mut lines = lines(object, value);
        lines.reverse();
        if object == 6 {
            lines.extend(["900,first"].iter().chain(more).map(|line| &*line.to_string().leak()));
        }
        lines.retain(|line| !line.ends_with(",gone"));
        site.stage(&load(object), &lines).await;
    }
    site.stage(&site.change(60), &["I,901,second"]).await;
}

/// What a table of [`reloaded`] comes to.
fn expected(value: impl Fn(u32) -> Option<String> + Copy, more: &[&str]) -> BTreeSet<String> {
    let rows = (1..=6).flat_map(|object| rows_of(object, value));
    let rows = rows.filter(|(_, value)| value != "gone").map(|(id, value)| format!("{id}={value}"));
    let more = more.iter().map(|line| line.replacen(',', "=", 1));
    rows.chain(more).chain(["900=first".to_owned(), "901=second".to_owned()]).collect()
}

async fn found(site: &Site) -> BTreeSet<String> {
    site.rows().await.into_iter().collect()
}

/// Paths of data files that the newest commit adds and removes.
async fn newest_actions(site: &Site) -> (Vec<String>, Vec<String>) {
    let log = LakeTable::at(&site.lake, &["shop", "t"]).log().await;
    let paths = |kind: &str| -> Vec<String> {
        let actions = log.last().unwrap().actions(kind);
        actions.map(|action| action["path"].as_str().unwrap().to_owned()).collect()
    };
    (paths("add"), paths("remove"))
}

/// Data files in the table's folder.
async fn data_files(site: &Site) -> Vec<String> {
    let listed = site.lake.store().list(Some(&Path::from("shop/t")));
    let listed: Vec<_> = listed.try_collect().await.unwrap();
    let names = listed.into_iter().map(|meta| meta.location.to_string());
    names.filter(|name| name.ends_with(".parquet")).collect()
}

fn differed(report: &TableReport) -> [u64; 3] {
    match &report.rebuilt {
        Some(Replacement::Difference { inserted, updated, deleted }) => {
            [*inserted, *updated, *deleted]
        }
        other => panic!("{other:?} in {report:?}"),
    }
}

fn swapped_because(report: &TableReport) -> &str {
    match &report.rebuilt {
        Some(Replacement::Swap { because }) => because,
        other => panic!("{other:?} in {report:?}"),
    }
}

/// Two rows of the third file changed, one of the fifth went away.
fn some(id: u32) -> Option<String> {
    match id {
        33 => Some("changed".into()),
        35 => Some(String::new()),
        52 => Some("gone".into()),
        _ => None,
    }
}

#[tokio::test]
async fn a_reload_of_equal_rows_changes_no_file() {
    for extra in ["", VECTORS] {
        let site = six_files(extra).await;
        site.stage(&site.change(20), &["I,901,second"]).await;
        assert!(site.apply().await.is_caught_up());
        let (before, files) = (site.delta().await.version().unwrap(), data_files(&site).await);
        reloaded(&site, |_| None, &["901,second"]).await;
        for version in [before + 1, before + 2] {
            let report = site.apply().await;
            assert!(report.is_caught_up(), "{report:?}");
            assert_eq!(differed(&report), [0, 0, 0]);
            assert_eq!(newest_actions(&site).await, (vec![], vec![]));
            assert_eq!(report.version, Some(version));
            // What was built is gone, but for what a change replaced while it was.
            let left = data_files(&site).await;
            assert!(left.len() <= files.len() + 2, "{left:?}");
            assert!(files.iter().all(|file| left.contains(file)), "{left:?}");
            assert_eq!(found(&site).await, expected(|_| None, &[]));
            // Progress has moved on.
            let report = site.apply().await;
            assert_eq!((report.objects, report.version), (0, Some(version)), "{report:?}");
            // Once more, by hand.
            site.begin_rebuild(Losses::Refused).await.unwrap();
        }
        assert!(site.apply().await.is_caught_up());
        site.stage(&site.change(70), &["D,901,second"]).await;
        let report = site.apply().await;
        assert_eq!((report.status, report.counts.deleted), (Status::Ok, 1), "{report:?}");
    }
}

#[tokio::test]
async fn only_files_with_rows_that_differ_are_replaced() {
    for extra in ["", VECTORS] {
        let site = six_files(extra).await;
        let before = site.delta().await.version().unwrap();
        reloaded(&site, some, &["500,new"]).await;
        let report = site.apply().await;
        assert!(report.is_caught_up(), "{report:?}");
        assert_eq!(differed(&report), [2, 2, 1]);
        assert_eq!(report.version, Some(before + 1));
        assert_eq!(found(&site).await, expected(some, &["500,new"]));
        let (added, removed) = newest_actions(&site).await;
        assert_eq!(removed.len(), 2, "{removed:?}");
        assert_eq!(added.len(), 3, "{added:?}");
        let log = LakeTable::at(&site.lake, &["shop", "t"]).log().await;
        let info = log.last().unwrap().actions("commitInfo").next().unwrap();
        let metric = |name: &str| info["operationMetrics"][name].as_str().map(str::to_owned);
        assert_eq!(info["operation"], "MERGE");
        for (name, count) in [("Inserted", "2"), ("Updated", "2"), ("Deleted", "1")] {
            assert_eq!(metric(&format!("numTargetRows{name}")).as_deref(), Some(count), "{info}");
        }
        // Older versions are there, and nothing is left for vacuum but what was replaced.
        let table = LakeTable::at(&site.lake, &["shop", "t"]);
        assert_eq!(
            table.batches(before).await.iter().map(RecordBatch::num_rows).sum::<usize>(),
            61
        );
        site.vacuum().await;
        assert_eq!(found(&site).await, expected(some, &["500,new"]));
    }
}

#[tokio::test]
async fn what_others_did_to_rows_is_undone() {
    for extra in ["", VECTORS] {
        let site = six_files(extra).await;
        let rows = found(&site).await;
        let table = site.delta().await;
        let (table, _) = table.delete().with_predicate("id = 41").await.unwrap();
        let (table, _) =
            table.update().with_predicate("id = 42").with_update("v", "'theirs'").await.unwrap();
        let schema = table.snapshot().unwrap().snapshot().arrow_schema();
        let theirs = row_of_others(&schema, 777);
        table.write([theirs]).await.unwrap();
        assert_ne!(found(&site).await, rows);
        let report = site.rebuild(Losses::Refused).await.unwrap();
        assert!(report.is_caught_up(), "{report:?}");
        assert_eq!(differed(&report), [1, 1, 1]);
        assert_eq!(found(&site).await, rows);
    }
}

fn row_of_others(schema: &SchemaRef, id: i32) -> RecordBatch {
    let column = |field: &Arc<Field>| -> ArrayRef {
        match field.name().as_str() {
            "id" => Arc::new(Int32Array::from(vec![id])),
            _ => new_null_array(field.data_type(), 1),
        }
    };
    let columns = schema.fields().iter().map(column).collect();
    RecordBatch::try_new(Arc::clone(schema), columns).unwrap()
}

/// The value of a row where it is another one.
type Changed = fn(u32) -> Option<String>;

#[tokio::test]
async fn files_are_swapped_where_a_difference_does_not_pay() {
    let cases: [(&str, Changed, &str); 3] = [
        (VECTORS, |id| (id % 3 == 0).then(|| "changed".into()), "many rows differ"),
        (VECTORS, |id| (id > 13).then(|| "gone".into()), "many rows differ"),
        // One row of each file.
        ("", |id| (id % 10 == 1).then(|| "changed".into()), "most files would have been"),
    ];
    for (extra, value, why) in cases {
        let site = six_files(extra).await;
        reloaded(&site, value, &[]).await;
        let report = site.apply().await;
        assert!(report.is_caught_up(), "{report:?}");
        assert!(swapped_because(&report).contains(why), "{report:?}");
        assert_eq!(found(&site).await, expected(value, &[]));
        let (_, removed) = newest_actions(&site).await;
        assert_eq!(removed.len(), 7, "{removed:?}");
    }
}

#[tokio::test]
async fn files_are_swapped_where_a_key_is_in_the_table_twice() {
    let site = six_files("").await;
    let table = site.delta().await;
    let schema = table.snapshot().unwrap().snapshot().arrow_schema();
    table.write([row_of_others(&schema, 42)]).await.unwrap();
    let rows = expected(|_| None, &[]);
    reloaded(&site, |_| None, &[]).await;
    let report = site.apply().await;
    assert!(report.is_caught_up(), "{report:?}");
    assert!(swapped_because(&report).contains("keys are not unique"), "{report:?}");
    assert_eq!(found(&site).await, rows);
}

#[tokio::test]
async fn files_are_swapped_where_a_file_of_before_is_damaged() {
    let site = six_files("").await;
    let lost = data_files(&site).await.remove(0);
    site.lake.store().delete(&Path::from(lost)).await.unwrap();
    let report = site.rebuild(Losses::Refused).await.unwrap();
    assert!(report.is_caught_up(), "{report:?}");
    assert!(swapped_because(&report).contains("cannot all be read"), "{report:?}");
    assert_eq!(found(&site).await.len(), 61);
}

#[tokio::test]
async fn files_are_swapped_where_keys_or_columns_are_others() {
    let mut site = Site::on(StoreKind::S3);
    site.keys = "[\"v\"]".into();
    site.stage(LOAD, &["1,a", "2,b"]).await;
    site.expect_ok(&["1=a", "2=b"]).await;
    site.keys = "[\"id\"]".into();
    let report = site.rebuild(Losses::Refused).await.unwrap();
    assert!(swapped_because(&report).contains("other keys"), "{report:?}");
    site.expect_ok(&["1=a", "2=b"]).await;
    site.id_type = "bigint".into();
    site.stage(&site.change(20), &["I,5000000000,c"]).await;
    let report = site.rebuild(Losses::Refused).await.unwrap();
    assert!(swapped_because(&report).contains("other types"), "{report:?}");
    site.expect_ok(&["1=a", "2=b", "5000000000=c"]).await;
}

#[tokio::test]
async fn files_are_swapped_where_time_is_short_or_somebody_asks_to_stop() {
    let over = Limits { deadline: Some(SystemClock.instant()), ..Limits::default() };
    let asked = Limits::default();
    asked.stop.request();
    for (limits, why) in [(over, "too little time"), (asked, "asked to stop")] {
        let site = six_files("").await;
        let (pipeline, spec) = site.begin_rebuild(Losses::Refused).await.unwrap();
        // All is built, and nothing is in place.
        let first = Limits::default();
        let stopper = Stopper::after(7, first.stop.clone());
        let report = pipeline.apply(&spec, &Scope::Everything, &first, &stopper).await;
        assert_eq!((report.objects, &report.rebuilt), (7, &None), "{report:?}");
        let report = pipeline.apply(&spec, &Scope::Everything, &limits, &Silent).await;
        assert!(report.is_caught_up(), "{report:?}");
        assert!(swapped_because(&report).contains(why), "{report:?}");
        assert_eq!(found(&site).await.len(), 61);
    }
}

#[tokio::test]
async fn a_comparison_that_did_not_come_to_its_end_is_not_tried_again() {
    let site = six_files("").await;
    site.begin_rebuild(Losses::Refused).await.unwrap();
    let mut state: Json = serde_json::from_str(&site.state().await).unwrap();
    state["rebuild"]["compared"] = true.into();
    site.set_state(&state.to_string()).await;
    let report = site.apply().await;
    assert!(report.is_caught_up(), "{report:?}");
    assert!(swapped_because(&report).contains("did not come to its end"), "{report:?}");
    assert_eq!(found(&site).await.len(), 61);
}

#[tokio::test]
async fn a_crash_at_every_write_of_a_difference_heals() {
    let (writes, _) = Box::pin(crashed(None)).await;
    assert!(writes > 6, "{writes} writes");
    let sides = [Side::Before, Side::After];
    let faults = (1..=writes).flat_map(|write| {
        sides.map(|side| Box::pin(crashed(Some(Fault { write, side, died: true }))))
    });
    // Most of the time they wait before they try again.
    let ends: Vec<(u64, bool)> = stream::iter(faults).buffer_unordered(8).collect().await;
    let differences = ends.iter().filter(|(_, is_difference)| *is_difference).count();
    assert!(differences > 4 && differences < ends.len(), "{differences} of {}", ends.len());
}

/// A reload of a table that another process goes on with after the fault: the writes, and whether
/// what the newest commit of a rebuild removed was not all.
async fn crashed(fault: Option<Fault>) -> (u64, bool) {
    let site = six_files("").await;
    let before = site.delta().await.version().unwrap();
    reloaded(&site, some, &["500,new"]).await;
    let faulty = HookedStore::new(Arc::clone(site.lake.store()), Faults::new(fault));
    let lake = site.lake.clone().map_store(|_| Arc::new(faulty.clone()));
    let hit = Site { lake, ..site.clone() };
    // It fails where it is hit.
    let _ = hit.apply().await;
    let report = site.apply().await;
    assert_eq!((report.status, report.pending), (Status::Ok, 0), "{fault:?}: {report:?}");
    assert_eq!(found(&site).await, expected(some, &["500,new"]), "{fault:?}");
    assert_eq!(report.version, Some(before + 1), "{fault:?}");
    let (_, removed) = newest_actions(&site).await;
    site.stage(&site.change(70), &["U,500,newer"]).await;
    let report = site.apply().await;
    assert_eq!((report.status, report.counts.updated), (Status::Ok, 1), "{fault:?}: {report:?}");
    site.vacuum().await;
    let rows = found(&site).await;
    assert!(rows.contains("500=newer") && rows.len() == 62, "{fault:?}");
    (faulty.hooks().writes(), removed.len() < 7)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_put_one_table_in_place_once() {
    for round in 0..4 {
        let site = six_files(if round % 2 == 0 { "" } else { VECTORS }).await;
        let before = site.delta().await.version().unwrap();
        reloaded(&site, some, &["500,new"]).await;
        let (one, other) = (site.pipeline(), site.pipeline());
        let spec = one.settings().tables[0].clone();
        let run = async |pipeline: &Pipeline| {
            pipeline.apply(&spec, &Scope::Everything, &Limits::default(), &Silent).await
        };
        let (first, second) = tokio::join!(run(&one), run(&other));
        assert!(first.is_caught_up() && second.is_caught_up(), "{first:?} {second:?}");
        assert_eq!(found(&site).await, expected(some, &["500,new"]));
        assert_eq!(site.delta().await.version().unwrap(), before + 1);
    }
}
