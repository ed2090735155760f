//! What a run leaves in the table's state object.

use chrono::{DateTime, TimeDelta, Utc};

use crate::disposition::Status;
use crate::error::{Error, Result};
use crate::pipeline::Work;
use crate::pipeline::looker::Looker;
use crate::pipeline::tally::{Known, Tally};
use crate::progress::{SeenObject, Unapplied};
use crate::table::TableState;

/// So old must an object be to be remembered before it is tried, beside the table's freshness.
const OLD: TimeDelta = TimeDelta::minutes(10);

/// Writes down what is to be applied, before it is tried, where it has waited for long: a process
/// that it kills writes nothing at its end.
///
/// # Errors
/// As [`crate::table::StateObject::update`].
pub(super) async fn remember_waiting(
    looker: &Looker<'_>,
    tally: &mut Tally,
    work: &Work,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(known) = tally.known() else { return Ok(()) };
    let remembered = remembered(known);
    let old = OLD + TimeDelta::seconds(looker.spec.freshness.as_secs().cast_signed());
    let is_old = |seen: &SeenObject| now - seen.staged_at() > old && !remembered.contains(seen);
    if !work.seen.first().is_some_and(is_old) {
        return Ok(());
    }
    let unapplied = Unapplied::of(work.seen.clone());
    let rebuild = known.state.as_ref().and_then(|state| state.rebuild.as_ref());
    let take_in = |state: &mut TableState| state.left(&unapplied, rebuild);
    let state = looker.pipeline.update_state(looker.spec, take_in).await?;
    tally.knows(state);
    Ok(())
}

/// Writes down how a run left the table, where that is not what its state says already: what
/// holds it, and what was seen and not applied. Nothing is written for a table that is caught up
/// and was before.
///
/// What a run has not come to see is no longer remembered only if it is applied, or staged and so
/// seen again. Returns since when the table is held.
///
/// # Errors
/// As [`crate::table::StateObject::update`].
pub(super) async fn remember(
    looker: &Looker<'_>,
    tally: &Tally,
    error: Option<&Error>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let hold = error.filter(|error| Status::after(error.kind()) == Status::Held);
    let Looker { pipeline, spec, .. } = *looker;
    let Some(known) = tally.known() else {
        // It was not seen what is left.
        let Some(hold) = hold else { return Ok(None) };
        let take_in = |state: &mut TableState| state.held_by(hold, now);
        let state = pipeline.update_state(spec, take_in).await?;
        return Ok(state.held.map(|held| held.since));
    };
    let mut unapplied = tally.unapplied();
    if tally.is_left() {
        // Nobody has tried these.
        unapplied.retain(|seen| remembered(known).contains(seen));
    }
    let unapplied = Unapplied::of(unapplied);
    let begun = tally.has_table();
    let is_done = error.is_none() && tally.is_caught_up();
    let rebuild = known.state.as_ref().and_then(|state| state.rebuild.as_ref());
    let take_in = |state: &mut TableState| {
        state.begun |= begun;
        state.left(&unapplied, rebuild);
        match hold {
            Some(hold) => state.held_by(hold, now),
            None => state.held = None,
        }
        if state.rebuild.as_ref().is_some_and(|rebuild| Some(rebuild.id) == known.rebuilt) {
            state.rebuild = None;
        }
        if is_done && state.live_claim(now).is_none() {
            state.hand_over = None;
        }
        if known.needs_no_reshape {
            state.reshape = None;
        }
        if known.has_progress {
            state.reloaded_behind.clone_from(&known.reloaded_behind);
            state.emptied = state.emptied.filter(|_| known.emptied);
        }
    };
    let new = || TableState::new(&spec.source, spec.lake_keys());
    let before = known.state.clone().unwrap_or_else(new);
    let mut after = before.clone();
    take_in(&mut after);
    // A table that never was, and of which nothing is left, needs no state.
    if after != before {
        after = pipeline.update_state(spec, take_in).await?;
        if let (Some(rebuild), None) = (&before.rebuild, &after.rebuild) {
            pipeline.forget_shadow(spec, rebuild.id).await;
        }
        if let (Some(reshape), None) = (&before.reshape, &after.reshape) {
            pipeline.forget_shadow(spec, reshape.id).await;
        }
    }
    Ok(after.held.map(|held| held.since))
}

/// What the state remembers as seen and not applied.
fn remembered(known: &Known) -> &[SeenObject] {
    known.state.as_ref().map_or(&[], |state| state.unapplied.objects())
}
