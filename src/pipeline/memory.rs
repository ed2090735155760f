//! What a run leaves in the table's state object.

use chrono::{DateTime, Utc};

use crate::disposition::Status;
use crate::error::{Error, Result};
use crate::pipeline::look::Looker;
use crate::pipeline::tally::Tally;
use crate::progress::Unapplied;
use crate::table::TableState;

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
    let keys = looker.spec.lake_keys();
    let new = || TableState::new(&looker.spec.source, keys.clone());
    let Some(known) = tally.state() else {
        // It was not seen what is left.
        let Some(hold) = hold else { return Ok(None) };
        let take_in = |state: &mut TableState| state.held_by(hold, now);
        let state = looker.state_object()?.update(new, take_in).await?;
        return Ok(state.held.map(|held| held.since));
    };
    let unapplied = Unapplied::of(tally.unapplied());
    let begun = tally.has_table();
    let take_in = |state: &mut TableState| {
        state.begun |= begun;
        state.unapplied = unapplied.clone();
        match hold {
            Some(hold) => state.held_by(hold, now),
            None => state.held = None,
        }
        if let Some(watermark) = tally.reloaded_behind() {
            state.reloaded_behind = Some(watermark.clone());
        }
    };
    let before = known.cloned().unwrap_or_else(new);
    let mut after = before.clone();
    take_in(&mut after);
    // A table that never was, and of which nothing is left, needs no state.
    if after != before {
        after = looker.state_object()?.update(new, take_in).await?;
    }
    Ok(after.held.map(|held| held.since))
}
