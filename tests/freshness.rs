//! Changes wait for more until they are as old as the table's freshness, and no longer than a minute
//! more, whichever doorbells are lost. Time is the test's own.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use dmslake::clock::Clock as _;
use dmslake::config::{FRESHNESS_LEEWAY, TableSpec};
use dmslake::lambda::{Answer, Deadline, answer};
use dmslake::pipeline::{Pipeline, Scope, Standing, Status, TableReport};
use dmslake::storage::Location;
use object_store::ObjectStore;
use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::clock::StoppedClock;
use crate::support::events::{queue, s3_notification};
use crate::support::hooked_store::{Counting, HookedStore, Method, Requests};
use crate::support::property;
use crate::support::world::settings;

const DUE: &str = "due";

/// Tables `shop.t0`, `shop.t1`, … of inserts, on a disk whose objects are as old as the clock says.
struct Shop {
    folder: TempDir,
    clock: Arc<StoppedClock>,
    text: String,
    staged: Vec<u32>,
}

impl Shop {
    /// One table for each freshness, with a load of one row that is applied.
    async fn new(look_every: &str, freshness: &[&str], more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("it exists").display().to_string();
        let mut text = format!(
            "staging = \"{root}/staging\"\nlake = \"{root}/lake\"\nlook_every = \"{look_every}\"\n{more}\n"
        );
        for (table, freshness) in freshness.iter().enumerate() {
            write!(
                text,
                "[[table]]\nsource = \"shop.t{table}\"\nkeys = [\"id\"]\nfreshness = \"{freshness}\"\n\
                 columns = [{{ name = \"id\", type = \"bigint\" }}]\n"
            )
            .expect("writing to a String cannot fail");
        }
        fs::create_dir(folder.path().join("staging")).expect("created");
        let staged = vec![0; freshness.len()];
        let mut shop = Self { folder, clock: StoppedClock::new(), text, staged };
        for table in 0..freshness.len() {
            shop.put(table, "LOAD00000001.csv", "0\n");
        }
        let pipeline = shop.process().await;
        shop.send(&pipeline, &json!({"sweep": true})).await;
        for table in 0..freshness.len() {
            shop.stage(table);
            shop.send(&pipeline, &json!({"sweep": true})).await;
        }
        shop
    }

    async fn process(&self) -> Pipeline {
        let settings = Arc::unwrap_or_clone(settings(&self.text));
        Pipeline::open(settings, self.clock.clone()).await.expect("opened")
    }

    fn put(&self, table: usize, name: &str, rows: &str) -> String {
        let folder = self.folder.path().canonicalize().expect("it exists");
        let folder = folder.join(format!("staging/shop/t{table}"));
        fs::create_dir_all(&folder).expect("created");
        let path = folder.join(name);
        fs::write(&path, rows).expect("written");
        let file = File::options().write(true).open(&path).expect("opened");
        file.set_modified(self.clock.now().into()).expect("a time of its own");
        path.display().to_string().trim_start_matches('/').to_owned()
    }

    /// Stages a change, and gives its doorbell.
    fn stage(&mut self, table: usize) -> Value {
        self.stage_rows(table, 1)
    }

    fn stage_rows(&mut self, table: usize, rows: u32) -> Value {
        self.staged[table] += 1;
        let number = self.staged[table];
        let rows: String = (0..rows).fold(String::new(), |mut text, row| {
            writeln!(text, "I,{}", number * 100_000 + row).expect("a String");
            text
        });
        s3_notification(&self.put(table, &format!("20240101-{number:09}.csv"), &rows))
    }

    /// Sends an event; the reports of the tables that were applied, or looked at whole.
    async fn send(&self, pipeline: &Pipeline, event: &Value) -> Vec<TableReport> {
        let deadline = Deadline::after(Duration::from_mins(5), self.clock.instant());
        match answer(pipeline, event, deadline, self.clock.as_ref()).await.expect("it ends well") {
            Answer::Summary { tables, .. } => tables,
            Answer::Queue { batch_item_failures } => {
                assert!(batch_item_failures.is_empty(), "{batch_item_failures:?}");
                Vec::new()
            }
            Answer::Status { .. } => panic!("nobody asked"),
        }
    }

    async fn due(&self, pipeline: &Pipeline) -> Vec<TableReport> {
        self.send(pipeline, &json!({"sweep": DUE})).await
    }

    /// When the oldest object of a table was staged that is not applied, by a process that knows of
    /// nothing.
    async fn oldest_pending(&self, table: usize) -> Option<DateTime<Utc>> {
        let process = self.process().await;
        let spec: &TableSpec = &process.settings().tables[table];
        match process.look(spec, &Scope::Everything).await.expect("seen").standing {
            Standing::CaughtUp => None,
            Standing::Apply(work) => work.objects.iter().map(|object| object.last_modified).min(),
            other => panic!("{other:?}"),
        }
    }

    async fn version(&self, table: usize) -> u64 {
        let process = self.process().await;
        let spec = &process.settings().tables[table];
        let look = process.look(spec, &Scope::Everything).await.expect("seen");
        look.table.expect("a table").version()
    }

    fn pass(&self, seconds: u64) {
        self.clock.pass(Duration::from_secs(seconds));
    }
}

#[tokio::test]
async fn objects_of_as_long_as_the_freshness_are_one_commit() {
    let mut shop = Shop::new("1m", &["5m"], "").await;
    let pipeline = shop.process().await;
    let before = shop.version(0).await;
    for _ in 0..5 {
        let doorbell = shop.stage(0);
        shop.send(&pipeline, &queue(&[("1", &doorbell)])).await;
        assert!(shop.due(&pipeline).await.iter().all(|report| report.objects == 0));
        shop.pass(60);
    }
    assert_eq!(shop.version(0).await, before, "they are young");
    let reports = shop.due(&pipeline).await;
    let [report] = &*reports else { panic!("{reports:?}") };
    assert_eq!((report.status, report.objects, report.pending), (Status::Ok, 5, 0), "{report:?}");
    assert_eq!(shop.version(0).await, before + 1);
}

/// The first look of a process is a whole one, and says until when it leaves the changes. It
/// remembers none of them: nobody has tried them.
#[tokio::test]
async fn a_process_that_knows_nothing_leaves_young_changes_too() {
    let mut shop = Shop::new("1m", &["5m"], "").await;
    shop.pass(1000);
    shop.stage(0);
    let staged = shop.clock.now();
    shop.pass(30);
    let state = shop.folder.path().join("lake/_dmslake/state/shop/t0.json");
    let before = fs::read(&state).expect("a state");
    let reports = shop.due(&shop.process().await).await;
    let [report] = &*reports else { panic!("{reports:?}") };
    assert_eq!(report.left_until, Some(staged + TimeDelta::minutes(5)));
    assert_eq!((report.status, report.objects, report.pending), (Status::Ok, 0, 1), "{report:?}");
    assert!(!report.is_caught_up() && report.has_done_what_is_due());
    assert_eq!(fs::read(&state).expect("a state"), before);
}

#[tokio::test]
async fn a_doorbell_that_is_left_costs_one_listing() {
    let mut shop = Shop::new("1m", &["5m"], "").await;
    let requests = Requests::default();
    let settings = settings(&shop.text);
    let counting = |store| -> Arc<dyn ObjectStore> {
        Arc::new(HookedStore::new(store, Counting::new(&requests, Duration::ZERO)))
    };
    let staging = Location::open_staging(&settings.staging).await.expect("opened");
    let lake = Location::open_lake(&settings.lake).await.expect("opened");
    let (staging, lake) = (staging.map_store(counting), lake.map_store(counting));
    let pipeline = Pipeline::new(settings, staging, lake, shop.clock.clone());
    shop.due(&pipeline).await;
    requests.take();
    let doorbell = shop.stage(0);
    shop.send(&pipeline, &queue(&[("1", &doorbell)])).await;
    let methods: Vec<Method> = requests.take().iter().map(|request| request.method).collect();
    assert_eq!(methods, [Method::List]);
}

/// A sweep of everything, and whoever names the table, does not wait.
#[tokio::test]
async fn who_asks_for_a_table_gets_all_of_it() {
    let mut shop = Shop::new("1m", &["24h"], "").await;
    let pipeline = shop.process().await;
    for event in [json!({"sweep": true}), json!({"tables": ["shop.t0"]})] {
        shop.stage(0);
        assert!(shop.due(&pipeline).await.iter().all(|report| report.objects == 0));
        let reports = shop.send(&pipeline, &event).await;
        assert_eq!(reports[0].objects, 1, "{event}");
    }
}

/// So much is a slice by itself: waiting would save no commit.
#[tokio::test]
async fn a_full_slice_does_not_wait() {
    let mut shop = Shop::new("1m", &["24h"], "memory_budget = \"64KB\"").await;
    let pipeline = shop.process().await;
    let small = shop.stage_rows(0, 100);
    shop.send(&pipeline, &queue(&[("1", &small)])).await;
    assert!(shop.oldest_pending(0).await.is_some(), "1 KB fits a slice of 64");
    let large = shop.stage_rows(0, 900);
    shop.send(&pipeline, &queue(&[("1", &large)])).await;
    assert_eq!(shop.oldest_pending(0).await, None);
}

/// Events of one table are no events of another, and one with `freshness = "0s"` waits for nothing.
#[tokio::test]
async fn each_table_waits_by_its_own_freshness() {
    let mut shop = Shop::new("1m", &["0s", "2m", "10m"], "").await;
    let pipeline = shop.process().await;
    let doorbells: Vec<Value> = (0..3).map(|table| shop.stage(table)).collect();
    let ids = ["0", "1", "2"];
    let messages: Vec<(&str, &Value)> = ids.into_iter().zip(&doorbells).collect();
    for (seconds, left) in [(0, 2), (120, 1), (480, 0)] {
        shop.pass(seconds);
        shop.send(&pipeline, &queue(&messages)).await;
        let mut waiting = 0;
        for table in 0..3 {
            waiting += usize::from(shop.oldest_pending(table).await.is_some());
        }
        assert_eq!(waiting, left, "after {seconds} s more");
    }
}

/// Doorbells are late or lost, processes are new or know nothing; the schedule alone is sure to ring.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_is_later_than_its_freshness_and_a_minute() {
    Box::pin(property::check("no_change_is_later_than_its_freshness_and_a_minute", 10, 3, random))
        .await;
}

async fn random(mut rng: StdRng) {
    const LENGTH: i64 = 3600;
    let every = *[60, 60, 120, 300].choose(&mut rng).expect("a choice");
    let freshness: Vec<u64> =
        (0..2).map(|_| *[300, 600, 1200].choose(&mut rng).expect("a choice")).collect();
    let texts: Vec<String> = freshness.iter().map(|seconds| format!("{seconds}s")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut shop = Shop::new(&format!("{every}s"), &texts, "").await;
    let before = [shop.version(0).await, shop.version(1).await];
    let processes = [shop.process().await, shop.process().await];
    let (lost, interval) = (rng.random_range(0.0..=1.0), rng.random_range(20..200));
    let begun = shop.clock.now();
    // Looks of the schedule, and objects, by their second.
    let mut agenda: Vec<(i64, Option<usize>)> =
        (1..=LENGTH / every).map(|look| (look * every, None)).collect();
    agenda.extend(
        (0..2 * LENGTH / interval)
            .map(|_| (rng.random_range(0..LENGTH), Some(rng.random_range(0..2)))),
    );
    agenda.sort_unstable();
    let mut rings: Vec<(i64, Value)> = Vec::new();
    for (second, object) in agenda {
        let now = (shop.clock.now() - begun).num_seconds();
        shop.pass((second - now).try_into().expect("time passes"));
        // Just before it is looked at, the oldest change is as old as it gets.
        for (table, freshness) in freshness.iter().enumerate() {
            if let Some(oldest) = shop.oldest_pending(table).await {
                let age = (shop.clock.now() - oldest).to_std().expect("staged before");
                let latest = Duration::from_secs(*freshness) + FRESHNESS_LEEWAY;
                assert!(age <= latest, "t{table} is {age:?} old, freshness {freshness} s");
            }
        }
        let process = processes.choose(&mut rng).expect("a process");
        match object {
            Some(table) => {
                let doorbell = shop.stage(table);
                if !rng.random_bool(lost) {
                    rings.push((second + rng.random_range(0..300), doorbell));
                }
            }
            None => {
                shop.due(process).await;
            }
        }
        let (ringing, later): (Vec<_>, Vec<_>) =
            rings.into_iter().partition(|(at, _)| *at <= second);
        rings = later;
        for (_, doorbell) in &ringing {
            shop.send(process, &queue(&[("1", doorbell)])).await;
        }
    }
    for (table, freshness) in freshness.iter().enumerate() {
        let commits = shop.version(table).await - before[table];
        // A look may come so much before the freshness has passed, as the next one would be too late.
        let apart = freshness + 60 - u64::try_from(every).expect("positive");
        let most = u64::try_from(LENGTH).expect("positive") / apart + 1;
        assert!(commits <= most, "t{table}: {commits} commits, at most {most}");
    }
}
