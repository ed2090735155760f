//! Reads what was told, by the rules of each form and without the program's own writers.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::Values;

/// What one form told.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) values: Values,
}

const LABELS: [(&str, &str); 3] =
    [("Rows", "rows"), ("Requests", "requests"), ("PhaseSeconds", "phase_seconds")];

/// `RowsInserted` as `rows` and `inserted`.
fn from_cloudwatch(name: &str) -> (String, Option<String>) {
    let snake = |name: &str| {
        let mut words = String::new();
        for sign in name.chars() {
            if sign.is_ascii_uppercase() && !words.is_empty() {
                words.push('_');
            }
            words.push(sign.to_ascii_lowercase());
        }
        words
    };
    for (prefix, base) in LABELS {
        if let Some(label) = name.strip_prefix(prefix)
            && !label.is_empty()
        {
            return (base.to_owned(), Some(snake(label)));
        }
    }
    (snake(name), None)
}

impl Told {
    fn put(&mut self, name: String, table: Option<String>, label: Option<String>, value: f64) {
        let series = (name, table, label);
        let before = self.values.insert(series.clone(), value);
        assert_eq!(before, None, "{series:?} is told twice");
    }

    /// Lines of the embedded metric format, checked by its specification. All fields are taken, and
    /// those that are metrics are returned beside.
    pub(super) fn emf<'a>(
        lines: impl IntoIterator<Item = &'a str>,
        namespace: &str,
    ) -> (Self, BTreeSet<String>) {
        let (mut told, mut metrics) = (Self::default(), BTreeSet::new());
        for line in lines {
            let line: Json = serde_json::from_str(line).expect("JSON");
            let fields = line.as_object().expect("an object");
            assert!(fields["_aws"]["Timestamp"].as_i64().is_some_and(|time| time > 0));
            let [directive] = fields["_aws"]["CloudWatchMetrics"].as_array().unwrap().as_slice()
            else {
                panic!("one directive in {line}")
            };
            assert_eq!(directive["Namespace"], namespace);
            let [dimensions] = directive["Dimensions"].as_array().unwrap().as_slice() else {
                panic!("one set of dimensions in {line}")
            };
            let table = match dimensions.as_array().unwrap().as_slice() {
                [] => None,
                [one] => Some(fields[one.as_str().unwrap()].as_str().unwrap().to_owned()),
                more => panic!("{more:?}"),
            };
            assert_eq!(table.is_some(), fields.contains_key("Table"));
            let told_metrics = directive["Metrics"].as_array().unwrap();
            assert!(told_metrics.len() <= 100);
            for metric in told_metrics {
                let name = metric["Name"].as_str().unwrap();
                assert!(fields[name].is_f64() || fields[name].is_u64(), "{name} in {line}");
                let units = ["Seconds", "Bytes", "Count", "None"];
                assert!(units.contains(&metric["Unit"].as_str().unwrap()), "{metric}");
                metrics.insert(name.to_owned());
            }
            for (name, value) in fields {
                if let Some(value) = value.as_f64() {
                    let (base, label) = from_cloudwatch(name);
                    told.put(base, table.clone(), label, value);
                }
            }
        }
        (told, metrics)
    }

    /// The text format of Prometheus: what a scraper would make of it.
    pub(super) fn prometheus(text: &str) -> Self {
        assert!(text.ends_with('\n') || text.is_empty());
        let mut told = Self::default();
        let mut family: Option<(String, String)> = None;
        let mut seen = BTreeSet::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, text) = help.split_once(' ').expect("a text");
                assert!(!text.is_empty() && seen.insert(name.to_owned()), "{name} comes twice");
                family = Some((name.to_owned(), String::new()));
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a kind");
                assert!(["counter", "gauge"].contains(&kind), "{line}");
                let told = family.as_mut().expect("HELP comes first");
                assert_eq!(told.0, name);
                kind.clone_into(&mut told.1);
            } else {
                let (name, kind) = family.as_ref().expect("TYPE comes first");
                told.sample(line, name, kind);
            }
        }
        told
    }

    fn sample(&mut self, line: &str, name: &str, kind: &str) {
        let rest = line.strip_prefix(name).unwrap_or_else(|| panic!("{line} is not of {name}"));
        let base = name.strip_prefix("dmslake_").expect("a name of ours");
        let base = match kind {
            "counter" => base.strip_suffix("_total").expect("a counter"),
            _ => base,
        };
        let (mut table, mut label) = (None, None);
        let mut rest = rest;
        if let Some(mut labels) = rest.strip_prefix('{') {
            loop {
                let (key, value) = labels.split_once("=\"").expect("a label");
                let mut text = String::new();
                let mut signs = value.char_indices();
                let end = loop {
                    match signs.next().expect("the value ends") {
                        (at, '"') => break at,
                        (_, '\\') => text.push(match signs.next().expect("an escaped sign").1 {
                            'n' => '\n',
                            sign @ ('\\' | '"') => sign,
                            other => panic!("\\{other}"),
                        }),
                        (_, sign) => text.push(sign),
                    }
                };
                match key {
                    "table" => table = Some(text),
                    "fate" | "request" | "phase" => label = Some(text),
                    other => panic!("the label {other}"),
                }
                let behind = &value[end + 1..];
                let Some(more) = behind.strip_prefix(',') else {
                    rest = behind.strip_prefix('}').expect("the labels end");
                    break;
                };
                labels = more;
            }
        }
        let value = rest.strip_prefix(' ').expect("a value").parse().expect("a number");
        self.put(base.to_owned(), table, label, value);
    }

    /// Bodies of OTLP: sums are differences, gauges are as they are.
    pub(super) fn otlp<'a>(bodies: impl IntoIterator<Item = &'a Json>) -> Self {
        let mut told = Self::default();
        for body in bodies {
            let [resource] = body["resourceMetrics"].as_array().unwrap().as_slice() else {
                panic!("one resource in {body}")
            };
            let service = &resource["resource"]["attributes"][0];
            assert_eq!(
                (&service["key"], &service["value"]["stringValue"]),
                (&Json::from("service.name"), &Json::from("dmslake"),)
            );
            let [scope] = resource["scopeMetrics"].as_array().unwrap().as_slice() else {
                panic!("one scope in {body}")
            };
            for metric in scope["metrics"].as_array().unwrap() {
                told.otlp_metric(metric);
            }
        }
        told
    }

    fn otlp_metric(&mut self, metric: &Json) {
        let base = metric["name"].as_str().unwrap().strip_prefix("dmslake.").unwrap();
        assert!(["1", "s", "By", "{USD}"].contains(&metric["unit"].as_str().unwrap()));
        let data = match (metric.get("sum"), metric.get("gauge")) {
            (Some(sum), None) => {
                assert_eq!(
                    (&sum["aggregationTemporality"], &sum["isMonotonic"]),
                    (&Json::from(1), &Json::from(true),)
                );
                sum
            }
            (None, Some(gauge)) => gauge,
            both => panic!("{both:?}"),
        };
        for point in data["dataPoints"].as_array().unwrap() {
            let time = |name: &str| point[name].as_str().unwrap().parse::<u64>().unwrap();
            assert!(0 < time("startTimeUnixNano"));
            assert!(time("startTimeUnixNano") <= time("timeUnixNano"));
            let (mut table, mut label) = (None, None);
            for attribute in point["attributes"].as_array().unwrap() {
                let text = attribute["value"]["stringValue"].as_str().unwrap().to_owned();
                match attribute["key"].as_str().unwrap() {
                    "table" => table = Some(text),
                    _ => label = Some(text),
                }
            }
            let value = point["asDouble"].as_f64().unwrap();
            self.put(base.to_owned(), table, label, value);
        }
    }
}
