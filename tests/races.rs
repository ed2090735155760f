//! Commits from an old snapshot: ours never succeed. The known gaps of `deltalake` are recorded
//! here, so that we notice when they are fixed.

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use datafusion::prelude::{SessionContext, col, lit};
use deltalake::kernel::Action;
use deltalake::kernel::transaction::{
    CommitBuilder, CommitConflictError, CommitProperties, TransactionError,
};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableError};
use dmslake::change::NetChanges;
use dmslake::merge::{self, WrittenFiles};
use dmslake::schema::{Column, ColumnType, TableSchema};
use dmslake::storage::Location;
use dmslake::table::{self, CommitOutcome, LakeTable};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::hooked_store::{Counting, HookedStore, Requests};
use crate::support::{deletion_vectors, lake, merge_builder};

const KEYS: [i64; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

fn schema() -> TableSchema {
    let column =
        |name: &str, column_type| Column { name: name.into(), column_type, nullable: true };
    TableSchema::new(vec![column("id", ColumnType::Long), column("name", ColumnType::String)])
}

fn rows(ids: &[i64]) -> RecordBatch {
    let names: StringArray = ids.iter().map(|id| Some(format!("row {id}"))).collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(ids.to_vec())), Arc::new(names)];
    RecordBatch::try_new(schema().arrow(), columns).unwrap()
}

fn keys(ids: &[i64]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
    RecordBatch::try_from_iter([("id", ids)]).unwrap()
}

fn net(upserts: &[i64], deletes: &[i64]) -> NetChanges {
    let batches = |ids: &[i64], batch: fn(&[i64]) -> RecordBatch| {
        if ids.is_empty() { vec![] } else { vec![batch(ids)] }
    };
    NetChanges {
        upserts: batches(upserts, rows),
        deletes: batches(deletes, keys),
        changes: (upserts.len() + deletes.len()) as u64,
        ..NetChanges::default()
    }
}

/// Our table with 8 rows in two files, with or without deletion vectors allowed.
struct Fixture {
    folder: TempDir,
    location: Location,
}

impl Fixture {
    async fn new(vectors: bool) -> Self {
        let folder = TempDir::new().unwrap();
        let location = lake::location(&folder, "t").await;
        let table = if vectors {
            deletion_vectors::create(&location, &schema()).await
        } else {
            lake::create(&location, "t", &schema()).await
        };
        let delta = table.delta().clone().write(vec![rows(&KEYS[..4])]).await.unwrap();
        let delta = delta.write(vec![rows(&KEYS[4..])]).await.unwrap();
        assert_eq!(delta.snapshot().unwrap().log_data().num_files(), 2);
        Self { folder, location }
    }

    async fn delta(&self) -> DeltaTable {
        lake::open(&self.location).await.delta().clone()
    }

    /// The keys in the newest version, including duplicates.
    async fn content(&self) -> Vec<i64> {
        let provider = self.delta().await.table_provider().await.unwrap();
        let frame = SessionContext::new().read_table(provider).unwrap();
        let mut ids = Vec::new();
        for batch in frame.collect().await.unwrap() {
            ids.extend(batch.column(0).as_primitive::<Int64Type>().values());
        }
        ids.sort_unstable();
        ids
    }

    /// The data files in the folder, referenced or not.
    fn data_files(&self) -> HashSet<String> {
        let entries = fs::read_dir(self.folder.path().join("shop/t")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".parquet")).collect()
    }

    /// The data files that the newest commit added.
    async fn newest_files(&self) -> Vec<String> {
        let version = self.delta().await.version().unwrap();
        let log = self.folder.path().join(format!("shop/t/_delta_log/{version:020}.json"));
        let actions = fs::read_to_string(log).unwrap();
        let actions = actions.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        actions.filter_map(|action| Some(action["add"]["path"].as_str()?.to_owned())).collect()
    }

    /// Masks a row of the first file, based on this snapshot.
    async fn mask_from(
        &self,
        stale: &DeltaTable,
        operation: DeltaOperation,
        properties: CommitProperties,
    ) -> Result<(), DeltaTableError> {
        let root = self.folder.path().join("shop/t");
        let file = deletion_vectors::files(stale).await.remove(0);
        let actions: Vec<Action> =
            deletion_vectors::masking(stale, &root, vec![(file, [0].into())]);
        CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(stale.snapshot().unwrap()), stale.log_store(), operation)
            .await
            .map(|_| ())
    }
}

/// What others do to the table between our plan and our commit.
#[derive(Clone, Copy, Debug)]
enum Winner {
    Optimize,
    Append,
    Delete,
    DeleteAll,
    Merge,
    Mask,
    Property,
}

impl Winner {
    const ALL: [Self; 7] = [
        Self::Optimize,
        Self::Append,
        Self::Delete,
        Self::DeleteAll,
        Self::Merge,
        Self::Mask,
        Self::Property,
    ];

    /// Commits, and returns the keys afterwards.
    async fn commit(self, fixture: &Fixture) -> Vec<i64> {
        let delta = fixture.delta().await;
        match self {
            Self::Optimize => {
                let (_, metrics) = delta.optimize().await.unwrap();
                assert_eq!(metrics.num_files_removed, 2);
                KEYS.to_vec()
            }
            Self::Append => {
                let _ = delta.write(vec![rows(&[20])]).await.unwrap();
                [&KEYS[..], &[20]].concat()
            }
            Self::Delete => {
                let _ = delta.delete().with_predicate(col("id").eq(lit(2i64))).await.unwrap();
                KEYS.into_iter().filter(|&id| id != 2).collect()
            }
            Self::DeleteAll => {
                let _ = delta.delete().await.unwrap();
                vec![]
            }
            Self::Merge => {
                let changes = net(&[1, 21], &[8]);
                let schema = schema().arrow();
                let _ = merge_builder::merge(delta, &schema, &["id".into()], &changes).await;
                [&KEYS[..7], &[21]].concat()
            }
            Self::Mask => {
                let masked = fixture.mask_from(&delta, merge_of(None), CommitProperties::default());
                masked.await.unwrap();
                let content = fixture.content().await;
                assert_eq!(content.len(), 7);
                content
            }
            Self::Property => {
                let property = ("delta.appendOnly".to_owned(), "false".to_owned());
                let _ =
                    delta.set_tbl_properties().with_properties([property].into()).await.unwrap();
                KEYS.to_vec()
            }
        }
    }
}

fn merge_of(predicate: Option<&str>) -> DeltaOperation {
    DeltaOperation::Merge {
        predicate: predicate.map(str::to_owned),
        merge_predicate: None,
        matched_predicates: vec![],
        not_matched_predicates: vec![],
        not_matched_by_source_predicates: vec![],
    }
}

/// Every kind of our commits: inserts, an update, a delete, a whole file, all together, nothing.
fn ours() -> [NetChanges; 6] {
    [
        net(&[30], &[]),
        net(&[1], &[]),
        net(&[], &[1, 8]),
        net(&[], &KEYS[..4]),
        net(&[4, 5, 31], &[6]),
        net(&[], &[99]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn our_commit_never_passes_one_that_came_between() {
    let keys = ["id".to_owned()];
    for winner in Winner::ALL {
        let fixture = Fixture::new(true).await;
        let stale = lake::open(&fixture.location).await;
        let mut plans = Vec::new();
        for changes in ours() {
            plans.push(merge::plan(&stale, &keys, changes).await.unwrap());
        }
        let mut expected = winner.commit(&fixture).await;
        let winning = fixture.delta().await.version();
        for plan in plans {
            let record = lake::record(&stale, &plan);
            let outcome = lake::commit(&stale, &record, plan.clone()).await.unwrap().outcome;
            assert!(matches!(outcome, CommitOutcome::Conflicted { .. }), "{winner:?}: {plan:?}");
            assert_eq!(fixture.delta().await.version(), winning, "{winner:?}: {plan:?}");
            assert_eq!(fixture.content().await, expected, "{winner:?}: {plan:?}");
        }
        // On the newest snapshot, all of them succeed.
        let mut table = lake::open(&fixture.location).await;
        for changes in ours() {
            table = lake::apply(&fixture.location, &table, &keys, changes.clone()).await.1;
            expected = replayed(expected, &changes);
            assert_eq!(fixture.content().await, expected, "{winner:?}: {changes:?}");
        }
    }
}

/// Data files that both versions have with the same deletion vector.
async fn kept_files(stale: &LakeTable, newer: &LakeTable) -> Vec<String> {
    let newer = deletion_vectors::files(newer.delta()).await;
    let stale = deletion_vectors::files(stale.delta()).await;
    let stands = |file: &deletion_vectors::Masked| {
        newer.iter().any(|other| other.add.path == file.add.path && other.rows == file.rows)
    };
    stale.into_iter().filter(stands).map(|file| file.add.path).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_made_anew_looks_into_new_files_alone() {
    let keys = ["id".to_owned()];
    let mut kept = 0;
    for winner in Winner::ALL {
        for changes in ours() {
            let fixture = Fixture::new(true).await;
            let stale = lake::open(&fixture.location).await;
            let plan = merge::plan(&stale, &keys, changes.clone()).await.unwrap();
            let content = winner.commit(&fixture).await;
            // Counts the requests of a cold table for the plan.
            let requests = Requests::default();
            let location = fixture.location.clone().map_store(|store| {
                Arc::new(HookedStore::new(store, Counting::new(&requests, Duration::ZERO)))
            });
            let newer = lake::open(&location).await;
            requests.take();
            let nothing = WrittenFiles::default();
            let plan =
                merge::replan(&newer, changes.clone(), &stale, &plan, nothing).await.unwrap();
            let asked: Vec<String> =
                requests.take().into_iter().map(|request| request.path).collect();
            for file in kept_files(&stale, &newer).await {
                assert!(!asked.iter().any(|path| path.ends_with(&file)), "{winner:?}: {asked:?}");
                kept += 1;
            }
            let fresh = merge::plan(&newer, &keys, changes.clone()).await.unwrap();
            assert_eq!(lake::counts(&plan), lake::counts(&fresh), "{winner:?}: {changes:?}");
            let record = lake::record(&newer, &plan);
            let outcome = lake::commit(&newer, &record, plan).await.unwrap().outcome;
            assert!(matches!(outcome, CommitOutcome::Committed(_)), "{winner:?}: {outcome:?}");
            let expected = replayed(content, &changes);
            assert_eq!(fixture.content().await, expected, "{winner:?}: {changes:?}");
        }
    }
    assert!(kept >= 36, "only {kept} files stayed as they were");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_before_the_race_was_lost_is_not_written_again() {
    let keys = ["id".to_owned()];
    // One row of each file.
    let changes = net(&[1], &[6]);
    let mut kept = 0;
    for winner in Winner::ALL {
        let fixture = Fixture::new(true).await;
        let stale = lake::open(&fixture.location).await;
        let plan = merge::plan(&stale, &keys, changes.clone()).await.unwrap();
        let content = winner.commit(&fixture).await;
        let record = lake::record(&stale, &plan);
        let lost = lake::commit(&stale, &record, plan.clone()).await.unwrap();
        assert!(matches!(lost.outcome, CommitOutcome::Conflicted { .. }), "{winner:?}: {lost:?}");
        let standing = fixture.data_files();

        let newer = lake::open(&fixture.location).await;
        let plan =
            merge::replan(&newer, changes.clone(), &stale, &plan, lost.written).await.unwrap();
        let record = lake::record(&newer, &plan);
        let outcome = lake::commit(&newer, &record, plan).await.unwrap().outcome;
        assert!(matches!(outcome, CommitOutcome::Committed(_)), "{winner:?}: {outcome:?}");
        assert_eq!(fixture.content().await, replayed(content, &changes), "{winner:?}");
        let reused =
            fixture.newest_files().await.into_iter().filter(|file| standing.contains(file));
        let of_both = kept_files(&stale, &newer).await.len();
        assert_eq!(reused.count(), of_both, "{winner:?}");
        kept += of_both;
    }
    assert!(kept >= 6, "only {kept} files stayed as they were");
}

/// The keys after net changes.
fn replayed(mut ids: Vec<i64>, changes: &NetChanges) -> Vec<i64> {
    let of = |batches: &[RecordBatch]| -> Vec<i64> {
        let columns = batches.iter().map(|batch| batch.column(0).as_primitive::<Int64Type>());
        columns.flat_map(|column| column.values().to_vec()).collect()
    };
    let deletes = of(&changes.deletes);
    ids.extend(of(&changes.upserts));
    ids.retain(|id| !deletes.contains(id));
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_optimize_never_undoes_our_commit() {
    for vectors in [false, true] {
        for changes in ours() {
            let fixture = Fixture::new(vectors).await;
            let stale = fixture.delta().await;
            let table = lake::open(&fixture.location).await;
            let keys = ["id".to_owned()];
            let (plan, _) = lake::apply(&fixture.location, &table, &keys, changes.clone()).await;
            let outcome = stale.optimize().await;
            if plan.updated + plan.deleted > 0 {
                assert_conflict(outcome, &CommitConflictError::ConcurrentDeleteRead);
            } else {
                let _ = outcome.unwrap();
            }
            assert_eq!(fixture.content().await, replayed(KEYS.to_vec(), &changes), "{changes:?}");
        }
    }
}

/// # Panics
/// If no commit was refused for this reason.
fn assert_conflict<T>(outcome: Result<T, DeltaTableError>, expected: &CommitConflictError) {
    let Err(error) = outcome else { panic!("committed: {expected}") };
    let DeltaTableError::Transaction { source: TransactionError::CommitConflict(found) } = error
    else {
        panic!("{error:?} instead of {expected}");
    };
    assert_eq!(found.to_string(), expected.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_commits_without_a_read_predicate_pass_an_optimize() {
    let operations = [
        DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None },
        DeltaOperation::Update { predicate: None },
        DeltaOperation::Delete { predicate: None },
    ];
    for operation in operations {
        let fixture = Fixture::new(true).await;
        let stale = fixture.delta().await;
        Winner::Optimize.commit(&fixture).await;
        fixture.mask_from(&stale, operation, CommitProperties::default()).await.unwrap();
        let content = fixture.content().await;
        assert_eq!(content.len(), 11, "three rows are duplicated and the masked one is back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_refuses_the_same_as_a_merge_or_without_retries() {
    for predicate in [None, Some("id BETWEEN 1 AND 8")] {
        let fixture = Fixture::new(true).await;
        let stale = fixture.delta().await;
        Winner::Optimize.commit(&fixture).await;
        let outcome =
            fixture.mask_from(&stale, merge_of(predicate), CommitProperties::default()).await;
        assert_conflict(outcome, &CommitConflictError::ConcurrentAppend);
        assert_eq!(fixture.content().await, KEYS);
    }
    let fixture = Fixture::new(true).await;
    let stale = fixture.delta().await;
    Winner::Optimize.commit(&fixture).await;
    let operation =
        DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
    let strict = CommitProperties::default().with_max_retries(0);
    let outcome = fixture.mask_from(&stale, operation, strict).await;
    let refused = DeltaTableError::from(TransactionError::MaxCommitAttempts(0));
    assert_eq!(outcome.unwrap_err().to_string(), refused.to_string());
    assert_eq!(fixture.content().await, KEYS);
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_optimizes_double_all_rows_of_each_other() {
    for properties in [CommitProperties::default(), CommitProperties::default().with_max_retries(0)]
    {
        let fixture = Fixture::new(false).await;
        let stale = fixture.delta().await;
        Winner::Optimize.commit(&fixture).await;
        let _ = stale.optimize().with_commit_properties(properties).await.unwrap();
        let mut doubled = [KEYS, KEYS].concat();
        doubled.sort_unstable();
        assert_eq!(fixture.content().await, doubled);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_deletes_after_an_optimize() {
    let fixture = Fixture::new(false).await;
    let stale = fixture.delta().await;
    Winner::Optimize.commit(&fixture).await;
    let _ = stale.clone().delete().await.unwrap();
    assert_eq!(fixture.content().await, KEYS, "said to be deleted, and all still there");

    let fixture = Fixture::new(false).await;
    let stale = fixture.delta().await;
    Winner::Optimize.commit(&fixture).await;
    let outcome = stale.clone().delete().with_predicate(col("id").eq(lit(1i64))).await;
    assert_conflict(outcome, &CommitConflictError::ConcurrentAppend);
    assert_eq!(fixture.content().await, KEYS);
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_refuses_a_merge_after_an_optimize() {
    for is_streaming in [false, true] {
        let fixture = Fixture::new(false).await;
        let stale = fixture.delta().await;
        Winner::Optimize.commit(&fixture).await;
        let source = SessionContext::new().read_batch(rows(&[1])).unwrap();
        let outcome = stale
            .merge(source, col("t.id").eq(col("s.id")))
            .with_source_alias("s")
            .with_target_alias("t")
            .with_streaming(is_streaming)
            .when_matched_update(|update| update.update("name", col("s.name")))
            .unwrap()
            .await;
        assert_conflict(outcome, &CommitConflictError::ConcurrentAppend);
        assert_eq!(fixture.content().await, KEYS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_optimizes_stand_back_for_vectors_and_pass_appends() {
    let fixture = Fixture::new(true).await;
    let stale = fixture.delta().await;
    let expected = Winner::Mask.commit(&fixture).await;
    assert_conflict(stale.optimize().await, &CommitConflictError::ConcurrentDeleteRead);
    assert_eq!(fixture.content().await, expected);

    let fixture = Fixture::new(true).await;
    let stale = fixture.delta().await;
    let expected = Winner::Append.commit(&fixture).await;
    let _ = stale.optimize().await.unwrap();
    assert_eq!(fixture.content().await, expected);
}

/// Another table with higher versions has replaced the open one.
#[tokio::test(flavor = "multi_thread")]
async fn columns_and_vectors_are_not_committed_to_a_table_that_took_the_place() {
    let folder = TempDir::new().unwrap();
    let location = lake::location(&folder, "t").await;
    let column =
        |name: &str| [Column { name: name.into(), column_type: ColumnType::Int, nullable: true }];
    let made = lake::create(&location, "t", &schema()).await;
    let added = table::add_columns(&made, &column("one"), &lake::clock()).await.unwrap();
    let open = added.committed().unwrap();
    assert_eq!(open.version(), 1);

    let root = location.url().to_file_path().unwrap();
    fs::rename(&root, folder.path().join("away")).unwrap();
    lake::create(&location, "t", &schema()).await;
    let refused = table::add_columns(&open, &column("more"), &lake::clock()).await.unwrap();
    assert!(matches!(refused, CommitOutcome::Gone(_)), "{refused:?}");
    let refused = table::allow_vectors(&open, &lake::clock()).await.unwrap();
    assert!(matches!(refused, CommitOutcome::Gone(_)), "{refused:?}");
    assert_eq!(lake::open(&location).await.version(), 0);
    assert!(!root.join("_delta_log/00000000000000000002.json").exists());
}
