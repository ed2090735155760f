//! Leaves to a job what is too much for an invocation of the function, and waits for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::shown;
use crate::config::TableSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::glue::{JobRuns, RunState, Start};
use crate::pipeline::application::Application;
use crate::pipeline::comparison::reading_takes;
use crate::pipeline::looker::{Looker, Opened};
use crate::pipeline::tally::Tally;
use crate::pipeline::{Look, Pipeline, Scope, Standing};
use crate::staging::StagedObject;
use crate::table::{Claim, HandOver, TableState};

/// What applications do about what is too much for them.
#[derive(Clone, Debug, Default)]
pub enum HandsOver {
    /// They go on, slice by slice.
    #[default]
    Never,
    /// They go on, and their reports say so.
    Reports,
    /// They leave it to a job, of which they start runs.
    To(Arc<dyn JobRuns>),
}

/// Why a job is to be started.
#[derive(Clone, Copy, Debug)]
pub(super) enum Why<'a> {
    /// This is too much for the function. Jobs that have failed before count.
    TooMuch(&'a str),
    /// A person asks for it.
    #[cfg(feature = "cli")]
    Asked,
}

#[cfg(feature = "cli")]
const ASKED: &str = "a person has started it";

/// How fast slices must have been, and so long, for their pace to tell.
const TELLING: Duration = Duration::from_secs(10);

impl Pipeline {
    /// Whether so many bytes of staged objects are more than the function takes upon itself, as far as
    /// it knows before it reads.
    #[cfg(feature = "cli")]
    pub(crate) fn is_for_job(&self, bytes: u64) -> bool {
        reading_takes(bytes) > self.settings().hand_over.after()
    }
}

impl Looker<'_> {
    /// Looks at an open table, and at what is staged for it. Where a job is at work, others wait.
    ///
    /// # Errors
    /// As [`Self::look_at_either`].
    pub(super) async fn look(&self, opened: Opened) -> Result<Look> {
        let look = Box::pin(self.look_at_either(opened)).await?;
        let now = self.pipeline.clock().now();
        let claim = look.state.as_ref().and_then(|state| state.live_claim(now));
        let claim = claim.filter(|claim| self.job != Some(claim.id)).map(handed_over);
        Ok(match claim {
            Some(cause) => Look { standing: look.standing.waits_for(cause), ..look },
            None => look,
        })
    }
}

impl Application<'_> {
    /// Who starts the job that takes over, if this application may leave anything to one.
    fn job_runs(&self) -> Option<&Arc<dyn JobRuns>> {
        match self.looker.pipeline.hands_over() {
            HandsOver::To(runs) if self.looker.job.is_none() => Some(runs),
            HandsOver::To(_) | HandsOver::Reports | HandsOver::Never => None,
        }
    }

    /// Whether what is too much may be left to a job.
    pub(super) fn hands_over(&self) -> bool {
        self.job_runs().is_some()
    }

    /// Finds out whether the job that has a claim on an open table has ended or never began.
    pub(super) async fn settle_claim(&self, opened: &mut Opened) -> Result<()> {
        let Some(runs) = self.job_runs() else { return Ok(()) };
        let Some(known) = opened.state.as_ref().and_then(|state| state.hand_over.as_ref()) else {
            return Ok(());
        };
        let Looker { pipeline, spec, scope, .. } = self.looker;
        let now = pipeline.clock().now();
        let is_offered = matches!(known.claim, Claim::Offered { .. });
        let expired = match &known.claim {
            Claim::Failed { .. } => return Ok(()),
            _ if known.is_live(now) => None,
            Claim::Offered { .. } => Some("no job has begun in time"),
            Claim::Taken { .. } => Some("the job has not renewed its claim"),
        };
        // A request for each sweep, and none for each doorbell.
        let is_asked = expired.is_some() || matches!(scope, Scope::Everything);
        let run = known.run().filter(|_| is_asked);
        let because = match (self.state_of(runs.as_ref(), run).await, expired) {
            (Some(RunState::Ended(how)), _) => how,
            // It waits for other runs to end, or for workers.
            (Some(RunState::Alive), Some(_)) if is_offered => {
                let id = known.id;
                let renew = |state: &mut TableState| {
                    if let Some(it) = state.hand_over_of(id) {
                        it.renew(now);
                    }
                };
                opened.state = Some(pipeline.update_state(spec, renew).await?);
                return Ok(());
            }
            (_, Some(expired)) => expired.to_owned(),
            (_, None) => return Ok(()),
        };
        opened.state = Some(self.end_claim(known, &because).await?);
        Ok(())
    }

    /// How a run stands, where that is told.
    async fn state_of(&self, runs: &dyn JobRuns, run: Option<&str>) -> Option<RunState> {
        match runs.state(run?).await {
            Ok(state) => Some(state),
            Err(error) => {
                let table = &self.looker.spec.source;
                tracing::warn!(%table, "how the job stands is not known: {}", error.chain());
                None
            }
        }
    }

    /// Writes down that a job has ended before its work was done, or was not started.
    async fn end_claim(&self, known: &HandOver, because: &str) -> Result<TableState> {
        let Self { looker, .. } = self;
        let now = looker.pipeline.clock().now();
        let attempts = looker.pipeline.settings().hand_over.attempts;
        let end = |state: &mut TableState| {
            // Whoever has ended it first, or renewed it since, is right.
            if let Some(it) = state.hand_over_of(known.id).filter(|it| it.claim == known.claim) {
                it.failed(because, now, attempts);
            }
        };
        looker.pipeline.update_state(looker.spec, end).await
    }

    /// Leaves what follows from a look to a job, where that is due: why this application waits then.
    pub(super) async fn leave_to_job(
        &self,
        standing: &Standing,
        tally: &mut Tally,
    ) -> Result<Option<Error>> {
        let objects = match standing {
            Standing::CaughtUp | Standing::Held(_) => return Ok(None),
            Standing::Apply(work) => work.objects.as_slice(),
            Standing::Reload(_)
            | Standing::Reshape(_)
            | Standing::Truncated(_)
            | Standing::Replace => &[],
        };
        if matches!(self.looker.pipeline.hands_over(), HandsOver::Reports)
            && let Some(why) = self.too_much(objects)
        {
            let table = &self.looker.spec.source;
            tally.warn(&format!("{why}; dmslake job start {table} hands it over to a job"));
        }
        if !self.hands_over() {
            return Ok(None);
        }
        let known = tally.known_state().and_then(|state| state.hand_over.clone());
        match known {
            Some(known) => {
                let now = self.looker.pipeline.clock().now();
                if let Claim::Failed { again, .. } = &known.claim
                    && again.is_none_or(|again| now < again)
                {
                    return Ok(Some(self.waits_for(&known)));
                }
                Ok(Some(self.hand_over(&known.why, tally).await?))
            }
            None => match self.too_much(objects) {
                Some(why) => Ok(Some(self.hand_over(&why, tally).await?)),
                None => Ok(None),
            },
        }
    }

    /// Leaves what is pending to a job, and starts it: why this application waits then.
    pub(super) async fn hand_over(&self, why: &str, tally: &mut Tally) -> Result<Error> {
        let Some(runs) = self.job_runs() else {
            return Err(Error::new(ErrorKind::Internal, "there is no job to hand over to"));
        };
        let Self { looker, .. } = self;
        let (state, hand_over) =
            looker.pipeline.offer_to_job(looker.spec, Why::TooMuch(why), runs.as_ref()).await?;
        tally.knows(state);
        Ok(self.waits_for(&hand_over))
    }

    /// Why this application waits. That the last job has failed is logged as long as it is so, whoever
    /// has seen it first: the function, or the driver itself.
    fn waits_for(&self, hand_over: &HandOver) -> Error {
        if let Claim::Failed { because, .. } = &hand_over.claim {
            let table = &self.looker.spec.source;
            tracing::error!(%table, because, failures = hand_over.failures, "a job has failed");
        }
        handed_over(hand_over)
    }

    /// Why these objects are too much: how long slices would take to apply them.
    fn too_much(&self, objects: &[StagedObject]) -> Option<String> {
        let bytes = objects.iter().map(|object| object.size).sum();
        self.takes_too_long(bytes, reading_takes(bytes))
    }

    fn takes_too_long(&self, bytes: u64, takes: Duration) -> Option<String> {
        let after = self.looker.pipeline.settings().hand_over.after();
        (takes > after).then(|| {
            let (megabytes, minutes) = (bytes / 1_000_000, takes.as_secs().div_ceil(60));
            format!("{megabytes} MB are pending, which slices take about {minutes} minutes for")
        })
    }

    /// Why the rest is too much, by the pace of slices since `begun`; they have taken in the first
    /// `done` of the objects.
    pub(super) fn is_too_slow(
        &self,
        objects: &[StagedObject],
        done: usize,
        begun: Instant,
    ) -> Option<String> {
        let took = self.looker.pipeline.clock().instant() - begun;
        if !self.hands_over() || took < TELLING {
            return None;
        }
        let (applied, left) = objects.split_at(done.min(objects.len()));
        let bytes = |objects: &[StagedObject]| objects.iter().map(|it| it.size).sum::<u64>();
        let (applied, left) = (bytes(applied), bytes(left));
        let seconds = took.as_secs().saturating_mul(left).checked_div(applied)?;
        self.takes_too_long(left, Duration::from_secs(seconds))
    }
}

/// Why others wait while a job applies what is pending, or before another one does.
pub(super) fn handed_over(hand_over: &HandOver) -> Error {
    let (kind, message) = match &hand_over.claim {
        Claim::Offered { .. } => {
            (ErrorKind::HandedOver, "what is pending is left to a job that is being started")
        }
        Claim::Taken { .. } => (ErrorKind::HandedOver, "a job applies what is pending"),
        Claim::Failed { again: Some(_), .. } => {
            (ErrorKind::HandedOver, "the job that applies what is pending has failed")
        }
        Claim::Failed { again: None, .. } => {
            (ErrorKind::JobFailed, "no job has applied what is pending")
        }
    };
    let error = Error::new(kind, message).with("why", &hand_over.why);
    let error = error.with("since", shown(hand_over.since));
    match &hand_over.claim {
        Claim::Offered { until, .. } | Claim::Taken { until, .. } => {
            let error = error.with("until", shown(*until));
            match hand_over.run() {
                Some(run) => error.with("run", run),
                None => error,
            }
        }
        Claim::Failed { because, again, .. } => {
            let error = error.with("failures", hand_over.failures).with("because", because);
            match again {
                Some(again) => error.with("again", shown(*again)),
                None => error,
            }
        }
    }
}

impl Pipeline {
    /// Leaves what is pending for a table to a job and starts a run of it, unless one may be at work
    /// already; gives the hand-over that stands then. A run that is refused ends it at once; one of
    /// which no answer tells begins if the offer still stands.
    ///
    /// # Errors
    /// As [`crate::table::StateObject::update`].
    pub(super) async fn offer_to_job(
        &self,
        spec: &TableSpec,
        why: Why<'_>,
        runs: &dyn JobRuns,
    ) -> Result<(TableState, HandOver)> {
        let (id, now) = (self.clock().attempt_id(), self.clock().now());
        let offer = |state: &mut TableState| {
            state.hand_over(now, |earlier| match why {
                Why::TooMuch(why) => HandOver::offered(id, why, earlier, now),
                #[cfg(feature = "cli")]
                Why::Asked => HandOver::offered(id, ASKED, None, now),
            });
        };
        let state = standing(self.update_state(spec, offer).await?)?;
        if state.1.id != id {
            return Ok(state);
        }
        let table = &spec.source;
        let attempts = self.settings().hand_over.attempts;
        let answer = match runs.start(table, id).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(%table, "whether a job was started is not known: {}", error.chain());
                return Ok(state);
            }
        };
        if let Start::Begun(run) = &answer {
            tracing::info!(%table, run, "a job is started");
        }
        let take_in = |state: &mut TableState| {
            let Some(it) = state.hand_over_of(id) else { return };
            match &answer {
                Start::Begun(run) => it.started(run),
                Start::Refused(because) => it.failed(because, now, attempts),
            }
        };
        standing(self.update_state(spec, take_in).await?)
    }
}

/// A state with its hand-over, which an operator may have ended just now.
fn standing(state: TableState) -> Result<(TableState, HandOver)> {
    let hand_over = state.hand_over.clone();
    let hand_over = hand_over.ok_or_else(|| {
        Error::new(ErrorKind::Conflict, "the hand-over to a job was ended by somebody else")
    })?;
    Ok((state, hand_over))
}
