//! A table of texts by number, merged into commit by commit and maintained through the pipeline.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use chrono::{DateTime, Utc};
use datafusion::prelude::SessionContext;
use deltalake::DeltaTable;
use deltalake::kernel::TableFeatures;
use dmslake::change::NetChanges;
use dmslake::clock::{Clock, SystemClock};
use dmslake::config::MergeMode;
use dmslake::maintenance::MaintenanceReport;
use dmslake::merge;
use dmslake::pipeline::{Limits, Pipeline, Status};
use dmslake::schema::{Column, ColumnType, TableSchema};
use dmslake::storage::Location;
use dmslake::table::{self, CommitOutcome, LakeTable, Transaction};
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value as Json;
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::folder::copy_folder;
use crate::support::hooked_store::{Faults, HookedStore};
use crate::support::lake;
use crate::support::world::settings;

pub(super) const DAY: Duration = Duration::from_hours(24);

type Interruption = Box<dyn FnOnce() -> BTreeMap<i64, String> + Send>;

/// The machine's time and some days more; on the side it lets others in before a commit.
#[derive(Default)]
pub(super) struct LaterClock {
    passed: Mutex<Duration>,
    interruption: Mutex<Option<Interruption>>,
    met: Mutex<Option<BTreeMap<i64, String>>>,
}

impl LaterClock {
    pub(super) fn pass(&self, time: Duration) {
        *self.passed.lock().unwrap() += time;
    }

    /// Runs this, on a thread of its own, when the next commit is about to be tried.
    pub(super) fn before_next_attempt(
        &self,
        interruption: impl FnOnce() -> BTreeMap<i64, String> + Send + 'static,
    ) {
        *self.interruption.lock().unwrap() = Some(Box::new(interruption));
    }

    /// What the interruption came to, if it came.
    pub(super) fn met(&self) -> Option<BTreeMap<i64, String>> {
        self.met.lock().unwrap().take()
    }
}

impl std::fmt::Debug for LaterClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LaterClock").field("passed", &self.passed).finish_non_exhaustive()
    }
}

impl Clock for LaterClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + *self.passed.lock().unwrap()
    }

    fn instant(&self) -> Instant {
        SystemClock.instant()
    }

    fn attempt_id(&self) -> Uuid {
        let interruption = self.interruption.lock().unwrap().take();
        if let Some(interruption) = interruption {
            *self.met.lock().unwrap() = Some(std::thread::spawn(interruption).join().unwrap());
        }
        SystemClock.attempt_id()
    }

    fn file_id(&self) -> Uuid {
        SystemClock.file_id()
    }

    fn jitter(&self, limit: Duration) -> Duration {
        SystemClock.jitter(limit)
    }
}

/// `shop.t (id long, name string)`, with `id` as its key.
pub(super) struct Site {
    folder: Arc<TempDir>,
    pub(super) location: Location,
    pub(super) clock: Arc<LaterClock>,
    pub(super) rows: BTreeMap<i64, String>,
    mode: MergeMode,
}

pub(super) fn schema() -> TableSchema {
    let column =
        |name: &str, column_type| Column { name: name.into(), column_type, nullable: true };
    TableSchema::new(vec![column("id", ColumnType::Long), column("name", ColumnType::String)])
}

pub(super) fn batch(rows: &BTreeMap<i64, String>) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.keys().copied()));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(rows.values()));
    RecordBatch::try_new(schema().arrow(), vec![ids, names]).unwrap()
}

impl Site {
    /// An empty table, merged into in that mode.
    pub(super) async fn new(mode: MergeMode) -> Self {
        let folder = TempDir::new().unwrap();
        let location = lake::location(&folder, "t").await;
        let table = lake::create(&location, "t", &schema()).await;
        if mode != MergeMode::CopyOnWrite {
            let _ = table::allow_vectors(&table, &lake::clock()).await.unwrap();
        }
        let clock = Arc::new(LaterClock::default());
        Self { folder: Arc::new(folder), location, clock, rows: BTreeMap::new(), mode }
    }

    /// The same table for another process.
    pub(super) fn beside(&self) -> Self {
        let clock = Arc::new(LaterClock::default());
        let (folder, location) = (Arc::clone(&self.folder), self.location.clone());
        Self { folder, location, clock, rows: self.rows.clone(), mode: self.mode }
    }

    /// A copy of the table in another folder, at the same time.
    pub(super) async fn twin(&self) -> Self {
        let folder = TempDir::new().unwrap();
        copy_folder(self.folder.path(), folder.path());
        let location = lake::location(&folder, "t").await;
        let clock = Arc::new(LaterClock::default());
        clock.pass(*self.clock.passed.lock().unwrap());
        Self { folder: Arc::new(folder), location, clock, rows: self.rows.clone(), mode: self.mode }
    }

    pub(super) fn root(&self) -> PathBuf {
        self.folder.path().join("shop/t")
    }

    pub(super) async fn table(&self) -> LakeTable {
        lake::open(&self.location).await
    }

    /// Another writer adds one file with these keys.
    pub(super) async fn append(&mut self, ids: impl IntoIterator<Item = i64>) {
        let rows: BTreeMap<i64, String> =
            ids.into_iter().map(|id| (id, "appended".to_owned())).collect();
        let delta = self.table().await.delta().clone();
        delta.write(vec![batch(&rows)]).await.unwrap();
        self.rows.extend(rows);
    }

    /// One commit of ours, named after it.
    pub(super) async fn merge(&mut self, upserts: impl IntoIterator<Item = i64>, deletes: &[i64]) {
        let upserts: BTreeSet<i64> = upserts.into_iter().collect();
        assert!(self.try_merge(&upserts, deletes).await, "another commit came first");
    }

    /// The same, as often as others come first.
    pub(super) async fn merge_at_last(&mut self, upserts: &BTreeSet<i64>, deletes: &[i64]) {
        while !self.try_merge(upserts, deletes).await {}
    }

    async fn try_merge(&mut self, upserts: &BTreeSet<i64>, deletes: &[i64]) -> bool {
        let table = self.table().await;
        let name = format!("commit {}", table.version() + 1);
        let upserts: BTreeMap<i64, String> = upserts.iter().map(|&id| (id, name.clone())).collect();
        let gone: ArrayRef = Arc::new(Int64Array::from(deletes.to_vec()));
        let without = RecordBatch::try_from_iter([("id", gone)]).unwrap();
        let net = NetChanges {
            changes: (upserts.len() + deletes.len()) as u64,
            upserts: [batch(&upserts)].into_iter().filter(|it| it.num_rows() > 0).collect(),
            deletes: [without].into_iter().filter(|it| it.num_rows() > 0).collect(),
            ..NetChanges::default()
        };
        let plan = merge::plan(&table, &["id".to_owned()], net).await.unwrap();
        let plan = plan.with_mode(self.mode);
        let record = lake::record(&table, &plan);
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        match merge::commit(Transaction::on(&table, record, &clock), plan).await.unwrap().outcome {
            CommitOutcome::Committed(_) => {
                self.rows.extend(upserts);
                for id in deletes {
                    self.rows.remove(id);
                }
                true
            }
            _ => false,
        }
    }

    /// Another writer raises the protocol.
    pub(super) async fn add_feature(&self, feature: TableFeatures) {
        let delta = self.table().await.delta().clone();
        delta
            .add_feature()
            .with_feature(feature)
            .with_allow_protocol_versions_increase(true)
            .await
            .unwrap();
    }

    /// A process that maintains the table, in another mode than it was merged in if told so.
    pub(super) async fn keeper(
        &self,
        mode: &str,
        extra: &str,
        store: Option<&HookedStore<Faults>>,
    ) -> Pipeline {
        let root = self.folder.path().display();
        let text = format!(
            "staging = \"{root}/staging\"\nlake = \"{root}\"\n{extra}[[table]]\nsource = \"shop.t\"\n\
             keys = [\"id\"]\nmerge = \"{mode}\"\n"
        );
        let settings = settings(&text);
        let staging = Location::open(&settings.staging).await.unwrap();
        let lake = Location::open(&settings.lake).await.unwrap();
        let lake = lake.map_store(|inner| -> Arc<dyn ObjectStore> {
            match store {
                Some(store) => Arc::new(store.beside(inner)),
                None => inner,
            }
        });
        Pipeline::new(settings, staging, lake, Arc::clone(&self.clock) as Arc<dyn Clock>)
    }

    /// Maintains the table as its own mode would.
    pub(super) async fn maintain(&self) -> MaintenanceReport {
        self.maintain_as(mode_name(self.mode)).await
    }

    pub(super) async fn maintain_as(&self, mode: &str) -> MaintenanceReport {
        let report = maintain(&self.keeper(mode, "", None).await).await;
        assert_eq!(report.status, Status::Ok, "{report:?}");
        report
    }

    /// Rows and ledger are what they should be, for us and for any reader.
    pub(super) async fn check(&self) {
        let table = self.table().await;
        assert_eq!(table.rows(), self.rows.len() as u64);
        assert_eq!(content(table.delta()).await, self.rows);
    }

    /// The rows as of a version.
    pub(super) async fn content_at(&self, version: u64) -> BTreeMap<i64, String> {
        let mut delta = self.table().await.delta().clone();
        delta.load_version(version).await.unwrap();
        content(&delta).await
    }

    /// The live files: rows and masked rows of each.
    pub(super) async fn files(&self) -> Vec<(u64, u64)> {
        let table = self.table().await;
        let log = table.delta().snapshot().unwrap().log_data();
        let masked = |vector: deltalake::kernel::DeletionVectorDescriptor| vector.cardinality;
        log.iter()
            .map(|file| {
                let masked = file.deletion_vector_descriptor().map_or(0, masked);
                (file.num_records().unwrap() as u64, u64::try_from(masked).unwrap())
            })
            .collect()
    }

    /// The log's entry of a version: `commitInfo`, `add`s, `remove`s and what else there is.
    pub(super) fn actions(&self, version: u64, kind: &str) -> Vec<Json> {
        let path = self.root().join(format!("_delta_log/{version:020}.json"));
        let content = std::fs::read(path).unwrap();
        let actions = serde_json::Deserializer::from_slice(&content).into_iter::<Json>();
        actions.filter_map(|action| action.unwrap().get(kind).cloned()).collect()
    }

    /// Versions whose entries the log still has.
    pub(super) fn log_versions(&self) -> Vec<u64> {
        let entries = std::fs::read_dir(self.root().join("_delta_log")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let version = |name: String| name.strip_suffix(".json")?.parse().ok();
        let mut versions: Vec<u64> = names.filter_map(version).collect();
        versions.sort_unstable();
        versions
    }

    /// The keys of the only file of the table, as they stand in it.
    pub(super) async fn ids_of_the_only_file(&self) -> Vec<i64> {
        let table = self.table().await;
        let mut paths = table.delta().get_file_uris().unwrap();
        let path = paths.next().unwrap();
        assert!(paths.next().is_none(), "several files");
        let file = std::fs::File::open(path.trim_start_matches("file://")).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        let mut ids = Vec::new();
        for batch in reader {
            let batch = batch.unwrap();
            ids.extend(batch["id"].as_primitive::<Int64Type>().values());
        }
        ids
    }

    /// Leaves a file in the table's folder that no log knows.
    pub(super) fn leave(&self, name: &str) {
        std::fs::write(self.root().join(name), "left behind").unwrap();
    }

    /// Names of files in the table's folder that end like this.
    pub(super) fn stored(&self, ending: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.root()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(ending)).collect()
    }
}

pub(super) fn mode_name(mode: MergeMode) -> &'static str {
    match mode {
        MergeMode::CopyOnWrite => "copy-on-write",
        MergeMode::DeletionVectors => "deletion-vectors",
        MergeMode::Auto => "auto",
    }
}

pub(super) async fn maintain(keeper: &Pipeline) -> MaintenanceReport {
    keeper.maintain(&keeper.settings().tables[0], &Limits::default()).await
}

/// All rows, through DataFusion; no key stands twice.
async fn content(delta: &DeltaTable) -> BTreeMap<i64, String> {
    let provider = delta.table_provider().await.unwrap();
    let frame = SessionContext::new().read_table(provider).unwrap();
    let mut rows = BTreeMap::new();
    for batch in frame.collect().await.unwrap() {
        let names = arrow::compute::cast(
            batch.column_by_name("name").unwrap(),
            &arrow::datatypes::DataType::Utf8,
        );
        let names = names.unwrap();
        let ids = batch.column_by_name("id").unwrap().as_primitive::<Int64Type>().values();
        for (id, name) in ids.iter().zip(names.as_string::<i32>()) {
            let before = rows.insert(*id, name.unwrap().to_owned());
            assert!(before.is_none(), "{id} stands twice");
        }
    }
    rows
}
