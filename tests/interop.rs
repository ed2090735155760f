//! Our side of the races that `tests/interop/races.py` runs against other writers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use dmslake::clock::SystemClock;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent};
use object_store::path::Path;

use crate::support::hooked_store::{CommitGate, Gated, HookedStore};
use crate::support::marks::{say, wait};
use crate::support::world::{on_disk, settings};

const FOLDER: &str = "DMSLAKE_INTEROP_FOLDER";

/// Says `at-<attempt>` before each commit, and which file it is to be, and waits for
/// `go-<attempt>`.
#[derive(Debug)]
struct Attempts {
    folder: PathBuf,
    made: AtomicU64,
}

#[async_trait]
impl CommitGate for Attempts {
    async fn before_commit(&self, commit: &Path) {
        let attempt = self.made.fetch_add(1, Ordering::SeqCst) + 1;
        say(&self.folder, &format!("at-{attempt}"), commit.filename().expect("a name"));
        let go = self.folder.join(format!("go-{attempt}"));
        assert!(wait(|| go.exists()).await, "nobody lets attempt {attempt} pass");
    }
}

/// Applies the one table of a folder's `dmslake.toml`, held before each commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "our side of a race, started by tests/interop/races.py"]
async fn worker() {
    let folder = PathBuf::from(std::env::var(FOLDER).expect("the race names its folder"));
    let text = std::fs::read_to_string(folder.join("dmslake.toml")).expect("reads");
    let settings = settings(&text);
    let [table] = &settings.tables[..] else { panic!("one table") };
    let table = table.clone();
    let staging = on_disk(&folder.join("staging")).await;
    let lake = on_disk(&folder.join("lake")).await;
    let gate = Arc::new(Attempts { folder: folder.clone(), made: AtomicU64::new(0) });
    let lake = lake.map_store(|inner| Arc::new(HookedStore::new(inner, Gated(gate))));
    let pipeline = Pipeline::new(settings, staging, lake, Arc::new(SystemClock));
    let report = pipeline.apply(&table, &Scope::Everything, &Limits::default(), &Silent).await;
    say(&folder, "report.json", &serde_json::to_string(&report).expect("JSON"));
}
