//! What runs measure, told in each form, is what was counted by other means; documents and
//! Terraform name what there is.

mod documents;
mod forms;
mod races;
mod runs;
mod told;

use std::collections::{BTreeMap, BTreeSet};

use dmslake::metrics::{METRICS, Metric, Series, emf};

use forms::Told;

/// Every series that the list makes, with the values of labels written out here.
fn all_series() -> Vec<Series> {
    let labels = |label: Option<&str>| -> Vec<Option<&'static str>> {
        match label {
            None => vec![None],
            Some("fate") => {
                ["inserted", "updated", "deleted", "superseded", "ignored", "quarantined"]
                    .map(Some)
                    .to_vec()
            }
            Some("request") => ["get", "head", "list", "put", "delete"].map(Some).to_vec(),
            Some("phase") => ["look", "read", "change", "merge", "commit"].map(Some).to_vec(),
            Some(other) => panic!("{other} is no bounded label"),
        }
    };
    let series = METRICS.iter().flat_map(|metric| {
        labels(metric.label()).into_iter().map(move |label| Series { metric, label })
    });
    series.collect()
}

#[test]
fn names_are_distinct_and_fit_every_form() {
    let series = all_series();
    let cloudwatch: BTreeSet<String> = series.iter().map(Series::in_cloudwatch).collect();
    assert_eq!(cloudwatch.len(), series.len());
    assert!(!cloudwatch.contains(emf::DIMENSION));
    // CloudWatch takes a hundred metrics of one line.
    assert!(series.len() <= 100, "{}", series.len());
    let prometheus: BTreeSet<String> = METRICS.iter().map(Metric::in_prometheus).collect();
    assert_eq!(prometheus.len(), METRICS.len());
    for metric in METRICS {
        let is_named = |sign: char| sign.is_ascii_lowercase() || sign == '_';
        assert!(metric.name.chars().all(is_named), "{}", metric.name);
        let name = metric.in_prometheus();
        assert_eq!(name.ends_with("_total"), metric.is_counter(), "{name}");
        let unit = match metric.unit.in_otlp() {
            "s" => "_seconds",
            "By" => "_bytes",
            "{USD}" => "_usd",
            _ => continue,
        };
        assert!(metric.name.ends_with(unit), "{name}");
    }
}

/// Values by series: the base of its name, the table, the label.
type Values = BTreeMap<(String, Option<String>, Option<String>), f64>;

/// The value of a series; 0 for a counter that is not told.
fn value(told: &Told, name: &str, table: Option<&str>, label: Option<&str>) -> f64 {
    let key = (name.to_owned(), table.map(str::to_owned), label.map(str::to_owned));
    told.values.get(&key).copied().unwrap_or_default()
}
