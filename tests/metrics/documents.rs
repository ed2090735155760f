//! Guide, dashboard, alarms and prices are those of the list.

use std::collections::BTreeSet;
use std::path::Path;

use dmslake::metrics::{In, METRICS, Metric, Series};
use dmslake::price;

use super::all_series;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names and units that CloudWatch is told.
fn in_cloudwatch() -> BTreeSet<(String, String)> {
    let metrics = all_series().into_iter().filter(|it| it.metric.cloudwatch != In::Field);
    let named = |it: Series| (it.in_cloudwatch(), it.metric.unit.in_cloudwatch().to_owned());
    metrics.map(named).collect()
}

/// The lines `Name = …` of a map in Terraform.
fn map_of<'a>(text: &'a str, name: &str) -> Vec<(&'a str, &'a str)> {
    let (_, map) = text.split_once(&format!("  {name} = {{\n")).expect(name);
    let (map, _) = map.split_once("\n  }\n").expect("the map ends");
    map.lines()
        .map(|line| {
            let (name, value) = line.split_once('=').expect("a pair");
            (name.trim(), value.trim())
        })
        .collect()
}

/// Texts in quotes that are spelled as names of metrics.
fn names_in(line: &str) -> impl Iterator<Item = &str> {
    let is_name = |text: &&str| {
        text.starts_with(|sign: char| sign.is_ascii_uppercase())
            && text.chars().all(char::is_alphanumeric)
    };
    line.split('"').skip(1).step_by(2).filter(is_name)
}

#[test]
fn terraform_names_the_metrics_that_there_are() {
    let text = read("infra/monitoring.tf");
    let of_function: BTreeSet<(String, String)> = map_of(&text, "function_metrics")
        .into_iter()
        .map(|(name, unit)| (name.to_owned(), unit.trim_matches('"').to_owned()))
        .collect();
    assert_eq!(of_function, in_cloudwatch());

    let alarms = read("infra/alarms.tf");
    let looked_at: BTreeSet<&str> = alarms
        .lines()
        .filter(|line| line.trim_start().starts_with("metric "))
        .flat_map(names_in)
        .filter(|name| of_function.iter().any(|(of_function, _)| of_function == name))
        .collect();
    let alarming = all_series().into_iter().filter(|it| it.metric.cloudwatch == In::Alarm);
    let alarming: Vec<String> = alarming.map(|it| it.in_cloudwatch()).collect();
    assert_eq!(looked_at, alarming.iter().map(String::as_str).collect());

    let of_log: Vec<&str> =
        map_of(&text, "log_metrics").into_iter().map(|(name, _)| name).collect();
    let all: BTreeSet<&str> =
        of_function.iter().map(|(name, _)| name.as_str()).chain(of_log).collect();
    let dashboard = read("infra/dashboard.tf");
    let ours = dashboard.lines().filter(|line| line.contains("var.name"));
    let statistics = ["Maximum", "Sum"];
    let titles = ours.clone().filter_map(|line| line.split('"').nth(1)).collect::<Vec<_>>();
    let shown: BTreeSet<&str> = ours
        .flat_map(names_in)
        .filter(|name| !statistics.contains(name) && !titles.contains(name))
        .collect();
    assert_eq!(shown, all, "what the dashboard shows, and what there is");

    let alarms = read("infra/alarms.tf");
    let mut watched = BTreeSet::new();
    for alarm in alarms.split("description = ").skip(1) {
        let metric = alarm.lines().find(|line| line.trim_start().starts_with("metric "));
        let metric = names_in(metric.expect("an alarm has a metric")).next().expect("a name");
        if !alarm.split("}\n").next().unwrap().contains("namespace") {
            assert!(all.contains(metric), "there is no {metric}");
            watched.insert(metric);
        }
    }
    let expected = [
        "FailedJobs",
        "FailedTables",
        "HeldTables",
        "OldestPendingSeconds",
        "ReadersBehind",
        "Unconfigured",
    ];
    assert_eq!(watched, BTreeSet::from(expected));
}

#[test]
fn the_cost_model_has_the_same_prices_and_counts_the_same_metrics() {
    let model = read("infra/cost.py");
    let value = |name: &str| -> f64 {
        let line = model.lines().find(|line| line.trim().starts_with(&format!("\"{name}\": (")));
        let value = line.and_then(|line| line.split('(').nth(1)?.split(',').next());
        value.unwrap_or_else(|| panic!("{name}")).replace('_', "").parse().expect("a number")
    };
    for (name, ours) in [
        ("s3_put_thousand", price::S3_PUT_THOUSAND),
        ("s3_gb_month", price::S3_GB_MONTH),
        ("s3_get_thousand", price::S3_GET_THOUSAND),
        ("lambda_gb_second", price::LAMBDA_GB_SECOND),
    ] {
        assert!((value(name) - ours).abs() < 1e-15, "{name}: {} and {ours}", value(name));
    }
    let of_log = map_of(&read("infra/monitoring.tf"), "log_metrics").len();
    let counted = u32::try_from(in_cloudwatch().len() + of_log).expect("a few");
    assert!((value("metrics") - f64::from(counted)).abs() < 0.5, "{counted} metrics");
}

fn row(metric: &'static Metric) -> String {
    let kind = if metric.is_counter() { "counter" } else { "gauge" };
    let label = metric.label().map(|label| format!(", by `{label}`")).unwrap_or_default();
    let camel = Series { metric, label: None }.in_cloudwatch();
    let camel = if metric.label().is_some() { format!("{camel}…") } else { camel };
    let cloudwatch = match metric.cloudwatch {
        In::Alarm | In::Metric => format!("`{camel}`"),
        In::Field => format!("field `{camel}`"),
    };
    let name = metric.in_prometheus();
    format!("| `{name}`{label} | {kind} | {cloudwatch} | {} |", metric.means)
}

/// `DMSLAKE_UPDATE_DOCUMENTS=1` writes the table as it is to be.
#[test]
fn the_guide_has_the_list() {
    const HEAD: &str = "| Metric | Kind | CloudWatch | Meaning |\n|---|---|---|---|\n";
    let path = "src/guide/operations.md";
    let text = read(path);
    let (before, rest) = text.split_once(HEAD).expect("a table of metrics");
    let rows: String =
        rest.lines().take_while(|line| line.starts_with('|')).map(with_end).collect();
    let expected: String = METRICS.iter().map(|metric| with_end(&row(metric))).collect();
    if std::env::var_os("DMSLAKE_UPDATE_DOCUMENTS").is_some() {
        let behind = &rest[rows.len()..];
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        std::fs::write(path, format!("{before}{HEAD}{expected}{behind}")).expect("writable");
    } else {
        assert_eq!(rows, expected, "{path}");
    }
}

fn with_end(line: &str) -> String {
    format!("{line}\n")
}
