//! One table, `shop.t (id int, v text)`, in memory: what is staged for it, and its folder.

use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use dmslake::clock::{Clock, SystemClock};
use dmslake::config::{Settings, TableSpec};
use dmslake::error::Error;
use dmslake::pipeline::{
    Limits, Losses, Pipeline, Progress, RebuildPlan, RestorePlan, Resumed, Scope, Silent, Status,
    TableReport,
};
use dmslake::storage::{Location, StoreKind};
use dmslake::table::AsOf;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};

use crate::support::hooked_store::{Fault, HookedStore, Hooks, Side};
use crate::support::table::{LakeTable, keep_nothing_deleted};
use crate::support::world::{in_memory, settings};

pub(super) const STATE: &str = "_dmslake/state/shop/t.json";

/// Staging, lake and the configuration.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) staging: Location,
    pub(super) lake: Location,
    /// Keys of the table, and other keys of `[[table]]`.
    pub(super) keys: String,
    pub(super) extra: String,
    /// Its `[[table.layout]]`, if columns change.
    pub(super) layout: String,
    /// After how many days staging expires, where that is configured.
    pub(super) expiry_days: Option<u32>,
    pub(super) id_type: String,
    /// The name of the column beside the key.
    pub(super) value: String,
    /// Other keys of `[dms]`, and other columns behind the three.
    pub(super) dms: String,
    pub(super) more_columns: String,
    /// Whether slices hold little.
    pub(super) small: bool,
    pub(super) begun: DateTime<Utc>,
}

impl Site {
    pub(super) fn on(kind: StoreKind) -> Self {
        Self {
            staging: in_memory("s3://staging/dms", kind),
            lake: in_memory("s3://lake", StoreKind::S3),
            keys: "[\"id\"]".into(),
            extra: String::new(),
            layout: String::new(),
            expiry_days: None,
            id_type: "int".into(),
            value: "v".into(),
            dms: String::new(),
            more_columns: String::new(),
            small: false,
            begun: SystemClock.now(),
        }
    }

    pub(super) fn with(extra: &str) -> Self {
        Self { extra: extra.into(), ..Self::on(StoreKind::S3) }
    }

    /// The same site for a worker whose requests to the lake meet these hooks.
    pub(super) fn through<H: Hooks>(&self, hooks: H) -> Self {
        let lake = self.lake.clone().map_store(|store| Arc::new(HookedStore::new(store, hooks)));
        Self { lake, ..self.clone() }
    }

    fn settings(&self) -> Arc<Settings> {
        let Self { keys, extra, id_type, value, dms, more_columns, layout, .. } = self;
        let days = |days| format!("staging_expiry_days = {days}\n");
        let expiry = self.expiry_days.map(days).unwrap_or_default();
        let budget = if self.small { "memory_budget = 65536\n" } else { "" };
        settings(&format!(
            "staging = \"s3://staging/dms\"\nlake = \"s3://lake\"\n{budget}{expiry}\
             [dms]\nchange_seq_column = \"seq\"\n{dms}\n[[table]]\nsource = \"shop.t\"\nkeys = {keys}\n\
             {extra}\ncolumns = [{{ name = \"id\", type = \"{id_type}\" }}, \
             {{ name = \"{value}\", type = \"text\" }}, {{ name = \"seq\", type = \"varchar(35)\" }}{more_columns}]\n{layout}"
        ))
    }

    /// The name of the change object that DMS writes this many seconds after the start.
    pub(super) fn change(&self, seconds: i64) -> String {
        let made = self.begun + TimeDelta::seconds(seconds);
        format!("{}.csv", made.format("%Y%m%d-%H%M%S%3f"))
    }

    /// Stages an object; rows end without a sequence unless they have one.
    pub(super) async fn stage(&self, name: &str, rows: &[&str]) {
        let line = |row: &&str| match row.matches(',').count() + usize::from(name.contains("LOAD"))
        {
            3.. => format!("{row}\n"),
            _ => format!("{row},\n"),
        };
        let text: String = rows.iter().map(line).collect();
        let path = staged(name);
        self.staging.store().put(&path, PutPayload::from(text.into_bytes())).await.unwrap();
        // Times of objects have milliseconds.
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    }

    pub(super) async fn expire(&self, name: &str) {
        self.staging.store().delete(&staged(name)).await.unwrap();
    }

    pub(super) async fn apply(&self) -> TableReport {
        self.apply_through(&self.pipeline()).await
    }

    pub(super) fn pipeline(&self) -> Pipeline {
        self.pipeline_at(Arc::new(SystemClock))
    }

    /// The same by another clock.
    pub(super) fn pipeline_at(&self, clock: Arc<dyn Clock>) -> Pipeline {
        let (staging, lake) = (self.staging.clone(), self.lake.clone());
        Pipeline::new(self.settings(), staging, lake, clock)
    }

    pub(super) async fn apply_through(&self, pipeline: &Pipeline) -> TableReport {
        Self::apply_to(pipeline).await
    }

    pub(super) async fn apply_to(pipeline: &Pipeline) -> TableReport {
        let spec = pipeline.settings().tables[0].clone();
        pipeline.apply(&spec, &Scope::Everything, &Limits::default(), &Silent).await
    }

    pub(super) async fn pause(&self, reason: Option<&str>) -> bool {
        let pipeline = self.pipeline();
        pipeline.pause(&pipeline.settings().tables[0], reason).await.unwrap()
    }

    pub(super) async fn resume(&self, losses: Losses) -> Resumed {
        let pipeline = self.pipeline();
        pipeline.resume(&pipeline.settings().tables[0], losses).await.unwrap()
    }

    pub(super) async fn plan_rebuild(&self) -> RebuildPlan {
        let pipeline = self.pipeline();
        pipeline.plan_rebuild(&pipeline.settings().tables[0]).await.unwrap()
    }

    /// Begins a rebuild, and gives the pipeline that did and the table.
    pub(super) async fn begin_rebuild(
        &self,
        losses: Losses,
    ) -> Result<(Pipeline, TableSpec), Error> {
        let pipeline = self.pipeline();
        let spec = pipeline.settings().tables[0].clone();
        let plan = pipeline.plan_rebuild(&spec).await?;
        pipeline.begin_rebuild(&spec, &plan, losses).await?;
        Ok((pipeline, spec))
    }

    /// Begins a rebuild and goes on with it to its end.
    pub(super) async fn rebuild(&self, losses: Losses) -> Result<TableReport, Error> {
        let (pipeline, _) = self.begin_rebuild(losses).await?;
        Ok(Self::apply_to(&pipeline).await)
    }

    /// Removes all rows, as an operator does.
    pub(super) async fn truncate(&self) -> Result<u64, Error> {
        let pipeline = self.pipeline();
        pipeline.truncate(&pipeline.settings().tables[0]).await
    }

    pub(super) async fn plan_restore(&self, to: u64) -> Result<RestorePlan, Error> {
        let pipeline = self.pipeline();
        pipeline
            .plan_restore(&pipeline.settings().tables[0], AsOf::Version(to), Progress::GoesBack)
            .await
    }

    /// Puts rows and progress of that version back.
    pub(super) async fn restore(&self, to: u64, losses: Losses) -> Result<u64, Error> {
        let plan = self.plan_restore(to).await?;
        let pipeline = self.pipeline();
        pipeline.restore(&pipeline.settings().tables[0], &plan, losses).await
    }

    /// Deletes whatever may be deleted, however new it is.
    pub(super) async fn vacuum(&self) {
        keep_nothing_deleted(&self.lake.folder(&["shop", "t"]).unwrap()).await;
        let pipeline = self.pipeline();
        let spec = &pipeline.settings().tables[0];
        let report = pipeline.maintain(spec, &Limits::default()).await;
        assert_eq!(report.status, Status::Ok, "{report:?}");
    }

    /// Moves the table's folder away, as remedies say, but nothing next to it.
    pub(super) async fn move_away(&self) {
        self.remove("shop/t").await;
    }

    pub(super) async fn state(&self) -> String {
        let found = self.lake.store().get(&Path::from(STATE)).await.unwrap();
        String::from_utf8(found.bytes().await.unwrap().to_vec()).unwrap()
    }

    pub(super) async fn set_state(&self, text: &str) {
        let text = PutPayload::from(text.to_owned().into_bytes());
        self.lake.store().put(&Path::from(STATE), text).await.unwrap();
    }

    pub(super) async fn remove_state(&self) {
        self.remove("_dmslake").await;
    }

    async fn remove(&self, folder: &str) {
        let store = self.lake.store();
        let found: Vec<_> = store.list(Some(&Path::from(folder))).try_collect().await.unwrap();
        assert!(!found.is_empty(), "nothing stands in {folder}");
        for object in found {
            store.delete(&object.location).await.unwrap();
        }
    }

    /// The Delta library's view of the table, for other writers.
    pub(super) async fn delta(&self) -> deltalake::DeltaTable {
        let location = self.lake.folder(&["shop", "t"]).unwrap();
        dmslake::table::load(&location).await.unwrap().expect("a table")
    }

    /// `id=v` of every row, in order, under whichever name.
    pub(super) async fn rows(&self) -> Vec<String> {
        LakeTable::at(&self.lake, &["shop", "t"]).pairs("id", &self.value).await
    }

    pub(super) async fn expect_ok(&self, rows: &[&str]) -> TableReport {
        let report = self.apply().await;
        assert_eq!((report.status, report.pending), (Status::Ok, 0), "{report:?}");
        assert_eq!(self.rows().await, rows, "{report:?}");
        report
    }

    /// The table must be held, with all of these words in its error.
    pub(super) async fn expect_held(&self, parts: &[&str]) -> TableReport {
        let report = self.apply().await;
        assert_eq!(report.status, Status::Held, "{report:?}");
        let error = report.error.clone().unwrap();
        for part in parts {
            assert!(error.contains(part), "no {part:?} in: {error}");
        }
        report
    }
}

/// Where an object of that name is staged.
fn staged(name: &str) -> Path {
    Path::parse(format!("dms/shop/t/{name}")).unwrap()
}

/// Runs with each of these writes failing, before and after its effect, in a process that dies; side
/// by side, because a process that dies waits in vain.
pub(super) async fn faults<F: Future<Output = ()>>(writes: Range<u64>, run: impl Fn(Fault) -> F) {
    let sides = [Side::Before, Side::After];
    let faults = writes.flat_map(|write| sides.map(|side| Fault { write, side, died: true }));
    stream::iter(faults).map(run).buffer_unordered(16).collect::<Vec<()>>().await;
}
