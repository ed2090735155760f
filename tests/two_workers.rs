//! Two processes apply one table at the same time, hundreds of times, and meet at a barrier
//! before each commit: the rows and the books are those of one worker.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use dmslake::clock::SystemClock;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, Status, TableReport};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::support::dms_writer::Scripted;
use crate::support::hooked_store::{CommitGate, Gated, HookedStore};
use crate::support::judge::Judge;
use crate::support::marks::{say, wait};
use crate::support::model::{Counts, StagedRow};
use crate::support::script::{change_key, delete, insert, orders, orders_configuration, update};
use crate::support::world::{on_disk, settings};

/// Rounds whose object belongs to the full load: appends race.
const LOAD_ROUNDS: usize = 80;
/// Rounds of three change objects: merges race, cut differently.
const CHANGE_ROUNDS: usize = 125;
const FOLDER: &str = "DMSLAKE_TWO_WORKERS_FOLDER";
const WORKER: &str = "DMSLAKE_TWO_WORKERS_NUMBER";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_that_race_at_every_commit_apply_everything_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let rounds = rounds();
    let table = orders(rounds.iter().flatten().map(Scripted::clone).collect());
    let ways = [(0, None, "copy-on-write"), (1, Some(32 << 10), "deletion-vectors")];
    for (worker, budget, merge) in ways {
        let mut table = table.clone();
        table.task.merge = merge;
        let text = orders_configuration(&table, budget);
        fs::write(folder.path().join(format!("worker-{worker}.toml")), text).expect("writes");
    }
    let mut table = table;
    table.task.merge = "deletion-vectors";
    let mut workers = Workers::start(folder.path());
    let staging = on_disk(&folder.path().join("staging")).await;
    let lake = on_disk(&folder.path().join("lake")).await;
    let mut judge = Judge::new(&table, &staging, &lake);
    judge.every_version = false;
    let mut staged = table.objects.iter();
    let (mut reported, mut audited) = (Counts::default(), Counts::default());
    let mut wins = [0, 0];
    let mut races = 0;
    for (round, objects) in rounds.iter().enumerate() {
        for object in staged.by_ref().take(objects.len()) {
            let key = format!("{}/shop/orders/{}", staging.prefix(), object.relative);
            let path = Path::parse(key).expect("a legal key");
            staging.store().put(&path, object.bytes.clone().into()).await.expect("stages");
        }
        say(folder.path(), &format!("go-{round}"), "");
        for (worker, wins) in wins.iter_mut().enumerate() {
            let counts = workers.report(round, worker).await;
            *wins += u64::from(counts.rows > 0);
            reported += counts;
        }
        let met = |worker| folder.path().join(format!("at-{round}-{worker}-1")).exists();
        races += usize::from(met(0) && met(1));
        if round % 20 == 19 {
            audited += judge.audit(&table).await;
            assert_eq!(reported, audited, "after round {round}");
        }
    }
    audited += judge.audit(&table).await;
    assert_eq!(reported, audited);
    judge.check_complete(&table).await;
    workers.end();
    eprintln!("{races} races, won {wins:?}");
    assert!(races >= 200, "only {races} of {} rounds were races", rounds.len());
    assert!(wins.iter().all(|&wins| wins > 10), "one worker always wins: {wins:?}");
}

/// The objects of each round.
fn rounds() -> Vec<Vec<Scripted>> {
    let mut rng = StdRng::seed_from_u64(7);
    let mut rounds = Vec::new();
    let mut ids: Vec<i32> = Vec::new();
    for round in 0..LOAD_ROUNDS {
        let first = i32::try_from(round * 5).expect("small");
        let fresh: Range<i32> = first..first + 5;
        ids.extend(fresh.clone());
        rounds.push(vec![Scripted {
            relative: format!("LOAD{:08X}.csv", round + 1),
            load: true,
            epoch: 0,
            rows: fresh.map(|id| insert(id, "loaded")).collect(),
        }]);
    }
    let mut next = 100_000;
    for round in 0..CHANGE_ROUNDS {
        let object = |number: usize, rows| Scripted {
            relative: format!("20240305-{:06}{number:03}.csv", 100_000 + round),
            load: false,
            epoch: 0,
            rows,
        };
        let mut objects = Vec::new();
        for number in 0..3 {
            let rows = (0..12).map(|_| random_change(&mut rng, &mut ids, &mut next)).collect();
            objects.push(object(number, rows));
        }
        rounds.push(objects);
    }
    rounds
}

fn random_change(rng: &mut StdRng, ids: &mut Vec<i32>, next: &mut i32) -> StagedRow {
    let wide = "wide ".repeat(300);
    let at = rng.random_range(0..ids.len());
    *next += 1;
    match rng.random_range(0..10) {
        0 => {
            ids.push(*next);
            insert(*next, &wide)
        }
        1 if ids.len() > 100 => delete(ids.swap_remove(at)),
        2 => change_key(std::mem::replace(&mut ids[at], *next), *next, "moved"),
        _ => update(*ids.choose(rng).expect("rows are left"), &wide),
    }
}

/// The two processes.
struct Workers {
    folder: PathBuf,
    children: Vec<Child>,
}

impl Workers {
    fn start(folder: &FilePath) -> Self {
        let start = |worker: usize| {
            Command::new(std::env::current_exe().expect("this program"))
                .args(["two_workers::worker", "--exact", "--ignored", "--nocapture"])
                .env(FOLDER, folder)
                .env(WORKER, worker.to_string())
                .stdout(std::process::Stdio::null())
                .spawn()
                .expect("a second process starts")
        };
        Self { folder: folder.to_owned(), children: (0..2).map(start).collect() }
    }

    async fn report(&mut self, round: usize, worker: usize) -> Counts {
        let name = format!("done-{round}-{worker}");
        let child = &mut self.children[worker];
        let found = wait(|| {
            let ended = child.try_wait().expect("the process can be asked");
            let is_done = self.folder.join(&name).exists();
            // After the last round it ends by itself.
            assert!(
                is_done || ended.is_none(),
                "worker {worker} ended in round {round}: {ended:?}"
            );
            is_done
        });
        assert!(found.await, "worker {worker} does not finish round {round}");
        let text = fs::read_to_string(self.folder.join(&name)).expect("reads");
        let said: BTreeMap<String, u64> = serde_json::from_str(&text).expect("JSON");
        Counts {
            rows: said["rows"],
            inserted: said["inserted"],
            updated: said["updated"],
            deleted: said["deleted"],
            superseded: said["superseded"],
            ignored: said["ignored"],
            quarantined: said["quarantined"],
        }
    }

    fn end(mut self) {
        for child in &mut self.children {
            let status = child.wait().expect("the process ends");
            assert!(status.success(), "{status}");
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for child in &mut self.children {
            // Where the test failed, they wait for a round that never comes.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "one of the two processes of this module, started by its test"]
async fn worker() {
    let folder = PathBuf::from(std::env::var(FOLDER).expect("the parent names the folder"));
    let number: usize = std::env::var(WORKER).expect("a number").parse().expect("a number");
    let text = fs::read_to_string(folder.join(format!("worker-{number}.toml"))).expect("reads");
    let settings = settings(&text);
    let [table] = &settings.tables[..] else { panic!("one table") };
    let round = Arc::new(AtomicU64::new(0));
    let attempts = Mutex::new((0, 0));
    let meeting = Meeting { folder: folder.clone(), number, round: Arc::clone(&round), attempts };
    let staging = on_disk(&folder.join("staging")).await;
    let lake = on_disk(&folder.join("lake")).await;
    let lake = lake.map_store(|inner| Arc::new(HookedStore::new(inner, Gated(Arc::new(meeting)))));
    let pipeline = || {
        let (settings, staging) = (Arc::clone(&settings), staging.clone());
        Pipeline::new(settings, staging, lake.clone(), Arc::new(SystemClock))
    };
    let mut warm = pipeline();
    for current in 0..LOAD_ROUNDS + CHANGE_ROUNDS {
        let go = folder.join(format!("go-{current}"));
        assert!(wait(|| go.exists()).await, "round {current} never comes");
        round.store(current as u64, Ordering::SeqCst);
        if current % 7 == number {
            warm = pipeline();
        }
        let limits = Limits::default();
        let report = warm.apply(table, &Scope::Everything, &limits, &Silent).await;
        assert_eq!(report.status, Status::Ok, "worker {number}, round {current}: {report:?}");
        say(&folder, &format!("done-{current}-{number}"), &counts_as_json(&report));
    }
}

fn counts_as_json(report: &TableReport) -> String {
    serde_json::json!({
        "rows": report.counts.rows,
        "inserted": report.counts.inserted,
        "updated": report.counts.updated,
        "deleted": report.counts.deleted,
        "superseded": report.counts.superseded,
        "ignored": report.counts.ignored,
        "quarantined": report.counts.quarantined,
    })
    .to_string()
}

/// Where a worker waits for the other before each commit.
#[derive(Debug)]
struct Meeting {
    folder: PathBuf,
    number: usize,
    round: Arc<AtomicU64>,
    /// Of this round: its number, and the commits attempted in it.
    attempts: Mutex<(u64, u64)>,
}

#[async_trait]
impl CommitGate for Meeting {
    async fn before_commit(&self, _: &Path) {
        self.attend(self.next_attempt()).await;
    }
}

impl Meeting {
    fn next_attempt(&self) -> u64 {
        let round = self.round.load(Ordering::SeqCst);
        let mut attempts = self.attempts.lock().expect("no panic holds it");
        let (counted_round, attempt) = *attempts;
        *attempts = (round, if counted_round == round { attempt + 1 } else { 1 });
        attempts.1
    }

    /// Comes to the `attempt`-th meeting of the round, and stays until the other is there too or
    /// has nothing left to do.
    async fn attend(&self, attempt: u64) {
        let round = self.round.load(Ordering::SeqCst);
        let other = 1 - self.number;
        say(&self.folder, &format!("at-{round}-{}-{attempt}", self.number), "");
        let there = self.folder.join(format!("at-{round}-{other}-{attempt}"));
        let done = self.folder.join(format!("done-{round}-{other}"));
        assert!(wait(|| there.exists() || done.exists()).await, "the other worker is lost");
    }
}
