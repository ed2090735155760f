//! `dmslake apply` over many tables: side by side, within bounds, readable, in order.

use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::{dmslake, run, said, write};
use crate::support::http_server::{Server, empty_bucket};

/// A configuration of so many tables `shop.t000` and so on.
fn configured(home: &Path, tables: usize, top: &str) {
    let listed = |number| format!("[[table]]\nsource = \"shop.t{number:03}\"\n");
    let listed: String = (0..tables).map(listed).collect();
    let text = format!(
        "staging = \"staging\"\nlake = \"lake\"\n{top}\n[defaults]\nkeys = [\"id\"]\n\
         columns = [{{ name = \"id\", type = \"int\" }}, {{ name = \"v\", type = \"longtext\" }}]\n\
         {listed}"
    );
    write(&home.join("dmslake.toml"), text);
}

fn stage(home: &Path, number: usize, rows: &str) {
    write(&home.join(format!("staging/shop/t{number:03}/LOAD00000001.csv")), rows);
}

fn reports(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_table_that_is_held_does_not_stop_those_beside_it() {
    let home = tempfile::tempdir().expect("a temporary folder");
    configured(home.path(), 5, "");
    for number in 0..5 {
        let row = if number == 0 { "none,x\n" } else { "1,x\n" };
        stage(home.path(), number, row);
    }
    let applied = run(home.path(), &["apply", "--json", "--jobs", "3"]);
    assert_eq!(applied.code, Some(1), "{applied:?}");
    let reports = reports(&applied.out);
    let tables: Vec<&str> = reports.iter().filter_map(|report| report["table"].as_str()).collect();
    let in_order = ["shop.t000", "shop.t001", "shop.t002", "shop.t003", "shop.t004"];
    assert_eq!(tables, in_order, "as in the configuration: {applied:?}");
    assert_eq!(reports[0]["status"], "held", "{applied:?}");
    for report in &reports[1..5] {
        assert_eq!((&report["status"], &report["inserted"]), (&"ok".into(), &1.into()));
    }
}

#[test]
fn three_hundred_tables_are_told_in_few_lines() {
    let home = tempfile::tempdir().expect("a temporary folder");
    configured(home.path(), 300, "");
    stage(home.path(), 4, "1,x\n");
    stage(home.path(), 5, "2,y\n");
    stage(home.path(), 299, "none,x\n");
    let applied = run(home.path(), &["apply"]);
    assert_eq!(applied.code, Some(1), "{applied:?}");
    let lines: Vec<&str> = applied.out.lines().collect();
    assert!(lines.len() < 12, "{}", applied.out);
    assert!(lines[1].starts_with("shop.t299  held"), "what is wrong first: {}", applied.out);
    let sentence = "300 tables: 1 held, 2 applied, 297 with nothing to do";
    assert!(lines.contains(&sentence), "{}", applied.out);
    let empty = "297 tables: nothing is staged for them, and there are no tables";
    assert_eq!(applied.out.matches(empty).count(), 1, "{}", applied.out);

    let all = run(home.path(), &["apply", "--all"]);
    assert_eq!(all.out.lines().filter(|line| line.starts_with("shop.t")).count(), 300);
    let json = run(home.path(), &["apply", "--json"]);
    assert_eq!(reports(&json.out).len(), 301, "one each, and one about all");
}

#[test]
fn a_star_chooses_several_tables_and_many_names_are_not_all_told() {
    let home = tempfile::tempdir().expect("a temporary folder");
    configured(home.path(), 300, "");
    stage(home.path(), 4, "1,x\n");
    let applied = run(home.path(), &["apply", "--json", "--table", "shop.t00*"]);
    assert_eq!(reports(&applied.out).len(), 11, "{applied:?}");
    for unknown in ["shop.t30", "bank.*"] {
        let refused = run(home.path(), &["apply", "--table", unknown]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.err.contains(", and 280 more"), "{refused:?}");
        assert!(refused.err.lines().count() == 1 && refused.err.len() < 600, "{refused:?}");
    }
}

/// By table, the first and the last request about it.
fn spans(requests: &[String]) -> Vec<(usize, usize)> {
    let table = |head: &String| {
        let head = head.replace("%2F", "/");
        head.split_once("shop/t").map(|(_, rest)| rest[..3].to_owned())
    };
    let mut spans = std::collections::BTreeMap::new();
    for (at, table) in requests.iter().map(table).enumerate() {
        if let Some(table) = table {
            spans.entry(table).or_insert((at, at)).1 = at;
        }
    }
    spans.into_values().collect()
}

#[test]
fn no_more_tables_are_under_way_than_asked_for() {
    for (jobs, most) in [("1", 1), ("3", 3)] {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let server = Server::start(move |_, head| {
            seen.lock().unwrap().push(head.lines().next().unwrap_or_default().to_owned());
            Some(empty_bucket(head))
        });
        let home = tempfile::tempdir().expect("a temporary folder");
        configured(home.path(), 12, "");
        let file = home.path().join("dmslake.toml");
        let text = super::read(&file).replace("\"staging\"", "\"s3://b/dms\"");
        write(&file, text.replace("\"lake\"", "\"s3://b/lake\""));
        let mut command = dmslake(home.path(), &["apply", "--jobs", jobs]);
        command.env("AWS_ENDPOINT_URL", &server.endpoint).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "key").env("AWS_SECRET_ACCESS_KEY", "s3cr3t");
        let applied = said(command.output().expect("the binary starts"));
        let spans = spans(&requests.lock().unwrap());
        assert_eq!(spans.len(), 12, "{applied:?}");
        let under_way = |at: usize| spans.iter().filter(|(a, b)| (*a..=*b).contains(&at)).count();
        let at_once = spans.iter().map(|(first, _)| under_way(*first)).max();
        assert_eq!(at_once, Some(most), "--jobs {jobs}: {spans:?}");
    }
}

/// What a table's part of the memory cannot hold is read with all of it: what comes out does not
/// depend on how many tables are applied side by side.
#[test]
fn an_object_too_large_for_its_part_of_the_memory_is_read_with_all_of_it() {
    let home = tempfile::tempdir().expect("a temporary folder");
    configured(home.path(), 2, "memory_budget = \"64MiB\"");
    // A row may take a quarter of the memory.
    let row = format!("1,{}\n", "x".repeat(10 << 20));
    stage(home.path(), 0, &row);
    stage(home.path(), 1, "1,x\n");
    let applied = run(home.path(), &["apply", "--json", "--jobs", "2"]);
    assert_eq!(applied.code, Some(0), "{applied:?}");
    let reports = reports(&applied.out);
    assert_eq!((&reports[0]["inserted"], &reports[1]["inserted"]), (&1.into(), &1.into()));

    let half = tempfile::tempdir().expect("a temporary folder");
    configured(half.path(), 1, "memory_budget = \"32MiB\"");
    stage(half.path(), 0, &row);
    let held = run(half.path(), &["apply", "--json"]);
    assert!(held.out.contains("set memory_budget to"), "half of it is too little: {held:?}");
}
