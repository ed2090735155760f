//! The scheduler of an invocation: how applying and maintaining share out its time.
//!
//! - **Order.** The first turn goes to a random table, the next ones to those after it. If time is
//!   always too short for all tables, different ones are left out each time.
//! - **Side by side** at first, as many as there are parts of the memory budget that are worth
//!   having: most tables need little memory, and wait for the store most of the time. Tables that
//!   could use more time or more memory get another turn, one after another, with all of it.
//! - **Shares.** Each table gets an equal share of the time that is left, and at least
//!   [`LEAST_SHARE`]. A long backlog therefore starves no other table.
//! - **No turn.** Tables are left out when too little time remains, or when the store refuses the
//!   whole place. The caller learns how many, and why.
//! - **Faults.** A panic fails its own table only. A turn that outlasts the invocation is dropped
//!   in time for the answer.

use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, stream};

use super::{ApplyTables, Deadline};
use crate::clock::Clock;
use crate::config::TableSpec;
use crate::error::{Error, ErrorKind};
use crate::pipeline::Limits;

/// A share below this would be spent on looking, not on working.
pub(super) const LEAST_SHARE: Duration = Duration::from_secs(10);

/// What is done in a table's turn.
pub(super) trait TableWork: Sync {
    /// What a turn returns.
    type Report: Send;

    /// What the work is called in errors.
    const NAME: &'static str;
    /// With less time than this left, no turn begins.
    const LEAST_TIME: Duration;
    /// How many tables have their first turns side by side; none: as many as have memory for that.
    const AT_ONCE: Option<NonZeroUsize>;

    /// How many tables there are.
    fn tables(&self) -> usize;
    /// The table at that index.
    fn table(&self, index: usize) -> &TableSpec;
    /// Works on that table within the limits. A failure is part of the report.
    fn turn(&self, index: usize, limits: &Limits) -> impl Future<Output = Self::Report> + Send;
    /// The report of a turn that ended without one.
    fn failed(table: &TableSpec, error: &Error) -> Self::Report;
    /// Writes the log of a turn.
    fn log(report: &Self::Report);
    /// The kind of the error that ended the turn.
    fn error_kind(report: &Self::Report) -> Option<ErrorKind>;
    /// Whether the table could use another turn.
    fn needs_more_time(report: &Self::Report) -> bool;
    /// Whether more memory may get it further.
    fn lacks_memory(report: &Self::Report) -> bool;
    /// Two turns of one table as one.
    fn followed_by(earlier: Self::Report, later: Self::Report) -> Self::Report;
}

/// What came of all turns.
pub(super) struct Turns<R> {
    /// The tables that had a turn, by index, in the order of their first turns.
    pub(super) reports: Vec<(usize, R)>,
    /// Why the other tables, if any, had none.
    pub(super) left_out: Option<LeftOut>,
}

/// Tables that had no turn.
pub(super) struct LeftOut {
    /// How many.
    pub(super) tables: usize,
    /// Why: `Deadline`, or how the store refuses the whole place.
    pub(super) error: Error,
}

/// Gives every table its turns, as far as time allows.
pub(super) async fn take_turns<W: TableWork>(
    work: &W,
    tables: &dyn ApplyTables,
    deadline: Deadline,
    clock: &dyn Clock,
) -> Turns<W::Report> {
    let mut reports: Vec<(usize, W::Report)> = Vec::new();
    let mut waiting = from_anywhere(work.tables(), clock);
    let mut at_once = W::AT_ONCE.unwrap_or_else(|| tables.tables_at_once());
    let mut refused = None;
    while !waiting.is_empty() && refused.is_none() {
        let round = std::mem::take(&mut waiting);
        let sharers = at_once.min(NonZeroUsize::new(round.len()).unwrap_or(NonZeroUsize::MIN));
        let is_over = AtomicBool::new(false);
        let turns = round.iter().enumerate().map(|(position, &index)| {
            let rounds = (round.len() - position).div_ceil(sharers.get());
            let turn = Turn { rounds, sharers, is_over: &is_over, deadline, clock };
            async move { turn.of(work, index).await.map(|(report, more)| (index, report, more)) }
        });
        let mut turns = pin!(stream::iter(turns).buffer_unordered(sharers.get()));
        while let Some(turn) = turns.next().await {
            let Some((index, report, could_use_more)) = turn else { continue };
            if could_use_more {
                waiting.push(index);
            }
            let is_refused = W::error_kind(&report) == Some(ErrorKind::StoreRefused);
            add::<W>(&mut reports, index, report);
            if is_refused && refused.is_none() {
                // Only this table's folder, or the whole place: then no other table gets further.
                refused = tables.probe().await.err();
                is_over.fetch_or(refused.is_some(), Ordering::Relaxed);
            }
        }
        at_once = NonZeroUsize::MIN;
    }
    let left_out = work.tables() - reports.len();
    let left_out = (left_out > 0).then(|| LeftOut {
        tables: left_out,
        error: refused.unwrap_or_else(|| {
            Error::new(ErrorKind::Deadline, "too little time was left to begin")
        }),
    });
    Turns { reports, left_out }
}

/// What a turn may use.
struct Turn<'a> {
    /// How many turns there are one after another, this one included.
    rounds: usize,
    sharers: NonZeroUsize,
    /// Whether no further turn is to begin.
    is_over: &'a AtomicBool,
    deadline: Deadline,
    clock: &'a dyn Clock,
}

impl Turn<'_> {
    /// The turn of a table, and whether it could use another one; none if it did not begin.
    async fn of<W: TableWork>(&self, work: &W, index: usize) -> Option<(W::Report, bool)> {
        let now = self.clock.instant();
        let left = self.deadline.commit.saturating_duration_since(now);
        if left < W::LEAST_TIME || self.is_over.load(Ordering::Relaxed) {
            return None;
        }
        let rounds = u32::try_from(self.rounds).unwrap_or(u32::MAX);
        let share = now + (left / rounds).max(LEAST_SHARE);
        let limits = Limits {
            deadline: Some(share.min(self.deadline.commit)),
            whole: Some(self.deadline.whole),
            sharers: self.sharers,
            ..Limits::default()
        };
        let report = take_turn(work, index, &limits, self.deadline).await;
        // A table that was given all that was left of time and memory does not come back, so this ends.
        let lacks_memory = self.sharers > NonZeroUsize::MIN && W::lacks_memory(&report);
        let lacks_time = share < self.deadline.commit && W::needs_more_time(&report);
        Some((report, lacks_memory || lacks_time))
    }
}

async fn take_turn<W: TableWork>(
    work: &W,
    index: usize,
    limits: &Limits,
    deadline: Deadline,
) -> W::Report {
    let failed = |kind, why| {
        let error = Error::new(kind, format!("the {} {why}", W::NAME));
        W::failed(work.table(index), &error)
    };
    let turn = AssertUnwindSafe(work.turn(index, limits)).catch_unwind();
    let report = match tokio::time::timeout_at(deadline.drop.into(), turn).await {
        Ok(Ok(report)) => report,
        Ok(Err(_panic)) => failed(ErrorKind::Internal, "panicked"),
        Err(_elapsed) => failed(ErrorKind::Deadline, "took longer than the invocation"),
    };
    W::log(&report);
    report
}

fn add<W: TableWork>(reports: &mut Vec<(usize, W::Report)>, index: usize, report: W::Report) {
    match reports.iter().position(|(earlier, _)| *earlier == index) {
        Some(position) => {
            let (_, earlier) = reports.remove(position);
            reports.insert(position, (index, W::followed_by(earlier, report)));
        }
        None => reports.push((index, report)),
    }
}

/// The indices of so many tables, beginning with any of them.
fn from_anywhere(count: usize, clock: &dyn Clock) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let start = clock.jitter(Duration::from_secs(count as u64)).as_secs();
    order.rotate_left(usize::try_from(start).map_or(0, |start| start % count.max(1)));
    order
}
