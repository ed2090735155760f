//! The commands that look: the status of many tables where each request takes a while, and the life
//! of a row in a long history.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dmslake::clock::{Clock as _, SystemClock};
use dmslake::config::{Settings, load};
use dmslake::inspect::verify::{self, Unobserved, Verdict};
use dmslake::inspect::{self, State};
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent};
use dmslake::storage::Location;
use futures::{StreamExt as _, stream};
use tokio::runtime::Runtime;

use crate::hooked_store::{Counting, HookedStore, Requests, in_sequence};
use crate::objects::{DELETION_VECTORS, Format, number, settings};
use crate::report::{Aim, Report, Wanted, count};
use crate::rows;

const PART: &str = "looking";
const TABLES: usize = 300;
/// What each request takes longer.
const DELAY: Duration = Duration::from_millis(30);
/// Tables that are looked at side by side, as the command line does.
const AT_ONCE: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");
/// Commits of each table.
const COMMITS: u64 = 12;
const ROWS: u64 = 10_000_000;
const VERSIONS: u64 = 5_000;
/// Changes of each of them.
const CHANGES: u64 = 20;
/// Rows of an object of the load.
const OBJECT: u64 = 1_000_000;

pub(crate) fn measure(folder: &Path, report: &mut Report) {
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        Box::pin(status(&folder.join("status"), report)).await;
        Box::pin(life(&folder.join("life"), report)).await;
    });
}

/// Tables with some commits and one pending object each.
async fn status(folder: &Path, report: &mut Report) {
    let names: Vec<String> = (0..TABLES).map(|at| format!("t{at:03}")).collect();
    let settings = Arc::new(settings_of(folder, &names));
    let put = |table: &str, name: &str, rows: &[rows::Row]| {
        let object = folder.join("staging/shop").join(table).join(name);
        fs::create_dir_all(object.parent().expect("a folder")).expect("created");
        fs::write(object, Format::Csv.bytes(rows)).expect("written");
    };
    let pipeline = pipeline(&settings, None).await;
    for (table, spec) in names.iter().zip(&settings.tables) {
        put(table, "LOAD00000001.csv", &rows::loaded(0, 50));
        for commit in 0..=COMMITS {
            let limits = Limits::default();
            let applied = pipeline.apply(spec, &Scope::Everything, &limits, &Silent).await;
            assert!(applied.is_caught_up(), "{applied:?}");
            let name = format!("20261103-1000{:05}.csv", commit * 1000);
            put(table, &name, &rows::changes(commit, 5, 50));
        }
    }
    let requests = Requests::default();
    let cold = self::pipeline(&settings, Some(&requests)).await;
    let begun = SystemClock.instant();
    let looks = settings.tables.iter().map(|spec| inspect::status(&cold, spec));
    let seen: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE.get()).collect().await;
    let seconds = begun.elapsed().as_secs_f64();
    let behind = seen.iter().filter(|status| status.state == State::Behind);
    assert_eq!(behind.filter(|status| status.pending.objects == 1).count(), TABLES);
    let asked = requests.take();
    report.line(
        &format!("status of {TABLES} tables, {} ms more per request", DELAY.as_millis()),
        &format!("{seconds:.2} s"),
        "",
        &format!("cold, {} requests", asked.len()),
        PART,
    );
    report.aim(&Aim {
        what: format!(
            "status of {TABLES} tables, {} ms a request, cold: seconds",
            DELAY.as_millis()
        ),
        wanted: Wanted::AtMost(3.0),
        found: seconds,
    });
}

/// A large table with many versions: the life of a row that changed, and of one that did not; and
/// whether the table is what is staged.
async fn life(folder: &Path, report: &mut Report) {
    let loaded = number("DMSLAKE_BENCH_ROWS").map_or(ROWS, |rows| rows * 10);
    let versions = number("DMSLAKE_BENCH_BATCHES").unwrap_or(VERSIONS);
    let staged = folder.join("staging/shop/orders");
    fs::create_dir_all(&staged).expect("a folder");
    for (at, first) in (0..loaded).step_by(OBJECT as usize).enumerate() {
        let rows = rows::loaded(first, OBJECT.min(loaded - first));
        let name = format!("LOAD{:08X}.parquet", at + 1);
        fs::write(staged.join(name), Format::Parquet.bytes(&rows)).expect("written");
    }
    let settings = settings(&folder.join("staging"), &folder.join("lake"), DELETION_VECTORS);
    let settings = Arc::new(settings);
    let pipeline = pipeline(&settings, None).await;
    let spec = &settings.tables[0];
    let limits = Limits::default();
    let mut touched = None;
    for version in 0..=versions {
        let applied = pipeline.apply(spec, &Scope::Everything, &limits, &Silent).await;
        assert!(applied.is_caught_up(), "{applied:?}");
        let changes = rows::changes(version, CHANGES, loaded);
        let updated = changes.iter().find(|row| row.op == Some("U")).map(|row| row.id);
        touched = if version == versions / 2 { updated } else { touched };
        if version < versions {
            let seconds = version + 1;
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            let name = format!("20261103-{hours:02}{minutes:02}{:02}000.parquet", seconds % 60);
            fs::write(staged.join(name), Format::Parquet.bytes(&changes)).expect("written");
        }
    }
    let idle = rows::loaded(0, 1)[0].id;
    for (what, key) in [("a row that changed", touched.expect("a change")), ("any row", idle)] {
        let requests = Requests::default();
        let cold = self::pipeline(&settings, Some(&requests)).await;
        let begun = SystemClock.instant();
        let told = Box::pin(inspect::why(&cold, spec, &key.to_string(), None)).await;
        let seconds = begun.elapsed().as_secs_f64();
        let told = told.unwrap_or_else(|error| panic!("{}", error.chain())).expect("a table");
        assert!(told.row.is_some() && !told.events.is_empty(), "{told:?}");
        let asked = requests.take();
        let beside = asked.len() as f64 - told.read.commits as f64;
        report.line(
            &format!("why, {what} of {} in {} versions", count(loaded), count(versions + 1)),
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
            wanted: Wanted::AtMost(200.0),
            found: beside,
        });
    }
    let begun = SystemClock.instant();
    let request = verify::Request { at_object: None, limit: 10, mysql: None };
    let verified = Box::pin(verify::verify(&pipeline, spec, &request, &limits, &Unobserved)).await;
    let seconds = begun.elapsed().as_secs_f64();
    let verified = verified.unwrap_or_else(|error| panic!("{}", error.chain()));
    assert_eq!(verified.verdict, Verdict::Equal, "{verified:?}");
    let rate = verified.lake_rows as f64 / seconds / 1e3;
    report.line(
        &format!("verify {} rows against what is staged", count(verified.lake_rows)),
        &format!("{rate:.0} k rows/s"),
        "",
        &format!("{seconds:.1} s for both sides"),
        PART,
    );
}

async fn pipeline(settings: &Arc<Settings>, slow: Option<&Requests>) -> Pipeline {
    let open = async |folder: &str| {
        let location = Location::open(folder).await.expect("a folder");
        match slow {
            None => location,
            Some(requests) => location.map_store(|store| {
                Arc::new(HookedStore::new(store, Counting::new(requests, DELAY)))
            }),
        }
    };
    let (staging, lake) = (open(&settings.staging).await, open(&settings.lake).await);
    Pipeline::new(Arc::clone(settings), staging, lake, Arc::new(SystemClock))
}

/// The settings of these tables, all with the columns of `shop.orders`.
fn settings_of(folder: &Path, names: &[String]) -> Settings {
    let (staging, lake) = (folder.join("staging"), folder.join("lake"));
    let text = crate::objects::settings_text(&staging, &lake, DELETION_VECTORS);
    let (head, table) = text.split_once("[[table]]").expect("one table");
    let each = names
        .iter()
        .map(|name| format!("[[table]]{}", table.replace("shop.orders", &format!("shop.{name}"))));
    let text = format!("{head}{}", each.collect::<Vec<_>>().join("\n"));
    load::parse(&text).unwrap_or_else(|error| panic!("{}", error.chain()))
}
