//! How many requests an application sends, and how many of them wait for one another.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use bytes::Bytes;
use deltalake::DeltaTable;
use deltalake::checkpoints::create_checkpoint;
use dmslake::clock::SystemClock;
use dmslake::config::Settings;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, Status, TableReport};
use dmslake::storage::{Location, StoreKind};
use dmslake::table;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::ArrowWriter;
use serde_json::Value;

use crate::support::hooked_store::{
    Counting, HookedStore, Method, Request, Requests, count, in_sequence,
};
use crate::support::world::{in_memory, settings};

/// What each answer takes: long beside everything that is computed between two requests.
const DELAY: Duration = Duration::from_millis(60);

/// Round trips in sequence of an application to a warm table, everything included.
const MOST_IN_SEQUENCE: usize = 10;
/// The same of a new process, or where another one has committed meanwhile.
const MOST_IN_SEQUENCE_COLD: usize = 16;
/// Pages of listings to a warm table: staging, and the log at the start, before the commit and
/// behind it.
const MOST_LISTS: usize = 4;
/// Reads of a warm application that touches three files: log, object, and of each file its
/// footer, its keys, its vector and its row group; and the tombstones of before.
const MOST_GETS: usize = 3 + 3 * 4 + 1;
/// Writes of such an application: data files, vectors, tombstones, commit.
const MOST_PUTS: usize = 3 + 1 + 1 + 1;

const FORMATS: [&str; 2] = ["csv", "parquet"];
const MODES: [&str; 2] = ["copy-on-write", "deletion-vectors"];

/// Operation, key and name of a change.
type Change = (&'static str, i32, &'static str);

/// Changes to rows of three files, and a new row.
const CHANGES: [Change; 4] = [("U", 110, "x"), ("U", 210, "x"), ("D", 310, "x"), ("I", 900, "x")];

/// `shop.items (id int, name)`, a guarded table, with staging and lake in memory, whose requests are counted.
struct Shop {
    format: &'static str,
    settings: Arc<Settings>,
    staging: Location,
    lake: Location,
    requests: Requests,
    pipeline: Pipeline,
}

impl Shop {
    fn new(format: &'static str, mode: &str, on_bad_row: &str) -> Self {
        let settings = settings(&format!(
            "staging = \"s3://bucket/dms\"\nlake = \"s3://lake\"\n\
             [dms]\ndata_format = \"{format}\"\nchange_seq_column = \"seq\"\n\
             [defaults]\nmerge = \"{mode}\"\non_bad_row = \"{on_bad_row}\"\n\
             [[table]]\nsource = \"shop.items\"\nkeys = [\"id\"]\ncolumns = [\n\
             {{ name = \"id\", type = \"int\", nullable = false }},\n\
             {{ name = \"name\", type = \"varchar(20)\" }},\n\
             {{ name = \"seq\", type = \"varchar(35)\" }},\n]\n"
        ));
        let staging = in_memory("memory:///bucket/dms", StoreKind::S3);
        let lake = in_memory("memory:///lake", StoreKind::File);
        let requests = Requests::default();
        let pipeline = process(&settings, &staging, &lake, &requests, Duration::ZERO);
        Self { format, settings, staging, lake, requests, pipeline }
    }

    /// A table of several files, each of a range of keys, at which a first change was applied.
    async fn filled(format: &'static str, mode: &str, on_bad_row: &str) -> Self {
        let mut shop = Self::new(format, mode, on_bad_row);
        for (object, first) in [1, 100, 200, 300].into_iter().enumerate() {
            let rows: Vec<Change> = (first..first + 50).map(|id| ("I", id, "loaded")).collect();
            shop.stage(&format!("LOAD0000000{}", object + 1), &rows).await;
            shop.apply(&Scope::Everything).await;
        }
        shop.stage("20240101-000000001", &[("U", 1, "first")]).await;
        shop.restart(DELAY);
        shop.apply(&Scope::Everything).await;
        shop
    }

    /// A new process.
    fn restart(&mut self, delay: Duration) {
        self.pipeline = self.process(delay);
    }

    fn process(&self, delay: Duration) -> Pipeline {
        process(&self.settings, &self.staging, &self.lake, &self.requests, delay)
    }

    /// Stages an object of these changes, and gives the doorbell that an S3 event rings.
    async fn stage(&self, stem: &str, changes: &[Change]) -> Scope {
        let key = format!("bucket/dms/shop/items/{stem}.{}", self.format);
        let sequences = (0..changes.len()).map(|row| {
            if stem.starts_with("LOAD") { String::new() } else { format!("{stem}-{row}") }
        });
        let sequences: Vec<String> = sequences.collect();
        let encode = if self.format == "csv" { csv } else { parquet };
        let content = encode(changes, &sequences);
        self.staging.store().put(&Path::from(key.as_str()), content.into()).await.unwrap();
        Scope::Named(vec![key])
    }

    async fn apply(&self, scope: &Scope) -> (TableReport, Vec<Request>) {
        self.requests.take();
        let table = &self.pipeline.settings().tables[0];
        let report = self.pipeline.apply(table, scope, &Limits::default(), &Silent).await;
        assert_eq!(report.status, Status::Ok, "{report:?}");
        let requests = self.requests.take();
        let reported = &report.effort.requests;
        let counted = [Method::Get, Method::Head, Method::List, Method::Put]
            .map(|method| count(&requests, method) as u64);
        assert_eq!([reported.get, reported.head, reported.list, reported.put], counted);
        (report, requests)
    }

    /// The table's log, extended by commits of ours without effect up to this version, with a
    /// checkpoint a few commits before it.
    async fn lengthen_log(&self, until: u64) {
        let folder = self.lake.folder(&["shop", "items"]).unwrap();
        let log = folder.prefix().clone().join("_delta_log");
        let path = |version: u64| log.clone().join(format!("{version:020}.json"));
        let opened = table::open(&folder, None).await.unwrap().unwrap();
        let newest = opened.version();
        let entry = folder.store().get(&path(newest)).await.unwrap().bytes().await.unwrap();
        let actions = std::str::from_utf8(&entry).unwrap().lines();
        let kept: Vec<Value> = actions
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|action| action.get("commitInfo").or(action.get("txn")).is_some())
            .collect();
        for (transaction, version) in
            (opened.newest().unwrap().transaction + 1..).zip(newest + 1..=until)
        {
            let with_transaction = |action: &Value| {
                let mut action = action.clone();
                if let Some(txn) = action.get_mut("txn") {
                    txn["version"] = transaction.into();
                }
                action.to_string()
            };
            let lines: Vec<String> = kept.iter().map(with_transaction).collect();
            folder.store().put(&path(version), lines.join("\n").into()).await.unwrap();
        }
        let mut delta = DeltaTable::new(table::log_store(&folder).unwrap());
        delta.load_version(until - 7).await.unwrap();
        create_checkpoint(&delta, None).await.unwrap();
    }
}

/// A process of its own over these places, with counted requests.
fn process(
    settings: &Arc<Settings>,
    staging: &Location,
    lake: &Location,
    requests: &Requests,
    delay: Duration,
) -> Pipeline {
    let counting = |store| -> Arc<dyn ObjectStore> {
        Arc::new(HookedStore::new(store, Counting::new(requests, delay)))
    };
    let (staging, lake) = (staging.clone().map_store(counting), lake.clone().map_store(counting));
    Pipeline::new(Arc::clone(settings), staging, lake, Arc::new(SystemClock))
}

fn csv(changes: &[Change], sequences: &[String]) -> Bytes {
    let lines = changes.iter().zip(sequences);
    let lines = lines.map(|((op, id, name), sequence)| format!("{op},{id},{name},{sequence}\n"));
    lines.collect::<String>().into()
}

fn parquet(changes: &[Change], sequences: &[String]) -> Bytes {
    let column = |of: &dyn Fn(&Change) -> &'static str| -> ArrayRef {
        Arc::new(changes.iter().map(|change| Some(of(change))).collect::<StringArray>())
    };
    let ids: ArrayRef = Arc::new(changes.iter().map(|change| change.1).collect::<Int32Array>());
    let sequences: ArrayRef = Arc::new(sequences.iter().map(Some).collect::<StringArray>());
    let columns = [
        ("Op", column(&|change| change.0)),
        ("id", ids),
        ("name", column(&|change| change.2)),
        ("seq", sequences),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes.into()
}

/// What a request is for.
fn purpose(request: &Request) -> &'static str {
    let path = request.path.as_str();
    let is_log = path.contains("/_delta_log");
    match request.method {
        Method::List if is_log => "which commits are there",
        Method::List => "which objects are staged",
        Method::Get if path.ends_with("_last_checkpoint") => "where the newest checkpoint is",
        Method::Get if path.contains(".checkpoint.") => "a checkpoint",
        Method::Get if path.contains("/_dmslake/state/") => "the state object",
        Method::Get if path.contains("/_dmslake/tombstones/") => "tombstones",
        Method::Put if path.contains("/_dmslake/tombstones/") => "new tombstones",
        Method::Get if is_log => "a commit of the log",
        Method::Put if is_log => "the commit",
        Method::Get if path.starts_with("bucket/dms") => "the staged object",
        Method::Get if path.contains("/deletion_vector_") => "deletion vectors of a file",
        Method::Get => "a data file: footer or columns",
        Method::Put if path.contains("/deletion_vector_") => "new deletion vectors",
        Method::Put => "a new data file",
        Method::Head => "whether it is there",
        Method::Post | Method::Copy | Method::Delete => "not expected here",
    }
}

/// All requests in order, those of the longest chain marked, with the time in answers.
fn timeline(requests: &[Request], delay: Duration) -> String {
    let Some(first) = requests.first() else { return String::new() };
    let chain = in_sequence(requests);
    let lines = requests.iter().map(|request| {
        let is_waited_for = chain.iter().any(|link| std::ptr::eq(*link, request));
        let mark = if is_waited_for { '*' } else { ' ' };
        let at = (request.began - first.began).as_secs_f64() / delay.as_secs_f64();
        format!("{mark} {at:5.2}  {request}  ({})\n", purpose(request))
    });
    format!("{} in sequence\n{}", chain.len(), lines.collect::<String>())
}

/// The requests in order are printed: `cargo test --test main -- round_trips --nocapture`.
fn shown(what: &str, requests: &[Request]) -> String {
    let shown = format!("{what}: {}", timeline(requests, DELAY));
    println!("{shown}");
    shown
}

fn assert_warm_bounds(what: &str, requests: &[Request]) {
    let shown = shown(what, requests);
    assert!(in_sequence(requests).len() <= MOST_IN_SEQUENCE, "{shown}");
    assert!(count(requests, Method::List) <= MOST_LISTS, "{shown}");
    assert!(count(requests, Method::Get) <= MOST_GETS, "{shown}");
    assert!(count(requests, Method::Put) <= MOST_PUTS, "{shown}");
    for method in [Method::Head, Method::Post, Method::Copy, Method::Delete] {
        assert_eq!(count(requests, method), 0, "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warm_application_of_a_small_object_takes_ten_round_trips_at_most() {
    for format in FORMATS {
        for mode in MODES {
            let shop = Shop::filled(format, mode, "stop").await;
            let named = shop.stage("20240101-000000002", &CHANGES).await;
            let (report, requests) = shop.apply(&named).await;
            assert_eq!(
                (report.counts.inserted, report.counts.updated, report.counts.deleted),
                (1, 2, 1),
                "{report:?}"
            );
            assert_warm_bounds(&format!("{format}, {mode}"), &requests);

            // The files were touched before: some of their rows are masked now.
            let again = [("U", 111, "y"), ("U", 211, "y"), ("D", 311, "y")];
            let named = shop.stage("20240101-000000003", &again).await;
            let (report, requests) = shop.apply(&named).await;
            assert_eq!((report.counts.updated, report.counts.deleted), (2, 1), "{report:?}");
            assert_warm_bounds(&format!("{format}, {mode}, again"), &requests);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doorbell_for_nothing_takes_one_round_trip() {
    let shop = Shop::filled("csv", "copy-on-write", "stop").await;
    let rung_again = Scope::Named(vec!["bucket/dms/shop/items/20240101-000000001.csv".into()]);
    let (report, requests) = shop.apply(&rung_again).await;
    assert_eq!(report.objects, 0);
    let shown = shown("nothing is pending", &requests);
    assert_eq!((in_sequence(&requests).len(), requests.len()), (1, 4), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quarantine_in_which_nothing_stands_costs_one_listing() {
    let shop = Shop::filled("csv", "copy-on-write", "quarantine").await;
    let named = shop.stage("20240101-000000002", &CHANGES).await;
    let (_, requests) = shop.apply(&named).await;
    let shown = shown("on_bad_row = quarantine", &requests);
    assert!(in_sequence(&requests).len() <= MOST_IN_SEQUENCE, "{shown}");
    assert!(count(&requests, Method::List) <= MOST_LISTS + 1, "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_of_a_warm_table_takes_no_more_than_a_doorbell() {
    let shop = Shop::filled("csv", "copy-on-write", "stop").await;
    shop.stage("20240101-000000002", &CHANGES).await;
    let (report, requests) = shop.apply(&Scope::Everything).await;
    assert_eq!(report.objects, 1);
    assert_warm_bounds("sweep", &requests);
}

/// Versions up to 500 and to 5,000, with a checkpoint a few commits before the newest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_application_asks_for_does_not_grow_with_the_log() {
    for mode in MODES {
        let mut counts = Vec::new();
        for version in [500, 5_000] {
            let mut shop = Shop::filled("csv", mode, "stop").await;
            shop.lengthen_log(version).await;
            shop.restart(DELAY);
            let named = shop.stage("20240101-000000002", &[("U", 2, "cold")]).await;
            let (_, cold) = shop.apply(&named).await;
            let shown = shown(&format!("{mode}, cold at version {version}"), &cold);
            assert!(in_sequence(&cold).len() <= MOST_IN_SEQUENCE_COLD, "{shown}");

            let named = shop.stage("20240101-000000003", &CHANGES).await;
            let (report, warm) = shop.apply(&named).await;
            assert!(report.version.unwrap() > version);
            assert_warm_bounds(&format!("{mode}, warm at version {version}"), &warm);

            let behind = another_process_came_first(&shop, mode, version).await;
            let methods = [Method::Get, Method::List, Method::Put];
            counts.push([cold, warm, behind].map(|requests| {
                let is_checkpoint = |request: &Request| request.path.contains("checkpoint");
                let written = requests.iter().filter(|it| it.method == Method::Put);
                assert!(!written.clone().any(is_checkpoint), "a commit wrote a checkpoint");
                methods.map(|method| count(&requests, method))
            }));
        }
        assert_eq!(counts[0], counts[1], "{mode}: cold, warm, behind; gets, lists, puts");
    }
}

/// Somebody else has committed since this process did.
async fn another_process_came_first(shop: &Shop, mode: &str, version: u64) -> Vec<Request> {
    shop.stage("20240101-000000004", &[("U", 120, "theirs")]).await;
    let theirs = shop.process(Duration::ZERO);
    let table = &theirs.settings().tables[0];
    let report = theirs.apply(table, &Scope::Everything, &Limits::default(), &Silent).await;
    assert_eq!(report.objects, 1, "{report:?}");
    let named = shop.stage("20240101-000000005", &[("U", 121, "ours")]).await;
    let (report, requests) = shop.apply(&named).await;
    assert_eq!(report.objects, 1, "{report:?}");
    let shown = shown(&format!("{mode}, behind at version {version}"), &requests);
    assert!(in_sequence(&requests).len() <= MOST_IN_SEQUENCE_COLD, "{shown}");
    requests
}
