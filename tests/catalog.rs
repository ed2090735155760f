//! What readers need beside the log: manifests that follow every commit, entries in AWS Glue, and
//! the statements of each engine.

use std::sync::Arc;

use async_trait::async_trait;
use deltalake::DeltaTableBuilder;
use dmslake::catalog::CatalogName;
use dmslake::catalog::statements::{Described, Engine, script, statements};
use dmslake::clock::SystemClock;
use dmslake::config::Settings;
use dmslake::error::ErrorKind;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, Status, TableReport};
use dmslake::schema::{Column, ColumnType, TableSchema};
use dmslake::storage::{Location, StoreKind};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use tokio::sync::Notify;
use url::Url;

use crate::support::gated_store::{CommitGate, GatedStore};
use crate::support::world::{in_memory, settings};

const MANIFEST: &str = "tables/shop/order items/_symlink_format_manifest/manifest";

/// One table with manifests, in memory.
struct Shop {
    staging: Location,
    lake: Location,
    settings: Arc<Settings>,
}

impl Shop {
    fn new() -> Self {
        let text = "staging = \"s3://staging/dms\"\nlake = \"s3://lake/tables\"\n[[table]]\n\
                    source = \"shop.order items\"\nkeys = [\"id\"]\nredshift_manifest = true\n\
                    columns = [{ name = \"id\", type = \"int\" }, { name = \"v\", type = \"text\" }]";
        Self {
            staging: in_memory("s3://staging/dms", StoreKind::S3),
            lake: in_memory("s3://lake/tables", StoreKind::S3),
            settings: settings(text),
        }
    }

    fn pipeline(&self, lake: &Location) -> Pipeline {
        let clock = Arc::new(SystemClock);
        Pipeline::new(Arc::clone(&self.settings), self.staging.clone(), lake.clone(), clock)
    }

    async fn stage(&self, name: &str, content: &'static str) {
        let path = Path::from(format!("dms/shop/order items/{name}"));
        let payload = PutPayload::from_static(content.as_bytes());
        self.staging.store().put(&path, payload).await.expect("memory takes it");
    }

    async fn apply(&self, pipeline: &Pipeline) -> TableReport {
        let spec = &self.settings.tables[0];
        let report = pipeline.apply(spec, &Scope::Everything, &Limits::default(), &Silent).await;
        assert_eq!(report.status, Status::Ok, "{report:?}");
        report
    }

    async fn manifest(&self) -> String {
        let found = self.lake.store().get(&Path::from(MANIFEST)).await.expect("it is there");
        String::from_utf8(found.bytes().await.expect("memory gives it").to_vec()).expect("text")
    }

    /// Whether the manifest names the live files of the newest version, by the Delta library.
    async fn manifest_is_in_line(&self) -> bool {
        let url = Url::parse("s3://lake/tables/shop/order%20items/").expect("a URL");
        let table = DeltaTableBuilder::from_url(url.clone())
            .expect("a URL of a table")
            .with_storage_backend(Arc::clone(self.lake.store()), url)
            .load()
            .await
            .expect("a table");
        let log = table.snapshot().expect("a snapshot").log_data();
        let mut live: Vec<String> = log
            .iter()
            .map(|file| format!("s3://lake/tables/shop/order items/{}\n", file.path()))
            .collect();
        live.sort();
        self.manifest().await == live.concat()
    }
}

#[tokio::test]
async fn a_manifest_follows_every_commit_and_maintenance() {
    let shop = Shop::new();
    let pipeline = shop.pipeline(&shop.lake);
    shop.stage("LOAD00000001.csv", "1,a\n2,b\n3,c\n").await;
    shop.apply(&pipeline).await;
    assert!(shop.manifest_is_in_line().await);
    let first = shop.manifest().await;
    shop.stage("20260101-000000001.csv", "U,1,A\nD,2,b\n").await;
    shop.apply(&pipeline).await;
    assert!(shop.manifest_is_in_line().await);
    assert_ne!(shop.manifest().await, first);
    for number in 2..20 {
        let rows = Box::leak(format!("I,{number}00,x\n").into_boxed_str());
        shop.stage(&format!("20260101-0000000{number:02}.csv"), rows).await;
        shop.apply(&pipeline).await;
    }
    let report = pipeline.maintain(&shop.settings.tables[0], &Limits::default()).await;
    assert_eq!(report.status, Status::Ok, "{report:?}");
    assert!(shop.manifest_is_in_line().await);
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
    shop.lake.store().delete(&Path::from(MANIFEST)).await.expect("it was there");
    let report = shop.apply(&shop.pipeline(&shop.lake)).await;
    assert_eq!((report.rows, report.requests.put), (0, 1));
    assert!(shop.manifest_is_in_line().await);
    let report = shop.apply(&shop.pipeline(&shop.lake)).await;
    assert_eq!(report.requests.put, 0, "it is in line");
}

/// Holds the first manifest until somebody lets it go.
#[derive(Debug, Default)]
struct Hold {
    reached: Notify,
    goes_on: Notify,
    is_over: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl CommitGate for Hold {
    async fn before_commit(&self, _: &Path) {}

    async fn before_manifest(&self) {
        if !self.is_over.swap(true, std::sync::atomic::Ordering::SeqCst) {
            self.reached.notify_one();
            self.goes_on.notified().await;
        }
    }
}

#[tokio::test]
async fn a_slower_writer_never_puts_an_older_version_back() {
    let shop = Shop::new();
    shop.stage("LOAD00000001.csv", "1,a\n").await;
    shop.apply(&shop.pipeline(&shop.lake)).await;
    let hold = Arc::new(Hold::default());
    let gate = Arc::clone(&hold);
    let gated = shop.lake.clone().map_store(|store| Arc::new(GatedStore::new(store, gate)));
    shop.stage("20260101-000000001.csv", "U,1,b\n").await;
    let slow = shop.pipeline(&gated);
    let slow = async { shop.apply(&slow).await };
    let fast = async {
        hold.reached.notified().await;
        shop.stage("20260101-000000002.csv", "U,1,c\n").await;
        shop.apply(&shop.pipeline(&shop.lake)).await;
        assert!(shop.manifest_is_in_line().await);
        hold.goes_on.notify_one();
    };
    tokio::join!(slow, fast);
    assert!(shop.manifest_is_in_line().await);
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

#[test]
fn two_tables_of_one_name_in_glue_are_refused() {
    let text = |glue: bool| {
        let table = |source: &str| format!("[[table]]\nsource = \"{source}\"\nkeys = [\"id\"]\n");
        let tables = [table("shop.order-items"), table("shop.Order items")].concat();
        format!("staging = \"a\"\nlake = \"b\"\n[catalog]\nglue = {glue}\n{tables}")
    };
    dmslake::config::load::parse(&text(false)).expect("names of a catalogue do not matter");
    let error = dmslake::config::load::parse(&text(true)).expect_err("one name");
    assert!(error.message().contains("would be shop.order_items in AWS Glue"), "{error}");
}

fn described<'a>(name: &'a CatalogName, url: &'a Url, schema: &'a TableSchema) -> Described<'a> {
    Described { name, url, schema, may_mask: false, has_manifests: true, iam_role: "default" }
}

#[test]
fn each_engine_is_told_in_its_own_language() {
    let name = CatalogName { database: "shop".into(), table: "orders".into() };
    let url = Url::parse("s3://lake/tables/shop/orders/").expect("a URL");
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
    let table = described(&name, &url, &schema);
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
        "LOCATION 's3://lake/tables/shop/orders/_symlink_format_manifest';",
        "IAM_ROLE default",
    ] {
        assert!(redshift.contains(line), "{line} in {redshift}");
    }
}

#[test]
fn an_engine_that_cannot_read_a_table_is_refused() {
    let name = CatalogName { database: "shop".into(), table: "orders".into() };
    let schema = TableSchema::default();
    let local = Url::parse("file:///lake/shop/orders/").expect("a URL");
    for engine in [Engine::Athena, Engine::Redshift] {
        let error = statements(engine, &described(&name, &local, &schema)).expect_err("not on S3");
        assert_eq!(error.kind(), ErrorKind::Config);
    }
    let url = Url::parse("s3://lake/shop/orders/").expect("a URL");
    let without = Described { has_manifests: false, ..described(&name, &url, &schema) };
    let error = statements(Engine::Redshift, &without).expect_err("no manifests");
    assert!(error.to_string().contains("redshift_manifest = true"), "{error}");
}
