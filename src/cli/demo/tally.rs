//! Applies what a doorbell calls for, as the function does, and adds up what came of it.

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
    /// All reports as one.
    pub(super) report: TableReport,
    /// The version at which the full load was in.
    pub(super) loaded: Option<u64>,
}

impl Tally {
    /// Nothing yet; `bar` counts doorbells.
    pub(super) fn new(bar: &ProgressBar) -> Self {
        Self { tables: BTreeMap::new(), applying: Duration::ZERO, bar: bar.clone() }
    }

    /// Rings for an object: the event goes the same way as in the function.
    ///
    /// # Errors
    /// Why a table is held or failed; in the demo neither is expected.
    pub(super) async fn ring(
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
            self.take(report)?;
        }
        self.applying += clock.instant().duration_since(began);
        self.bar.inc(1);
        self.bar.set_message(plural(self.rows(), "row"));
        Ok(())
    }

    /// Remembers the versions at which the full load is in.
    pub(super) fn full_load_is_done(&mut self) {
        for sum in self.tables.values_mut() {
            sum.loaded = sum.report.version;
        }
    }

    /// By table name.
    pub(super) fn tables(&self) -> &BTreeMap<String, TableSum> {
        &self.tables
    }

    /// Changes taken in.
    pub(super) fn rows(&self) -> u64 {
        self.tables.values().map(|sum| sum.report.counts.rows).sum()
    }

    /// Time spent applying.
    pub(super) fn applying(&self) -> Duration {
        self.applying
    }

    fn take(&mut self, report: TableReport) -> Result<()> {
        if report.status != Status::Ok {
            let why = report.error.unwrap_or_else(|| "it did not say why".into());
            let kind = report.error_kind.unwrap_or(ErrorKind::Internal);
            return Err(Error::new(kind, why).with("table", report.table));
        }
        let sum = self.tables.entry(report.table.clone()).or_default();
        sum.report = std::mem::take(&mut sum.report).followed_by(report);
        Ok(())
    }
}
