//! How many requests an application sends, and how many of them wait for one another.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use bytes::Bytes;
use dmslake::clock::SystemClock;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, Status, TableReport};
use dmslake::storage::StoreKind;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::ArrowWriter;

use crate::support::counting_store::{
    CountingStore, Method, Request, Requests, count, in_sequence,
};
use crate::support::world::{in_memory, settings};

/// What each answer takes: long beside everything that is computed between two requests.
const DELAY: Duration = Duration::from_millis(60);

/// Round trips in sequence from the event to the commit and behind it.
const MOST_IN_SEQUENCE: usize = 19;
/// Listings of staging and log.
const MOST_LISTS: usize = 4;

const FORMATS: [&str; 2] = ["csv", "parquet"];
const MODES: [&str; 2] = ["copy-on-write", "deletion-vectors"];

/// `shop.items (id int, name)` with staging and lake in memory, whose requests are counted.
struct Shop {
    format: &'static str,
    staging: Arc<dyn ObjectStore>,
    requests: Requests,
    pipeline: Pipeline,
}

/// Operation, key and name of a change.
type Change = (&'static str, i32, &'static str);

impl Shop {
    fn new(format: &'static str, mode: &str, delay: Duration) -> Self {
        let settings = settings(&format!(
            "staging = \"s3://bucket/dms\"\nlake = \"s3://lake\"\n\
             [dms]\ndata_format = \"{format}\"\n\
             [defaults]\nmerge = \"{mode}\"\n\
             [[table]]\nsource = \"shop.items\"\nkeys = [\"id\"]\ncolumns = [\n\
             {{ name = \"id\", type = \"int\", nullable = false }},\n\
             {{ name = \"name\", type = \"varchar(20)\" }},\n]\n"
        ));
        let requests = Requests::default();
        let staging = in_memory("memory:///bucket/dms", StoreKind::S3);
        let lake = in_memory("memory:///lake", StoreKind::File);
        let unwatched = Arc::clone(staging.store());
        let counting = |store| -> Arc<dyn ObjectStore> {
            Arc::new(CountingStore::new(store, &requests, delay))
        };
        let (staging, lake) = (staging.map_store(counting), lake.map_store(counting));
        let pipeline = Pipeline::new(settings, staging, lake, Arc::new(SystemClock));
        Self { format, staging: unwatched, requests, pipeline }
    }

    /// Stages an object of these changes, and says its key.
    async fn stage(&self, stem: &str, changes: &[Change]) -> String {
        let key = format!("bucket/dms/shop/items/{stem}.{}", self.format);
        let content = if self.format == "csv" { csv(changes) } else { parquet(changes) };
        self.staging.put(&Path::from(key.as_str()), content.into()).await.unwrap();
        key
    }

    async fn apply(&self, scope: &Scope) -> (TableReport, Vec<Request>) {
        self.requests.take();
        let table = &self.pipeline.settings().tables[0];
        let report = self.pipeline.apply(table, scope, &Limits::default(), &Silent).await;
        assert_eq!(report.status, Status::Ok, "{report:?}");
        (report, self.requests.take())
    }

    /// A table of several files, each of a range of keys, at which a first change was applied.
    async fn filled(format: &'static str, mode: &'static str, delay: Duration) -> Self {
        let shop = Self::new(format, mode, delay);
        for (object, first) in [1, 100, 200, 300].into_iter().enumerate() {
            let rows: Vec<Change> = (first..first + 50).map(|id| ("I", id, "loaded")).collect();
            shop.stage(&format!("LOAD0000000{}", object + 1), &rows).await;
            shop.apply(&Scope::Everything).await;
        }
        let first = shop.stage("20240101-000000001", &[("U", 1, "first")]).await;
        shop.apply(&Scope::Named(vec![first])).await;
        shop
    }
}

fn csv(changes: &[Change]) -> Bytes {
    let lines = changes.iter().map(|(op, id, name)| format!("{op},{id},{name}\n"));
    lines.collect::<String>().into()
}

fn parquet(changes: &[Change]) -> Bytes {
    let column = |of: &dyn Fn(&Change) -> &'static str| -> ArrayRef {
        Arc::new(changes.iter().map(|change| Some(of(change))).collect::<StringArray>())
    };
    let ids: ArrayRef = Arc::new(changes.iter().map(|change| change.1).collect::<Int32Array>());
    let columns =
        [("Op", column(&|change| change.0)), ("id", ids), ("name", column(&|change| change.2))];
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warm_application_of_a_small_object_takes_few_round_trips() {
    for format in FORMATS {
        for mode in MODES {
            let shop = Shop::filled(format, mode, DELAY).await;
            let changes = [("U", 110, "x"), ("U", 210, "x"), ("D", 310, "x"), ("I", 900, "x")];
            let named = shop.stage("20240101-000000002", &changes).await;
            let (report, requests) = shop.apply(&Scope::Named(vec![named])).await;
            assert_eq!((report.inserted, report.updated, report.deleted), (1, 2, 1), "{report:?}");
            let timeline = format!("{format}, {mode}: {}", timeline(&requests, DELAY));
            println!("{timeline}");
            assert!(in_sequence(&requests).len() <= MOST_IN_SEQUENCE, "{timeline}");
            assert!(count(&requests, Method::List) <= MOST_LISTS, "{timeline}");
        }
    }
}
