//! One application of one table: passes until caught up, with bounded retries.

use std::time::Duration;

use chrono::{DateTime, Utc};
use deltalake::kernel::Version;

use crate::config::TableSpec;
use crate::disposition::{Action, disposition, remedy_of};
use crate::error::{Error, Result};
use crate::pipeline::budget::Pace;
use crate::pipeline::{Limits, Observer, Pipeline, Scope, Status, TableReport};
use crate::progress::Books;
use crate::storage::Location;
use crate::table::LostCommit;

/// So many setbacks in a row, without a commit between them, end an application.
const MOST_SETBACKS: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The state of one application of one table.
pub(super) struct Run<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) spec: &'a TableSpec,
    pub(super) limits: &'a Limits,
    pub(super) observer: &'a dyn Observer,
    pub(super) report: TableReport,
    pub(super) pace: Pace,
    /// A commit whose answer was lost.
    pub(super) unknown: Option<LostCommit>,
    commits: u64,
    /// When each object was staged that the last look found pending, in order of application.
    pub(super) staged: Vec<DateTime<Utc>>,
    /// The same of the oldest object that holds the table.
    pub(super) held_since: Option<DateTime<Utc>>,
}

/// Applies a table and reports; see [`Pipeline::apply`].
pub(super) async fn run(
    pipeline: &Pipeline,
    spec: &TableSpec,
    scope: &Scope,
    limits: &Limits,
    observer: &dyn Observer,
) -> TableReport {
    let clock = pipeline.clock.as_ref();
    let begun = clock.instant();
    let requests = pipeline.requests(&spec.source);
    let requests_before = requests.so_far();
    let report = TableReport {
        table: spec.source.to_string(),
        warnings: pipeline.settings.warnings_of(spec),
        ..TableReport::default()
    };
    let pace = Pace::new(limits);
    match scope {
        Scope::Everything => pipeline.followers.look_again(&spec.source),
        Scope::Named(_) => pipeline.followers.try_again(&spec.source),
    }
    let mut run = Run {
        pipeline,
        spec,
        limits,
        observer,
        report,
        pace,
        unknown: None,
        commits: 0,
        staged: Vec::new(),
        held_since: None,
    };
    let outcome = run.until_caught_up(scope).await;
    let oldest = run.oldest_pending();
    let mut report = run.report;
    let waits = oldest.map_or(0, |since| (clock.now() - since).num_seconds());
    report.oldest_pending_seconds = u64::try_from(waits).unwrap_or_default();
    if let Err(error) = outcome {
        report_error(&mut report, &error);
    }
    report.requests = requests.so_far().since(requests_before);
    report.seconds = (clock.instant() - begun).as_secs_f64();
    report
}

/// Whoever asked for the application tells of it, once.
fn report_error(report: &mut TableReport, error: &Error) {
    report.status = Status::after(error.kind());
    let has_remedy = report.status == Status::Held || error.own_remedy().is_some();
    report.error = Some(if has_remedy {
        format!("{}; {}", error.chain(), remedy_of(error))
    } else {
        error.chain()
    });
    report.error_kind = Some(error.kind());
    report.remedy = Some(remedy_of(error).to_owned());
}

impl Run<'_> {
    async fn until_caught_up(&mut self, scope: &Scope) -> Result<()> {
        let mut setbacks = 0;
        loop {
            let commits_before = self.commits;
            let error = match Box::pin(self.pass(scope)).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if self.commits > commits_before {
                setbacks = 0;
            }
            setbacks += 1;
            let may_pass_later = disposition(error.kind()).action == Action::Retry;
            if !may_pass_later || setbacks > MOST_SETBACKS || self.limits.stop.is_requested() {
                return Err(error);
            }
            let wait = self.wait(setbacks);
            if self.limits.deadline.is_some_and(|end| self.pipeline.clock.instant() + wait >= end) {
                return Err(error);
            }
            tracing::warn!(table = %self.spec.source, setbacks, "trying again: {}", error.chain());
            tokio::time::sleep(wait).await;
        }
    }

    /// When the oldest object was staged that is not applied.
    fn oldest_pending(&self) -> Option<DateTime<Utc>> {
        let pending = usize::try_from(self.report.pending).unwrap_or(usize::MAX);
        // They are applied in order, so it is the last ones that wait.
        let left = self.staged.iter().rev().take(pending).copied();
        left.chain(self.held_since).min()
    }

    fn wait(&self, setbacks: u32) -> Duration {
        let longest = FIRST_WAIT.saturating_mul(1 << setbacks.min(16)).min(LONGEST_WAIT);
        self.pipeline.clock.jitter(longest)
    }

    /// Finds out whether a commit whose answer was lost stands, and books it if it does.
    pub(super) async fn settle_unknown(&mut self, location: &Location) -> Result<()> {
        let Some(lost) = self.unknown else { return Ok(()) };
        if let Some((version, record)) = lost.find(location).await? {
            let finished = record.objects.iter().filter(|object| object.done).count() as u64;
            self.book(version, &record.books, finished, 0);
        }
        self.unknown = None;
        Ok(())
    }

    /// Adds a commit of ours to the report.
    pub(super) fn book(&mut self, version: Version, books: &Books, finished: u64, replayed: u64) {
        self.commits += 1;
        let report = &mut self.report;
        report.version = Some(version);
        report.objects += finished;
        report.pending = report.pending.saturating_sub(finished);
        report.rows += books.rows;
        report.inserted += books.inserted;
        report.updated += books.updated;
        report.deleted += books.deleted;
        report.superseded += books.superseded;
        report.ignored += books.ignored;
        report.quarantined += books.quarantined;
        report.in_quarantine += books.quarantined;
        report.replayed += replayed;
    }
}
