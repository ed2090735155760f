//! A crash before or after every single write, and a fresh start after it: the table is as if
//! nothing had happened.

use std::sync::Arc;

use dmslake::clock::SystemClock;
use dmslake::config::Settings;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, Status, TableReport};
use dmslake::storage::{Location, StoreKind};
use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::support::dms_writer::{Scripted, StagedTable};
use crate::support::hooked_store::{Fault, Faults, HookedStore, Side};
use crate::support::judge::{Judge, counts};
use crate::support::manifest;
use crate::support::model::{Counts, StagedRow};
use crate::support::script::{
    bad, change_key, delete, insert, orders, orders_configuration, update,
};
use crate::support::spread::{apply_spread, end_claims};
use crate::support::world::{in_memory, settings, spec};

/// So small that the wide object of the history goes in row ranges.
const SMALL_BUDGET: u64 = 64 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_every_write_leaves_the_same_table() {
    every_crash_heals("copy-on-write", Jobs::None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_every_write_leaves_the_same_table_with_deletion_vectors() {
    every_crash_heals("deletion-vectors", Jobs::None).await;
}

/// The process that crashes is the driver of a job, which does the tasks too; the next one may be
/// another driver, or none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_a_job_at_every_write_leaves_the_same_table() {
    every_crash_heals("deletion-vectors", Jobs::EveryOther).await;
}

/// Which runs are those of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Jobs {
    None,
    EveryOther,
}

async fn every_crash_heals(merge: &'static str, jobs: Jobs) {
    let scene = Arc::new(Scene { jobs, ..Scene::new(merge) });
    let run = Run::new(&scene, None, None).await;
    let judge = run.judge(&scene).await;
    let is_cut = judge.cut_objects > 0 || jobs == Jobs::EveryOther;
    assert!(is_cut, "no object is so large that it goes in row ranges");
    let writes = run.faulty.hooks().writes();
    assert!(writes > 16, "only {writes} writes: the history is not what it should be");

    let mut crashes = Vec::new();
    for write in 1..=writes {
        for side in [Side::Before, Side::After] {
            // A process that lives on goes on as it was cut; a fresh one may cut otherwise.
            crashes.push((Fault { write, side, died: false }, Some(SMALL_BUDGET)));
            let budgets =
                if jobs == Jobs::None { &[Some(SMALL_BUDGET), None][..] } else { &[None] };
            for &second_budget in budgets {
                crashes.push((Fault { write, side, died: true }, second_budget));
            }
        }
    }
    eprintln!("{writes} writes, {} crashes", crashes.len());
    let runs = futures::stream::iter(crashes).map(|(fault, second_budget)| {
        let scene = Arc::clone(&scene);
        let healed = tokio::spawn(async move {
            let run = Run::new(&scene, Some(fault), second_budget).await;
            run.judge(&scene).await;
        });
        async move { (fault, second_budget, healed.await) }
    });
    // Most of the time they wait before they try again.
    let mut runs = runs.buffer_unordered(16);
    let mut failures = Vec::new();
    while let Some((fault, second_budget, outcome)) = runs.next().await {
        if outcome.is_err() {
            failures.push(format!("{fault:?}, then budget {second_budget:?}"));
        }
    }
    assert!(
        failures.is_empty(),
        "{} crashes do not heal:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// A table that is created, loads three objects, and then meets everything at once; what is
/// staged together is one phase.
struct Scene {
    table: StagedTable,
    /// So many objects are staged by the end of each phase.
    phases: Vec<usize>,
    jobs: Jobs,
}

impl Scene {
    fn new(merge: &'static str) -> Self {
        let wide = "wide ".repeat(300);
        let load = |counter: i32, ids: std::ops::Range<i32>| Scripted {
            relative: format!("LOAD{counter:08X}.csv"),
            load: true,
            epoch: 0,
            rows: ids.map(|id| insert(id, "loaded")).collect(),
        };
        let changes = |second: i32, epoch: usize, rows: Vec<StagedRow>| Scripted {
            relative: format!("20240305-1011{second:02}000.csv"),
            load: false,
            epoch,
            rows,
        };
        let script = vec![
            load(1, 0..5),
            load(2, 5..10),
            load(3, 10..15),
            changes(1, 0, vec![update(1, "first"), insert(20, "new"), update(1, "second")]),
            changes(2, 0, vec![change_key(2, 21, "moved"), delete(3), delete(99)]),
            changes(3, 0, vec![bad(30), insert(31, "good"), bad(32)]),
            changes(4, 0, (40..140).map(|id| insert(id, &wide)).collect()),
            changes(5, 1, vec![update(4, "noted"), insert(22, "noted"), bad(33)]),
            changes(6, 1, Vec::new()),
            changes(7, 1, vec![delete(98), delete(99)]),
            changes(8, 1, vec![insert(3, "back"), change_key(21, 2, "home"), delete(40)]),
        ];
        let mut table = orders(script);
        table.task.merge = merge;
        table.task.manifest = merge == "copy-on-write";
        Self { table, phases: vec![2, 3, 9, 10, 11], jobs: Jobs::None }
    }

    fn settings(&self, memory_budget: Option<u64>) -> Arc<Settings> {
        settings(&orders_configuration(&self.table, memory_budget))
    }
}

/// One history applied, phase after phase, with at most one fault.
struct Run {
    fault: Option<Fault>,
    staging: Location,
    lake: Location,
    faulty: HookedStore<Faults>,
    /// What the reports of all its processes count.
    reported: Counts,
}

impl Run {
    async fn new(scene: &Scene, fault: Option<Fault>, second_budget: Option<u64>) -> Self {
        let staging = in_memory("memory:///bucket/dms", StoreKind::S3);
        let lake = in_memory("memory:///lake", StoreKind::File);
        let faulty = HookedStore::new(Arc::clone(lake.store()), Faults::new(fault));
        let mut run = Self { fault, staging, lake, faulty, reported: Counts::default() };
        let small = scene.settings(Some(SMALL_BUDGET));
        let second = scene.settings(second_budget);
        let mut process = run.faulty_process(&small);
        let mut crashed = false;
        let (mut staged, mut runs) = (0, 0);
        for &end in &scene.phases {
            for object in &scene.table.objects[staged..end] {
                let key = format!("{}/shop/orders/{}", run.staging.prefix(), object.relative);
                let path = Path::parse(key).expect("a legal key");
                let put = run.staging.store().put(&path, object.bytes.clone().into());
                put.await.expect("staging takes it");
            }
            staged = end;
            let mut report = apply(&process, scene, runs).await;
            runs += 1;
            run.reported += counts(&report);
            if report.status == Status::Failed && !crashed {
                crashed = true;
                process = run.process(&second);
                report = apply(&process, scene, runs).await;
                runs += 1;
                run.reported += counts(&report);
            }
            assert_eq!(report.status, Status::Ok, "{fault:?}: {report:?}");
            assert_eq!(report.pending, 0, "{fault:?}: {report:?}");
        }
        run
    }

    fn process(&self, settings: &Arc<Settings>) -> Pipeline {
        let (staging, lake) = (self.staging.clone(), self.lake.clone());
        Pipeline::new(Arc::clone(settings), staging, lake, Arc::new(SystemClock))
    }

    fn faulty_process(&self, settings: &Arc<Settings>) -> Pipeline {
        let lake = self.lake.clone().map_store(|_| Arc::new(self.faulty.clone()));
        let beside = |store| -> Arc<dyn ObjectStore> { Arc::new(self.faulty.beside(store)) };
        let staging = self.staging.clone().map_store(beside);
        Pipeline::new(Arc::clone(settings), staging, lake, Arc::new(SystemClock))
    }

    async fn judge(&self, scene: &Scene) -> Judge {
        let mut judge = Judge::new(&scene.table, &self.staging, &self.lake);
        judge.every_version = self.fault.is_none();
        let committed = judge.audit(&scene.table).await;
        // A process that dies with its last commit cannot report it.
        let silent = self.fault.is_some_and(|fault| fault.died && fault.side == Side::After);
        if !silent {
            assert_eq!(self.reported, committed, "{:?}", self.fault);
        }
        judge.check_complete(&scene.table).await;
        if scene.table.task.manifest {
            manifest::check(&self.lake.folder(&["shop", "orders"]).expect("a folder")).await;
        }
        let again = apply(&self.process(&scene.settings(None)), scene, 0).await;
        assert_eq!((again.objects, again.version), (0, judge.version()), "{again:?}");
        judge
    }
}

async fn apply(pipeline: &Pipeline, scene: &Scene, run: usize) -> TableReport {
    let spec = spec(pipeline.settings(), &scene.table);
    let limits = Limits::default();
    if scene.jobs == Jobs::EveryOther {
        end_claims(pipeline, spec).await;
    }
    let report = if scene.jobs == Jobs::EveryOther && run.is_multiple_of(2) {
        apply_spread(pipeline, spec, &limits, &Silent).await
    } else {
        pipeline.apply(spec, &Scope::Everything, &limits, &Silent).await
    };
    let fates = report.counts.inserted
        + report.counts.updated
        + report.counts.deleted
        + report.counts.superseded;
    assert_eq!(
        report.counts.rows,
        fates + report.counts.ignored + report.counts.quarantined,
        "{report:?}"
    );
    report
}
