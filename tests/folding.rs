//! Small files are folded into the next write: their number and the cost stay bounded, and no row
//! changes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::prelude::SessionContext;
use deltalake::TableProperty;
use deltalake::operations::create::CreateBuilder;
use dmslake::change::NetChanges;
use dmslake::config::MergeMode;
use dmslake::merge;
use dmslake::schema::{Column, ColumnType, TableSchema};
use dmslake::storage::Location;
use dmslake::table::{self, LakeTable};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use crate::support::{audit, deletion_vectors, lake, property};

/// The most files in a tier and the number of tiers, which bound the small files of a partition.
const MOST_IN_TIER: usize = 8;
const TIERS: u8 = 6;
const MOST_FILES: usize = MOST_IN_TIER * TIERS as usize;

fn columns() -> Vec<Column> {
    let column =
        |name: &str, column_type| Column { name: name.into(), column_type, nullable: true };
    vec![column("id", ColumnType::Long), column("name", ColumnType::String)]
}

fn rows(rows: &[(i64, String)]) -> Vec<RecordBatch> {
    if rows.is_empty() {
        return vec![];
    }
    let ids: Int64Array = rows.iter().map(|row| Some(row.0)).collect();
    let names: StringArray = rows.iter().map(|row| Some(row.1.as_str())).collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(names)];
    vec![RecordBatch::try_new(TableSchema::new(self::columns()).arrow(), columns).unwrap()]
}

fn net(upserts: &[(i64, String)], deletes: &[i64]) -> NetChanges {
    let ids: ArrayRef = Arc::new(Int64Array::from(deletes.to_vec()));
    let keys = RecordBatch::try_from_iter([("id", ids)]).unwrap();
    NetChanges {
        upserts: rows(upserts),
        deletes: if deletes.is_empty() { vec![] } else { vec![keys] },
        changes: (upserts.len() + deletes.len()) as u64,
        ..NetChanges::default()
    }
}

/// A table, its expected rows, and the cost of its commits.
struct Table {
    folder: TempDir,
    location: Location,
    lake: LakeTable,
    keys: Vec<String>,
    mode: MergeMode,
    rows: BTreeMap<i64, String>,
    next: i64,
    inserted: u64,
    changed: u64,
    copied: u64,
    folds: u64,
}

impl Table {
    async fn new(mode: MergeMode, keys: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let location = lake::location(&folder, "t").await;
        let schema = TableSchema::new(columns());
        let table = if mode == MergeMode::CopyOnWrite {
            lake::create(&location, "t", &schema).await
        } else {
            deletion_vectors::create(&location, &schema).await
        };
        Self::of(folder, location, table, mode, keys)
    }

    fn of(
        folder: TempDir,
        location: Location,
        lake: LakeTable,
        mode: MergeMode,
        keys: &[&str],
    ) -> Self {
        let keys = keys.iter().map(|&key| key.to_owned()).collect();
        let (rows, next) = (BTreeMap::new(), 0);
        let (inserted, changed, copied, folds) = (0, 0, 0, 0);
        Self { folder, location, lake, keys, mode, rows, next, inserted, changed, copied, folds }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("shop/t")
    }

    fn fresh(&mut self, count: usize, name: &str) -> Vec<(i64, String)> {
        let first = self.next;
        self.next += i64::try_from(count).unwrap();
        (first..self.next).map(|id| (id, format!("{name} {id}"))).collect()
    }

    /// Commits, and checks the commit's metadata and the bounds.
    async fn commit(&mut self, upserts: &[(i64, String)], deletes: &[i64]) {
        let net = net(upserts, deletes);
        let plan = merge::plan(&self.lake, &self.keys, net).await.unwrap().with_mode(self.mode);
        let counts = [plan.inserted, plan.updated, plan.deleted];
        let before = audit::Before::of(&self.lake);
        let record = lake::record(&self.lake, &plan);
        let merged = lake::commit(&self.lake, &record, plan).await.unwrap();
        self.lake = merged.outcome.committed().unwrap_or_else(|error| panic!("{}", error.chain()));
        audit::check(&self.root(), &before, &self.lake, &record, counts);
        self.rows.extend(upserts.iter().cloned());
        self.rows.retain(|id, _| !deletes.contains(id));
        let inserted = counts[0];
        self.inserted += inserted;
        self.changed += counts.iter().sum::<u64>();
        let log_store = self.lake.delta().log_store();
        let commit = table::commit(&log_store, self.lake.version()).await.unwrap().unwrap();
        self.copied += commit.metrics.rows_copied.unwrap();
        let is_fold = commit.metrics.files_removed.unwrap() > 0;
        self.folds += u64::from(is_fold);
        if is_fold {
            let operation = commit.operation.as_deref();
            assert_eq!(operation, Some("MERGE"), "a commit that removes files says so");
        }
        if inserted > 0 {
            let tiers = self.tiers();
            assert!(tiers.values().all(|&files| files <= MOST_IN_TIER), "{tiers:?}");
        }
        assert!(self.files() <= MOST_FILES, "{} files", self.files());
    }

    fn live_rows(&self) -> Vec<u64> {
        let log = self.lake.delta().snapshot().unwrap().log_data();
        let live = log.iter().map(|file| {
            let masked = file.deletion_vector_descriptor().map_or(0, |vector| vector.cardinality);
            file.num_records().unwrap() as u64 - u64::try_from(masked).unwrap()
        });
        live.collect()
    }

    fn files(&self) -> usize {
        self.live_rows().len()
    }

    /// Small files by tier, a power of eight of live rows.
    fn tiers(&self) -> BTreeMap<u32, usize> {
        let mut tiers = BTreeMap::new();
        for rows in self.live_rows().into_iter().filter(|rows| *rows < 64 << 10) {
            *tiers.entry(rows.max(1).ilog(8)).or_default() += 1;
        }
        tiers
    }

    async fn check_rows(&self) {
        let delta = lake::open(&self.location).await.delta().clone();
        let frame =
            SessionContext::new().read_table(delta.table_provider().await.unwrap()).unwrap();
        let mut found = BTreeMap::new();
        for batch in frame.collect().await.unwrap() {
            let ids = batch.column_by_name("id").unwrap().as_primitive::<Int64Type>();
            let names = batch.column_by_name("name").unwrap();
            let names = arrow::compute::cast(names, &DataType::Utf8).unwrap();
            let names = names.as_string::<i32>();
            for (id, name) in ids.values().iter().zip(names) {
                assert!(found.insert(*id, name.unwrap().to_owned()).is_none(), "{id} twice");
            }
        }
        assert_eq!(found, self.rows);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn small_files_stay_few_whatever_is_committed() {
    property::check("small_files_stay_few_whatever_is_committed", 15, 3, |mut rng| async move {
        let rng = &mut rng;
        let modes = [MergeMode::CopyOnWrite, MergeMode::DeletionVectors, MergeMode::Auto];
        let mode = *modes.choose(rng).unwrap();
        let mut table = Table::new(mode, &["id"]).await;
        let most = *[1, 10, 60].choose(rng).unwrap();
        let (updates, deletes) = (rng.random_range(0.0..0.2), rng.random_range(0.0..0.2));
        let mut only_masks = mode == MergeMode::DeletionVectors;
        for _ in 0..100 {
            let count = rng.random_range(0..=most);
            let mut upserts = table.fresh(count, "new");
            let mut gone = Vec::new();
            for id in table.rows.keys() {
                if rng.random_bool(updates) {
                    upserts.push((*id, format!("updated {}", rng.random::<u8>())));
                } else if rng.random_bool(deletes) {
                    gone.push(*id);
                }
            }
            // Another process, with another mode.
            if rng.random_bool(0.02) && mode != MergeMode::CopyOnWrite {
                table.mode = *modes.choose(rng).unwrap();
                only_masks &= table.mode == MergeMode::DeletionVectors;
            }
            table.commit(&upserts, &gone).await;
        }
        table.check_rows().await;
        // Other modes replace whole files, whose rows are counted too.
        if only_masks {
            let (copied, changed) = (table.copied, table.changed);
            assert!(
                copied <= u64::from(TIERS) * changed,
                "{copied} rows copied for {changed} changes"
            );
        }
    })
    .await;
}

/// Only inserts: every rewritten row was folded.
#[tokio::test(flavor = "multi_thread")]
async fn an_inserted_row_is_written_anew_once_a_tier_at_most() {
    const COMMITS: usize = 300;
    for (mode, keys) in [
        (MergeMode::CopyOnWrite, &["id"][..]),
        (MergeMode::DeletionVectors, &["id"]),
        (MergeMode::CopyOnWrite, &[]),
    ] {
        let mut table = Table::new(mode, keys).await;
        for round in 0..COMMITS {
            let fresh = table.fresh(1 + round % 5, "new");
            table.commit(&fresh, &[]).await;
        }
        table.check_rows().await;
        let (copied, inserted) = (table.copied, table.inserted);
        eprintln!(
            "{keys:?}: {inserted} rows in {COMMITS} commits, {copied} rewritten in {} folds, {} files",
            table.folds,
            table.files()
        );
        let reached = u64::from(inserted.ilog(8));
        assert!(
            table.folds >= COMMITS as u64 / 9 && copied <= reached * inserted,
            "{copied} rows copied"
        );
        assert!(table.files() <= MOST_IN_TIER * (1 + usize::try_from(reached).unwrap()));
    }
}

/// If touched files were excluded, nothing would ever be folded here.
#[tokio::test(flavor = "multi_thread")]
async fn files_that_every_commit_touches_are_folded_too() {
    for mode in [MergeMode::CopyOnWrite, MergeMode::DeletionVectors] {
        let mut table = Table::new(mode, &["id"]).await;
        for round in 0..60 {
            let mut upserts: Vec<_> =
                table.rows.keys().map(|&id| (id, format!("round {round}"))).collect();
            upserts.extend(table.fresh(1, "new"));
            table.commit(&upserts, &[]).await;
        }
        assert!(table.files() <= 2 * MOST_IN_TIER, "{} files", table.files());
        table.check_rows().await;
    }
}

/// One fold takes at most one row group; a file with more than half of that is no longer small.
#[tokio::test(flavor = "multi_thread")]
async fn large_files_and_large_batches_are_left_alone() {
    let mut table = Table::new(MergeMode::CopyOnWrite, &[]).await;
    let large = table.fresh(70_000, "large");
    table.commit(&large, &[]).await;
    for _ in 0..8 {
        let fresh = table.fresh(1, "new");
        table.commit(&fresh, &[]).await;
    }
    let large = table.fresh(70_000, "large");
    table.commit(&large, &[]).await;
    assert_eq!((table.folds, table.files()), (0, 10));
    for _ in 0..10 {
        let fresh = table.fresh(15_000, "half");
        table.commit(&fresh, &[]).await;
    }
    // Nine files would have more rows than a row group.
    let mut live = table.live_rows();
    live.sort_unstable();
    assert_eq!(live[8..], [15_000, 15_000, 70_000, 70_000, 8 * 15_000]);
    assert_eq!(table.folds, 1);
    table.check_rows().await;
}

/// Rows that need much more memory than disk space: the memory of a row group is the limit.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_folded_fits_the_memory_of_a_row_group() {
    let mut table = Table::new(MergeMode::CopyOnWrite, &["id"]).await;
    let wide = "wide ".repeat(2 << 20);
    for _ in 0..9 {
        let fresh = table.fresh(1, &wide);
        table.commit(&fresh, &[]).await;
    }
    assert_eq!(table.folds, 1);
    assert_eq!(table.copied, 6, "rows of 10 MiB that fit 64 MiB");
    table.check_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_folded_within_their_partition() {
    let folder = TempDir::new().unwrap();
    let location = lake::location(&folder, "t").await;
    CreateBuilder::new()
        .with_log_store(table::log_store(&location).unwrap())
        .with_columns(table::to_delta(&columns()).unwrap())
        .with_partition_columns(["name"])
        .with_commit_properties(table::commit_properties(&lake::empty_record(0), 1, None).unwrap())
        .await
        .unwrap();
    let table = lake::open(&location).await;
    let mut table = Table::of(folder, location, table, MergeMode::CopyOnWrite, &["id"]);
    let rng = &mut StdRng::seed_from_u64(1);
    for round in 0..60 {
        let mut upserts = table.fresh(2, "");
        for (_, name) in &mut upserts {
            *name = (*["a b/c=%é", "z"].choose(rng).unwrap()).to_owned();
        }
        // Some rows move to the other partition.
        if round % 5 == 4 {
            upserts.push((rng.random_range(0..table.next - 2), "z".to_owned()));
        }
        let net = net(&upserts, &[]);
        let plan = merge::plan(&table.lake, &table.keys, net).await.unwrap();
        let record = lake::record(&table.lake, &plan);
        let _ = lake::commit(&table.lake, &record, plan).await.unwrap();
        table.rows.extend(upserts);
        table.lake = lake::open(&table.location).await;
    }
    table.check_rows().await;
    assert!((2..=4 * MOST_IN_TIER).contains(&table.files()), "{} files", table.files());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_only_takes_appends_keeps_its_files() {
    let mut table = Table::new(MergeMode::CopyOnWrite, &[]).await;
    let properties = [(TableProperty::AppendOnly.as_ref().to_owned(), "true".to_owned())];
    let delta = table.lake.delta().clone();
    let _ = delta.set_tbl_properties().with_properties(properties.into()).await.unwrap();
    table.lake = lake::open(&table.location).await;
    for _ in 0..20 {
        let fresh = table.fresh(1, "new");
        let plan = merge::plan(&table.lake, &[], net(&fresh, &[])).await.unwrap();
        let record = lake::record(&table.lake, &plan);
        let merged = lake::commit(&table.lake, &record, plan).await.unwrap();
        merged.outcome.committed().unwrap_or_else(|error| panic!("{}", error.chain()));
        table.rows.extend(fresh);
        table.lake = lake::open(&table.location).await;
    }
    assert_eq!(table.files(), 20);
    table.check_rows().await;
}
