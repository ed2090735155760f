//! With which progress a table begins that has taken in nothing yet, or why it must not begin.

use std::collections::BTreeMap;

use chrono::{NaiveDateTime, TimeDelta};

use crate::dms::Phase;
use crate::error::{Error, ErrorKind, Result};
use crate::progress::{Ledger, Position, is_gapless};
use crate::staging::{Listing, StagedObject};
use crate::storage::StoreKind;
use crate::table::TableState;

/// DMS names a change object after the time when it makes it, and uploads it soon after, whatever
/// zone it names it in. Objects whose times are further apart were copied.
const SOON: TimeDelta = TimeDelta::hours(36);

/// How a table begins.
#[derive(Debug)]
pub(super) struct Beginning {
    /// Its progress, in which change objects of before its full load count as applied.
    pub(super) ledger: Ledger,
    /// How many they are.
    pub(super) outdated: u64,
}

impl Beginning {
    fn of(ledger: Ledger) -> Self {
        Self { ledger, outdated: 0 }
    }
}

/// What is known of a table beside its log.
pub(super) struct Known<'a> {
    /// None if there never was one.
    pub(super) state: Option<&'a TableState>,
    /// When its full load was staged, where that is known: full-load objects of before are left
    /// over from an earlier one.
    pub(super) load_begins: Option<i64>,
    /// Whether an operator goes on without what is missing.
    pub(super) accepts_loss: bool,
    /// The state object as messages name it.
    pub(super) shown: String,
}

/// Finds out how a table begins whose log holds no row of any object. `is_there` says whether it
/// has a log at all; the listing is of everything that is staged for it.
///
/// # Errors
/// `TableRefused` if what is staged cannot be all of the table.
pub(super) fn beginning(
    known: &Known<'_>,
    is_there: bool,
    listing: &Listing,
    kind: StoreKind,
) -> Result<Beginning> {
    let is_load = |object: &&StagedObject| object.name.phase.is_full_load();
    let (mut loads, changes): (Vec<_>, Vec<_>) = listing.objects.iter().partition(is_load);
    loads.retain(|load| known.load_begins.is_none_or(|begins| modified(load) >= begins));
    if loads.is_empty() {
        return match known.state {
            Some(_) if !is_there => Err(not_staged_any_more(known)),
            _ => Ok(Beginning::of(Ledger::of_load(None, &[]))),
        };
    }
    if !is_there {
        must_be_staged_since_emptied(&loads, known, kind)?;
    }
    if changes.is_empty() {
        return Ok(Beginning::of(Ledger::of_load(known.load_begins, &[])));
    }
    // The load is complete: DMS writes no change before.
    if known.state.is_some() && !known.accepts_loss {
        must_begin_at_one(&loads, known)?;
    }
    let (begins, outdated) = if known.load_begins.is_some() {
        // Their times have told the new load from the one before.
        loads = newest_load(loads, &changes);
        if !known.accepts_loss {
            must_be_gapless(&loads)?;
        }
        let begins = first_staged(&loads);
        let is_outdated = |change: &&StagedObject| Some(modified(change)) < begins;
        (begins, changes.iter().copied().filter(is_outdated).collect())
    } else if kind == StoreKind::S3 && changes.iter().all(|change| has_time_of_its_own(change)) {
        (first_staged(&loads), staged_before(&loads, &changes)?)
    } else {
        (None, overtaken(known.state, &changes))
    };
    let ledger = Ledger::of_load(begins, &outdated);
    Ok(Beginning { ledger, outdated: outdated.len() as u64 })
}

fn modified(object: &StagedObject) -> i64 {
    object.last_modified.timestamp_millis()
}

fn first_staged(loads: &[&StagedObject]) -> Option<i64> {
    loads.iter().map(|load| modified(load)).min()
}

/// The load that was staged last: DMS writes no change between the objects of one load.
fn newest_load<'a>(
    loads: Vec<&'a StagedObject>,
    changes: &[&StagedObject],
) -> Vec<&'a StagedObject> {
    let newest = loads.iter().map(|load| load.last_modified).max();
    let before = changes.iter().map(|change| change.last_modified);
    let Some(last) = before.filter(|at| Some(*at) < newest).max() else { return loads };
    loads.into_iter().filter(|load| load.last_modified > last).collect()
}

/// Change objects that were staged before the load began.
fn staged_before<'a>(
    loads: &[&StagedObject],
    changes: &[&'a StagedObject],
) -> Result<Vec<&'a StagedObject>> {
    let times = || loads.iter().map(|load| load.last_modified);
    let (first, last) = (times().min(), times().max());
    let between = |change: &&&StagedObject| {
        Some(change.last_modified) > first && Some(change.last_modified) < last
    };
    if let Some(change) = changes.iter().find(between) {
        return Err(two_generations(loads, change));
    }
    Ok(changes.iter().copied().filter(|change| Some(change.last_modified) < first).collect())
}

/// Change objects that were applied before a reload was noticed.
fn overtaken<'a>(
    state: Option<&TableState>,
    changes: &[&'a StagedObject],
) -> Vec<&'a StagedObject> {
    let Some(watermark) = state.and_then(|state| state.reloaded_behind.as_ref()) else {
        return Vec::new();
    };
    let is_overtaken =
        |change: &&StagedObject| Position::of(change).is_some_and(|at| at <= *watermark);
    changes.iter().copied().filter(is_overtaken).collect()
}

/// Whether an object was last modified when its name says that DMS made it.
fn has_time_of_its_own(object: &StagedObject) -> bool {
    let Phase::Cdc { stamp } = &object.name.phase else { return false };
    let seconds = stamp.get(..15).unwrap_or_default();
    let made = NaiveDateTime::parse_from_str(seconds, "%Y%m%d-%H%M%S").ok();
    made.is_some_and(|made| (object.last_modified - made.and_utc()).abs() <= SOON)
}

/// Every series of a full load counts from one. What is missing at the beginning of one from which
/// a table was made before has expired.
fn must_begin_at_one(loads: &[&StagedObject], known: &Known<'_>) -> Result<()> {
    let mut first: BTreeMap<&str, (u64, &StagedObject)> = BTreeMap::new();
    for load in loads {
        let Phase::FullLoad { series, counter } = &load.name.phase else { continue };
        let least = first.entry(series).or_insert((*counter, load));
        if *counter < least.0 {
            *least = (*counter, load);
        }
    }
    match first.values().find(|(counter, _)| *counter > 1) {
        None => Ok(()),
        Some((_, load)) => Err(refused(
            "the full load is staged in part: the objects that it begins with are missing",
        )
        .with("first object", &load.relative)
        .with("state object", &known.shown)
        .with_remedy(
            "stage the missing objects again, or have DMS reload the table; if none is missing \
             after all, remove the state object and apply again",
        )),
    }
}

/// The objects of a load that DMS has made again are all there.
fn must_be_gapless(loads: &[&StagedObject]) -> Result<()> {
    if is_gapless(loads) {
        return Ok(());
    }
    let first = loads.first().map_or("", |load| &load.relative);
    Err(refused("objects of the full load are missing between those that are staged")
        .with("first object", first)
        .with_remedy(
            "stage the missing objects again, or have DMS reload the table; or dmslake rebuild \
             TABLE --accept-loss, which goes on from what is staged",
        ))
}

fn two_generations(loads: &[&StagedObject], change: &StagedObject) -> Error {
    let is_older = |load: &&&StagedObject| load.last_modified < change.last_modified;
    let older: Vec<&str> =
        loads.iter().filter(is_older).map(|load| load.relative.as_str()).collect();
    refused(
        "two full loads are staged, of before and of after a change object: a reload has left \
         objects of the load before it",
    )
    .with("change object", &change.relative)
    .with("older load objects", older.join(", "))
    .with_remedy("move the older load objects out of staging and apply again")
}

fn not_staged_any_more(known: &Known<'_>) -> Error {
    refused(
        "the table is gone, and its full load is not staged any more: what is staged is not all \
         of the table",
    )
    .with("state object", &known.shown)
    .with_remedy(
        "move the table's folder back, or have DMS reload the table; if what is staged is \
         everything after all, remove the state object and apply again",
    )
}

/// Rows that were removed from a table that is gone would come back from its load of before.
fn must_be_staged_since_emptied(
    loads: &[&StagedObject],
    known: &Known<'_>,
    kind: StoreKind,
) -> Result<()> {
    let Some(emptied) = known.state.and_then(|state| state.emptied) else { return Ok(()) };
    let is_since = |load: &&StagedObject| load.last_modified > emptied;
    if kind == StoreKind::S3 && loads.iter().all(is_since) {
        return Ok(());
    }
    Err(refused(
        "the table is gone, and all of its rows had been removed (truncate) since its full load: \
         what is staged does not tell",
    )
    .with("state object", &known.shown)
    .with_remedy(
        "move the table's folder back, or have DMS reload the table; if the load is of after that, \
         remove the state object and apply again",
    ))
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::TableRefused, message)
}
