//! The values of whole runs, in every form, are what the model, the log and the store counted.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use dmslake::config::Emf;
use dmslake::disposition::Status;
use dmslake::error::ErrorKind;
use dmslake::inspect;
use dmslake::metrics::{METRICS, Process, Snapshot, emf, otlp, prometheus};
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, TableReport};
use futures::TryStreamExt as _;
use rand::rngs::StdRng;
use serde_json::Value as Json;

use super::forms::Told;
use super::value;
use crate::support::dms_writer::StagedTable;
use crate::support::judge::Judge;
use crate::support::model::Counts;
use crate::support::property;
use crate::support::table::LakeTable;
use crate::support::world::World;

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

pub(super) fn process() -> Process {
    Process {
        begun: time("2026-03-01T08:00:00Z"),
        now: time("2026-03-01T08:01:00Z"),
        peak_memory_bytes: Some(123_456_789),
        function_gigabytes: Some(2.0),
        pays_for_requests: true,
    }
}

/// What every form tells of a run, by the name of the form.
fn told(snapshot: &Snapshot) -> [(&'static str, Told); 3] {
    let lines = emf::lines(snapshot, Emf::PerTable, "shop", snapshot.tables.len());
    let (by_emf, _) = Told::emf(lines.iter().map(String::as_str), "shop");
    let text = prometheus::render(snapshot, BTreeMap::new());
    let bodies: Vec<Json> =
        otlp::bodies(snapshot).iter().map(|it| it.to_string().parse().unwrap()).collect();
    [("EMF", by_emf), ("Prometheus", Told::prometheus(&text)), ("OTLP", Told::otlp(&bodies))]
}

fn assert_value(snapshot: &Snapshot, name: &str, table: &str, label: Option<&str>, expected: f64) {
    for (form, told) in told(snapshot) {
        let found = value(&told, name, Some(table), label);
        assert!(
            (found - expected).abs() <= 1e-9,
            "{form}: {name} {label:?} of {table}: {found}, not {expected}"
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_tells_what_was_counted() {
    property::check("every_form_tells_what_was_counted", 10, 3, case).await;
}

async fn stage_and_apply(world: &World, table: &StagedTable, pipeline: &Pipeline) -> TableReport {
    for object in &table.objects {
        world.put(table, object).await;
    }
    let (scope, limits) = (Scope::Everything, Limits::default());
    pipeline.apply(world.spec(table), &scope, &limits, &Silent).await
}

async fn case(mut rng: StdRng) {
    let world = World::random(&mut rng, None).await;
    let pipeline = world.pipeline();
    let mut reports = Vec::new();
    let mut expected = Vec::new();
    for table in &world.tables {
        let report = stage_and_apply(&world, table, &pipeline).await;
        assert_eq!(report.status, Status::Ok, "{report:?}");
        let counts = Judge::new(table, &world.staging, &world.lake).audit(table).await;
        expected.push((report.table.clone(), counts, logged(&world, table).await));
        reports.push(report);
    }
    let snapshot = Snapshot::of_run(&reports, &process());
    for (table, counts, log) in &expected {
        for (fate, rows) in [
            ("inserted", counts.inserted),
            ("updated", counts.updated),
            ("deleted", counts.deleted),
            ("superseded", counts.superseded),
            ("ignored", counts.ignored),
            ("quarantined", counts.quarantined),
        ] {
            assert_value(&snapshot, "rows", table, Some(fate), float(rows));
        }
        assert_value(&snapshot, "in_quarantine_rows", table, None, float(counts.quarantined));
        assert_value(&snapshot, "commits", table, None, float(log.commits));
        assert_value(&snapshot, "objects", table, None, float(log.objects));
        assert_value(&snapshot, "touched_files", table, None, float(log.files));
        for none in
            ["pending_objects", "pending_bytes", "behind_seconds", "held_tables", "conflicts"]
        {
            assert_value(&snapshot, none, table, None, 0.0);
        }
    }
    the_totals_add_up(&snapshot, &expected);
    what_was_staged_was_read_and_what_is_there_was_written(&world, &reports).await;
    for report in &reports {
        let phases: f64 = report.effort.phases.each().iter().map(|(_, seconds)| seconds).sum();
        assert!(phases <= report.seconds, "{phases} s of {} s", report.seconds);
        assert!(report.effort.phases.look > 0.0, "{report:?}");
    }
}

/// What the log of a table says of the commits that took in objects.
struct Logged {
    commits: u64,
    objects: u64,
    files: u64,
}

async fn logged(world: &World, table: &StagedTable) -> Logged {
    let folders = [&*table.history.schema, &*table.history.table];
    let folders = folders.map(dmslake::storage::encode_segment);
    let log = LakeTable::at(&world.lake, &[&folders[0], &folders[1]]).log().await;
    let mut logged = Logged { commits: 0, objects: 0, files: 0 };
    for commit in &log {
        let Some(entry) = commit.entry().filter(|entry| !entry.objects.is_empty()) else {
            continue;
        };
        logged.commits += 1;
        logged.objects += entry.objects.iter().filter(|it| it.done.is_none()).count() as u64;
        let paths: BTreeSet<&str> = ["add", "remove"]
            .into_iter()
            .flat_map(|kind| commit.actions(kind))
            .map(|action| action["path"].as_str().unwrap())
            .collect();
        logged.files += paths.len() as u64;
    }
    logged
}

fn the_totals_add_up(snapshot: &Snapshot, expected: &[(String, Counts, Logged)]) {
    let lines = emf::lines(snapshot, Emf::Total, "shop", expected.len());
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    let (told, metrics) = Told::emf([line.as_str()], "shop");
    let inserted = expected.iter().map(|(_, counts, _)| counts.inserted).sum();
    let commits = expected.iter().map(|(_, _, log)| log.commits).sum();
    assert!((value(&told, "rows", None, Some("inserted")) - float(inserted)).abs() < 1e-9);
    assert!((value(&told, "commits", None, None) - float(commits)).abs() < 1e-9);
    assert!((value(&told, "peak_memory_bytes", None, None) - 123_456_789.0).abs() < 1e-9);
    assert_eq!(metrics.contains("RowsInserted"), inserted > 0, "counters of 0 are not paid for");
    assert!(metrics.contains("PendingObjects") && !metrics.contains("RequestsGet"));
    assert!(emf::lines(snapshot, Emf::Off, "shop", 1).is_empty());
    let lines = emf::lines(snapshot, Emf::Alarms, "shop", expected.len());
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    let (all, metrics) = Told::emf([line.as_str()], "shop");
    let alarming = ["FailedTables", "HeldTables", "OldestPendingSeconds"].map(str::to_owned);
    assert_eq!(metrics, alarming.into());
    assert!((value(&all, "commits", None, None) - float(commits)).abs() < 1e-9);
}

/// Of all tables together, since memory is one store each.
async fn what_was_staged_was_read_and_what_is_there_was_written(
    world: &World,
    reports: &[TableReport],
) {
    let stored = |location: &dmslake::storage::Location| {
        let store = std::sync::Arc::clone(location.store());
        async move {
            let objects: Vec<object_store::ObjectMeta> =
                store.list(None).try_collect().await.unwrap();
            objects.iter().map(|object| object.size).sum::<u64>()
        }
    };
    let read: u64 = reports.iter().map(|report| report.effort.bytes.read).sum();
    let written: u64 = reports.iter().map(|report| report.effort.bytes.written).sum();
    assert!(read >= stored(&world.staging).await, "{read} bytes read");
    assert!(written >= stored(&world.lake).await, "{written} bytes written");
}

/// A report that says this of a table.
fn report(table: usize, pending: u64, behind: u64) -> TableReport {
    let mut report = TableReport {
        table: format!("shop.t{table:03}"),
        pending,
        oldest_pending_seconds: behind,
        ..TableReport::default()
    };
    report.lag.behind_seconds = Some(behind);
    report
}

#[test]
fn gauges_of_tables_become_one_and_costs_follow_the_prices() {
    let mut held = report(1, 2, 30);
    (held.status, held.error_kind) = (Status::Held, Some(ErrorKind::LateObject));
    held.held_since = Some(process().now - TimeDelta::seconds(90));
    let mut waits = report(2, 3, 70);
    (waits.status, waits.error_kind) = (Status::Held, Some(ErrorKind::Paused));
    let mut failed = report(3, 0, 0);
    (failed.status, failed.error_kind) = (Status::Failed, Some(ErrorKind::Unavailable));
    (failed.seconds, failed.effort.requests.put, failed.effort.requests.get) = (10.0, 2000, 5000);
    let mut not_begun = report(4, 9, 900);
    (not_begun.status, not_begun.not_begun) = (Status::Failed, true);
    let reports = [held, waits, failed, not_begun];
    let snapshot = Snapshot::of_run(&reports, &process());
    let lines = emf::lines(&snapshot, Emf::PerTable, "shop", 4);
    assert_eq!(lines.len(), 4, "the total and three tables");
    let (told, _) = Told::emf(lines.iter().map(String::as_str), "shop");
    // 2000 × 0.005 / 1000 + 5000 × 0.0004 / 1000 + 10 s × 2 GB × 0.0000133334
    let cost = 0.01 + 0.002 + 0.000_266_668;
    for (name, expected) in [
        ("pending_objects", 5.0),
        ("behind_seconds", 70.0),
        ("oldest_pending_seconds", 70.0),
        ("held_tables", 1.0),
        ("held_seconds", 90.0),
        ("failed_tables", 1.0),
        ("run_seconds", 10.0),
        ("estimated_usd", cost),
    ] {
        let found = value(&told, name, None, None);
        assert!((found - expected).abs() < 1e-12, "{name}: {found}, not {expected}");
    }
    let on_a_disk = Process { pays_for_requests: false, function_gigabytes: None, ..process() };
    let total = Snapshot::of_run(&reports, &on_a_disk).total();
    assert_eq!(total.value("estimated_usd", None), Some(0.0));
}

#[test]
fn of_many_tables_only_the_worst_have_metrics_of_their_own() {
    let all: Vec<TableReport> = (0..=emf::MOST_TABLES).map(|it| report(it, 1, it as u64)).collect();
    let lines = |reports: &[TableReport], configured| {
        let snapshot = Snapshot::of_run(reports, &process());
        emf::lines(&snapshot, Emf::PerTable, "shop", configured)
    };
    let few = &all[..emf::MOST_TABLES];
    assert_eq!(lines(few, few.len()).len(), 1 + emf::MOST_TABLES);
    let mut many = all.clone();
    many[7].status = Status::Failed;
    many[5].status = Status::Held;
    let bounded = lines(&many, many.len());
    let tables: Vec<String> = bounded[1..]
        .iter()
        .map(|line| {
            serde_json::from_str::<Json>(line).unwrap()["Table"].as_str().unwrap().to_owned()
        })
        .collect();
    let expected = [7, 5, 100, 99, 98, 97, 96, 95, 94, 93].map(|it| format!("shop.t{it:03}"));
    assert_eq!(tables, expected);
    let (told, _) = Told::emf(bounded.iter().map(String::as_str), "shop");
    assert!(
        (value(&told, "pending_objects", None, None) - 101.0).abs() < 1e-9,
        "all are in the total"
    );
    // One table of many configured ones at a time would come to all of them.
    assert_eq!(lines(&all[..1], 5000).len(), 2);
    assert!(lines(&[], 5).is_empty(), "an invocation without tables tells nothing");
}

#[test]
fn a_collector_gets_thousands_of_tables_in_parts() {
    let all: Vec<TableReport> = (0..450).map(|it| report(it, 1, it as u64)).collect();
    let bodies = otlp::bodies(&Snapshot::of_run(&all, &process()));
    assert_eq!(bodies.len(), 3);
    let told = Told::otlp(&bodies);
    let tables = told.values.iter().filter(|((name, ..), _)| name == "pending_objects").count();
    assert_eq!(tables, 450);
    for body in &bodies {
        assert!(body.to_string().len() < 2 << 20, "{} bytes", body.to_string().len());
    }
}

#[test]
fn names_with_any_sign_survive_every_form() {
    let name = "shop.a \"b\\c\n{d},=ü";
    let report = TableReport { table: name.to_owned(), pending: 7, ..TableReport::default() };
    let snapshot = Snapshot::of_run(&[report], &process());
    assert_value(&snapshot, "pending_objects", name, None, 7.0);
}

/// A look tells the gauges of a run that has just ended, and no counter.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_tells_what_the_run_before_it_told() {
    property::check("a_look_tells_what_the_run_before_it_told", 5, 2, |mut rng| async move {
        let world = World::random(&mut rng, None).await;
        let pipeline = world.pipeline();
        for table in &world.tables {
            let report = stage_and_apply(&world, table, &pipeline).await;
            let status = inspect::status(&pipeline, world.spec(table)).await;
            let run = Snapshot::of_run(&[report], &process());
            let look = Snapshot::of_look(&[status], &process());
            let gauges = |snapshot: &Snapshot| {
                let values = snapshot.total().values;
                let gauges = values.into_iter().filter(|(it, _)| !it.metric.is_counter());
                gauges.map(|(series, value)| (series.metric.name, value)).collect::<Vec<_>>()
            };
            assert_eq!(gauges(&run), gauges(&look));
            let counters = METRICS.iter().filter(|it| it.is_counter());
            assert!(counters.into_iter().all(|it| look.total().value(it.name, None).is_none()));
        }
    })
    .await;
}
