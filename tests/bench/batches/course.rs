//! One batch after another through the pipeline, as a warm function takes them, and what each
//! cost.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dmslake::clock::{Clock as _, SystemClock};
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, Status};
use dmslake::storage::Location;
use serde::{Deserialize, Serialize};

use crate::batches::log::LogFolder;
use crate::child::Run;
use crate::hooked_store::{self, Counting, HookedStore, Method, Request, Requests, in_sequence};
use crate::objects::{Format, settings};
use crate::rows;

/// Changes of a batch.
pub(super) const CHANGES: u64 = 20;
/// After so many batches the table is maintained, as by a sweep; what that costs is not counted.
const MAINTAINED: u64 = 50;
/// So many objects stay in staging; older ones expire.
const STAGED: u64 = 100;
const HEAD: &str = "batch,version,milliseconds,without_listing,requests,gets,lists,puts,\
                    bytes_written,files,file_bytes,masked_rows,log_entry_bytes";

/// Small objects of random changes to a table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Course {
    pub(super) folder: PathBuf,
    pub(super) rows: u64,
    pub(super) batches: u64,
    pub(super) merge: String,
    /// Milliseconds that each request takes longer.
    pub(super) delay: u64,
}

impl Course {
    fn staged(&self, name: &str) -> PathBuf {
        self.folder.join("staging/shop/orders").join(name)
    }

    /// A pipeline whose requests are counted, and delayed if asked for.
    async fn pipeline(&self, requests: &Requests) -> Pipeline {
        let staging = self.folder.join("staging");
        let lake = self.folder.join("lake");
        let delay = Duration::from_millis(self.delay);
        let counted = async |folder: &Path| {
            let location = Location::open(folder.to_str().expect("a plain path")).await;
            let location = location.expect("a folder");
            location.map_store(|store| {
                Arc::new(HookedStore::new(store, Counting::new(requests, delay)))
            })
        };
        let settings = Arc::new(settings(&staging, &lake, &self.merge));
        let (staging, lake) = (counted(&staging).await, counted(&lake).await);
        Pipeline::new(settings, staging, lake, Arc::new(SystemClock))
    }

    /// Stages a batch and lets an old one expire. Gives the new one's key.
    fn stage(&self, batch: u64) -> String {
        let object = self.staged(&name(batch));
        let changes = rows::changes(batch, CHANGES, self.rows);
        fs::write(&object, Format::Csv.bytes(&changes)).expect("written");
        if let Some(expired) = batch.checked_sub(STAGED) {
            fs::remove_file(self.staged(&name(expired))).expect("it was staged");
        }
        let path = object.canonicalize().expect("it was staged").display().to_string();
        path.trim_start_matches('/').to_owned()
    }
}

/// Applies batch after batch and writes a line for each. The run's seconds and outcome, requests
/// and round trips in sequence, are the last batch's.
pub(crate) async fn follow(course: &Course, csv: &Path) -> Run {
    let requests = Requests::default();
    let pipeline = course.pipeline(&requests).await;
    let table = pipeline.settings().tables[0].clone();
    fs::create_dir_all(course.staged("")).expect("a folder");
    let load = Format::Parquet.bytes(&rows::loaded(0, course.rows));
    fs::write(course.staged("LOAD00000001.parquet"), load).expect("written");
    let report = pipeline.apply(&table, &Scope::Everything, &Limits::default(), &Silent).await;
    assert!(report.is_caught_up(), "{report:?}");

    let mut log = LogFolder::open(&course.folder.join("lake/shop/orders"));
    log.follow(report.version.expect("a table"));
    let mut file = fs::File::create(csv).expect("a file");
    writeln!(file, "{HEAD}").expect("written");
    let mut last = Run { seconds: 0.0, peak: 0, outcome: Vec::new(), version: 0 };
    for batch in 0..course.batches {
        let scope = Scope::Named(vec![course.stage(batch)]);
        requests.take();
        let begun = SystemClock.instant();
        let report = pipeline.apply(&table, &scope, &Limits::default(), &Silent).await;
        let seconds = begun.elapsed().as_secs_f64();
        assert!(report.is_caught_up() && report.counts.rows == CHANGES, "{report:?}");
        let asked = requests.take();
        let version = report.version.expect("a table");
        let written = log.follow(version);
        writeln!(
            file,
            "{batch},{version},{:.3},{:.3},{},{written},{}",
            seconds * 1e3,
            (seconds - listing(&asked)) * 1e3,
            described(&asked),
            log.described()
        )
        .expect("written");
        if (batch + 1) % MAINTAINED == 0 {
            let report = pipeline.maintain(&table, &Limits::default()).await;
            assert_eq!(report.status, Status::Ok, "{report:?}");
            log.follow(report.version.expect("a table"));
        }
        let outcome = vec![asked.len() as i64, in_sequence(&asked).len() as i64];
        last = Run { seconds, peak: 0, outcome, version };
    }
    last
}

/// Seconds in which a listing was under way. S3 lists from a key on; a folder is read as a whole,
/// so on a file system this grows with the log.
fn listing(requests: &[Request]) -> f64 {
    let lists = requests.iter().filter(|request| request.method == Method::List);
    let mut spans: Vec<_> = lists.filter_map(|list| Some((list.began, list.ended?))).collect();
    spans.sort();
    let mut seconds = 0.0;
    let mut counted = None;
    for (began, ended) in spans {
        let from = counted.map_or(began, |until| began.max(until));
        seconds += ended.saturating_duration_since(from).as_secs_f64();
        counted = counted.max(Some(ended));
    }
    seconds
}

/// Requests in all, GET, LIST, PUT.
fn described(requests: &[Request]) -> String {
    let of = |methods: &[Method]| -> usize {
        methods.iter().map(|method| hooked_store::count(requests, *method)).sum()
    };
    let gets = of(&[Method::Get, Method::Head]);
    let puts = of(&[Method::Put, Method::Post]);
    format!("{},{gets},{},{puts}", requests.len(), of(&[Method::List]))
}

/// A second after the one before.
fn name(batch: u64) -> String {
    let (hours, minutes, seconds) = (batch / 3600, batch / 60 % 60, batch % 60);
    format!("20261103-{hours:02}{minutes:02}{seconds:02}000.csv")
}
