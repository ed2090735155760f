//! The values of one run, by the list.

use chrono::{DateTime, Utc};

use crate::inspect::TableStatus;
use crate::metrics::list::{METRICS, Metric, Reading, Series, Total, number};
use crate::metrics::source::{Process, Standing};
use crate::pipeline::TableReport;

/// The values of one table, or of all together.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// `schema.table`; none of all together.
    pub table: Option<String>,
    /// In the list's order, by the order of its labels.
    pub values: Vec<(Series, f64)>,
}

impl Sample {
    /// The value of a metric; none if nothing tells.
    #[must_use]
    pub fn value(&self, metric: &str, label: Option<&str>) -> Option<f64> {
        let is_it = |series: &Series| series.metric.name == metric && series.label == label;
        self.values.iter().find(|(series, _)| is_it(series)).map(|(_, value)| *value)
    }

    fn of_table(
        table: &str,
        standing: &Standing,
        report: Option<&TableReport>,
        process: &Process,
    ) -> Self {
        let mut values = Vec::new();
        for metric in METRICS {
            let series = |label| Series { metric, label };
            match (&metric.reading, report) {
                (Reading::Gauge(of, _), _) => {
                    values.extend(of(standing).map(|value| (series(None), number(value))));
                }
                (Reading::Counter(of), Some(report)) => {
                    values.push((series(None), of(report, process)));
                }
                (Reading::Labelled(_, of), Some(report)) => {
                    let each = of(report).into_iter();
                    values.extend(each.map(|(label, value)| (series(Some(label)), value)));
                }
                (Reading::Counter(_) | Reading::Labelled(..), None)
                | (Reading::OfProcess(_), _) => {}
            }
        }
        Self { table: Some(table.to_owned()), values }
    }
}

/// The values of a run.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When the run began: counters count from then on.
    pub begun: DateTime<Utc>,
    /// The time of the values.
    pub now: DateTime<Utc>,
    /// Each table.
    pub tables: Vec<Sample>,
    /// What is of the process, and of no table.
    pub process: Sample,
}

impl Snapshot {
    /// Of the applications of these tables. Those that were not begun are left out: nothing is known
    /// of them.
    #[must_use]
    pub fn of_run(reports: &[TableReport], process: &Process) -> Self {
        let begun = reports.iter().filter(|report| !report.not_begun);
        let tables = begun.map(|report| {
            let standing = Standing::of_report(report, process.now);
            Sample::of_table(&report.table, &standing, Some(report), process)
        });
        Self::of(tables.collect(), process)
    }

    /// Of a look at these tables: gauges alone.
    #[must_use]
    pub fn of_look(statuses: &[TableStatus], process: &Process) -> Self {
        let tables = statuses.iter().map(|status| {
            let standing = Standing::of_status(status, process.now);
            Sample::of_table(&status.table, &standing, None, process)
        });
        Self::of(tables.collect(), process)
    }

    fn of(tables: Vec<Sample>, process: &Process) -> Self {
        let value = |metric: &'static Metric| match metric.reading {
            Reading::OfProcess(of) => {
                of(process).map(|value| (Series { metric, label: None }, number(value)))
            }
            _ => None,
        };
        let of_process = Sample { table: None, values: METRICS.iter().filter_map(value).collect() };
        Self { begun: process.begun, now: process.now, tables, process: of_process }
    }

    /// All tables together, and what is of the process.
    #[must_use]
    pub fn total(&self) -> Sample {
        let mut values: Vec<(Series, f64)> = Vec::new();
        for &(series, value) in self.tables.iter().flat_map(|table| &table.values) {
            match values.iter_mut().find(|(known, _)| *known == series) {
                None => values.push((series, value)),
                Some((_, total)) => match series.metric.reading {
                    Reading::Gauge(_, Total::Max) => *total = total.max(value),
                    _ => *total += value,
                },
            }
        }
        values.extend(&self.process.values);
        Sample { table: None, values }
    }

    /// So many tables at most, those that need somebody first: failed, held, furthest behind.
    pub(super) fn worst(&self, most: usize) -> Vec<&Sample> {
        let badness = |sample: &Sample| {
            let order =
                ["failed_tables", "held_tables", "behind_seconds", "oldest_pending_seconds"];
            order.map(|metric| sample.value(metric, None).unwrap_or_default())
        };
        let mut worst: Vec<(&Sample, [f64; 4])> =
            self.tables.iter().map(|sample| (sample, badness(sample))).collect();
        worst.sort_by(|(_, one), (_, other)| {
            other.partial_cmp(one).unwrap_or(std::cmp::Ordering::Equal)
        });
        worst.truncate(most);
        worst.into_iter().map(|(sample, _)| sample).collect()
    }
}
