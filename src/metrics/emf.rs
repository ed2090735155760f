//! CloudWatch's embedded metric format: lines of JSON in the function's log that become metrics.

use serde_json::{Map, Value, json};

use crate::config::Emf;
use crate::metrics::list::{In, Series};
use crate::metrics::{Sample, Snapshot};

/// The dimension of a table.
pub const DIMENSION: &str = "Table";

/// So many configured tables have metrics of their own at most: each of them is paid for.
pub const MOST_TABLES: usize = 100;

/// Where there are more, so many of an invocation have: the worst.
pub const WORST: usize = 10;

/// The lines of an invocation, of a configuration with so many tables. The total comes first. None
/// if no table was looked at: an empty total would say that all is well.
#[must_use]
pub fn lines(snapshot: &Snapshot, emf: Emf, namespace: &str, configured: usize) -> Vec<String> {
    if emf == Emf::Off || snapshot.tables.is_empty() {
        return Vec::new();
    }
    let most = match emf {
        Emf::PerTable if configured <= MOST_TABLES => snapshot.tables.len(),
        Emf::PerTable => WORST,
        Emf::Alarms | Emf::Total | Emf::Off => 0,
    };
    let total = snapshot.total();
    let samples = std::iter::once(&total).chain(snapshot.worst(most));
    samples.map(|sample| line(sample, snapshot, emf, namespace)).collect()
}

/// A counter of 0 is no metric of the line: CloudWatch bills a metric for each hour in which it has a
/// value, and a sum without values is 0 too.
fn is_told(series: &Series, value: f64, emf: Emf) -> bool {
    let is_kept = match series.metric.cloudwatch {
        In::Alarm => true,
        In::Metric => emf != Emf::Alarms,
        In::Field => false,
    };
    is_kept && (value != 0.0 || !series.metric.is_counter())
}

fn line(sample: &Sample, snapshot: &Snapshot, emf: Emf, namespace: &str) -> String {
    let told = sample.values.iter().filter(|(series, value)| is_told(series, *value, emf));
    let metrics: Vec<Value> = told
        .map(|(series, _)| {
            json!({ "Name": series.in_cloudwatch(), "Unit": series.metric.unit.in_cloudwatch() })
        })
        .collect();
    let dimensions: &[&str] = if sample.table.is_some() { &[DIMENSION] } else { &[] };
    let mut members = Map::new();
    let directive =
        json!({ "Namespace": namespace, "Dimensions": [dimensions], "Metrics": metrics });
    members.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": snapshot.now.timestamp_millis(), "CloudWatchMetrics": [directive],
        }),
    );
    members.extend(sample.table.iter().map(|table| (DIMENSION.to_owned(), json!(table))));
    members
        .extend(sample.values.iter().map(|(series, value)| (series.in_cloudwatch(), json!(value))));
    Value::Object(members).to_string()
}
