//! A staging folder, a lake and a configuration with random tables.

use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use dmslake::clock::SystemClock;
use dmslake::config::{Settings, TableSpec};
use dmslake::pipeline::Pipeline;
use dmslake::storage::{Location, StoreKind};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use url::Url;

use super::dms_writer::{Bounds, Endpoint, StagedTable, TableTask, Written, configuration, stage};
use super::history::TableHistory;

/// Locations, settings, and the objects to stage.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) staging: Location,
    pub(crate) lake: Location,
    pub(crate) settings: Arc<Settings>,
    pub(crate) endpoint: Endpoint,
    pub(crate) tables: Vec<StagedTable>,
}

/// The tables' configuration as text.
pub(crate) fn settings(text: &str) -> Arc<Settings> {
    let settings = dmslake::config::load::parse(text);
    Arc::new(settings.unwrap_or_else(|error| panic!("{}\n{text}", error.chain())))
}

/// The table `shop.t` with the key `id`, of which nothing else is configured.
pub(crate) fn plain_table() -> TableSpec {
    let text = "staging = \"s3://staging/dms\"\nlake = \"s3://lake\"\n[[table]]\n\
                source = \"shop.t\"\nkeys = [\"id\"]";
    settings(text).tables[0].clone()
}

/// An in-memory location with the given kind.
pub(crate) fn in_memory(url: &str, kind: StoreKind) -> Location {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    Location::with_store(&Url::parse(url).expect("a URL"), kind, store).expect("a location")
}

/// A folder on the disk.
pub(crate) async fn on_disk(folder: &FilePath) -> Location {
    Location::open(folder.to_str().expect("a path of text")).await.expect("a folder")
}

const TABLES: &[(&str, &str)] = &[
    ("shop", "orders"),
    ("shop", "order items"),
    ("größe", "x%y"),
    ("shop", "a.b"),
    ("s", "Customers"),
];

impl World {
    /// Random tables under one random task, in memory, or with the lake in `folder`.
    pub(crate) async fn random(rng: &mut StdRng, folder: Option<&FilePath>) -> Self {
        let endpoint = Endpoint::random(rng);
        let count = rng.random_range(1..=3);
        let names: Vec<_> = TABLES.choose_multiple(rng, count).collect();
        let mut tables = Vec::new();
        for (schema, table) in names {
            let mut table = random_table(rng, &endpoint, schema, table);
            // A disk has no conditional writes.
            table.task.manifest = folder.is_none() && table.task.merge == "copy-on-write";
            tables.push(table);
        }
        let bounds = Bounds {
            memory_budget: *[None, Some(64 << 10), Some(1 << 20)].choose(rng).expect("a choice"),
            look_back_objects: *[1, 4, 64].choose(rng).expect("a choice"),
        };
        let kind = if rng.random() { StoreKind::S3 } else { StoreKind::File };
        let staging = in_memory("memory:///bucket/dms", kind);
        let lake = match folder {
            Some(folder) => on_disk(folder).await,
            None => in_memory("memory:///lake", StoreKind::File),
        };
        let text = configuration(rng, &endpoint, &tables, &bounds, "s3://bucket/dms", "s3://lake");
        Self { staging, lake, settings: settings(&text), endpoint, tables }
    }

    /// A new pipeline over these locations.
    pub(crate) fn pipeline(&self) -> Pipeline {
        Pipeline::new(
            Arc::clone(&self.settings),
            self.staging.clone(),
            self.lake.clone(),
            Arc::new(SystemClock),
        )
    }

    /// The configuration of a table.
    pub(crate) fn spec(&self, table: &StagedTable) -> &TableSpec {
        spec(&self.settings, table)
    }

    /// Stages one object, and returns its full key.
    pub(crate) async fn put(&self, table: &StagedTable, object: &Written) -> String {
        self.put_bytes(table, &object.relative, object.bytes.clone()).await
    }

    /// Stages bytes under a name below the table's folder, and returns their full key.
    pub(crate) async fn put_bytes(
        &self,
        table: &StagedTable,
        relative: &str,
        bytes: Bytes,
    ) -> String {
        let (schema, name) = (&table.history.schema, &table.history.table);
        let key = format!("{}/{schema}/{name}/{relative}", self.staging.prefix());
        let path = Path::parse(&key).expect("a legal key");
        self.staging.store().put(&path, bytes.into()).await.expect("staging takes it");
        key
    }
}

/// The configuration of a table.
pub(crate) fn spec<'a>(settings: &'a Settings, table: &StagedTable) -> &'a TableSpec {
    let (schema, name) = (&table.history.schema, &table.history.table);
    let mut specs = settings.tables.iter();
    let found = specs.find(|spec| spec.source.schema == *schema && spec.source.table == *name);
    found.expect("the table is configured")
}

/// A random table under a task's endpoint.
pub(crate) fn random_table(
    rng: &mut StdRng,
    endpoint: &Endpoint,
    schema: &str,
    table: &str,
) -> StagedTable {
    let mut task = TableTask::random(rng, endpoint);
    let shape = endpoint.shape(rng, &task);
    let history = TableHistory::random(rng, schema, table, &shape);
    task.describe(rng, &history);
    stage(rng, history, endpoint, task)
}
