//! The demo from end to end, and then `apply` and `maintain` on its folder.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use dmslake::clock::{Clock, SystemClock};
use serde_json::Value;

use super::{dmslake, read, run, write};

const KEYS: [&str; 39] = [
    "rebuilt",
    "added_columns",
    "gone_columns",
    "held_since",
    "vanished",
    "absent",
    "before_load",
    "foreign_commits",
    "in_quarantine",
    "warnings",
    "table",
    "status",
    "objects",
    "rows",
    "inserted",
    "updated",
    "deleted",
    "superseded",
    "ignored",
    "quarantined",
    "replayed",
    "commits",
    "version",
    "seconds",
    "requests",
    "bytes",
    "files",
    "conflicts",
    "retries",
    "phases",
    "foreign",
    "late",
    "pending",
    "pending_bytes",
    "left_until",
    "lag",
    "oldest_pending_seconds",
    "error",
    "kind",
];
const CONFIGURATION: &str = "dmslake-demo/dmslake.toml";
const PATIENCE: Duration = Duration::from_mins(2);

#[test]
fn the_demo_finds_the_lake_equal_and_its_folder_can_be_used_further() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let shown = run(home.path(), &["demo"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let equal = shown.out.lines().filter(|line| line.ends_with("  equal")).count();
    assert_eq!(equal, 3, "{}", shown.out);

    nothing_is_left_to_apply(home.path());
    maintenance_reports_what_it_did(home.path());
    foreign_objects_and_tables_are_named(home.path());
    a_demo_is_replaced_only_with_force(home.path());
    a_signal_stops_after_the_commit(home.path());
}

fn nothing_is_left_to_apply(home: &Path) {
    let again = run(home, &["apply", "--config", CONFIGURATION, "--json"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let lines: Vec<&str> = again.out.lines().collect();
    assert_eq!(lines.last(), Some(&"{\"absent\":[],\"unconfigured\":[]}"));
    for (line, table) in lines.iter().zip(["shop.customers", "shop.orders", "shop.order_items"]) {
        let report: Value = serde_json::from_str(line).expect("JSON");
        let mut keys = KEYS.to_vec();
        keys.sort_unstable();
        let found: Vec<&String> = report.as_object().expect("an object").keys().collect();
        assert_eq!(found, keys);
        assert_eq!((&report["table"], &report["status"]), (&table.into(), &"ok".into()));
        assert_eq!((&report["rows"], &report["objects"]), (&0.into(), &0.into()), "{line}");
    }
    let human = run(home, &["apply", "--config", CONFIGURATION, "--table", "shop.orders"]);
    assert_eq!((human.code, human.out.lines().count()), (Some(0), 2), "{human:?}");
}

fn maintenance_reports_what_it_did(home: &Path) {
    let table = ["--config", CONFIGURATION, "--table", "shop.orders"];
    let done = run(home, &[&["maintain"], &table[..], &["--json"]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    let report: Value = serde_json::from_str(done.out.trim_end()).expect("one line of JSON");
    assert_eq!((&report["table"], &report["status"]), (&"shop.orders".into(), &"ok".into()));
    let actions = report["actions"].as_array().expect("a list");
    assert!(actions.iter().any(|action| action["action"] == "checkpoint"), "{report}");
    assert!(actions.iter().all(|action| action["outcome"] == "done"), "{report}");

    let again = run(home, &[&["maintain"], &table[..]].concat());
    assert_eq!(again.code, Some(0), "{again:?}");
    let version = &report["version"];
    let line = format!("shop.orders: nothing due at version {version} (");
    assert!(again.out.starts_with(&line), "{again:?}");
    let applied = run(home, &[&["apply"], &table[..]].concat());
    assert_eq!(applied.code, Some(0), "{applied:?}");
}

fn foreign_objects_and_tables_are_named(home: &Path) {
    let staging = home.join("dmslake-demo/staging/shop");
    write(&staging.join("invoices/LOAD00000001.csv"), "1\n");
    write(&staging.join("orders/copy of LOAD00000001.parquet"), "?");
    let named = run(home, &["apply", "--config", CONFIGURATION, "--json"]);
    assert_eq!(named.code, Some(0), "neither is an error: {named:?}");
    assert!(
        named.out.ends_with("{\"absent\":[],\"unconfigured\":[\"shop.invoices\"]}\n"),
        "{named:?}"
    );
    let foreign = "\"foreign\":[\"copy of LOAD00000001.parquet\"]";
    let has_foreign = named.out.contains("copy of LOAD00000001.parquet\"]");
    assert!(has_foreign, "{foreign} in {named:?}");
}

fn a_demo_is_replaced_only_with_force(home: &Path) {
    let refused = run(home, &["demo"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("--force"), "{refused:?}");
    write(&home.join("mine/notes.txt"), "mine");
    let foreign = run(home, &["demo", "--dir", "mine", "--force"]);
    assert_eq!(foreign.code, Some(2), "{foreign:?}");
    assert_eq!(read(&home.join("mine/notes.txt")), "mine");
}

/// The lake is rebuilt in small slices, so that there is time for an interruption.
fn a_signal_stops_after_the_commit(home: &Path) {
    std::fs::remove_dir_all(home.join("dmslake-demo/lake")).expect("the lake exists");
    let configuration = home.join(CONFIGURATION);
    write(&configuration, format!("memory_budget = 20000\n{}", read(&configuration)));
    let arguments = ["apply", "--config", CONFIGURATION, "--table", "shop.order_items"];
    let mut command = dmslake(home, &arguments);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let log = home.join("dmslake-demo/lake/shop/order_items/_delta_log");
    wait_for(&log.join("00000000000000000001.json"));
    terminate(&child);
    let ended = super::said(child.wait_with_output().expect("it ends"));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("stopping after the current commit"), "{ended:?}");

    let rest = run(home, &[&arguments[..], &["--json"]].concat());
    assert_eq!(rest.code, Some(0), "{rest:?}");
    let report: Value =
        serde_json::from_str(rest.out.lines().next().expect("a line")).expect("JSON");
    assert_ne!(report["rows"], 0, "the rest is applied");
}

fn wait_for(file: &Path) {
    let deadline = SystemClock.instant() + PATIENCE;
    while !file.exists() {
        assert!(SystemClock.instant() < deadline, "{} was never written", file.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn terminate(child: &Child) {
    let killed = std::process::Command::new("kill").arg(child.id().to_string()).status();
    assert!(killed.expect("kill starts").success());
}
