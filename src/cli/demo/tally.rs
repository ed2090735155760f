//! Applies the table of each doorbell, as the function does, and adds up the reports.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::ProgressBar;
use object_store::path::Path;

use super::doorbell;
use crate::cli::output::plural;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::event;
use crate::pipeline::{Limits, Pipeline, Silent, Status, TableReport};

/// Sums over all doorbells so far.
#[derive(Debug)]
pub(super) struct Tally {
    tables: BTreeMap<String, TableSum>,
    applying: Duration,
    bar: ProgressBar,
}

/// Sums of one table.
#[derive(Clone, Debug, Default)]
pub(super) struct TableSum {
    /// All reports added up.
    pub(super) report: TableReport,
    /// The version after the full load.
    pub(super) loaded: Option<u64>,
}

impl Tally {
    /// An empty tally; `bar` counts doorbells.
    pub(super) fn new(bar: &ProgressBar) -> Self {
        Self { tables: BTreeMap::new(), applying: Duration::ZERO, bar: bar.clone() }
    }

    /// Handles the doorbell of an object. Its event takes the same path as in the function.
    ///
    /// # Errors
    /// The reason if a table is held or failed, which the demo does not expect.
    pub(super) async fn apply(
        &mut self,
        pipeline: &Pipeline,
        clock: &dyn Clock,
        key: &Path,
    ) -> Result<()> {
        let contents = doorbell::contents(&doorbell::event(key));
        let route = event::route(pipeline.settings(), pipeline.staging(), &contents);
        let began = clock.instant();
        for work in &route.work {
            let limits = Limits::default();
            let report = pipeline.apply(work.table, &work.scope, &limits, &Silent).await;
            self.add(report)?;
        }
        self.applying += clock.instant().duration_since(began);
        self.bar.inc(1);
        self.bar.set_message(plural(self.rows(), "row"));
        Ok(())
    }

    /// Remembers the current versions as those after the full load.
    pub(super) fn full_load_is_done(&mut self) {
        for sum in self.tables.values_mut() {
            sum.loaded = sum.report.version;
        }
    }

    /// The sums by table name.
    pub(super) fn tables(&self) -> &BTreeMap<String, TableSum> {
        &self.tables
    }

    /// The number of changes applied.
    pub(super) fn rows(&self) -> u64 {
        self.tables.values().map(|sum| sum.report.counts.rows).sum()
    }

    /// The time spent applying.
    pub(super) fn applying(&self) -> Duration {
        self.applying
    }

    fn add(&mut self, report: TableReport) -> Result<()> {
        if report.status != Status::Ok {
            let why = report.error.unwrap_or_else(|| "the reason is unknown".into());
            let kind = report.error_kind.unwrap_or(ErrorKind::Internal);
            return Err(Error::new(kind, why).with("table", report.table));
        }
        let sum = self.tables.entry(report.table.clone()).or_default();
        sum.report = std::mem::take(&mut sum.report).followed_by(report);
        Ok(())
    }
}
