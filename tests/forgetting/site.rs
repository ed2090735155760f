//! One table, `shop.t (id int, region text, v text, n int)`, in which the rows of some keys carry a
//! text that stands nowhere else; and readers of its lake that share nothing with the program.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use dmslake::clock::SystemClock;
use dmslake::config::TableSpec;
use dmslake::error::Result;
use dmslake::forget::{self, Forgotten};
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, Status, TableReport};
use dmslake::storage::{Location, StoreKind};
use dmslake::table::TableState;
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::support::table::{LakeTable, shown};
use crate::support::world::{in_memory, on_disk, settings};

/// In the texts of rows that are to be forgotten, and nowhere else.
pub(super) const MARK: &str = "Zq7Secret";

#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) staging: Location,
    pub(super) lake: Location,
    pub(super) keys: &'static str,
    pub(super) extra: String,
    staged: usize,
}

impl Site {
    /// In memory, as on S3.
    pub(super) fn new(extra: &str) -> Self {
        Self {
            staging: in_memory("s3://staging/dms", StoreKind::S3),
            lake: in_memory("s3://lake", StoreKind::S3),
            keys: "\"id\"",
            extra: extra.to_owned(),
            staged: 0,
        }
    }

    /// On the disk.
    pub(super) async fn on_disk(home: &std::path::Path, extra: &str) -> Self {
        let (staging, lake) = (on_disk(&home.join("dms")).await, on_disk(&home.join("lake")).await);
        Self { staging, lake, ..Self::new(extra) }
    }

    /// The same table, in a lake of its own, with the same staged objects.
    pub(super) async fn copy(&self) -> Self {
        let copy = Self { lake: Self::new(&self.extra).lake, ..self.clone() };
        for (path, bytes) in objects(&self.lake).await {
            copy.lake.store().put(&Path::from(path), PutPayload::from(bytes)).await.unwrap();
        }
        copy
    }

    pub(super) fn pipeline(&self) -> Pipeline {
        self.pipeline_on(self.lake.clone())
    }

    pub(super) fn pipeline_on(&self, lake: Location) -> Pipeline {
        let text = format!(
            "staging = \"s3://staging/dms\"\nlake = \"s3://lake\"\n[[table]]\nsource = \"shop.t\"\n\
             keys = [{}]\non_bad_row = \"quarantine\"\nmax_bad_rows = {{ share = 1 }}\n{}\n\
             columns = [{{ name = \"id\", type = \"int\" }}, {{ name = \"region\", type = \
             \"varchar(9)\" }}, {{ name = \"v\", type = \"text\" }}, {{ name = \"n\", type = \"int\" }}]\n",
            self.keys, self.extra
        );
        Pipeline::new(settings(&text), self.staging.clone(), lake, Arc::new(SystemClock))
    }

    pub(super) fn spec(pipeline: &Pipeline) -> TableSpec {
        pipeline.settings().tables[0].clone()
    }

    /// Stages an object behind all others, of such lines, and gives its name.
    pub(super) async fn stage(&mut self, lines: &[String]) -> String {
        let name = match self.staged {
            0 => "LOAD00000001.csv".to_owned(),
            at => format!("20300101-0000{at:02}000.csv"),
        };
        self.staged += 1;
        let path = Path::from(format!("{}/shop/t/{name}", self.staging.prefix()));
        let text = lines.join("\n") + "\n";
        self.staging.store().put(&path, PutPayload::from(text.into_bytes())).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        name
    }

    pub(super) async fn apply(&self) -> TableReport {
        let pipeline = self.pipeline();
        let limits = Limits::default();
        pipeline.apply(&Self::spec(&pipeline), &Scope::Everything, &limits, &Silent).await
    }

    /// Stages an object and applies it.
    pub(super) async fn change(&mut self, lines: &[String]) {
        self.stage(lines).await;
        let report = self.apply().await;
        assert_eq!(report.status, Status::Ok, "{report:?}");
    }

    /// Changes what is known of the table beside its log.
    pub(super) async fn with_state(&self, change: impl Fn(&mut TableState)) -> TableState {
        let pipeline = self.pipeline();
        let spec = Self::spec(&pipeline);
        let new = || TableState::new(&spec.source, vec!["id".to_owned()]);
        pipeline.state_object(&spec.source).unwrap().update(new, change).await.unwrap()
    }

    pub(super) async fn forget(&self, keys: &[&str]) -> Forgotten {
        self.forget_on(self.lake.clone(), keys).await.unwrap().expect("there is a table")
    }

    pub(super) async fn forget_on(
        &self,
        lake: Location,
        keys: &[&str],
    ) -> Result<Option<Forgotten>> {
        let pipeline = self.pipeline_on(lake);
        let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        forget::forget(&pipeline, &Self::spec(&pipeline), &keys, &|_| {}).await
    }

    pub(super) async fn plan(&self, keys: &[&str]) -> Forgotten {
        let pipeline = self.pipeline();
        let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        let spec = Self::spec(&pipeline);
        forget::plan_forget(&pipeline, &spec, &keys, &|_| {})
            .await
            .unwrap()
            .expect("there is a table")
    }

    pub(super) fn location(&self) -> Location {
        self.lake.folder(&["shop", "t"]).unwrap()
    }

    pub(super) fn table(&self) -> LakeTable {
        LakeTable::at(&self.lake, &["shop", "t"])
    }

    pub(super) async fn newest(&self) -> u64 {
        self.table().log().await.last().unwrap().version
    }

    /// The rows of every version up to one, as `deltalake` reads them.
    pub(super) async fn history(&self, newest: u64) -> Vec<BTreeSet<String>> {
        let mut history = Vec::new();
        for version in 0..=newest {
            let batches = self.table().batches(version).await;
            let count = batches.iter().map(RecordBatch::num_rows).sum::<usize>();
            let rows: BTreeSet<String> = shown(&batches, "NULL").into_iter().collect();
            assert_eq!(rows.len(), count, "a row is there twice in version {version}");
            history.push(rows);
        }
        history
    }

    /// The objects of the lake in which the mark is: as bytes, or as a value of Parquet.
    pub(super) async fn marked(&self) -> Vec<String> {
        let objects = objects(&self.lake).await;
        objects.into_iter().filter(|(_, bytes)| is_marked(bytes)).map(|(name, _)| name).collect()
    }
}

/// Every object of a store.
pub(super) async fn objects(location: &Location) -> Vec<(String, Bytes)> {
    let store = location.store();
    let listed: Vec<_> = store.list(Some(location.prefix())).try_collect().await.unwrap();
    let mut objects = Vec::new();
    for meta in listed {
        let bytes = store.get(&meta.location).await.unwrap().bytes().await.unwrap();
        objects.push((meta.location.to_string(), bytes));
    }
    objects
}

fn is_marked(bytes: &Bytes) -> bool {
    if memchr::memmem::find(bytes, MARK.as_bytes()).is_some() {
        return true;
    }
    let Ok(reader) = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()) else { return false };
    let mut text = String::new();
    for batch in reader.build().unwrap() {
        write!(text, "{:?}", batch.unwrap()).unwrap();
    }
    text.contains(MARK)
}

/// A row of a key that is to be forgotten, or another one.
pub(super) fn line(op: &str, id: i32, told: &str) -> String {
    let op = if op.is_empty() { String::new() } else { format!("{op},") };
    format!("{op}{id},eu,{told},{id}")
}

/// Rows without those of these keys.
pub(super) fn without(rows: &BTreeSet<String>, keys: &[&str]) -> BTreeSet<String> {
    let is_kept = |row: &&String| !keys.contains(&row.split('|').next().unwrap().trim());
    rows.iter().filter(is_kept).cloned().collect()
}
