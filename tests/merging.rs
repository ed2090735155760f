//! Single commits: the truth table of the merge, and the conflict between two of our commits.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow::array::{
    ArrayRef, AsArray, Decimal128Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::Int64Type;
use chrono::{DateTime, Utc};
use dmslake::change::NetChanges;
use dmslake::clock::{Clock, SystemClock};
use dmslake::config::MergeMode;
use dmslake::merge::{self, MergePlan};
use dmslake::schema::{Column, ColumnType, TableSchema};
use dmslake::storage::{Location, encode_segment};
use dmslake::table::{self, CommitOutcome, LakeTable, Transaction};
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::lake::{self, counts};

fn schema() -> TableSchema {
    let column =
        |name: &str, column_type| Column { name: name.into(), column_type, nullable: true };
    TableSchema::new(vec![column("id", ColumnType::Long), column("Camel.Case", ColumnType::String)])
}

fn rows(rows: &[(i64, &str)]) -> Vec<RecordBatch> {
    let ids: Int64Array = rows.iter().map(|row| Some(row.0)).collect();
    let names: StringArray = rows.iter().map(|row| Some(row.1)).collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(names)];
    vec![RecordBatch::try_new(schema().arrow(), columns).unwrap()]
}

fn keys(ids: &[i64]) -> Vec<RecordBatch> {
    let ids: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
    vec![RecordBatch::try_from_iter([("id", ids)]).unwrap()]
}

fn net(upserts: &[(i64, &str)], deletes: &[i64]) -> NetChanges {
    NetChanges {
        upserts: if upserts.is_empty() { vec![] } else { rows(upserts) },
        deletes: if deletes.is_empty() { vec![] } else { keys(deletes) },
        changes: (upserts.len() + deletes.len()) as u64,
        ..NetChanges::default()
    }
}

async fn new_table(folder: &TempDir, name: &str) -> (Location, LakeTable) {
    new_table_of(folder, name, &schema()).await
}

async fn new_table_of(folder: &TempDir, name: &str, schema: &TableSchema) -> (Location, LakeTable) {
    let location = lake::location(folder, name).await;
    let table = lake::create(&location, name, schema).await;
    (location, table)
}

async fn apply(location: &Location, table: &LakeTable, net: NetChanges) -> (MergePlan, LakeTable) {
    lake::apply(location, table, &["id".to_owned()], net).await
}

async fn content(table: &LakeTable) -> Vec<(i64, String)> {
    let context = datafusion::prelude::SessionContext::new();
    let frame = context.read_table(table.delta().table_provider().await.unwrap()).unwrap();
    let mut found = vec![];
    for batch in frame.collect().await.unwrap() {
        let names =
            arrow::compute::cast(batch.column(1), &arrow::datatypes::DataType::Utf8).unwrap();
        let ids = batch.column(0).as_primitive::<Int64Type>();
        let names = names.as_string::<i32>();
        found.extend((0..batch.num_rows()).map(|i| (ids.value(i), names.value(i).to_owned())));
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cell_of_the_truth_table_is_counted_before_the_commit() {
    let folder = TempDir::new().unwrap();
    let (location, table) = new_table(&folder, "orders").await;
    let (plan, table) = apply(&location, &table, net(&[(1, "a"), (2, "b"), (3, "c")], &[9])).await;
    assert_eq!(counts(&plan), [3, 0, 0, 1]);
    let (plan, table) = apply(&location, &table, net(&[(2, "B"), (4, "d")], &[3, 8])).await;
    assert_eq!(counts(&plan), [1, 1, 1, 1]);
    let expected = [(1, "a"), (2, "B"), (4, "d")].map(|(id, name)| (id, name.to_owned()));
    assert_eq!(content(&table).await, expected);
    assert_eq!(table.rows(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_effect_still_carries_the_ledger() {
    let folder = TempDir::new().unwrap();
    let (location, table) = new_table(&folder, "orders").await;
    let before = table.version();
    let (plan, table) = apply(&location, &table, net(&[], &[5])).await;
    assert_eq!(counts(&plan), [0, 0, 0, 1]);
    assert_eq!(table.version(), before + 1);
    assert_eq!(table.newest().unwrap().transaction, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_of_two_commits_from_one_version_loses() {
    let folder = TempDir::new().unwrap();
    let (location, first) = new_table(&folder, "orders").await;
    let (_, first) = apply(&location, &first, net(&[(1, "a")], &[])).await;
    // Appends, merges and commits without effect, in all pairs.
    let kinds = [net(&[(100, "x")], &[]), net(&[(1, "y")], &[]), net(&[], &[77])];
    let mut stale = first;
    for winner in &kinds {
        for loser in &kinds {
            let (_, fresh) = apply(&location, &stale, winner.clone()).await;
            let plan = merge::plan(&stale, &["id".to_owned()], loser.clone()).await.unwrap();
            let record = lake::record(&stale, &plan);
            let CommitOutcome::Conflicted { newer, .. } =
                lake::commit(&stale, &record, plan).await.unwrap().outcome
            else {
                panic!("two commits on one version");
            };
            assert_eq!(newer.version(), fresh.version());
            stale = table::open(&location, None).await.unwrap().unwrap();
            assert_eq!(stale.version(), fresh.version());
        }
    }
}

/// A clock with a fixed time and consecutive ids.
#[derive(Debug, Default)]
struct Scripted(AtomicU64);

const STANDSTILL: i64 = 1_700_000_000_123;

impl Clock for Scripted {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(STANDSTILL).unwrap()
    }

    fn instant(&self) -> Instant {
        SystemClock.instant()
    }

    fn attempt_id(&self) -> Uuid {
        Uuid::from_u128(self.0.fetch_add(1, Ordering::Relaxed).into())
    }

    fn jitter(&self, _limit: Duration) -> Duration {
        Duration::ZERO
    }
}

/// This makes a commit reproducible.
#[tokio::test(flavor = "multi_thread")]
async fn the_clock_gives_every_name_and_time_of_a_commit() {
    for mode in [MergeMode::CopyOnWrite, MergeMode::DeletionVectors] {
        let folder = TempDir::new().unwrap();
        let (location, table) = new_table(&folder, "orders").await;
        let _ = table::allow_vectors(&table, &lake::clock()).await.unwrap();
        let table = lake::open(&location).await;
        let loaded = net(&[(1, "a"), (2, "b"), (3, "c")], &[]);
        let (_, table) = apply(&location, &table, loaded).await;
        let known = files(&folder);

        let changes = net(&[(2, "B"), (4, "d")], &[]);
        let plan = merge::plan(&table, &["id".to_owned()], changes).await.unwrap();
        let record = lake::record(&table, &plan);
        let clock: Arc<dyn Clock> = Arc::new(Scripted::default());
        let transaction = Transaction::on(&table, record, &clock);
        let merged = merge::commit(transaction, plan.with_mode(mode)).await.unwrap();
        let table = merged.outcome.committed().unwrap_or_else(|error| panic!("{}", error.chain()));

        let written: BTreeSet<String> = files(&folder).difference(&known).cloned().collect();
        assert_eq!(written.len(), 2, "{written:?}");
        let is_drawn =
            |name: &String| (0..4).any(|count| name.contains(&Uuid::from_u128(count).to_string()));
        assert!(written.iter().all(is_drawn), "{written:?}");
        let log = format!("shop/orders/_delta_log/{:020}.json", table.version());
        let log = std::fs::read_to_string(folder.path().join(log)).unwrap();
        let actions: Vec<Value> =
            log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let times = |action: &str, time: &str| -> Vec<i64> {
            let found = actions.iter().filter_map(|line| line.get(action));
            found.filter_map(|found| found[time].as_i64()).collect()
        };
        assert_eq!(times("commitInfo", "timestamp"), [STANDSTILL]);
        assert_eq!(times("remove", "deletionTimestamp"), [STANDSTILL]);
        let added = times("add", "modificationTime");
        // The entry of a masked file keeps the file's time.
        let new = added.iter().filter(|time| **time == STANDSTILL).count();
        assert_eq!(new, if mode == MergeMode::CopyOnWrite { 2 } else { 1 }, "{added:?}");
    }
}

fn files(folder: &TempDir) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder.path().join("shop/orders")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "_delta_log").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn names_with_any_character_stand_in_one_folder() {
    for name in
        ["a b", "50%", "x/y", "é:ü", "a#b?c", "..", "c=d", "~", "`q`\"|<>^{}[]*", "back\\slash"]
    {
        let folder = TempDir::new().unwrap();
        let (location, table) = new_table(&folder, name).await;
        let (_, table) = apply(&location, &table, net(&[(1, "a"), (2, "b")], &[])).await;
        let (_, table) = apply(&location, &table, net(&[(2, "B")], &[1])).await;
        assert_eq!(content(&table).await, [(2, "B".to_owned())], "{name}");
        let schema_folder = folder.path().join("shop");
        assert_eq!(std::fs::read_dir(&schema_folder).unwrap().count(), 1, "{name}");
        let stands_at = schema_folder.join(encode_segment(name)).join("_delta_log");
        assert!(stands_at.is_dir(), "{name}: {}", location.url());
    }
}

/// Statistics keep only the first 15 digits of a decimal, so a file may seem not to contain its own
/// keys.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_statistics_round_are_found_all_the_same() {
    let decimal = ColumnType::Decimal { precision: 20, scale: 0 };
    let schema =
        TableSchema::new(vec![Column { name: "id".into(), column_type: decimal, nullable: true }]);
    let keys = |ids: &[i128]| {
        let ids = Decimal128Array::from(ids.to_vec()).with_data_type(decimal.arrow());
        vec![RecordBatch::try_new(schema.arrow(), vec![Arc::new(ids)]).unwrap()]
    };
    let folder = TempDir::new().unwrap();
    let (location, table) = new_table_of(&folder, "big", &schema).await;
    let largest = i128::from(u64::MAX);
    let ids = [largest - 1, largest, 7, 10i128.pow(15) + 1];
    let insert = NetChanges { upserts: keys(&ids), ..NetChanges::default() };
    let (plan, mut table) = apply(&location, &table, insert).await;
    assert_eq!(counts(&plan), [4, 0, 0, 0]);
    for id in ids {
        let update = NetChanges { upserts: keys(&[id]), ..NetChanges::default() };
        let (plan, updated) = apply(&location, &table, update).await;
        assert_eq!(counts(&plan), [0, 1, 0, 0], "{id}");
        table = updated;
    }
    for id in ids {
        let delete = NetChanges { deletes: keys(&[id]), ..NetChanges::default() };
        let (plan, without) = apply(&location, &table, delete).await;
        assert_eq!(counts(&plan), [0, 0, 1, 0], "{id}");
        table = without;
    }
    assert_eq!(table.rows(), 0);
}

/// Statistics have milliseconds, so a file may seem to end before its own last key.
#[tokio::test(flavor = "multi_thread")]
async fn instants_between_milliseconds_are_found() {
    are_found(&[1, 999, 1_700_000_000_000_500, -1]).await;
}

/// Beyond 2⁵³ microseconds, that is before 1684 and after 2255, including sentinels such as
/// `9999-12-31`.
#[tokio::test(flavor = "multi_thread")]
async fn far_instants_between_milliseconds_are_found() {
    are_found(&[253_402_214_400_050_500, 253_402_300_799_999_999, -30_000_000_000_000_500]).await;
}

async fn are_found(instants: &[i64]) {
    let instant = ColumnType::Timestamp;
    let schema =
        TableSchema::new(vec![Column { name: "id".into(), column_type: instant, nullable: true }]);
    let keys = |ids: &[i64]| {
        let ids = TimestampMicrosecondArray::from(ids.to_vec()).with_timezone("UTC");
        vec![RecordBatch::try_new(schema.arrow(), vec![Arc::new(ids)]).unwrap()]
    };
    for &id in instants {
        let folder = TempDir::new().unwrap();
        let (location, table) = new_table_of(&folder, "instants", &schema).await;
        let insert = NetChanges { upserts: keys(&[id]), ..NetChanges::default() };
        let (plan, table) = apply(&location, &table, insert.clone()).await;
        assert_eq!(counts(&plan), [1, 0, 0, 0], "{id}");
        let (plan, table) = apply(&location, &table, insert).await;
        assert_eq!(counts(&plan), [0, 1, 0, 0], "{id}");
        let delete = NetChanges { deletes: keys(&[id]), ..NetChanges::default() };
        let (plan, _) = apply(&location, &table, delete).await;
        assert_eq!(counts(&plan), [0, 0, 1, 0], "{id}");
    }
}
