//! Entries in AWS Glue with several writers: an older version never replaces a newer one.

use std::sync::Arc;

use dmslake::clock::SystemClock;
use dmslake::config::CatalogName;
use dmslake::error::ErrorKind;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, Status};
use dmslake::readers::glue::{Glue, Registered};
use dmslake::storage::{Location, StoreKind};
use dmslake::table::{self, LakeTable};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use tokio::runtime::Handle;

use crate::support::glue_server::GlueServer;
use crate::support::world::{in_memory, settings};

/// A table whose number of columns grows.
#[derive(Clone)]
struct Growing {
    staging: Location,
    lake: Location,
}

impl Growing {
    fn new() -> Self {
        Self {
            staging: in_memory("s3://staging/dms", StoreKind::S3),
            lake: in_memory("s3://lake/tables", StoreKind::S3),
        }
    }

    /// Applies one more object with this many columns.
    async fn grow_to(&self, columns: usize) {
        let named: Vec<String> =
            (1..=columns).map(|n| format!("{{ name = \"c{n}\", type = \"int\" }}")).collect();
        let settings = settings(&format!(
            "staging = \"s3://staging/dms\"\nlake = \"s3://lake/tables\"\n[[table]]\n\
             source = \"shop.t\"\nkeys = [\"c1\"]\ncolumns = [{}]",
            named.join(", ")
        ));
        let values: Vec<String> = (1..=columns).map(|n| n.to_string()).collect();
        let path = Path::from(format!("dms/shop/t/20260101-00000000{columns}.csv"));
        let row = PutPayload::from(format!("I,{}\n", values.join(",")).into_bytes());
        self.staging.store().put(&path, row).await.expect("memory takes it");
        let (staging, lake) = (self.staging.clone(), self.lake.clone());
        let pipeline = Pipeline::new(Arc::clone(&settings), staging, lake, Arc::new(SystemClock));
        let report = pipeline
            .apply(&settings.tables[0], &Scope::Everything, &Limits::default(), &Silent)
            .await;
        assert_eq!((report.status, report.objects), (Status::Ok, 1), "{report:?}");
    }

    fn folder(&self) -> Location {
        self.lake.folder(&["shop", "t"]).expect("a folder")
    }

    async fn table(&self) -> LakeTable {
        table::open(&self.folder(), None).await.expect("it can be read").expect("a table")
    }

    async fn register(&self, glue: &Glue, table: &LakeTable) -> Registered {
        let name = CatalogName { database: "shop".into(), table: "t".into() };
        glue.register(&name, &self.folder(), table).await.expect("Glue takes it")
    }
}

#[tokio::test]
async fn an_entry_is_made_changed_and_then_left() {
    let (growing, server) = (Growing::new(), GlueServer::start());
    let glue = Glue::new(server.client().await);
    growing.grow_to(1).await;
    assert_eq!(growing.register(&glue, &growing.table().await).await, Registered::Created);
    growing.grow_to(2).await;
    assert_eq!(growing.register(&glue, &growing.table().await).await, Registered::Updated);
    assert_eq!(growing.register(&glue, &growing.table().await).await, Registered::Unchanged);
    assert_eq!(server.entry(), (vec!["c1".to_owned(), "c2".to_owned()], 2));
}

#[tokio::test]
async fn a_snapshot_that_is_behind_registers_the_newest_columns() {
    let (growing, server) = (Growing::new(), GlueServer::start());
    let glue = Glue::new(server.client().await);
    growing.grow_to(1).await;
    let behind = growing.table().await;
    growing.grow_to(2).await;
    assert_eq!(growing.register(&glue, &behind).await, Registered::Created);
    assert_eq!(server.entry().0, ["c1", "c2"]);
}

/// Somebody else commits and registers a column during our own write.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_overtaken_at_the_entry_does_not_put_its_older_columns_back() {
    for is_first in [true, false] {
        let (growing, server) = (Growing::new(), GlueServer::start());
        let glue = Glue::new(server.client().await);
        growing.grow_to(1).await;
        if !is_first {
            growing.register(&glue, &growing.table().await).await;
        }
        growing.grow_to(2).await;
        let (theirs, other) = (growing.clone(), glue.clone());
        let runtime = Handle::current();
        server.before_next_write(move || {
            runtime.block_on(async {
                theirs.grow_to(3).await;
                theirs.register(&other, &theirs.table().await).await;
            });
        });
        let outcome = growing.register(&glue, &growing.table().await).await;
        assert_eq!(outcome, Registered::Unchanged, "theirs says it already");
        assert_eq!(server.entry().0, ["c1", "c2", "c3"]);
    }
}

/// The entry has another location: that of another table, or ours before the lake was moved.
#[tokio::test]
async fn an_entry_that_points_elsewhere_is_refused_and_left() {
    let (here, elsewhere, server) = (Growing::new(), Growing::new(), GlueServer::start());
    let elsewhere = Growing { lake: in_memory("s3://lake/other", StoreKind::S3), ..elsewhere };
    let glue = Glue::new(server.client().await);
    elsewhere.grow_to(1).await;
    elsewhere.register(&glue, &elsewhere.table().await).await;
    here.grow_to(2).await;
    let name = CatalogName { database: "shop".into(), table: "t".into() };
    let refused = glue.register(&name, &here.folder(), &here.table().await).await;
    let refused = refused.expect_err("it is another table's");
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(refused.to_string().contains("s3://lake/other/shop/t"), "{refused}");
    assert_eq!(server.entry(), (vec!["c1".to_owned()], 1), "left as it was");
    let remedy = refused.own_remedy().expect("one of its own");
    assert!(remedy.contains("name = ") && remedy.contains("delete the entry"), "{remedy}");
    // The remedy, carried out.
    server.forget();
    assert_eq!(here.register(&glue, &here.table().await).await, Registered::Created);
}
