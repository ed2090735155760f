//! The one list of metrics. What a metric means, how it is called in each form, and where its values
//! come from stand in one row.

use crate::metrics::source::{Process, Standing};
use crate::pipeline::TableReport;
use crate::price;

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// The base of its names: lower case, with the unit at its end if it has one.
    pub name: &'static str,
    /// Where its values come from, and what kind it is therefore.
    pub reading: Reading,
    /// The unit of its values.
    pub unit: Unit,
    /// What of it CloudWatch keeps.
    pub cloudwatch: In,
    /// What its values mean, in one sentence without its end.
    pub means: &'static str,
}

/// Where values come from.
#[derive(Debug)]
pub enum Reading {
    /// A gauge of a table; none if nothing tells.
    Gauge(fn(&Standing) -> Option<u64>, Total),
    /// A counter of a run of a table.
    Counter(fn(&TableReport, &Process) -> f64),
    /// Counters of a run of a table, each with a value of this label.
    Labelled(&'static str, fn(&TableReport) -> Vec<(&'static str, f64)>),
    /// A gauge of the process.
    OfProcess(fn(&Process) -> Option<u64>),
}

/// How the gauges of tables become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// They add up.
    Sum,
    /// The greatest counts.
    Max,
}

/// The unit of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// US dollars.
    Dollars,
}

impl Unit {
    /// As CloudWatch spells it.
    #[must_use]
    pub fn in_cloudwatch(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Seconds => "Seconds",
            Self::Bytes => "Bytes",
            Self::Dollars => "None",
        }
    }

    /// As OTLP spells it, by the Unified Code for Units of Measure.
    #[must_use]
    pub fn in_otlp(self) -> &'static str {
        match self {
            Self::Count => "1",
            Self::Seconds => "s",
            Self::Bytes => "By",
            Self::Dollars => "{USD}",
        }
    }
}

/// What CloudWatch keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum In {
    /// A metric that an alarm of `infra/` looks at.
    Alarm,
    /// Another metric. Each is paid for.
    Metric,
    /// A field of the log line, which can be searched for.
    Field,
}

/// A metric, or one of those that a label makes of it.
#[derive(Clone, Copy, Debug)]
pub struct Series {
    /// The metric.
    pub metric: &'static Metric,
    /// The value of its label, if it has one.
    pub label: Option<&'static str>,
}

impl PartialEq for Series {
    fn eq(&self, other: &Self) -> bool {
        (self.metric.name, self.label) == (other.metric.name, other.label)
    }
}

impl Series {
    /// Its name in CloudWatch, where the value of a label is part of it: `RowsInserted`.
    #[must_use]
    pub fn in_cloudwatch(&self) -> String {
        let words = self.metric.name.split('_').chain(self.label);
        let capital = |word: &str| {
            let (first, rest) = word.split_at(1);
            first.to_ascii_uppercase() + rest
        };
        words.map(capital).collect()
    }
}

impl Metric {
    /// Its name in Prometheus, as `dmslake_rows_total`.
    #[must_use]
    pub fn in_prometheus(&self) -> String {
        let total = if self.is_counter() { "_total" } else { "" };
        format!("dmslake_{}{total}", self.name)
    }

    /// Its name in OTLP, as `dmslake.rows`.
    #[must_use]
    pub fn in_otlp(&self) -> String {
        format!("dmslake.{}", self.name)
    }

    /// Whether it counts what runs did, and is no gauge.
    #[must_use]
    pub fn is_counter(&self) -> bool {
        matches!(self.reading, Reading::Counter(_) | Reading::Labelled(..))
    }

    /// Its label beside the table, if it has one.
    #[must_use]
    pub fn label(&self) -> Option<&'static str> {
        match self.reading {
            Reading::Labelled(label, _) => Some(label),
            _ => None,
        }
    }
}

const fn gauge(
    name: &'static str,
    unit: Unit,
    total: Total,
    of: fn(&Standing) -> Option<u64>,
    means: &'static str,
) -> Metric {
    Metric { name, reading: Reading::Gauge(of, total), unit, cloudwatch: In::Metric, means }
}

/// One at which an alarm looks.
const fn alarming(gauge: Metric) -> Metric {
    Metric { cloudwatch: In::Alarm, ..gauge }
}

const fn counter(
    name: &'static str,
    unit: Unit,
    cloudwatch: In,
    of: fn(&TableReport, &Process) -> f64,
    means: &'static str,
) -> Metric {
    Metric { name, reading: Reading::Counter(of), unit, cloudwatch, means }
}

const fn labelled(
    (name, label): (&'static str, &'static str),
    unit: Unit,
    cloudwatch: In,
    of: fn(&TableReport) -> Vec<(&'static str, f64)>,
    means: &'static str,
) -> Metric {
    Metric { name, reading: Reading::Labelled(label, of), unit, cloudwatch, means }
}

/// All metrics.
#[rustfmt::skip]
pub const METRICS: &[Metric] = &[
    gauge("source_to_object_seconds", Unit::Seconds, Total::Max, |it| it.lag.source_to_object_seconds,
        "from the newest commit at the source among the last applied changes until their object was staged"),
    gauge("object_to_commit_seconds", Unit::Seconds, Total::Max, |it| it.lag.object_to_commit_seconds,
        "from then until it was in the table"),
    gauge("behind_seconds", Unit::Seconds, Total::Max, |it| it.lag.behind_seconds,
        "age of the newest commit at the source that the table has; 0 if nothing waits"),
    alarming(gauge("oldest_pending_seconds", Unit::Seconds, Total::Max, |it| Some(it.oldest_pending_seconds),
        "since the oldest object was staged that is not applied; 0 if there is none")),
    gauge("pending_objects", Unit::Count, Total::Sum, |it| Some(it.pending_objects),
        "objects not applied yet"),
    gauge("pending_bytes", Unit::Bytes, Total::Sum, |it| Some(it.pending_bytes),
        "their bytes as staged"),
    gauge("late_objects", Unit::Count, Total::Sum, |it| Some(it.late_objects),
        "objects below the table's progress that were never applied"),
    gauge("in_quarantine_rows", Unit::Count, Total::Sum, |it| Some(it.in_quarantine),
        "rows that wait in quarantine"),
    alarming(gauge("held_tables", Unit::Count, Total::Sum, |it| Some(it.is_held.into()),
        "1 if the table is held until a person acts")),
    gauge("held_seconds", Unit::Seconds, Total::Max, |it| Some(it.held_seconds),
        "since it is held; 0 if it is not"),
    alarming(gauge("failed_tables", Unit::Count, Total::Sum, |it| Some(it.has_failed.into()),
        "1 if applying the table, or looking at it, has failed")),
    counter("objects", Unit::Count, In::Metric, |it, _| number(it.objects),
        "objects finished"),
    labelled(("rows", "fate"), Unit::Count, In::Metric, |it| {
        it.counts.each().into_iter().skip(1).map(|(fate, rows)| (fate, number(rows))).collect()
    }, "changes taken in, by what became of them"),
    counter("commits", Unit::Count, In::Metric, |it, _| number(it.commits),
        "commits that took in changes"),
    counter("conflicts", Unit::Count, In::Metric, |it, _| number(it.effort.conflicts),
        "such commits that another one was first for"),
    counter("retries", Unit::Count, In::Metric, |it, _| number(it.effort.retries),
        "how often the table was looked at again after an error that may pass"),
    labelled(("requests", "request"), Unit::Count, In::Field, |it| {
        let requests = it.effort.requests;
        [("get", requests.get), ("head", requests.head), ("list", requests.list),
            ("put", requests.put), ("delete", requests.delete)]
            .into_iter().map(|(request, count)| (request, number(count))).collect()
    }, "requests to staging and lake"),
    counter("read_bytes", Unit::Bytes, In::Field, |it, _| number(it.effort.bytes.read),
        "bytes read from staging and lake"),
    counter("written_bytes", Unit::Bytes, In::Field, |it, _| number(it.effort.bytes.written),
        "bytes written to the lake"),
    counter("touched_files", Unit::Count, In::Field, |it, _| number(it.effort.files),
        "data files that commits of objects added, replaced, masked or removed"),
    counter("run_seconds", Unit::Seconds, In::Metric, |it, _| it.seconds,
        "time taken"),
    labelled(("phase_seconds", "phase"), Unit::Seconds, In::Field, |it| it.effort.phases.each().into(),
        "time taken by the parts of a run; what is left is waiting and bookkeeping"),
    counter("estimated_usd", Unit::Dollars, In::Metric, cost,
        "about what the requests to S3 and, in the function, its time cost"),
    Metric { name: "peak_memory_bytes", reading: Reading::OfProcess(|it| it.peak_memory_bytes),
        unit: Unit::Bytes, cloudwatch: In::Metric,
        means: "the most memory that the process had at once since it began" },
];

fn cost(report: &TableReport, process: &Process) -> f64 {
    let requests =
        if process.pays_for_requests { price::of_requests(&report.effort.requests) } else { 0.0 };
    let time = process.function_gigabytes.map(|it| price::of_time(report.seconds, it));
    requests + time.unwrap_or_default()
}

/// A count as every form writes it.
#[expect(clippy::cast_precision_loss, reason = "nothing is counted up to 2^53")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}
