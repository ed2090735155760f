//! A plan against what applying then does, told by the log and by the application's own report; and
//! nothing of the lake changes by it.

use std::collections::BTreeMap;

use dmslake::clock::{Clock as _, SystemClock};
use dmslake::inspect::{PlanAsked, PlanOutcome, TablePlan, plan};
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, Status};
use dmslake::storage::Location;
use futures::TryStreamExt as _;
use object_store::{ObjectMeta, ObjectStoreExt as _};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::support::dms_writer::StagedTable;
use crate::support::judge::Judge;
use crate::support::property;
use crate::support::table::{Commit, LakeTable};
use crate::support::world::World;

const ASKED: PlanAsked =
    PlanAsked { most_bytes: u64::MAX, function_megabytes: 1769, applies_here: true };

#[tokio::test(flavor = "multi_thread")]
async fn what_is_planned_is_what_is_done() {
    property::check("what_is_planned_is_what_is_done", 40, 3, planned).await;
}

async fn planned(mut rng: StdRng) {
    let folder = tempfile::tempdir().expect("a folder");
    let on_disk = rng.random::<bool>().then_some(folder.path());
    let world = World::random(&mut rng, on_disk).await;
    let staged = world.tables.choose(&mut rng).expect("a table");
    let mut judge = Judge::new(staged, &world.staging, &world.lake);
    let mut next = 0;
    while next < staged.objects.len() {
        for _ in 0..rng.random_range(1..5) {
            if let Some(object) = staged.objects.get(next) {
                world.put(staged, object).await;
                next += 1;
            }
        }
        check(&world, staged, &mut judge).await;
        if rng.random_bool(0.2) {
            world.pipeline().maintain(world.spec(staged), &Limits::default()).await;
        }
    }
    judge.check_complete(staged).await;
}

/// Plans the table, applies it, and compares.
async fn check(world: &World, staged: &StagedTable, judge: &mut Judge) {
    let spec = world.spec(staged);
    let lake = lake_of(world, staged);
    let files = objects(&world.lake).await;
    let before = lake.log().await.last().map(|commit| commit.version);
    let planned = planned_by(&world.pipeline(), staged, world, &ASKED).await;
    assert_eq!(objects(&world.lake).await, files, "the lake is as it was");

    let (scope, limits) = (Scope::Everything, Limits::default());
    let report = world.pipeline().apply(spec, &scope, &limits, &Silent).await;
    assert_eq!(report.status, Status::Ok, "{report:?}");
    judge.audit(staged).await;
    let log = lake.log().await;
    let new: Vec<&Commit> =
        log.iter().filter(|commit| before.is_none_or(|before| commit.version > before)).collect();
    let changes_rows = |commit: &&&Commit| commit.entry().is_some_and(|it| !it.objects.is_empty());
    assert_eq!(planned.commits, new.iter().filter(changes_rows).count() as u64, "{planned:?}");
    assert_eq!(planned.changes, report.counts, "{planned:?}");
    let outcome = if new.is_empty() { PlanOutcome::Nothing } else { PlanOutcome::Applies };
    assert_eq!(planned.outcome, outcome, "{planned:?}");
    assert!(!planned.inferred && planned.object_bytes_read == planned.object_bytes);
    let metric = |name: &str| new.iter().map(|commit| counted(commit, name)).sum::<u64>();
    let [added, rewritten] = ["numTargetFilesAdded", "numTargetFilesRemoved"].map(metric);
    assert_eq!((planned.files_added, planned.files_rewritten), (added, rewritten), "{planned:?}");
    let masked =
        metric("numTargetDeletionVectorsAdded") + metric("numTargetDeletionVectorsUpdated");
    assert_eq!(planned.files_masked, masked, "{planned:?}");
    assert_eq!(planned.files_searched, metric("numTargetFilesAfterSkipping"), "{planned:?}");
    let effort = &report.effort;
    assert_eq!(planned.requests.put, effort.requests.put, "{planned:?} {report:?}");
    assert_eq!(planned.requests.list, effort.requests.list, "{planned:?} {report:?}");
    // Times in the log have more digits or fewer.
    assert_near(planned.bytes.written, effort.bytes.written, effort.bytes.written / 20 + 64);
    // Which of two tasks reads a footer first depends on their turns.
    assert_near(planned.requests.get, effort.requests.get, effort.requests.get / 5 + 1);
    assert_near(planned.bytes.read, effort.bytes.read, effort.bytes.read / 5 + 4096);
}

fn assert_near(planned: u64, actual: u64, most: u64) {
    assert!(planned.abs_diff(actual) <= most, "{planned} planned, {actual} done");
}

fn counted(commit: &Commit, name: &str) -> u64 {
    let info = commit.actions("commitInfo").next();
    let count = info.and_then(|info| info["operationMetrics"][name].as_str()?.parse().ok());
    count.unwrap_or_default()
}

fn lake_of(world: &World, staged: &StagedTable) -> LakeTable {
    let (schema, name) = (&staged.history.schema, &staged.history.table);
    LakeTable::at(&world.lake, &[&schema.replace('%', "~25"), &name.replace('%', "~25")])
}

async fn planned_by(
    pipeline: &Pipeline,
    staged: &StagedTable,
    world: &World,
    asked: &PlanAsked,
) -> TablePlan {
    let planned = plan(pipeline, world.spec(staged), asked, &Limits::default(), &Silent).await;
    planned.unwrap_or_else(|error| panic!("{}", error.chain())).expect("nobody stops it")
}

/// All objects of a lake with their contents.
async fn objects(lake: &Location) -> BTreeMap<String, Vec<u8>> {
    let listed: Vec<ObjectMeta> =
        lake.store().list(Some(lake.prefix())).try_collect().await.expect("a listing");
    let mut objects = BTreeMap::new();
    for meta in listed {
        let found = lake.store().get(&meta.location).await.expect("it was listed");
        let bytes = found.bytes().await.expect("its bytes");
        objects.insert(meta.location.to_string(), bytes.to_vec());
    }
    objects
}

/// A load and 40 change objects of a table with a small memory budget.
async fn backlog() -> (tempfile::TempDir, Pipeline) {
    let home = tempfile::tempdir().expect("a folder");
    let text = "staging = \"staging\"\nlake = \"lake\"\nmemory_budget = 4096\n\n[[table]]\n\
        source = \"shop.items\"\nkeys = [\"id\"]\ncolumns = [\n  \
        { name = \"id\", type = \"int\" },\n  { name = \"name\", type = \"text\" },\n]\n";
    let stage = |name: &str, text: &str| {
        let path = home.path().join("staging/shop/items").join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        std::fs::write(path, text).expect("written");
    };
    let row = |op: &str, id: u32| format!("{op}{id},{}\n", "name ".repeat(12));
    let rows = |op: &str, from: u32| (from..from + 40).map(|id| row(op, id)).collect::<String>();
    stage("LOAD00000001.csv", &rows("", 0));
    for object in 0..40 {
        stage(&format!("20260301-08{object:02}00000.csv"), &rows("I,", 40 * (object + 1)));
    }
    let root = home.path().display();
    let text = text.replace("\"staging\"", &format!("\"{root}/staging\""));
    let text = text.replace("\"lake\"", &format!("\"{root}/lake\""));
    let settings = dmslake::config::load::parse(&text).expect("settings");
    let clock = std::sync::Arc::new(SystemClock);
    let pipeline = Pipeline::open(settings, clock).await.expect("a pipeline");
    (home, pipeline)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_large_backlog_a_part_is_read_and_the_rest_inferred() {
    let (_home, pipeline) = backlog().await;
    let [spec] = &pipeline.settings().tables[..] else { panic!("one table") };
    let limits = Limits::default();
    let of = async |most_bytes: u64| {
        let asked = PlanAsked { most_bytes, ..ASKED };
        let planned = plan(&pipeline, spec, &asked, &limits, &Silent).await.expect("a plan");
        planned.expect("nobody stops it")
    };
    let (whole, part) = (of(u64::MAX).await, of(1).await);
    assert!(!whole.inferred && whole.object_bytes == whole.object_bytes_read, "{whole:?}");
    assert!(part.inferred && part.object_bytes_read < part.object_bytes / 4, "{part:?}");
    assert_eq!((part.objects, part.object_bytes), (whole.objects, whole.object_bytes));
    assert_eq!((part.outcome, whole.outcome), (PlanOutcome::Applies, PlanOutcome::Applies));
    for [inferred, known] in [
        [part.changes.rows, whole.changes.rows],
        [part.changes.inserted, whole.changes.inserted],
        [part.commits, whole.commits],
    ] {
        assert_near(inferred, known, known * 3 / 10);
    }
    assert!(part.dollars > 0.0 && whole.dollars > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn less_memory_takes_longer_and_the_price_is_that_of_the_model() {
    let (_home, pipeline) = backlog().await;
    let [spec] = &pipeline.settings().tables[..] else { panic!("one table") };
    let asked = PlanAsked { function_megabytes: 128, ..ASKED };
    let begun = SystemClock.instant();
    let planned = plan(&pipeline, spec, &asked, &Limits::default(), &Silent).await;
    let planned = planned.expect("a plan").expect("nobody stops it");
    // The processors of this machine work for other tests too, and count.
    let wall = begun.elapsed().as_secs_f64();
    assert!(planned.seconds > wall / 4.0, "{planned:?} {wall}");
    let requests = &planned.requests;
    let count = |requests: u64| f64::from(u32::try_from(requests).expect("few"));
    let dollars = planned.seconds * 0.125 * 0.000_013_333_4
        + count(requests.put + requests.list) * 5e-6
        + count(requests.get + requests.head) * 4e-7;
    assert!((planned.dollars - dollars).abs() < 1e-9, "{planned:?} {dollars}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_plan_that_is_stopped_nothing_is_told() {
    let (_home, pipeline) = backlog().await;
    let [spec] = &pipeline.settings().tables[..] else { panic!("one table") };
    let limits = Limits::default();
    limits.stop.request();
    let stopped = plan(&pipeline, spec, &ASKED, &limits, &Silent).await.expect("no error");
    assert!(stopped.is_none(), "{stopped:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_smaller_function_takes_in_less_by_a_commit() {
    let (_home, pipeline) = backlog().await;
    let mut settings = pipeline.settings().clone();
    settings.memory_budget = None;
    let (staging, lake) = (settings.staging.clone(), settings.lake.clone());
    let (staging, lake) = (Location::open(&staging).await, Location::open(&lake).await);
    let clock = std::sync::Arc::new(SystemClock);
    let settings = std::sync::Arc::new(settings);
    let pipeline = Pipeline::new(settings, staging.expect("it"), lake.expect("it"), clock);
    let [spec] = &pipeline.settings().tables[..] else { panic!("one table") };
    let asked = PlanAsked { applies_here: false, function_megabytes: 1769, ..ASKED };
    let planned = plan(&pipeline, spec, &asked, &Limits::default(), &Silent).await;
    let planned = planned.expect("a plan").expect("nobody stops it");
    // The load, and all changes: 221 MiB hold them.
    assert_eq!(planned.commits, 2, "{planned:?}");
}
