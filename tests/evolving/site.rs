//! One table, `shop.t`, whose objects bring columns of their own.

use std::sync::Arc;

use dmslake::clock::{Clock, SystemClock};
use dmslake::pipeline::{Limits, Losses, Observer, Pipeline, Scope, Silent, Status, TableReport};
use dmslake::storage::{Location, StoreKind};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};

use crate::support::parquet_file::{Values, file, texts};
use crate::support::table::{LakeTable, keep_nothing_deleted, shown};
use crate::support::world::{in_memory, settings};

/// Staging, lake and the configuration.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) staging: Location,
    pub(super) lake: Location,
    /// Lines of `[dms]`, and of `[[table]]`.
    pub(super) dms: String,
    pub(super) table: String,
}

impl Site {
    /// With these lines of `[[table]]`.
    pub(super) fn with(table: &str) -> Self {
        Self {
            staging: in_memory("s3://staging/dms", StoreKind::S3),
            lake: in_memory("s3://lake", StoreKind::S3),
            dms: String::new(),
            table: table.into(),
        }
    }

    /// Stages a Parquet object; `op` stands in each of its rows.
    pub(super) async fn stage(&self, name: &str, op: Option<&str>, columns: &[(&str, Values)]) {
        let rows = match &columns[0].1 {
            Values::I32(values) => values.len(),
            Values::I64(values) => values.len(),
            Values::Bytes(values) => values.len(),
            other => panic!("keys are no {other:?}"),
        };
        let mut all = Vec::new();
        all.extend(op.map(|op| ("binary Op (UTF8)", texts(&vec![Some(op); rows]))));
        all.extend(columns.iter().cloned());
        self.put(&format!("{name}.parquet"), file(&all)).await;
    }

    /// Stages an object of these bytes.
    pub(super) async fn put(&self, name: &str, content: impl Into<Vec<u8>>) {
        let path = Path::from(format!("dms/shop/t/{name}"));
        self.staging.store().put(&path, PutPayload::from(content.into())).await.unwrap();
        // Times of objects have milliseconds.
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    }

    pub(super) fn pipeline(&self) -> Pipeline {
        let text = format!(
            "staging = \"s3://staging/dms\"\nlake = \"s3://lake\"\n[dms]\n{}\n[[table]]\n\
             source = \"shop.t\"\n{}\n",
            self.dms, self.table
        );
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Pipeline::new(settings(&text), self.staging.clone(), self.lake.clone(), clock)
    }

    pub(super) async fn apply(&self) -> TableReport {
        self.apply_within(&Limits::default(), &Silent).await
    }

    pub(super) async fn apply_within(
        &self,
        limits: &Limits,
        observer: &dyn Observer,
    ) -> TableReport {
        let pipeline = self.pipeline();
        let spec = pipeline.settings().tables[0].clone();
        pipeline.apply(&spec, &Scope::Everything, limits, observer).await
    }

    /// Maintains the table, and deletes whatever may be deleted, however new it is.
    pub(super) async fn maintain(&self) {
        keep_nothing_deleted(&self.lake.folder(&["shop", "t"]).unwrap()).await;
        let pipeline = self.pipeline();
        let report = pipeline.maintain(&pipeline.settings().tables[0], &Limits::default()).await;
        assert_eq!(report.status, Status::Ok, "{report:?}");
    }

    /// Applies, and gives the report of what must have gone well.
    pub(super) async fn ok(&self) -> TableReport {
        let report = self.apply().await;
        assert_eq!((report.status, report.pending), (Status::Ok, 0), "{report:?}");
        report
    }

    /// Applies; the table must be held with these words.
    pub(super) async fn held(&self, words: &[&str]) -> TableReport {
        let report = self.apply().await;
        assert_eq!(report.status, Status::Held, "{report:?}");
        let error = report.error.clone().unwrap_or_default();
        for words in words {
            assert!(error.contains(words), "{words} in {error}");
        }
        report
    }

    /// Rebuilds the table from what is staged.
    pub(super) async fn rebuild(&self) -> TableReport {
        let pipeline = self.pipeline();
        let spec = pipeline.settings().tables[0].clone();
        let plan = pipeline.plan_rebuild(&spec).await.unwrap();
        pipeline.begin_rebuild(&spec, &plan, Losses::Refused).await.unwrap();
        pipeline.apply(&spec, &Scope::Everything, &Limits::default(), &Silent).await
    }

    pub(super) fn delta(&self) -> LakeTable {
        LakeTable::at(&self.lake, &["shop", "t"])
    }

    pub(super) async fn version(&self) -> u64 {
        self.delta().log().await.last().unwrap().version
    }

    /// `name type` of every column, in order of the names.
    pub(super) async fn columns(&self) -> Vec<String> {
        let log = self.delta().log().await;
        let types = LakeTable::types(&log, log.last().unwrap().version);
        types.iter().map(|(name, of_type)| format!("{name} {of_type}")).collect()
    }

    /// Every row of a version as text, in order.
    pub(super) async fn rows_at(&self, version: u64) -> Vec<String> {
        shown(&self.delta().batches(version).await, "-")
    }

    pub(super) async fn rows(&self) -> Vec<String> {
        self.rows_at(self.version().await).await
    }

    /// The objects in a folder of the lake.
    pub(super) async fn names(&self, folder: &str) -> Vec<String> {
        let listed = self.lake.store().list(Some(&Path::from(folder)));
        let metas: Vec<_> = listed.try_collect().await.unwrap();
        metas.into_iter().map(|meta| meta.location.to_string()).collect()
    }
}

/// Numbers of 32 bits.
pub(super) fn ints(values: &[i32]) -> Values {
    Values::I32(values.iter().copied().map(Some).collect())
}

/// Numbers of 64 bits.
pub(super) fn longs(values: &[i64]) -> Values {
    Values::I64(values.iter().copied().map(Some).collect())
}

/// Texts.
pub(super) fn words(values: &[&str]) -> Values {
    texts(&values.iter().copied().map(Some).collect::<Vec<_>>())
}

pub(super) const LOAD: &str = "LOAD00000001";

/// The name of a change object.
pub(super) fn change(number: u32) -> String {
    format!("20240101-0000000{number:02}")
}
