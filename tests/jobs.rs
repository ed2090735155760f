//! Jobs: rounds that are spread over tasks come to the same rows as slices, whatever becomes of the
//! tasks, and whoever commits in between.

mod engine;
mod hand_over;
mod shop;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use dmslake::clock::{Clock, SystemClock};
use dmslake::config::TableSpec;
use dmslake::error::{ErrorKind, Result};
use dmslake::pipeline::job::{Job, JobSizes, Threads, Workers};
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, Status, TableReport};
use dmslake::storage::Location;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use uuid::Uuid;

use crate::jobs::shop::{Keys, Shop};
use crate::support::clock::MovedClock;
use crate::support::property;
use crate::support::spread::{Careless, apply_spread, tiny_sizes};

const MODES: [&str; 3] = ["copy-on-write", "deletion-vectors", "auto"];

async fn job_of(shop: &Shop, workers: &dyn Workers, sizes: JobSizes) -> TableReport {
    let pipeline = shop.pipeline();
    let job = Job { workers, sizes, task_memory: shop.budget, claim: None, run: None };
    pipeline.apply_spread(spec_of(&pipeline), &Limits::default(), &Silent, job).await
}

fn spec_of(pipeline: &Pipeline) -> &TableSpec {
    &pipeline.settings().tables[0]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_becomes_of_tasks_the_table_equals_the_source() {
    let name = "whatever_becomes_of_tasks_the_table_equals_the_source";
    property::check(name, 8, 3, equals_the_source).await;
}

async fn equals_the_source(mut rng: StdRng) {
    let keys = *[Keys::Integer, Keys::Text, Keys::Composite, Keys::None].choose(&mut rng).unwrap();
    let mut shop = Shop::new(keys, MODES.choose(&mut rng).unwrap());
    shop.budget = rng.random_bool(0.5).then_some(64 << 10);
    shop.is_guarded = rng.random_bool(0.5);
    let rows = rng.random_range(0..2000);
    shop.load(&mut rng, rows).await;
    for _ in 0..rng.random_range(1..4) {
        for _ in 0..rng.random_range(1..6) {
            let changes = rng.random_range(0..200);
            shop.change(&mut rng, changes).await;
        }
        let sizes = JobSizes {
            chunk_bytes: rng.random_range(100..5000),
            range_rows: rng.random_range(1..300),
            range_bytes: rng.random_range(1000..100_000),
            files_bytes: rng.random_range(1000..50_000),
            round_bytes: *[4000, u64::MAX].choose(&mut rng).unwrap(),
            ..tiny_sizes()
        };
        let report = if rng.random_bool(0.25) {
            shop.apply().await
        } else {
            let pipeline = shop.pipeline();
            job_of(&shop, &Careless::new(&pipeline, &mut rng), sizes).await
        };
        assert_eq!((report.status, report.pending), (Status::Ok, 0), "{report:?}");
        assert_eq!(shop.rows().await, shop.expected(), "{report:?}");
        if rng.random_bool(0.3) && report.version.is_some() {
            // Files of another writer, and none with vectors.
            shop::optimize(&shop.lake).await;
            assert_eq!(shop.rows().await, shop.expected());
        }
    }
    // Nothing is left to do, for either of them, and no scratch.
    let version = shop.apply().await.version;
    let pipeline = shop.pipeline();
    let again = apply_spread(&pipeline, spec_of(&pipeline), &Limits::default(), &Silent).await;
    assert_eq!((again.version, again.counts.rows), (version, 0), "{again:?}");
    let left = shop.scratch().await;
    assert!(left.iter().all(|name| !name.contains("scratch")), "{left:?}");
}

/// Somebody else applies before some stages.
struct Interrupted {
    threads: Threads,
    other: Pipeline,
    /// How often.
    left: AtomicU32,
    stage: &'static str,
}

#[async_trait]
impl Workers for Interrupted {
    fn slots(&self) -> NonZeroUsize {
        self.threads.slots()
    }

    async fn run(&self, stage: &'static str, tasks: Vec<String>) -> Result<Vec<String>> {
        let is_asked = stage == self.stage;
        if is_asked
            && self
                .left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                .is_ok()
        {
            let spec = self.other.settings().tables[0].clone();
            let report =
                self.other.apply(&spec, &Scope::Everything, &Limits::default(), &Silent).await;
            assert_eq!(report.status, Status::Ok, "{report:?}");
        }
        self.threads.run(stage, tasks).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_in_between_takes_nothing_twice() {
    for mode in MODES {
        for stage in ["load", "net", "reduce", "files", "insert"] {
            let mut rng = rand::SeedableRng::seed_from_u64(7);
            let mut shop = Shop::new(Keys::Integer, mode);
            shop.load(&mut rng, 300).await;
            if stage != "load" {
                assert_eq!(shop.apply().await.status, Status::Ok);
                shop.change(&mut rng, 120).await;
                shop.change(&mut rng, 60).await;
            }
            let threads = Threads::new(shop.pipeline(), NonZeroUsize::MIN);
            // It takes the job for dead, whose claim has ended.
            let other = shop.pipeline_at(MovedClock::ahead_by(Duration::from_hours(1)));
            let left = AtomicU32::new(1);
            let workers = Interrupted { threads, other, left, stage };
            let report = job_of(&shop, &workers, tiny_sizes()).await;
            assert_eq!(workers.left.load(Ordering::SeqCst), 0, "{stage} is a stage");
            assert_eq!((report.status, report.pending), (Status::Ok, 0), "{report:?}");
            assert_eq!(report.counts.rows, 0, "the other was first: {report:?}");
            assert_eq!(shop.rows().await, shop.expected(), "{mode}, {stage}");
        }
    }
}

/// Another writer compacts the table while its files are replaced.
struct Compacted {
    threads: Threads,
    lake: Location,
    files: AtomicU32,
    inserts: AtomicU32,
}

#[async_trait]
impl Workers for Compacted {
    fn slots(&self) -> NonZeroUsize {
        self.threads.slots()
    }

    async fn run(&self, stage: &'static str, tasks: Vec<String>) -> Result<Vec<String>> {
        if stage == "files" {
            self.files.fetch_add(1, Ordering::SeqCst);
        }
        if stage == "insert" && self.inserts.fetch_add(1, Ordering::SeqCst) == 0 {
            shop::compact(&self.lake).await;
        }
        self.threads.run(stage, tasks).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_compaction_in_between_has_replaced_is_looked_at_again() {
    for mode in MODES {
        let mut rng = rand::SeedableRng::seed_from_u64(11);
        let mut shop = Shop::new(Keys::Integer, mode);
        for _ in 0..12 {
            shop.load(&mut rng, 40).await;
            assert_eq!(shop.apply().await.status, Status::Ok);
        }
        shop.change(&mut rng, 200).await;
        let threads = Threads::new(shop.pipeline(), NonZeroUsize::MIN);
        let (files, inserts) = (AtomicU32::new(0), AtomicU32::new(0));
        let workers = Compacted { threads, lake: shop.lake.clone(), files, inserts };
        let report = job_of(&shop, &workers, tiny_sizes()).await;
        assert_eq!((report.status, report.counts.rows), (Status::Ok, 200), "{report:?}");
        let stages = |counter: &AtomicU32| counter.load(Ordering::SeqCst);
        assert_eq!((stages(&workers.files), stages(&workers.inserts)), (2, 2), "{mode}");
        assert_eq!(shop.rows().await, shop.expected(), "{mode}");
    }
}

#[tokio::test]
async fn rows_of_a_load_with_one_key_must_be_the_same_wherever_they_stand() {
    let mut shop = Shop::new(Keys::Integer, "copy-on-write");
    shop.stage("LOAD00000001.csv", "1,a\n2,b\n").await;
    shop.stage("LOAD00000002.csv", "2,b\n3,c\n").await;
    let threads = || Threads::new(shop.pipeline(), NonZeroUsize::MIN);
    let report = job_of(&shop, &threads(), tiny_sizes()).await;
    assert_eq!(report.status, Status::Ok, "{report:?}");
    assert_eq!((report.counts.inserted, report.counts.superseded), (3, 1));

    shop = Shop::new(Keys::Integer, "copy-on-write");
    shop.stage("LOAD00000001.csv", "1,a\n2,b\n").await;
    shop.stage("LOAD00000002.csv", "2,other\n3,c\n").await;
    let threads = Threads::new(shop.pipeline(), NonZeroUsize::MIN);
    let report = job_of(&shop, &threads, tiny_sizes()).await;
    assert_eq!(report.status, Status::Held, "{report:?}");
    let error = report.error.unwrap();
    assert!(
        error.contains("different rows with the same key") && !error.contains("other"),
        "{error}"
    );
}

#[tokio::test]
async fn a_bad_row_ends_the_round_before_it_and_holds_the_table() {
    let shop = Shop::new(Keys::Integer, "copy-on-write");
    shop.stage("LOAD00000001.csv", "1,a\n").await;
    shop.stage("20240101-000000001.csv", "I,2,b\n").await;
    shop.stage("20240101-000000002.csv", "I,3,c\nI,x,d\n").await;
    shop.stage("20240101-000000003.csv", "I,4,e\n").await;
    let threads = Threads::new(shop.pipeline(), NonZeroUsize::MIN);
    let report = job_of(&shop, &threads, tiny_sizes()).await;
    assert_eq!((report.status, report.pending), (Status::Held, 2), "{report:?}");
    assert_eq!(report.error_kind, Some(ErrorKind::MalformedObject));
    let by_slices = shop.with_another_lake();
    let held = by_slices.apply().await;
    assert_eq!((&held.error, held.pending), (&report.error, 2), "the same hold");
    assert_eq!(shop.rows().await, by_slices.rows().await);
}

#[tokio::test]
async fn a_plan_tells_commits_and_tasks_and_has_no_effect() {
    let mut rng = rand::SeedableRng::seed_from_u64(5);
    let mut shop = Shop::new(Keys::Integer, "copy-on-write");
    shop.load(&mut rng, 100).await;
    shop.change(&mut rng, 50).await;
    let pipeline = shop.pipeline();
    let plan = |sizes| {
        let pipeline = &pipeline;
        let spec = spec_of(pipeline);
        async move { pipeline.plan_job(spec, &sizes, NonZeroUsize::MIN).await.unwrap() }
    };
    let planned = plan(tiny_sizes()).await;
    let phases: Vec<bool> = planned.rounds.iter().map(|round| round.is_load).collect();
    assert_eq!((phases, planned.by_driver), (vec![true, false], 0), "{planned:?}");
    assert_eq!((planned.slices_seconds, planned.is_handed_over), (0, false), "it is little");
    let small = plan(JobSizes::default()).await;
    assert_eq!((small.rounds.len(), small.by_driver), (0, planned.objects), "{small:?}");
    assert!(shop.scratch().await.is_empty());
    assert_eq!(shop.apply().await.objects, planned.objects);
}

/// A clock of which an hour passes with each stage.
#[derive(Debug, Default)]
struct SlowClock(AtomicU32);

impl Clock for SlowClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now()
    }

    fn instant(&self) -> Instant {
        SystemClock.instant() + Duration::from_hours(self.0.load(Ordering::SeqCst).into())
    }

    fn attempt_id(&self) -> Uuid {
        SystemClock.attempt_id()
    }

    fn jitter(&self, limit: Duration) -> Duration {
        SystemClock.jitter(limit)
    }
}

struct Slow {
    threads: Threads,
    clock: Arc<SlowClock>,
}

#[async_trait]
impl Workers for Slow {
    fn slots(&self) -> NonZeroUsize {
        self.threads.slots()
    }

    async fn run(&self, stage: &'static str, tasks: Vec<String>) -> Result<Vec<String>> {
        self.clock.0.fetch_add(1, Ordering::SeqCst);
        self.threads.run(stage, tasks).await
    }
}

/// Vacuum may have deleted by then what no commit names.
#[tokio::test]
async fn what_takes_longer_than_files_are_kept_is_not_committed() {
    let mut rng = rand::SeedableRng::seed_from_u64(3);
    let mut shop = Shop::new(Keys::Integer, "copy-on-write");
    shop.load(&mut rng, 30).await;
    assert_eq!(shop.apply().await.status, Status::Ok);
    shop.change(&mut rng, 20).await;
    shop.set_property("delta.deletedFileRetentionDuration", "interval 1 hour").await;
    let clock = Arc::new(SlowClock::default());
    let pipeline = shop.pipeline_at(clock.clone());
    let workers = Slow { threads: Threads::new(pipeline.clone(), NonZeroUsize::MIN), clock };
    let job =
        Job { workers: &workers, sizes: tiny_sizes(), task_memory: None, claim: None, run: None };
    let limits = Limits::default();
    let apply = || pipeline.apply_spread(spec_of(&pipeline), &limits, &Silent, job);
    let held = apply().await;
    assert_eq!((held.status, held.counts.rows), (Status::Held, 0), "{held:?}");
    let error = held.error.unwrap();
    assert!(error.contains("set delta.deletedFileRetentionDuration"), "{error}");
    shop.set_property("delta.deletedFileRetentionDuration", "interval 1 day").await;
    assert_eq!(apply().await.status, Status::Ok);
    assert_eq!(shop.rows().await, shop.expected());
}

#[tokio::test]
async fn a_table_that_only_grows_is_held_where_rows_would_go() {
    let mut rng = rand::SeedableRng::seed_from_u64(3);
    let mut shop = Shop::new(Keys::Integer, "deletion-vectors");
    shop.load(&mut rng, 30).await;
    assert_eq!(shop.apply().await.status, Status::Ok);
    shop.set_property("delta.appendOnly", "true").await;
    shop.change(&mut rng, 20).await;
    let threads = Threads::new(shop.pipeline(), NonZeroUsize::MIN);
    let held = job_of(&shop, &threads, tiny_sizes()).await;
    assert_eq!(held.status, Status::Held, "{held:?}");
    let by_slices = shop.apply().await;
    assert_eq!(by_slices.error, held.error);
    assert!(held.error.unwrap().contains("delta.appendOnly is set"));
}

/// A row that is too long for a task is not for one process.
#[tokio::test]
async fn what_a_task_has_no_memory_for_the_driver_applies() {
    let shop = Shop::new(Keys::Integer, "copy-on-write");
    let long = "x".repeat(300_000);
    shop.stage("LOAD00000001.csv", &format!("1,{long}\n2,b\n")).await;
    shop.stage("20240101-000000001.csv", &format!("U,2,{long}\n")).await;
    let threads = Threads::new(shop.pipeline(), NonZeroUsize::MIN);
    let pipeline = shop.pipeline();
    let sizes = tiny_sizes();
    let job = Job { workers: &threads, sizes, task_memory: Some(1 << 10), claim: None, run: None };
    let report = pipeline.apply_spread(spec_of(&pipeline), &Limits::default(), &Silent, job).await;
    assert_eq!((report.status, report.objects), (Status::Ok, 2), "{report:?}");
    assert_eq!(shop.rows().await, [format!("1={long}"), format!("2={long}")]);
}

/// What changes of an hour do is judged by hours, as where they are applied slice by slice.
#[tokio::test]
async fn a_limit_of_an_hour_is_one_of_an_hour() {
    let mut shop = Shop::new(Keys::Integer, "copy-on-write");
    shop.extra = "max_change_fraction = { deleted = 0.5, min_rows = 4 }";
    let load: Vec<String> = (0..10).map(|id| format!("{id},v\n")).collect();
    shop.stage("LOAD00000001.csv", &load.concat()).await;
    shop.stage("20240101-100000000.csv", "D,0,v\nD,1,v\n").await;
    shop.stage("20240101-110500000.csv", "D,2,v\nD,3,v\n").await;
    shop.stage("20240101-121000000.csv", "D,4,v\nD,5,v\n").await;
    let threads = Threads::new(shop.pipeline(), NonZeroUsize::MIN);
    let report = job_of(&shop, &threads, tiny_sizes()).await;
    assert_eq!((report.status, report.counts.deleted), (Status::Ok, 6), "{report:?}");
    shop.stage("20240101-130000000.csv", "D,6,v\n").await;
    shop.stage("20240101-131000000.csv", "D,7,v\nD,8,v\n").await;
    let report = job_of(&shop, &threads, tiny_sizes()).await;
    assert_eq!(report.status, Status::Held, "{report:?}");
}
