//! What readers need in addition to the log: manifests that are updated by every commit, entries in
//! AWS Glue, and the statements for each engine.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, StringArray};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use dmslake::clock::SystemClock;
use dmslake::config::{CatalogName, Settings};
use dmslake::error::ErrorKind;
use dmslake::maintenance::Action;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, Status, TableReport};
use dmslake::readers::statements::{Described, Engine, remarks, script, statements};
use dmslake::schema::{Column, ColumnType, TableSchema};
use dmslake::storage::{Location, StoreKind};
use dmslake::table;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use tokio::sync::Notify;

use crate::support::hooked_store::{CommitGate, Gated, HookedStore};
use crate::support::manifest;
use crate::support::world::{in_memory, settings};

/// One table with manifests, in memory.
#[derive(Clone)]
struct Shop {
    table: &'static str,
    staging: Location,
    lake: Location,
    settings: Arc<Settings>,
}

impl Shop {
    fn new() -> Self {
        Self::of("order items", "keys = [\"id\"]", "")
    }

    /// With these settings of the table and of the whole configuration.
    fn of(table: &'static str, keys: &str, whole: &str) -> Self {
        Self {
            table,
            staging: in_memory("s3://staging/dms", StoreKind::S3),
            lake: in_memory("s3://lake/tables", StoreKind::S3),
            settings: settings(&Self::text(table, keys, whole, true)),
        }
    }

    fn text(table: &str, keys: &str, whole: &str, has_manifest: bool) -> String {
        format!(
            "staging = \"s3://staging/dms\"\nlake = \"s3://lake/tables\"\n{whole}\n[[table]]\n\
             source = \"shop.{table}\"\n{keys}\nredshift_manifest = {has_manifest}\n\
             columns = [{{ name = \"id\", type = \"int\" }}, {{ name = \"v\", type = \"text\" }}]"
        )
    }

    fn folder(&self) -> Location {
        self.lake.folder(&["shop", self.table]).expect("a folder")
    }

    fn pipeline(&self, lake: &Location) -> Pipeline {
        let clock = Arc::new(SystemClock);
        Pipeline::new(Arc::clone(&self.settings), self.staging.clone(), lake.clone(), clock)
    }

    async fn stage(&self, name: &str, content: &'static str) {
        let path = Path::from(format!("dms/shop/{}/{name}", self.table));
        let payload = PutPayload::from_static(content.as_bytes());
        self.staging.store().put(&path, payload).await.expect("memory takes it");
    }

    async fn apply(&self, pipeline: &Pipeline) -> TableReport {
        let spec = &self.settings.tables[0];
        let report = pipeline.apply(spec, &Scope::Everything, &Limits::default(), &Silent).await;
        assert_eq!(report.status, Status::Ok, "{report:?}");
        report
    }

    /// Another writer commits one row.
    async fn append_a_small_file(&self, id: i32) {
        let table = table::load(&self.folder()).await.expect("memory answers").expect("a table");
        let id: ArrayRef = Arc::new(Int32Array::from(vec![id]));
        let v: ArrayRef = Arc::new(StringArray::from(vec!["theirs"]));
        let rows = RecordBatch::try_from_iter([("id", id), ("v", v)]).expect("two columns");
        table.write(vec![rows]).await.expect("memory takes it");
    }

    async fn manifest(&self) -> String {
        manifest::text(&self.folder()).await
    }
}

#[tokio::test]
async fn a_manifest_follows_every_commit_and_maintenance() {
    let shop = Shop::new();
    let pipeline = shop.pipeline(&shop.lake);
    shop.stage("LOAD00000001.csv", "1,a\n2,b\n3,c\n").await;
    shop.apply(&pipeline).await;
    manifest::check(&shop.folder()).await;
    let first = shop.manifest().await;
    assert!(first.starts_with("s3://lake/tables/shop/order items/part-"), "{first}");
    shop.stage("20260101-000000001.csv", "U,1,A\nD,2,b\n").await;
    shop.apply(&pipeline).await;
    manifest::check(&shop.folder()).await;
    assert_ne!(shop.manifest().await, first);
    for number in 2..20 {
        let rows = Box::leak(format!("I,{number}00,x\n").into_boxed_str());
        shop.stage(&format!("20260101-0000000{number:02}.csv"), rows).await;
        shop.apply(&pipeline).await;
    }
    // Rows that another writer wrote to separate files, so that there is something to compact.
    for id in 0..10 {
        shop.append_a_small_file(100_000 + id).await;
    }
    let before = shop.manifest().await;
    let report = pipeline.maintain(&shop.settings.tables[0], &Limits::default()).await;
    assert_eq!(report.status, Status::Ok, "{report:?}");
    let is_rewritten = report.actions.iter().any(|it| it.action == Action::Compact);
    assert!(is_rewritten, "{report:?}");
    assert_ne!(shop.manifest().await, before);
    manifest::check(&shop.folder()).await;
}

#[tokio::test]
async fn the_manifest_of_an_emptied_table_is_empty() {
    let shop = Shop::new();
    let pipeline = shop.pipeline(&shop.lake);
    shop.stage("LOAD00000001.csv", "1,a\n").await;
    shop.stage("20260101-000000001.csv", "D,1,a\n").await;
    shop.apply(&pipeline).await;
    assert_eq!(shop.manifest().await, "");
}

#[tokio::test]
async fn a_sweep_mends_what_a_crash_left_and_writes_nothing_twice() {
    let shop = Shop::new();
    shop.stage("LOAD00000001.csv", "1,a\n").await;
    shop.apply(&shop.pipeline(&shop.lake)).await;
    shop.lake.store().delete(&manifest::path(&shop.folder())).await.expect("it was there");
    let report = shop.apply(&shop.pipeline(&shop.lake)).await;
    assert_eq!((report.counts.rows, report.effort.requests.put), (0, 1));
    manifest::check(&shop.folder()).await;
    let report = shop.apply(&shop.pipeline(&shop.lake)).await;
    assert_eq!(report.effort.requests.put, 0, "it is in line");
}

#[tokio::test]
async fn what_a_crash_left_is_mended_although_the_table_is_held() {
    let shop = Shop::new();
    shop.stage("LOAD00000001.csv", "1,a\n").await;
    shop.stage("20260101-000000002.csv", "U,1,b\n").await;
    shop.apply(&shop.pipeline(&shop.lake)).await;
    shop.lake.store().delete(&manifest::path(&shop.folder())).await.expect("it was there");
    shop.stage("20260101-000000001.csv", "U,1,late\n").await;
    let pipeline = shop.pipeline(&shop.lake);
    let spec = &shop.settings.tables[0];
    let report = pipeline.apply(spec, &Scope::Everything, &Limits::default(), &Silent).await;
    assert_eq!(report.error_kind, Some(ErrorKind::LateObject), "{report:?}");
    manifest::check(&shop.folder()).await;
}

/// A table that was merged with deletion vectors before it got manifests.
#[tokio::test]
async fn masked_rows_keep_the_manifest_away_until_maintenance_but_hold_nothing() {
    // If a name needs encoding, rows are never masked.
    let shop = Shop::of("orders", "keys = [\"id\"]", "");
    let keys = "keys = [\"id\"]\nmerge = \"deletion-vectors\"";
    let text = Shop::text("orders", keys, "", false);
    let masking = Shop { settings: settings(&text), ..shop.clone() };
    for (name, rows) in
        [("LOAD00000001.csv", "1,a\n2,b\n3,c\n"), ("20260101-000000001.csv", "D,2,b\n")]
    {
        shop.stage(name, rows).await;
        masking.apply(&masking.pipeline(&shop.lake)).await;
    }
    let pipeline = shop.pipeline(&shop.lake);
    shop.stage("20260101-000000002.csv", "I,4,d\n").await;
    assert_eq!(shop.apply(&pipeline).await.counts.inserted, 1);
    shop.lake
        .store()
        .head(&manifest::path(&shop.folder()))
        .await
        .expect_err("the deleted row would come back");
    let report = pipeline.maintain(&shop.settings.tables[0], &Limits::default()).await;
    assert_eq!(report.status, Status::Ok, "{report:?}");
    manifest::check(&shop.folder()).await;
}

/// A store that accepts no manifest.
#[tokio::test]
async fn rows_are_applied_although_no_manifest_can_be_written_and_the_failure_is_told() {
    let shop = Shop::of("log", "append_only = true", "memory_budget = 10_000");
    let rows: Vec<String> = (0..3_000).map(|id| format!("{id},n\n")).collect();
    shop.stage("LOAD00000001.csv", Box::leak(rows.concat().into_boxed_str())).await;
    let refusing = |store| -> Arc<dyn ObjectStore> {
        Arc::new(HookedStore::new(store, Gated(Arc::new(Shut))))
    };
    let pipeline = shop.pipeline(&shop.lake.clone().map_store(refusing));
    let spec = &shop.settings.tables[0];
    let report = pipeline.apply(spec, &Scope::Everything, &Limits::default(), &Silent).await;
    assert_eq!((report.status, report.counts.inserted, report.pending), (Status::Failed, 3_000, 0));
    let again = pipeline.apply(spec, &Scope::Everything, &Limits::default(), &Silent).await;
    assert_eq!((again.status, again.counts.rows), (Status::Failed, 0), "{again:?}");
    shop.apply(&shop.pipeline(&shop.lake)).await;
    manifest::check(&shop.folder()).await;
}

/// Refuses every manifest.
#[derive(Debug)]
struct Shut;

#[async_trait]
impl CommitGate for Shut {
    async fn before_commit(&self, _: &Path) {}

    async fn before_manifest(&self) -> object_store::Result<()> {
        Err(object_store::Error::Generic { store: "shut", source: "no manifest".into() })
    }
}

/// Pauses the first manifest until it is released.
#[derive(Debug, Default)]
struct Hold {
    reached: Notify,
    goes_on: Notify,
    is_over: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl CommitGate for Hold {
    async fn before_commit(&self, _: &Path) {}

    async fn before_manifest(&self) -> object_store::Result<()> {
        if !self.is_over.swap(true, std::sync::atomic::Ordering::SeqCst) {
            self.reached.notify_one();
            self.goes_on.notified().await;
        }
        Ok(())
    }
}

/// Runs something while a slow writer is about to write its first manifest.
async fn while_a_manifest_waits<F: Future<Output = ()>>(
    shop: &Shop,
    meanwhile: impl FnOnce() -> F,
) {
    let hold = Arc::new(Hold::default());
    let gate = Arc::clone(&hold);
    let gated = shop.lake.clone().map_store(|store| Arc::new(HookedStore::new(store, Gated(gate))));
    let slow = shop.pipeline(&gated);
    let slow = async { shop.apply(&slow).await };
    let fast = async {
        hold.reached.notified().await;
        meanwhile().await;
        hold.goes_on.notify_one();
    };
    tokio::join!(slow, fast);
}

#[tokio::test]
async fn a_slower_writer_never_puts_an_older_version_back() {
    let shop = Shop::new();
    shop.stage("LOAD00000001.csv", "1,a\n").await;
    shop.apply(&shop.pipeline(&shop.lake)).await;
    shop.stage("20260101-000000001.csv", "U,1,b\n").await;
    while_a_manifest_waits(&shop, || async {
        shop.stage("20260101-000000002.csv", "U,1,c\n").await;
        shop.apply(&shop.pipeline(&shop.lake)).await;
        manifest::check(&shop.folder()).await;
    })
    .await;
    manifest::check(&shop.folder()).await;
}

/// The newest version has exactly the files that the manifest already lists. Its writer therefore
/// writes nothing, and nothing prevents the slow writer's manifest from being accepted.
#[tokio::test]
async fn nor_where_the_newer_version_needs_no_other_manifest() {
    let shop = Shop::new();
    shop.stage("LOAD00000001.csv", "1,a\n").await;
    shop.apply(&shop.pipeline(&shop.lake)).await;
    let before = shop.manifest().await;
    shop.stage("20260101-000000001.csv", "I,2,b\n").await;
    while_a_manifest_waits(&shop, || async {
        shop.stage("20260101-000000002.csv", "D,2,b\n").await;
        shop.apply(&shop.pipeline(&shop.lake)).await;
    })
    .await;
    assert_eq!(shop.manifest().await, before);
    manifest::check(&shop.folder()).await;
}

/// A writer that is overtaken while it writes a manifest must not continue from the other's state.
#[tokio::test]
async fn whoever_is_overtaken_at_the_manifest_applies_nothing_twice() {
    let shop = Shop::of("log", "append_only = true", "memory_budget = 10_000");
    let rows: Vec<String> = (0..3_000).map(|id| format!("{id},n\n")).collect();
    let load: &'static str = Box::leak(rows.concat().into_boxed_str());
    shop.stage("LOAD00000001.csv", load).await;
    while_a_manifest_waits(&shop, || async {
        let report = shop.apply(&shop.pipeline(&shop.lake)).await;
        assert!(
            report.counts.inserted > 0 && report.counts.inserted < 3_000,
            "both had a part: {report:?}"
        );
    })
    .await;
    let table = table::open(&shop.folder(), None).await.expect("it can be read").expect("a table");
    assert_eq!(table.rows(), 3_000);
    manifest::check(&shop.folder()).await;
}

#[test]
fn manifests_are_refused_where_they_could_not_be_right() {
    let refused = |lake: &str, more: &str| {
        let text = format!(
            "staging = \"s3://staging\"\nlake = \"{lake}\"\n[[table]]\nsource = \"shop.t\"\n\
             keys = [\"id\"]\nredshift_manifest = true\n{more}"
        );
        let error = dmslake::config::load::parse(&text).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Config);
        error.message().to_owned()
    };
    for merge in ["deletion-vectors", "auto"] {
        let said = refused("s3://lake", &format!("merge = \"{merge}\""));
        assert!(said.contains("redshift_manifest (shop.t): true contradicts merge"), "{said}");
    }
    assert!(refused("lake", "").contains("only for a lake on S3"));
}

fn described<'a>(name: &'a CatalogName, uri: &'a str, schema: &'a TableSchema) -> Described<'a> {
    Described { name, uri, schema, may_mask: false, has_manifests: true, iam_role: "default" }
}

#[test]
fn each_engine_is_told_in_its_own_language() {
    let name = CatalogName { database: "shop".into(), table: "orders".into() };
    let uri = "s3://lake/tables/shop/orders";
    let column = |(name, column_type): &(&str, ColumnType)| Column {
        name: (*name).to_owned(),
        column_type: *column_type,
        nullable: true,
    };
    let columns = [
        ("id", ColumnType::Decimal { precision: 20, scale: 0 }),
        ("say \"hi\"", ColumnType::String),
        ("at", ColumnType::Timestamp),
        ("raw", ColumnType::Binary),
    ];
    let schema = TableSchema::new(columns.iter().map(column).collect());
    let table = described(&name, uri, &schema);
    let said = |engine| script(&statements(engine, &table).expect("on S3, with manifests"));
    assert_eq!(
        said(Engine::Athena),
        "CREATE DATABASE IF NOT EXISTS `shop`;\nCREATE EXTERNAL TABLE `shop`.`orders`\n\
         LOCATION 's3://lake/tables/shop/orders/'\nTBLPROPERTIES ('table_type' = 'DELTA');\n"
    );
    assert_eq!(
        said(Engine::Trino),
        "CREATE SCHEMA IF NOT EXISTS delta.\"shop\";\nCALL delta.system.register_table('shop', \
         'orders', 's3://lake/tables/shop/orders');\n"
    );
    assert!(
        said(Engine::Spark).ends_with("USING DELTA\nLOCATION 's3://lake/tables/shop/orders/';\n")
    );
    assert!(said(Engine::DuckDb).ends_with("delta_scan('s3://lake/tables/shop/orders/');\n"));
    let redshift = said(Engine::Redshift);
    for line in [
        "    \"id\" decimal(20,0),\n    \"say \"\"hi\"\"\" varchar(65535),\n    \"at\" timestamp,\n",
        "INPUTFORMAT 'org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat'",
        "LOCATION 's3://lake/tables/shop/orders/_symlink_format_manifest'\n",
        "IAM_ROLE default",
        "DROP TABLE IF EXISTS \"shop\".\"orders\";\nCREATE EXTERNAL TABLE",
        "'surplus_char_handling' = 'FAIL'",
    ] {
        assert!(redshift.contains(line), "{line} in {redshift}");
    }
    assert!(remarks(Engine::Redshift, &table)[0].contains("65,535 bytes"));
    assert_eq!(remarks(Engine::Athena, &table), [""; 0]);
    let masks = Described { may_mask: true, ..table };
    assert!(remarks(Engine::Athena, &masks)[0].contains("deletion vectors"));
}

#[test]
fn redshift_gets_a_type_for_every_column() {
    let spelled = [
        (ColumnType::Byte, "smallint"),
        (ColumnType::Short, "smallint"),
        (ColumnType::Int, "integer"),
        (ColumnType::Long, "bigint"),
        (ColumnType::Decimal { precision: 9, scale: 2 }, "decimal(9,2)"),
        (ColumnType::Double, "double precision"),
        (ColumnType::Boolean, "boolean"),
        (ColumnType::Date, "date"),
        (ColumnType::Timestamp, "timestamp"),
        (ColumnType::String, "varchar(65535)"),
        (ColumnType::Binary, "varbyte(1024000)"),
    ];
    let name = CatalogName { database: "shop".into(), table: "orders".into() };
    for (column_type, spelling) in spelled {
        let column = Column { name: "c".into(), column_type, nullable: true };
        let schema = TableSchema::new(vec![column]);
        let table = described(&name, "s3://lake/shop/orders", &schema);
        let said = script(&statements(Engine::Redshift, &table).expect("on S3, with manifests"));
        assert!(said.contains(&format!("(\n    \"c\" {spelling}\n)")), "{said}");
    }
}

#[test]
fn an_engine_that_cannot_read_a_table_is_refused() {
    let name = CatalogName { database: "shop".into(), table: "orders".into() };
    let schema = TableSchema::default();
    let local = "file:///lake/shop/orders";
    for engine in [Engine::Athena, Engine::Redshift] {
        let error = statements(engine, &described(&name, local, &schema)).expect_err("not on S3");
        assert_eq!(error.kind(), ErrorKind::Config);
    }
    let uri = "s3://lake/shop/orders";
    let long = CatalogName { database: "s".repeat(120), table: "orders".into() };
    let error = statements(Engine::Redshift, &described(&long, uri, &schema)).expect_err("long");
    assert!(error.to_string().contains("longer than 127 bytes"), "{error}");
    let without = Described { has_manifests: false, ..described(&name, uri, &schema) };
    let error = statements(Engine::Redshift, &without).expect_err("no manifests");
    assert!(error.to_string().contains("redshift_manifest = true"), "{error}");
}
