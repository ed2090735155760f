//! Keys that differ, looked at again and again: a difference counts only if it is still there once
//! all that was committed at the source before it was seen can have been applied.
//!
//! When is that? Either the lake has a change that the source committed later, as the commit times
//! of changes tell, since changes come in the order of commits. Or so much time has passed as changes
//! may take until they are staged, and all that was staged by then is applied.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::TableSpec;
use crate::error::Result;
use crate::inspect::verify::compare::{Differs, Found, compare};
use crate::inspect::verify::declared::Columns;
use crate::inspect::verify::encode::{Digest, Encoder, Key};
use crate::inspect::verify::narrowing::Sides;
use crate::inspect::verify::observer::{Observer, Step};
use crate::inspect::verify::pages::{Pace, Pages};
use crate::inspect::verify::source::Source;
use crate::inspect::verify::verification::Kind;
use crate::limits::Limits;
use crate::pipeline::{Look, Pipeline, Scope, Silent, Standing};
use crate::progress::SeenObject;
use crate::table::LakeTable;

/// Looks are so far apart, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Pauses are made of steps, so that a request to stop is soon met.
const STEP: Duration = Duration::from_millis(200);
/// So many keys are looked at at once.
const KEYS_AT_ONCE: usize = 2000;

/// What is needed to look again.
pub(super) struct Rechecks<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) spec: &'a TableSpec,
    pub(super) columns: &'a Columns,
    pub(super) encoder: &'a Encoder,
    pub(super) limits: &'a Limits,
    pub(super) observer: &'a dyn Observer,
    /// So long changes may take from their commit until they are staged.
    pub(super) wait: Duration,
    /// Whether what is pending is applied here.
    pub(super) applies: bool,
    /// The load of the source is bounded to so many rows a second.
    pub(super) rows_per_second: Option<std::num::NonZeroU64>,
}

/// When the source began to have what it has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since {
    /// By the source's clock.
    pub(super) source: DateTime<Utc>,
    /// By ours.
    pub(super) here: DateTime<Utc>,
}

/// A key that differed when it was last looked at.
#[derive(Debug)]
struct Candidate {
    /// What the source has had of it, the newest last.
    seen: Vec<Option<Digest>>,
    since: Since,
}

/// What came of the keys.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Those that differ, in key order.
    pub(super) differing: BTreeMap<Key, Differs>,
    /// How many were on their way.
    pub(super) settled: u64,
    /// How many are undecided.
    pub(super) undecided: u64,
    /// Why, a sentence each.
    pub(super) because: Vec<String>,
    /// The newest version that was looked at.
    pub(super) version: Option<u64>,
}

/// How far the lake is.
struct Progress {
    table: LakeTable,
    /// When the oldest object was staged that is not applied yet.
    oldest_pending: Option<DateTime<Utc>>,
    /// Changes that the source committed before then are applied, if commit times tell.
    applied_to: Option<DateTime<Utc>>,
    /// Why nothing goes on, if something is pending and nothing does.
    stuck: Option<String>,
}

impl Progress {
    fn of(look: Look) -> Option<Self> {
        let Look { table, standing, state: known, .. } = look;
        let table = table?;
        let noted = known.and_then(|state| state.held).map(|noted| noted.cause);
        let waiting: Vec<DateTime<Utc>> = match &standing {
            Standing::CaughtUp | Standing::Reshape(_) | Standing::Replace => Vec::new(),
            Standing::Apply(work) => work.seen.iter().map(SeenObject::staged_at).collect(),
            Standing::Reload(reload) => vec![reload.begins],
            Standing::Truncated(seen) => seen.iter().map(SeenObject::staged_at).collect(),
            Standing::Held(hold) => {
                let waiting = hold.waiting.iter().chain(&hold.late).chain(&hold.reload);
                waiting.map(SeenObject::staged_at).chain(hold.since).collect()
            }
        };
        let (oldest, stuck) = match &standing {
            Standing::Held(hold) => {
                let first = waiting.iter().min().copied();
                (Some(first.unwrap_or(DateTime::UNIX_EPOCH)), Some(hold.cause.to_string()))
            }
            Standing::Reshape(_) | Standing::Replace | Standing::Reload(_) => (
                Some(DateTime::UNIX_EPOCH),
                Some("the table is being rebuilt or its columns are being changed".to_owned()),
            ),
            // A look does not read what is pending; whoever tried to apply it has noted why not.
            _ => {
                let oldest = waiting.iter().min().copied();
                (oldest, noted.filter(|_| oldest.is_some()))
            }
        };
        // The time in a full load is when a row was read, not when it was committed.
        let applied_to = table.ledger().source_time.filter(|_| !table.ledger().load.open);
        Some(Self { table, oldest_pending: oldest, applied_to, stuck })
    }

    /// Whether all that was staged by that time is applied.
    fn has_all_staged_by(&self, time: DateTime<Utc>) -> bool {
        self.oldest_pending.is_none_or(|oldest| oldest > time)
    }
}

impl Rechecks<'_> {
    /// Looks at keys that differed, until each is settled, differs, or stays undecided.
    ///
    /// # Errors
    /// Those of reading either side.
    pub(super) async fn until_decided(
        &self,
        source: &mut Source,
        found: Vec<(Key, Sides)>,
        since: Since,
    ) -> Result<Outcome> {
        let candidate =
            |(key, sides): (Key, Sides)| (key, Candidate { seen: vec![sides.source], since });
        let mut open: BTreeMap<Key, Candidate> = found.into_iter().map(candidate).collect();
        let mut outcome = Outcome::default();
        let clock = self.pipeline.clock();
        // What was committed last of all may take as long, and as long again to be applied.
        let last = since.here + delta(self.wait) + delta(self.wait);
        while !open.is_empty() {
            self.observer.step(Step::Rechecks { keys: open.len() as u64 });
            if self.applies {
                let (scope, limits) = (Scope::Everything, self.limits.clone());
                Box::pin(self.pipeline.apply(self.spec, &scope, &limits, &Silent)).await;
            }
            let look = Box::pin(self.pipeline.look(self.spec, &Scope::Everything)).await?;
            let Some(progress) = Progress::of(look) else {
                give_up(&mut outcome, &open, "the table is gone".to_owned());
                return Ok(outcome);
            };
            outcome.version = Some(progress.table.version());
            let source_time = source.begin_snapshot().await?;
            let now = clock.now();
            let keys: Vec<Key> = open.keys().cloned().collect();
            for some in keys.chunks(KEYS_AT_ONCE) {
                let looked = self.look_at(source, &progress.table, some).await?;
                let at = Since { source: source_time, here: now };
                self.judge(&mut open, looked, &progress, at, &mut outcome);
            }
            let stops = self.limits.stop.is_requested();
            if open.is_empty() {
                break;
            }
            if stops || now >= last {
                give_up(&mut outcome, &open, why(&progress, stops));
                break;
            }
            self.pause().await;
        }
        Ok(outcome)
    }

    /// The keys of a table that is looked at once: nothing that comes later is taken in.
    ///
    /// # Errors
    /// Those of reading either side.
    pub(super) async fn once(
        &self,
        source: &mut Source,
        table: &LakeTable,
        found: Vec<(Key, Sides)>,
    ) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let keys: Vec<Key> = found.into_iter().map(|(key, _)| key).collect();
        for some in keys.chunks(KEYS_AT_ONCE) {
            for (key, found) in self.look_at(source, table, some).await? {
                match found.differs {
                    Some(differs) => drop(outcome.differing.insert(key, differs)),
                    None => outcome.settled += 1,
                }
            }
        }
        Ok(outcome)
    }

    async fn look_at(
        &self,
        source: &mut Source,
        table: &LakeTable,
        keys: &[Key],
    ) -> Result<Vec<(Key, Found)>> {
        let asked = self.encoder.keys_of(keys.iter())?;
        let mut reader = source.reader(self.columns);
        let pace = Pace::of(self.rows_per_second, self.pipeline.clock().as_ref());
        let mut pages = Pages::of(&mut reader, pace, self.observer);
        let at_source = pages.reader().by_keys(&asked).await?;
        pages.keep_pace(keys.len() as u64).await;
        let in_lake = crate::inspect::verify::lake::by_keys(table, self.encoder, &asked).await?;
        compare(self.encoder, keys, &at_source, &in_lake)
    }

    /// Takes in what both sides have now of some keys.
    fn judge(
        &self,
        open: &mut BTreeMap<Key, Candidate>,
        looked: Vec<(Key, Found)>,
        progress: &Progress,
        at: Since,
        outcome: &mut Outcome,
    ) {
        for (key, Found { sides, differs }) in looked {
            let Some(candidate) = open.get_mut(&key) else { continue };
            let Some(differs) = differs else {
                open.remove(&key);
                outcome.settled += 1;
                continue;
            };
            let in_lake = match sides.lake.as_slice() {
                [] => Some(None),
                [one] => Some(Some(*one)),
                _ => None,
            };
            // The lake is behind, but right: it has what the source had when it was looked at.
            if in_lake.is_some_and(|in_lake| candidate.seen.contains(&in_lake)) {
                open.remove(&key);
                outcome.settled += 1;
                continue;
            }
            if candidate.seen.last() != Some(&sides.source) {
                candidate.seen.push(sides.source);
                candidate.since = at;
                continue;
            }
            let Since { source, here } = candidate.since;
            let staged_by = here + delta(self.wait);
            let is_passed = progress.applied_to.is_some_and(|time| time > source);
            let is_waited = at.here >= staged_by && progress.has_all_staged_by(staged_by);
            if is_passed || is_waited || differs.kind == Kind::Repeated {
                open.remove(&key);
                outcome.differing.insert(key, differs);
            }
        }
    }

    async fn pause(&self) {
        let mut left = (self.wait / 8).clamp(STEP, LONGEST_PAUSE);
        while !left.is_zero() && !self.limits.stop.is_requested() {
            tokio::time::sleep(STEP.min(left)).await;
            left = left.saturating_sub(STEP);
        }
    }
}

fn delta(time: Duration) -> TimeDelta {
    TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX)
}

fn give_up(outcome: &mut Outcome, open: &BTreeMap<Key, Candidate>, why: String) {
    outcome.undecided += open.len() as u64;
    outcome.because.push(why);
}

fn why(progress: &Progress, stops: bool) -> String {
    if stops {
        return "it was stopped before that could be told".to_owned();
    }
    match &progress.stuck {
        Some(cause) => format!("what is pending is not applied: {cause}"),
        None if progress.oldest_pending.is_some() => {
            "what was staged meanwhile is not applied yet: run it again, with --apply or a longer \
             --wait"
                .to_owned()
        }
        None => "the source changes these rows faster than they arrive: run it again while fewer \
                 change"
            .to_owned(),
    }
}
