//! One application of one table: passes until it is caught up, with bounded retries.

use std::collections::BTreeSet;
use std::time::Duration;

use deltalake::kernel::Version;
use uuid::Uuid;

use crate::config::TableSpec;
use crate::disposition::{Action, disposition};
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::apply::{Applied, Setback};
use crate::pipeline::budget::{Pace, memory_budget};
use crate::pipeline::first_rows::FirstRows;
#[cfg(feature = "cli")]
use crate::pipeline::job::Job;
use crate::pipeline::looker::Looker;
use crate::pipeline::memory::remember;
use crate::pipeline::rebuild::Build;
use crate::pipeline::slicer::Cut;
use crate::pipeline::tally::{AppliedSlice, Tally};
use crate::pipeline::{Limits, Observer, PassEnd, Pipeline, Scope, Step, TableReport};
use crate::progress::{event_with_counts, with_counts};
use crate::schema::ColumnChange;
use crate::staging::StagedObject;
use crate::table::{LakeTable, LostCommit};

/// So many setbacks in a row, without a commit between them, end an application.
const MOST_SETBACKS: u32 = 8;
/// So many looks in a row that lead to no commit of rows.
const MOST_LOOKS: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// One application of one table: what it was asked for.
pub(super) struct Application<'a> {
    /// Which table, and how much of what is staged for it.
    pub(super) looker: Looker<'a>,
    pub(super) limits: &'a Limits,
    pub(super) observer: &'a dyn Observer,
    pub(super) manner: Manner<'a>,
}

/// How a table is applied; by default by this process, and what is due.
#[derive(Clone, Copy, Default)]
pub(super) struct Manner<'a> {
    /// The late object that an operator has applied out of its turn, and first.
    pub(super) asked: Option<&'a str>,
    /// The hand-over for whose job it is applied.
    pub(super) claim: Option<Uuid>,
    /// The job over whose tasks it is spread.
    #[cfg(feature = "cli")]
    pub(super) job: Option<Job<'a>>,
    /// Objects of which only the first rows are taken in.
    pub(super) first_rows: Option<&'a FirstRows>,
}

fn endless() -> Error {
    Error::new(ErrorKind::Internal, "looking at the table leads nowhere")
}

/// Applies a table and reports; see [`Pipeline::apply`].
pub(super) async fn run(
    pipeline: &Pipeline,
    spec: &TableSpec,
    scope: &Scope,
    limits: &Limits,
    observer: &dyn Observer,
    manner: Manner<'_>,
) -> TableReport {
    let clock = pipeline.clock().as_ref();
    let begun = clock.instant();
    let meter = pipeline.meter(&spec.source);
    let before = meter.so_far();
    let mut tally = Tally::of(spec, pipeline.settings().warnings_of(spec));
    pipeline.begin_to_follow(&spec.source, scope);
    let outcome = match Looker::new(pipeline, spec, scope) {
        Ok(looker) => {
            let looker = Looker { job: manner.claim, ..looker };
            let application = Application { looker, limits, observer, manner };
            let outcome = application.until_caught_up(&mut tally).await;
            application.remember(&mut tally, outcome).await
        }
        Err(error) => Err(error),
    };
    let mut report = tally.into_report(outcome.err().as_ref(), clock);
    report.effort = meter.so_far().since(before);
    report.seconds = (clock.instant() - begun).as_secs_f64();
    report
}

impl Application<'_> {
    async fn until_caught_up(&self, tally: &mut Tally) -> Result<()> {
        let mut pace = Pace::new(self.limits);
        let (mut setbacks, mut looks) = (0, 0);
        let mut lost = Vec::new();
        loop {
            let commits_before = tally.commits();
            let Setback { error, lost: newly_lost } =
                match Box::pin(self.pass(&mut lost, &mut pace, tally)).await {
                    Ok(PassEnd::Done) => return Ok(()),
                    // Each of them has written something; more in a row would be a defect.
                    Ok(PassEnd::LookAgain) if looks < MOST_LOOKS => {
                        looks = if tally.commits() > commits_before { 0 } else { looks + 1 };
                        setbacks = 0;
                        continue;
                    }
                    Ok(PassEnd::LookAgain) => return Err(endless()),
                    Err(setback) => setback,
                };
            let error = self.looker.with_whole_paths(error);
            lost.extend(newly_lost);
            if tally.commits() > commits_before {
                setbacks = 0;
            }
            setbacks += 1;
            let may_pass_later = disposition(error.kind()).action == Action::Retry;
            if !may_pass_later || setbacks > MOST_SETBACKS || self.limits.stop.is_requested() {
                return Err(self.for_want_of_memory(error, tally).await);
            }
            let wait = self.wait(setbacks);
            let now = self.looker.pipeline.clock().instant();
            if self.limits.deadline.is_some_and(|end| now + wait >= end) {
                return Err(error);
            }
            tracing::warn!(table = %self.looker.spec.source, setbacks, "trying again: {}", error.chain());
            self.looker.pipeline.meter(&self.looker.spec.source).retried();
            tokio::time::sleep(wait).await;
        }
    }

    /// The error that ends the application. What it has too little memory for, a job may have.
    async fn for_want_of_memory(&self, error: Error, tally: &mut Tally) -> Error {
        if !error.is_for_want_of_memory() || !self.hands_over() {
            return error;
        }
        let why = format!("this has too little memory: {}", error.chain());
        match self.hand_over(&why, tally).await {
            Ok(handed_over) => handed_over,
            Err(_) => error,
        }
    }

    /// Finds out which commits whose answers were lost are in the log of a table that has just been
    /// opened. What may still come to be there is asked for again the next time.
    pub(super) async fn settle(
        &self,
        lost: &mut Vec<LostCommit>,
        newest: Option<Version>,
        tally: &mut Tally,
    ) -> Result<()> {
        let mut at = 0;
        while let Some(commit) = lost.get(at).copied() {
            if let Some((version, record)) = commit.find(&self.looker.location).await? {
                let objects = record.objects.iter().filter(|object| object.done).count() as u64;
                let counts = record.books.counts;
                tally.committed(&AppliedSlice { version, counts, objects, replayed: 0 });
                lost.remove(at);
            } else if commit.is_passed(newest) {
                lost.remove(at);
            } else {
                at += 1;
            }
        }
        Ok(())
    }

    /// Writes down how the run left the table. What cannot be written of a table that is held or
    /// failed is told by the next run; one that is caught up must not be believed to be.
    async fn remember(&self, tally: &mut Tally, outcome: Result<()>) -> Result<()> {
        let now = self.looker.pipeline.clock().now();
        let remembered = remember(&self.looker, tally, outcome.as_ref().err(), now).await;
        match (outcome, remembered) {
            (Ok(()), Err(error)) => Err(self.looker.with_whole_paths(error)),
            (outcome, Err(error)) => {
                let table = &self.looker.spec.source;
                tracing::warn!(%table, "its state is not written down: {}", error.chain());
                outcome
            }
            (outcome, Ok(held_since)) => {
                tally.held_since(held_since);
                outcome
            }
        }
    }

    fn wait(&self, setbacks: u32) -> Duration {
        let longest = FIRST_WAIT.saturating_mul(1 << setbacks.min(16)).min(LONGEST_WAIT);
        self.looker.pipeline.clock().jitter(longest)
    }

    /// What all slices of the application share.
    pub(super) fn cut<'a>(
        &'a self,
        changes: Vec<ColumnChange>,
        let_pass: &'a BTreeSet<String>,
    ) -> Cut<'a> {
        let settings = self.looker.pipeline.settings();
        Cut {
            table: self.looker.spec,
            dms: &settings.dms,
            staging: &self.looker.staging,
            clock: self.looker.pipeline.clock().as_ref(),
            observer: self.observer,
            changes,
            memory_budget: memory_budget(settings, self.limits),
            let_pass,
            first_rows: self.manner.first_rows,
        }
    }

    /// Brings what readers need in line with the table.
    pub(super) async fn follow(&self, table: Option<&LakeTable>) -> Result<()> {
        let Some(table) = table else { return Ok(()) };
        self.looker
            .pipeline
            .follow(self.looker.spec, &self.looker.location, table, self.limits)
            .await
    }

    pub(super) fn announce(&self, objects: &[StagedObject]) {
        let bytes = objects.iter().map(|object| object.size).sum();
        self.observer.step(Step::Pending { objects: objects.len() as u64, bytes });
    }

    /// Tells of a slice that is in the table.
    pub(super) fn tell(&self, applied: &Applied, built: Build, tally: &mut Tally) {
        tally.met(&applied.foreign);
        if built == Build::InPlace {
            tally.progressed(applied.table.ledger());
        }
        match built {
            Build::InPlace => tally.committed(&applied.slice),
            Build::InShadow => tally.built(&applied.slice),
        }
        let AppliedSlice { version, counts, objects, .. } = applied.slice;
        let milliseconds = u64::try_from(applied.took.as_millis()).unwrap_or(u64::MAX);
        let table = &self.looker.spec.source;
        let bytes_written = applied.written.map(|bytes| bytes.actual);
        let bytes_foreseen = applied.written.map(|bytes| bytes.foreseen);
        let shadow = (built == Build::InShadow).then_some(true);
        with_counts!(event_with_counts!(
            info,
            counts,
            { %table, version, objects, },
            { milliseconds, bytes_written, bytes_foreseen, shadow, },
            "committed"
        ));
        let bytes = applied.object_bytes;
        self.observer.step(Step::Committed { version, objects, bytes, rows: counts.rows });
    }
}
