//! A large table with many versions: the life of a row that changed, and of one that did not; and
//! whether the table is what is staged, and what MySQL has.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dmslake::clock::{Clock as _, SystemClock};
use dmslake::config::Settings;
use dmslake::inspect;
use dmslake::inspect::verify::{self, MySqlRequest, Unobserved, Verdict, Verification};
use dmslake::pipeline::{Limits, Scope, Silent};

use super::source::Source;
use super::{DELAY, PART, pipeline};
use crate::hooked_store::{Requests, in_sequence};
use crate::objects::{DELETION_VECTORS, Format, number, settings};
use crate::report::{Aim, Report, Wanted, count};
use crate::rows;

const ROWS: u64 = 10_000_000;
const VERSIONS: u64 = 5_000;
/// Changes of each of them.
const CHANGES: u64 = 20;
/// Requests for a life beside those for commits, and for files that came after the row went.
const MOST_REQUESTS: u64 = 200;
/// Rows of an object of the load.
const OBJECT: u64 = 1_000_000;

pub(super) async fn measure(folder: &Path, report: &mut Report) {
    let loaded = number("DMSLAKE_BENCH_ROWS").map_or(ROWS, |rows| rows * 10);
    let versions = number("DMSLAKE_BENCH_BATCHES").unwrap_or(VERSIONS);
    let settings =
        Arc::new(settings(&folder.join("staging"), &folder.join("lake"), DELETION_VECTORS));
    Box::pin(build(folder, &settings, loaded, versions)).await;
    let keys = Keys::of(loaded, versions);
    // Any file that came after it went may have brought a row back.
    let lives = [
        ("a row that changed", keys.changed, 0),
        ("a row that went", keys.gone, versions - keys.gone_in),
        ("a row", keys.idle, 0),
    ];
    for (what, key, files) in lives {
        let what = format!("{what} of {} in {} versions", count(loaded), count(versions + 1));
        Box::pin(life(&settings, &what, key, MOST_REQUESTS + files, report)).await;
    }
    let staged = verified(&settings, None).await;
    report.line(
        &format!("verify {} rows against what is staged", count(staged.lake_rows)),
        &format!("{:.0} k rows/s", staged.lake_rows as f64 / staged.seconds / 1e3),
        "",
        &format!("{:.1} s for both sides", staged.seconds),
        PART,
    );
    let Some(source) = Source::start(folder).await else { return };
    source.load(loaded, OBJECT).await;
    source.change((0..versions).flat_map(|version| rows::changes(version, CHANGES, loaded))).await;
    let compared = verified(&settings, Some(source.url())).await;
    let rate = |rate: Option<f64>| format!("{:.0} k rows/s", rate.expect("rows") / 1e3);
    report.line(
        &format!("verify {} rows against MariaDB", count(compared.lake_rows)),
        &rate(compared.source_rows_per_second),
        "",
        &format!(
            "of the source, one connection; {} of the lake; {:.1} s in all",
            rate(compared.lake_rows_per_second),
            compared.seconds
        ),
        PART,
    );
}

/// Rows whose lives are told.
struct Keys {
    /// One whose last change is an update in the middle of the versions.
    changed: i64,
    /// One that was deleted then and stayed away.
    gone: i64,
    /// The object that deleted it.
    gone_in: u64,
    /// One that no change is about.
    idle: i64,
}

impl Keys {
    fn of(loaded: u64, versions: u64) -> Self {
        let mut last: BTreeMap<i64, (u64, &str)> = BTreeMap::new();
        for version in 0..versions {
            let changes = rows::changes(version, CHANGES, loaded).into_iter();
            last.extend(changes.map(|row| (row.id, (version, row.op.expect("a change")))));
        }
        let middle = |wanted: &str| {
            let of_that = last.iter().filter(|(_, (_, op))| *op == wanted);
            let nearest = of_that.min_by_key(|(_, (version, _))| version.abs_diff(versions / 2));
            nearest.map(|(key, (version, _))| (*key, *version)).expect("one")
        };
        let (changed, (gone, gone_in)) = (middle("U").0, middle("D"));
        let rows = rows::loaded(0, OBJECT.min(loaded)).into_iter();
        let idle = rows.map(|row| row.id).find(|id| !last.contains_key(id)).expect("one");
        Self { changed, gone, gone_in, idle }
    }
}

/// Stages and applies a load and many small objects.
async fn build(folder: &Path, settings: &Arc<Settings>, loaded: u64, versions: u64) {
    let staged = folder.join("staging/shop/orders");
    fs::create_dir_all(&staged).expect("a folder");
    for (at, first) in (0..loaded).step_by(OBJECT as usize).enumerate() {
        let rows = rows::loaded(first, OBJECT.min(loaded - first));
        let name = format!("LOAD{:08X}.parquet", at + 1);
        fs::write(staged.join(name), Format::Parquet.bytes(&rows)).expect("written");
    }
    let (pipeline, limits) = (pipeline(settings, None).await, Limits::default());
    for version in 0..=versions {
        let applied =
            pipeline.apply(&settings.tables[0], &Scope::Everything, &limits, &Silent).await;
        assert!(applied.is_caught_up(), "{applied:?}");
        if version == versions {
            break;
        }
        let changes = rows::changes(version, CHANGES, loaded);
        let seconds = version + 1;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let name = format!("20261103-{hours:02}{minutes:02}{:02}000.parquet", seconds % 60);
        fs::write(staged.join(name), Format::Parquet.bytes(&changes)).expect("written");
    }
}

async fn life(settings: &Arc<Settings>, what: &str, key: i64, most: u64, report: &mut Report) {
    let requests = Requests::default();
    let cold = pipeline(settings, Some(&requests)).await;
    let begun = SystemClock.instant();
    let told = Box::pin(inspect::why(&cold, &settings.tables[0], &key.to_string(), None)).await;
    let seconds = begun.elapsed().as_secs_f64();
    let told = told.unwrap_or_else(|error| panic!("{}", error.chain())).expect("a table");
    assert!(told.gaps.is_empty() && !told.events.is_empty(), "{told:?}");
    let asked = requests.take();
    report.line(
        &format!("why, {what}"),
        &format!("{seconds:.2} s"),
        "",
        &format!(
            "{} ms more per request; {} requests, {} in sequence; {} commits, {} data files, {} \
             staged objects",
            DELAY.as_millis(),
            asked.len(),
            in_sequence(&asked).len(),
            told.read.commits,
            told.read.data_files,
            told.read.objects,
        ),
        PART,
    );
    report.aim(&Aim {
        what: format!("why, {what}: requests beside one for each commit"),
        wanted: Wanted::AtMost(most as f64),
        found: asked.len() as f64 - told.read.commits as f64,
    });
}

async fn verified(settings: &Arc<Settings>, url: Option<String>) -> Verification {
    let mysql = url.map(|url| MySqlRequest {
        url,
        rows_per_second: None,
        wait: Duration::ZERO,
        applies: false,
        resume: None,
    });
    let request = verify::Request { at_object: None, limit: 10, mysql };
    let (pipeline, limits) = (pipeline(settings, None).await, Limits::default());
    let found =
        Box::pin(verify::verify(&pipeline, &settings.tables[0], &request, &limits, &Unobserved));
    let found = found.await.unwrap_or_else(|error| panic!("{}", error.chain()));
    assert_eq!(found.verdict, Verdict::Equal, "{found:?}");
    found
}
