//! What a table costs a month, by how its newest commits went.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dmslake::inspect::Upkeep;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, Status};
use dmslake::table;

use crate::support::clock::StoppedClock;
use crate::support::world::settings;

const ROWS: u32 = 20_000;

/// A table of [`ROWS`] rows, and changes to one of its rows in each minute.
async fn table(home: &Path, minutes: u32, more: &str) -> (Pipeline, Arc<StoppedClock>) {
    let root = home.canonicalize().expect("it exists").display().to_string();
    let text = format!(
        "staging = \"{root}/staging\"\nlake = \"{root}/lake\"\n[[table]]\nsource = \"shop.t\"\n\
         keys = [\"id\"]\n{more}\ncolumns = [{{ name = \"id\", type = \"int\" }}, \
         {{ name = \"note\", type = \"varchar(40)\" }}]\n"
    );
    let staging = home.join("staging/shop/t");
    fs::create_dir_all(&staging).expect("created");
    let load = (0..ROWS).fold(String::new(), |mut text, id| {
        writeln!(text, "{id},note {}", u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15)).unwrap();
        text
    });
    fs::write(staging.join("LOAD00000001.csv"), load).expect("written");
    let clock = StoppedClock::new();
    let pipeline = Pipeline::open(Arc::unwrap_or_clone(settings(&text)), clock.clone());
    let pipeline = pipeline.await.expect("opened");
    for minute in 0..=minutes {
        if minute > 0 {
            let object = staging.join(format!("20240101-{minute:09}.csv"));
            fs::write(object, format!("U,{},new\n", minute * 7)).expect("written");
        }
        clock.pass(Duration::from_mins(1));
        let spec = &pipeline.settings().tables[0];
        let report = pipeline.apply(spec, &Scope::Everything, &Limits::default(), &Silent).await;
        assert_eq!((report.status, report.objects), (Status::Ok, 1), "{report:?}");
        let _ = pipeline.maintain(spec, &Limits::default()).await;
    }
    (pipeline, clock)
}

async fn upkeep(pipeline: &Pipeline) -> Option<Upkeep> {
    let location = pipeline.lake_folder(&pipeline.settings().tables[0].source).expect("a folder");
    let table = table::open(&location, None).await.expect("opened").expect("a table");
    Upkeep::of(&table).await.expect("read")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_longer_freshness_makes_fewer_commits_and_fewer_old_versions() {
    let home = tempfile::tempdir().expect("a folder");
    let (pipeline, _) = table(home.path(), 10, "").await;
    let found = upkeep(&pipeline).await.expect("enough commits");
    let months = found.monthly(1.0);
    // The load tells nothing of what changes cost, and a freshness below the pace saves nothing.
    let pace: Vec<(u64, f64)> =
        months.iter().map(|one| (one.freshness_seconds, one.commits_a_day.round())).collect();
    assert_eq!(pace, [(0, 1440.0), (300, 288.0), (900, 96.0), (3600, 24.0)]);
    let dollars: Vec<f64> = months.iter().map(dmslake::inspect::Monthly::dollars).collect();
    assert!(dollars.is_sorted_by(|one, next| one > next), "{dollars:?}");
    // The file of all rows is replaced by each commit, whatever it takes in.
    let saved = months[0].old_versions_dollars / months[2].old_versions_dollars;
    assert!((14.0..=16.0).contains(&saved), "{saved}");
    // A commit's requests alone: 7 that are dear, 19 that are cheap.
    let requests = 1440.0 * 30.0 * (7.0 * 0.005 + 19.0 * 0.0004) / 1000.0;
    assert!((months[0].work_dollars - requests).abs() < 0.01 * requests, "{months:?}");
    assert_eq!(found.advice(1.0), None, "it is a small table");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_versions_that_are_kept_for_long_are_worth_advice() {
    let home = tempfile::tempdir().expect("a folder");
    let (pipeline, _) = table(home.path(), 7, "retention = \"3650 days\"").await;
    let advice = upkeep(&pipeline).await.expect("enough commits").advice(1.0).expect("advice");
    for told in ["merge = \"deletion-vectors\"", "freshness = \"15m\"", "retention = \"1 day\""] {
        assert!(advice.contains(told), "{advice}");
    }
    assert!(advice.contains("old versions are kept for 9years"), "{advice}");

    let home = tempfile::tempdir().expect("a folder");
    let vectors = "retention = \"3650 days\"\nmerge = \"deletion-vectors\"";
    let (pipeline, _) = table(home.path(), 7, vectors).await;
    assert_eq!(upkeep(&pipeline).await.expect("enough commits").advice(1.0), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn few_commits_tell_nothing() {
    let home = tempfile::tempdir().expect("a folder");
    let (pipeline, _) = table(home.path(), 5, "").await;
    assert!(upkeep(&pipeline).await.is_none());
}
