//! Commits that are lost to others and writes that fail are counted; phases have spans.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use dmslake::clock::SystemClock;
use dmslake::disposition::Status;
use dmslake::metrics::Snapshot;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, TableReport};
use object_store::path::Path;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use super::runs::process;
use crate::support::dms_writer::{Scripted, StagedTable};
use crate::support::hooked_store::{CommitGate, Fault, Faults, Gated, HookedStore, Hooks, Side};
use crate::support::script::{insert, orders, orders_configuration, update};
use crate::support::world::{World, in_memory, settings};
use dmslake::storage::StoreKind;

/// `shop.orders` with a load and a change, staged.
async fn world() -> (World, StagedTable) {
    let scripted = |relative: &str, load, rows| Scripted {
        relative: relative.to_owned(),
        load,
        epoch: 0,
        rows,
    };
    let table = orders(vec![
        scripted("LOAD00000001.csv", true, vec![insert(1, "a"), insert(2, "b")]),
        scripted("20240305-100000000.csv", false, vec![update(1, "c"), insert(3, "d")]),
    ]);
    let text = orders_configuration(&table, None);
    let staging = in_memory("memory:///bucket/dms", StoreKind::S3);
    let lake = in_memory("memory:///lake", StoreKind::File);
    let endpoint = crate::support::dms_writer::Endpoint::plain();
    let tables = vec![table.clone()];
    let world = World { staging, lake, settings: settings(&text), endpoint, tables };
    for object in &table.objects {
        world.put(&table, object).await;
    }
    (world, table)
}

/// A process whose writes to the lake pass these hooks.
fn hooked<H: Hooks>(world: &World, hooks: H) -> Pipeline {
    let lake = world.lake.clone().map_store(|store| Arc::new(HookedStore::new(store, hooks)));
    Pipeline::new(Arc::clone(&world.settings), world.staging.clone(), lake, Arc::new(SystemClock))
}

async fn apply(pipeline: &Pipeline) -> TableReport {
    let table = &pipeline.settings().tables[0];
    pipeline.apply(table, &Scope::Everything, &Limits::default(), &Silent).await
}

/// Lets another process apply everything before the first commit to a table that is there.
struct Overtaken {
    other: Pipeline,
    done: AtomicBool,
}

impl fmt::Debug for Overtaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Overtaken")
    }
}

#[async_trait]
impl CommitGate for Overtaken {
    async fn before_commit(&self, commit: &Path) {
        let makes_it = commit.as_ref().ends_with("/00000000000000000000.json");
        if !makes_it && !self.done.swap(true, Ordering::SeqCst) {
            let other = self.other.clone();
            // On a stack of its own.
            let report = tokio::spawn(async move { apply(&other).await }).await.unwrap();
            assert_eq!((report.commits, report.effort.conflicts), (2, 0), "{report:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_race_is_a_conflict_and_a_retry() {
    let (world, _) = world().await;
    let gate = Overtaken { other: world.pipeline(), done: AtomicBool::new(false) };
    let report = apply(&hooked(&world, Gated(Arc::new(gate)))).await;
    assert_eq!(report.status, Status::Ok, "{report:?}");
    let effort = report.effort;
    assert_eq!((report.commits, effort.conflicts, effort.retries, effort.files), (0, 1, 1, 0));
    let total = Snapshot::of_run(&[report], &process()).total();
    for (metric, expected) in [("commits", 0.0), ("conflicts", 1.0), ("retries", 1.0)] {
        assert_eq!(total.value(metric, None), Some(expected), "{metric}");
    }
}

/// Every write fails once, in runs of their own: each failure is one retry, or ends the run, or is
/// hidden by whoever asked for the write. None is a conflict.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_is_a_retry_and_no_conflict() {
    let (first, _) = world().await;
    let faults = Faults::new(None);
    let lake = first.lake.clone();
    let store = HookedStore::new(Arc::clone(lake.store()), faults);
    let counted = store.clone();
    let lake = lake.map_store(|_| Arc::new(store));
    let pipeline = Pipeline::new(
        Arc::clone(&first.settings),
        first.staging.clone(),
        lake,
        Arc::new(SystemClock),
    );
    let clean = apply(&pipeline).await;
    assert_eq!((clean.commits, clean.effort.retries, clean.effort.conflicts), (2, 0, 0));
    let writes = counted.hooks().writes();
    assert!(writes >= 5, "{writes} writes");
    let mut retried = 0;
    for write in 1..=writes {
        let (world, _) = world().await;
        let fault = Fault { write, side: Side::Before, died: false };
        let report = apply(&hooked(&world, Faults::new(Some(fault)))).await;
        assert_eq!(report.status, Status::Ok, "write {write}: {report:?}");
        assert_eq!((report.commits, report.counts), (2, clean.counts), "write {write}");
        assert_eq!(report.effort.conflicts, 0, "write {write}");
        assert!(report.effort.retries <= 1, "write {write}");
        retried += report.effort.retries;
    }
    assert!(retried >= 3, "{retried} retries of {writes} writes");
}

/// Keeps the name of every span and its table.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<BTreeSet<(String, String)>>>);

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut table = Table(String::new());
        attributes.record(&mut table);
        if attributes.metadata().target().starts_with("dmslake") {
            let name = attributes.metadata().name().to_owned();
            self.0.lock().unwrap().insert((name, table.0));
        }
    }
}

struct Table(String);

impl Visit for Table {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "table" {
            self.0 = format!("{value:?}");
        }
    }
}

/// An application, and the spans of it.
fn applied_with_spans() -> (TableReport, BTreeSet<(String, String)>) {
    let spans = Spans::default();
    let subscriber = tracing_subscriber::registry().with(spans.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(async {
            let (world, _) = world().await;
            apply(&world.pipeline()).await
        })
    });
    assert_eq!(report.status, Status::Ok, "{report:?}");
    let spans = spans.0.lock().unwrap().clone();
    (report, spans)
}

#[test]
fn each_phase_has_a_span_with_the_table() {
    let expected = ["change", "commit", "look", "merge", "read"]
        .map(|name| (name.to_owned(), "shop.orders".to_owned()));
    let expected = BTreeSet::from(expected);
    // Where another test's thread meets a span first, at the same moment, `tracing` may take it that
    // nobody is interested, until the next subscriber.
    let runs = std::iter::repeat_with(applied_with_spans).take(10);
    let seen = { runs }.find(|(_, spans)| *spans == expected);
    let (report, _) = seen.unwrap_or_else(|| panic!("spans: {:?}", applied_with_spans().1));
    for (phase, seconds) in report.effort.phases.each() {
        assert!(seconds > 0.0, "{phase}");
    }
}
