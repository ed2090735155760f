//! The text format of Prometheus, in a file that an agent reads, such as `node_exporter`'s.
//!
//! A counter must go on from run to run, or rates over it are wrong. So what a file says of counters
//! is read before it is written again, and the run's values are added.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{ErrorKind as IoErrorKind, Write as _};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::metrics::{METRICS, Metric, Snapshot};

/// Values by their series, as a line has it before the value.
type Values = BTreeMap<String, f64>;

/// Writes the file anew, with the counters of the one before it and of this run. Readers see the file
/// as it was or as it will be.
///
/// # Errors
/// `Unavailable` if it cannot be read or written, or if it is none of these.
pub fn write(file: &Path, snapshot: &Snapshot) -> Result<()> {
    let named = |error: Error| error.with("file", file.display());
    let before = match fs::read_to_string(file) {
        Ok(text) => counters(&text).map_err(named)?,
        Err(error) if error.kind() == IoErrorKind::NotFound => Values::new(),
        Err(error) => return Err(named(failed("the metrics file cannot be read", error))),
    };
    let text = render(snapshot, before);
    put(file, &text).map_err(|error| named(failed("the metrics file cannot be written", error)))
}

fn failed(what: &'static str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, what).because(error)
}

/// The name of the file until it is whole ends in `.tmp`, which agents do not read.
fn put(file: &Path, text: &str) -> std::io::Result<()> {
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(format!(".{}.tmp", std::process::id()));
    let write = || {
        let mut open = fs::File::create(&unfinished)?;
        open.write_all(text.as_bytes())?;
        open.sync_all()?;
        fs::rename(&unfinished, file)
    };
    write().inspect_err(|_| {
        // What is left of it must not hide why.
        let _ = fs::remove_file(&unfinished);
    })
}

/// The text: all metrics in the list's order, with counters that go on from `before`.
#[must_use]
pub fn render(snapshot: &Snapshot, before: BTreeMap<String, f64>) -> String {
    let mut values = before;
    let samples = snapshot.tables.iter().chain(std::iter::once(&snapshot.process));
    for sample in samples {
        for (series, value) in &sample.values {
            let labels = [
                sample.table.as_deref().map(|table| ("table", table)),
                series.metric.label().zip(series.label),
            ];
            let name = name_of(series.metric, labels.into_iter().flatten());
            *values.entry(name).or_default() += value;
        }
    }
    let mut text = String::new();
    for metric in METRICS {
        let name = metric.in_prometheus();
        let kind = if metric.is_counter() { "counter" } else { "gauge" };
        let mut of_metric = values.iter().filter(|(series, _)| is_of(series, &name)).peekable();
        if of_metric.peek().is_none() {
            continue;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP {name} {}.\n# TYPE {name} {kind}", escaped(metric.means));
        for (series, value) in of_metric {
            let _ = writeln!(text, "{series} {value}");
        }
    }
    text
}

fn name_of<'a>(metric: &Metric, labels: impl Iterator<Item = (&'static str, &'a str)>) -> String {
    let labels: Vec<String> =
        labels.map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
    let braced =
        if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    format!("{}{braced}", metric.in_prometheus())
}

fn is_of(series: &str, name: &str) -> bool {
    series.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The counters of a file that was written here.
fn counters(text: &str) -> Result<Values> {
    let counters: Vec<String> =
        METRICS.iter().filter(|it| it.is_counter()).map(Metric::in_prometheus).collect();
    let mut found = Values::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        // A label may have spaces, a value none.
        let value = line.rsplit_once(' ').filter(|(series, _)| series.starts_with("dmslake_"));
        let value = value.and_then(|(series, value)| Some((series, value.parse::<f64>().ok()?)));
        let Some((series, value)) = value else { return Err(not_ours()) };
        if counters.iter().any(|name| is_of(series, name)) {
            found.insert(series.to_owned(), value);
        }
    }
    Ok(found)
}

fn not_ours() -> Error {
    Error::new(ErrorKind::Unavailable, "the metrics file has lines that dmslake did not write")
        .with_remedy("name another file, or remove this one: dmslake then begins to count anew")
}
