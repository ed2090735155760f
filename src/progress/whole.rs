//! Whether everything that a table was made from is still staged.

use crate::error::Result;
use crate::progress::{Applied, CdcStanding, Ledger, LoadStanding, Mark, MarkedLoad, Position};
use crate::staging::{Identify, Listing};

/// What of a table's past is no longer staged, as far as its ledger knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Objects of its full load, of so many in all.
    pub loads: Option<(u64, u64)>,
    /// Change objects: at least so many.
    pub changes: u64,
    /// Whether more may be: the table began before their number was recorded.
    pub is_unknown: bool,
    /// Whether other change objects are staged than were applied.
    pub are_others: bool,
}

/// What a listing shows of a full load.
enum Loads {
    /// So many of so many objects are missing, if any are.
    Known(Option<(u64, u64)>),
    /// DMS has loaded the table again.
    Anew,
}

/// Compares a listing of everything with all that a ledger knows to be applied.
///
/// # Errors
/// `Unavailable` if an object's content must be read to identify it, and cannot be.
pub async fn missing(ledger: &Ledger, listing: &Listing, identify: &Identify) -> Result<Missing> {
    match missing_loads(ledger, listing, identify).await? {
        Loads::Known(loads) => {
            let missing = missing_changes(ledger, listing, identify).await?;
            Ok(Missing { loads, ..missing })
        }
        // DMS has loaded the table again: what it was made from is no longer needed.
        Loads::Anew => Ok(Missing::default()),
    }
}

async fn missing_loads(ledger: &Ledger, listing: &Listing, identify: &Identify) -> Result<Loads> {
    let of_all = ledger.load.count;
    if of_all == 0 {
        return Ok(Loads::Known(None));
    }
    let mut marked: Vec<MarkedLoad<'_>> = Vec::new();
    for object in ledger.load.staged(listing) {
        marked.push((object, ledger.load.mark(object, identify).await?));
    }
    let staged = match ledger.load.standing(&marked, identify.kind(), true) {
        // Without those that are not applied yet.
        LoadStanding::Pending(new) => marked.len() - new.len(),
        LoadStanding::Changed(_) => return Ok(Loads::Anew),
    };
    let missing = of_all.saturating_sub(staged as u64);
    Ok(Loads::Known((missing > 0).then_some((missing, of_all))))
}

async fn missing_changes(
    ledger: &Ledger,
    listing: &Listing,
    identify: &Identify,
) -> Result<Missing> {
    let mut staged = Applied::default();
    let mut marks = Vec::new();
    for object in &listing.objects {
        let Some(position) = Position::of(object) else { continue };
        // What was staged before the full load was never applied.
        if !ledger.load.is_of_generation(object) {
            continue;
        }
        let standing = ledger.cdc.standing(&position, object, identify.kind());
        if matches!(standing, CdcStanding::Ahead | CdcStanding::Late) {
            continue;
        }
        let mark = Mark::identified(object, identify).await?;
        if standing == CdcStanding::AskContent && !ledger.cdc.knows(&mark) {
            continue;
        }
        staged = staged.with(&mark);
        marks.push(mark.identity);
    }
    let Some(applied) = ledger.cdc.applied else {
        // Only those in the window are known.
        let is_staged = |mark: &&Mark| !marks.contains(&mark.identity);
        let changes = ledger.cdc.remembered().filter(is_staged).count() as u64;
        return Ok(Missing {
            changes,
            is_unknown: ledger.cdc.floor.is_some(),
            ..Missing::default()
        });
    };
    let changes = applied.count.saturating_sub(staged.count);
    let are_others = changes == 0 && applied != staged;
    Ok(Missing { changes, are_others, ..Missing::default() })
}
