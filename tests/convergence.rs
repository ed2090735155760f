//! Whatever the history, the settings, and the order, number and loss of doorbells: each commit
//! is the model's state after the objects that it names, and after a sweep nothing is missing.

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, Status, TableReport};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};

use crate::support::dms_writer::StagedTable;
use crate::support::judge::{Judge, counts};
use crate::support::model::Counts;
use crate::support::spread::{apply_spread, end_claims};
use crate::support::stopper::Stopper;
use crate::support::world::World;
use crate::support::{manifest, property};

#[tokio::test(flavor = "multi_thread")]
async fn every_history_converges_commit_by_commit() {
    property::check("every_history_converges_commit_by_commit", 40, 3, converge).await;
}

async fn converge(mut rng: StdRng) {
    let folder = tempfile::tempdir().expect("a folder");
    let on_disk = rng.random_bool(0.3).then(|| folder.path());
    let world = World::random(&mut rng, on_disk).await;
    let mut followed: Vec<Followed> = Vec::new();
    for table in &world.tables {
        followed.push(Followed::start(&mut rng, &world, table).await);
    }
    let mut warm = world.pipeline();
    while let Some(table) = some_unstaged(&mut rng, &mut followed) {
        table.stage(&mut rng, &world).await;
        if rng.random_bool(0.3) {
            warm = world.pipeline();
        }
        match rng.random_range(0..20) {
            // The doorbell is lost.
            0..5 => {}
            5..15 => table.ring(&mut rng, &warm).await,
            15..17 => table.ring_twice_at_once(&mut rng, &world).await,
            17..19 => table.ring_and_stop(&mut rng, &warm).await,
            _ => {
                for each in &mut followed {
                    each.sweep(&warm).await;
                }
            }
        }
    }
    for table in &mut followed {
        table.sweep(&world.pipeline()).await;
        table.finish(&world.pipeline()).await;
    }
}

fn some_unstaged<'a, 'w>(
    rng: &mut StdRng,
    tables: &'a mut [Followed<'w>],
) -> Option<&'a mut Followed<'w>> {
    let mut unstaged: Vec<_> = tables.iter_mut().filter(|table| !table.order.is_empty()).collect();
    if unstaged.is_empty() {
        None
    } else {
        Some(unstaged.swap_remove(rng.random_range(0..unstaged.len())))
    }
}

/// A table whose objects appear over time.
struct Followed<'w> {
    world: &'w World,
    table: &'w StagedTable,
    judge: Judge,
    /// Positions of objects to come, the next one last.
    order: Vec<usize>,
    /// Full keys of what is staged.
    keys: Vec<String>,
    /// What the reports counted since the last audit.
    reported: Counts,
    replayed: u64,
    foreign: Option<String>,
    sweeps: AtomicU32,
}

impl<'w> Followed<'w> {
    async fn start(rng: &mut StdRng, world: &'w World, table: &'w StagedTable) -> Self {
        let mut order: Vec<usize> = (0..table.objects.len()).collect();
        let loads = table.objects.iter().filter(|object| object.load).count();
        // The threads of a full load finish in any order.
        if rng.random_bool(0.2) {
            order[..loads].shuffle(rng);
        }
        order.reverse();
        let mut foreign = None;
        if rng.random_bool(0.3) {
            let name = ["readme.txt", "LOADX.csv", "20221024-175902985.csv.tmp", "20221024-1.csv"];
            let name = *name.choose(rng).expect("a choice");
            foreign = Some(world.put_bytes(table, name, Bytes::from_static(b"?")).await);
            for hidden in ["_SUCCESS", ".LOAD00000001.csv", "_tmp/part-0.csv"] {
                world.put_bytes(table, hidden, Bytes::from_static(b"?")).await;
            }
        }
        Self {
            world,
            table,
            judge: Judge::new(table, &world.staging, &world.lake),
            order,
            keys: Vec::new(),
            reported: Counts::default(),
            replayed: 0,
            foreign,
            sweeps: AtomicU32::new(rng.random_range(0..2)),
        }
    }

    async fn stage(&mut self, rng: &mut StdRng, world: &World) {
        for _ in 0..*[1, 1, 2, 5].choose(rng).expect("a choice") {
            let Some(position) = self.order.pop() else { return };
            let key = world.put(self.table, &self.table.objects[position]).await;
            self.keys.push(key);
        }
    }

    /// The newest object and some others, in any order, some twice.
    fn doorbells(&self, rng: &mut StdRng) -> Scope {
        let mut named: Vec<String> = self.keys.iter().rev().take(1).cloned().collect();
        for _ in 0..rng.random_range(0..4) {
            named.extend(self.keys.choose(rng).cloned());
        }
        named.shuffle(rng);
        Scope::Named(named)
    }

    /// Applies; of the runs that look at everything, every other one as a job.
    async fn apply(&self, pipeline: &Pipeline, scope: &Scope) -> TableReport {
        let spec = self.world.spec(self.table);
        end_claims(pipeline, spec).await;
        if *scope == Scope::Everything
            && self.sweeps.fetch_add(1, Ordering::Relaxed).is_multiple_of(2)
        {
            return apply_spread(pipeline, spec, &Limits::default(), &Silent).await;
        }
        pipeline.apply(spec, scope, &Limits::default(), &Silent).await
    }

    async fn ring(&mut self, rng: &mut StdRng, pipeline: &Pipeline) {
        let report = self.apply(pipeline, &self.doorbells(rng)).await;
        self.take(&report);
        self.audit().await;
    }

    /// Two workers hear of the same objects.
    async fn ring_twice_at_once(&mut self, rng: &mut StdRng, world: &World) {
        let (one, other) = (world.pipeline(), world.pipeline());
        let (first, second) = (self.doorbells(rng), self.doorbells(rng));
        let reports = futures::join!(self.apply(&one, &first), self.apply(&other, &second));
        self.take(&reports.0);
        self.take(&reports.1);
        self.audit().await;
    }

    /// Somebody asks for an end after the first commit.
    async fn ring_and_stop(&mut self, rng: &mut StdRng, pipeline: &Pipeline) {
        let limits = Limits::default();
        let stopper = Stopper::after(0, limits.stop.clone());
        let spec = self.world.spec(self.table);
        let report = pipeline.apply(spec, &self.doorbells(rng), &limits, &stopper).await;
        self.take(&report);
        self.audit().await;
    }

    async fn sweep(&mut self, pipeline: &Pipeline) {
        let report = self.apply(pipeline, &Scope::Everything).await;
        self.take(&report);
        assert_eq!(report.pending, 0, "{report:?}");
        let foreign: Vec<String> = self.foreign.iter().cloned().collect();
        assert_eq!(report.foreign.len(), foreign.len(), "{report:?}");
        for (found, expected) in report.foreign.iter().zip(&foreign) {
            assert!(expected.ends_with(found.as_str()), "{found} is not {expected}");
        }
        self.audit().await;
        assert_eq!(report.version, self.judge.version(), "{report:?}");
    }

    fn take(&mut self, report: &TableReport) {
        let error = report.error.as_deref().unwrap_or_default();
        assert_eq!(report.status, Status::Ok, "{}: {error}", report.table);
        assert_eq!(report.late, Vec::<String>::new(), "{}", report.table);
        self.reported += counts(report);
        self.replayed += report.replayed;
    }

    async fn audit(&mut self) {
        let expected = self.judge.audit(self.table).await;
        assert_eq!(std::mem::take(&mut self.reported), expected, "{}", self.table.history.table);
    }

    /// All is staged and swept: the whole is right, and applying again finds nothing to do.
    async fn finish(&mut self, pipeline: &Pipeline) {
        self.judge.check_complete(self.table).await;
        let source = &self.world.spec(self.table).source;
        let location = pipeline.lake_folder(source).expect("a folder");
        if self.table.task.manifest && self.judge.version().is_some() {
            manifest::check(&location).await;
        }
        let replays = self.table.objects.iter().any(|object| object.replays);
        let sequence = self.world.endpoint.sequence.is_some();
        assert_eq!(self.replayed > 0, replays && sequence, "replayed: {}", self.replayed);
        let version = self.judge.version();
        let again = self.apply(pipeline, &Scope::Everything).await;
        assert_eq!((again.objects, again.counts.rows, again.version), (0, 0, version), "{again:?}");
        self.take(&again);
        self.audit().await;
        assert_eq!(self.judge.version(), version, "a second apply commits nothing");
    }
}
