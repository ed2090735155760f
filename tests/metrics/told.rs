//! The real binaries write and send what they measured.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use dmslake::clock::{Clock as _, SystemClock};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::forms::Told;
use super::{Values, value};
use crate::support::collector::Collector;
use crate::support::runtime_api::{Function, Outcome, Request};

const ORDERS: &str = "shop.orders";

/// `shop.orders (id int, name)` in a folder, with this section of the configuration.
fn shop(section: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().display();
    let text = format!(
        "staging = \"{folder}/staging\"\nlake = \"{folder}/lake\"\n{section}\n[[table]]\n\
         source = \"shop.orders\"\nkeys = [\"id\"]\ncolumns = [\n\
         {{ name = \"id\", type = \"int\" }},\n{{ name = \"name\", type = \"varchar(9)\" }},\n]\n"
    );
    fs::write(home.path().join("dmslake.toml"), text).unwrap();
    home
}

fn stage(home: &Path, name: &str, rows: &str) {
    let folder = home.join("staging/shop/orders");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), rows).unwrap();
}

fn dmslake(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dmslake"))
        .args(arguments)
        .current_dir(home)
        .env_remove("RUST_LOG")
        .env_remove("OTEL_EXPORTER_OTLP_HEADERS")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn file(home: &Path) -> Told {
    Told::prometheus(&fs::read_to_string(home.join("metrics.prom")).unwrap())
}

fn rows(told: &Told, fate: &str) -> f64 {
    value(told, "rows", Some(ORDERS), Some(fate))
}

#[track_caller]
fn same(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
}

#[test]
fn counters_in_a_file_go_on_from_run_to_run() {
    let home = shop("");
    let home = home.path();
    let apply = ["apply", "--metrics-file", "metrics.prom"];
    stage(home, "LOAD00000001.csv", "1,a\n2,b\n");
    assert!(dmslake(home, &apply, &[]).status.success());
    let told = file(home);
    same(rows(&told, "inserted"), 2.0);
    same(value(&told, "commits", Some(ORDERS), None), 1.0);
    same(value(&told, "pending_objects", Some(ORDERS), None), 0.0);
    assert!(value(&told, "peak_memory_bytes", None, None) > 1e6);
    same(value(&told, "estimated_usd", Some(ORDERS), None), 0.0);

    stage(home, "20240305-100000000.csv", "U,1,c\nI,3,d\nD,2,\n");
    let report = dmslake(home, &[&apply[..], &["--json"]].concat(), &[]);
    let report = String::from_utf8(report.stdout).unwrap();
    let report: Json = serde_json::from_str(report.lines().next().unwrap()).unwrap();
    let told = file(home);
    for (fate, count) in [("inserted", 3.0), ("updated", 1.0), ("deleted", 1.0), ("ignored", 0.0)] {
        same(rows(&told, fate), count);
    }
    same(value(&told, "objects", Some(ORDERS), None), 2.0);
    let gets = value(&told, "requests", Some(ORDERS), Some("get"));
    assert!(gets > report["requests"]["get"].as_f64().unwrap(), "{gets} of both runs");

    // A look has gauges and leaves the counters.
    stage(home, "20240305-110000000.csv", "I,4,e\n");
    let status = dmslake(home, &["status", "--metrics-file", "metrics.prom"], &[]);
    assert_eq!(status.status.code(), Some(1), "an object waits: {}", said(&status));
    let looked = file(home);
    same(value(&looked, "pending_objects", Some(ORDERS), None), 1.0);
    same(value(&looked, "pending_bytes", Some(ORDERS), None), 6.0);
    let counters = |told: &Told| -> Values {
        let of_counters = |(name, ..): &(String, _, _)| {
            ["rows", "objects", "requests", "commits", "read_bytes"].contains(&name.as_str())
        };
        told.values.clone().into_iter().filter(|(series, _)| of_counters(series)).collect()
    };
    assert_eq!(counters(&looked), counters(&told));
    let names = fs::read_dir(home).unwrap().map(|it| it.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().ends_with(".tmp")));
}

#[test]
fn a_file_that_is_no_metrics_file_is_left() {
    let home = shop("");
    let home = home.path();
    stage(home, "LOAD00000001.csv", "1,a\n");
    let foreign = "# my notes\nbuy milk\n";
    fs::write(home.join("metrics.prom"), foreign).unwrap();
    let apply = ["apply", "--metrics-file", "metrics.prom"];
    let refused = dmslake(home, &apply, &[]);
    assert_eq!(refused.status.code(), Some(1));
    let told = said(&refused);
    assert!(told.contains("remove this one") && told.contains("metrics.prom"), "{told}");
    assert_eq!(fs::read_to_string(home.join("metrics.prom")).unwrap(), foreign);
    // The remedy.
    fs::remove_file(home.join("metrics.prom")).unwrap();
    let applied = dmslake(home, &apply, &[]);
    assert!(applied.status.success(), "{}", said(&applied));
    same(rows(&file(home), "inserted"), 0.0);

    let nowhere = dmslake(home, &["apply", "--metrics-file", "none/metrics.prom"], &[]);
    assert_eq!(nowhere.status.code(), Some(1), "{}", said(&nowhere));
}

#[test]
fn a_collector_gets_what_a_run_did() {
    let collector = Collector::start(Some("200 OK"));
    let home = shop(&format!("[metrics]\notlp = \"{}\"", collector.endpoint));
    let home = home.path();
    stage(home, "LOAD00000001.csv", "1,a\n2,b\n");
    let headers = [("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s%3Dcret, x-shop=one")];
    let applied = dmslake(home, &["apply"], &headers);
    assert!(applied.status.success() && said(&applied).is_empty(), "{}", said(&applied));
    let requests = collector.requests();
    let [request] = requests.as_slice() else { panic!("{} requests", requests.len()) };
    assert_eq!((&*request.method, &*request.path), ("POST", "/v1/metrics"));
    let header = |name: &str| {
        let found = request.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!((header("api-key"), header("x-shop")), (Some("s=cret"), Some("one")));
    let told = Told::otlp([&request.json()]);
    same(rows(&told, "inserted"), 2.0);
    same(value(&told, "objects", Some(ORDERS), None), 1.0);
    assert!(value(&told, "peak_memory_bytes", None, None) > 1e6);
}

#[test]
fn headers_that_cannot_be_read_are_told_and_fail_nothing() {
    let collector = Collector::start(Some("200 OK"));
    let home = shop(&format!("[metrics]\notlp = \"{}\"", collector.endpoint));
    let home = home.path();
    stage(home, "LOAD00000001.csv", "1,a\n");
    let wrong = [("OTEL_EXPORTER_OTLP_HEADERS", "secret")];
    let applied = dmslake(home, &["apply"], &wrong);
    let told = said(&applied);
    assert!(applied.status.success(), "{told}");
    assert!(told.contains("name=value,name=value, percent-encoded"), "{told}");
    assert!(!told.contains("secret"), "{told}");
    // The remedy.
    let right = [("OTEL_EXPORTER_OTLP_HEADERS", "key=secret")];
    let applied = dmslake(home, &["apply"], &right);
    assert!(said(&applied).is_empty(), "{}", said(&applied));
    assert_eq!(collector.requests().len(), 1);
}

#[test]
fn a_collector_that_refuses_or_is_not_there_fails_nothing() {
    let refusing = Collector::start(Some("500 Internal Server Error"));
    for address in [&*refusing.endpoint, "http://127.0.0.1:1"] {
        let home = shop(&format!("[metrics]\notlp = \"{address}\""));
        stage(home.path(), "LOAD00000001.csv", "1,a\n");
        let applied = dmslake(home.path(), &["apply"], &[]);
        assert!(applied.status.success(), "{}", said(&applied));
        assert!(said(&applied).contains("metrics are not sent"), "{}", said(&applied));
    }
}

/// The lines of metrics, once there are so many.
fn emf_lines(function: &Function, at_least: usize) -> Vec<String> {
    let start: Instant = SystemClock.instant();
    loop {
        let mut lines = function.log();
        lines.retain(|line| line.contains("\"_aws\":"));
        if lines.len() >= at_least || start.elapsed() > Duration::from_secs(10) {
            return lines;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn sweep(function: &mut Function) -> Json {
    match function.invoke(&json!({ "sweep": true }), Duration::from_mins(1)) {
        Outcome::Response(summary) => summary,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_function_tells_cloudwatch_and_a_collector() {
    let collector = Collector::start(Some("200 OK"));
    let home = shop(&format!(
        "[metrics]\nemf = \"per-table\"\nnamespace = \"lake\"\notlp = \"{}\"",
        collector.endpoint
    ));
    let home = home.path();
    stage(home, "LOAD00000001.csv", "1,a\n2,b\n");
    let configuration = home.join("dmslake.toml").display().to_string();
    let mut function = Function::start(&configuration, &[]);
    let summary = sweep(&mut function);
    let lines = emf_lines(&function, 2);
    let (told, metrics) = Told::emf(lines.iter().map(String::as_str), "lake");
    assert_eq!(lines.len(), 2, "{lines:?}");
    let report = &summary["tables"][0];
    assert_eq!(report["table"], ORDERS, "{summary}");
    for table in [None, Some(ORDERS)] {
        same(value(&told, "rows", table, Some("inserted")), 2.0);
        same(value(&told, "commits", table, None), 1.0);
        let seconds = report["seconds"].as_f64().unwrap();
        same(value(&told, "run_seconds", table, None), seconds);
        // 1769 MB, and requests to a disk cost nothing.
        same(
            value(&told, "estimated_usd", table, None),
            seconds * 1769.0 / 1024.0 * 0.000_013_333_4,
        );
    }
    assert!(metrics.contains("HeldTables") && metrics.contains("PeakMemoryBytes"), "{metrics:?}");
    let requests = collector.requests();
    let told = Told::otlp(&requests.iter().map(Request::json).collect::<Vec<_>>());
    same(rows(&told, "inserted"), 2.0);
}

#[test]
fn by_default_the_function_tells_the_total_and_off_tells_nothing() {
    for (section, expected) in [("", 1), ("[metrics]\nemf = \"off\"", 0)] {
        let home = shop(section);
        stage(home.path(), "LOAD00000001.csv", "1,a\n2,b\nx\n");
        let configuration = home.path().join("dmslake.toml").display().to_string();
        let mut function = Function::start(&configuration, &[]);
        sweep(&mut function);
        let held = function.logged("table is held", 1);
        assert_eq!(held.len(), 1, "{:?}", function.log());
        let lines = emf_lines(&function, expected);
        assert_eq!(lines.len(), expected, "{lines:?}");
        let (told, _) = Told::emf(lines.iter().map(String::as_str), "dmslake");
        same(value(&told, "held_tables", None, None), f64::from(u8::from(expected == 1)));
    }
}

#[test]
fn a_collector_that_never_answers_does_not_keep_the_function() {
    let collector = Collector::start(None);
    let home = shop(&format!("[metrics]\notlp = \"{}\"", collector.endpoint));
    stage(home.path(), "LOAD00000001.csv", "1,a\n");
    let configuration = home.path().join("dmslake.toml").display().to_string();
    let mut function = Function::start(&configuration, &[]);
    let begun: Instant = SystemClock.instant();
    sweep(&mut function);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(function.logged("metrics are not sent", 1).len(), 1, "{:?}", function.log());
}
