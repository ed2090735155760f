//! Which of the staged objects a table has taken in.

use crate::error::Result;
use crate::progress::{CdcStanding, Ledger, LoadStanding, Position};
use crate::staging::{Identify, Listing, StagedObject};

/// A staged object that a table has taken in.
#[derive(Clone, Debug)]
pub struct TakenIn {
    /// The object.
    pub object: StagedObject,
    /// How many of its rows; none if all.
    pub rows: Option<u64>,
}

/// The staged objects that a ledger counts as applied, in order of application; none if DMS has
/// loaded the table again. The listing must be of everything.
///
/// # Errors
/// `Unavailable` if an object's content must be read to identify it, and cannot be.
pub async fn taken_in(
    ledger: &Ledger,
    listing: &Listing,
    identify: &Identify,
) -> Result<Option<Vec<TakenIn>>> {
    let mut marked = Vec::new();
    for object in ledger.load.staged(listing).filter(|object| !ledger.is_in_part(object)) {
        marked.push((object, ledger.load.mark(object, identify).await?));
    }
    let new = match ledger.load.standing(&marked, identify.kind(), true) {
        LoadStanding::Pending(new) => new,
        LoadStanding::Changed(_) => return Ok(None),
    };
    let loaded: Vec<&StagedObject> = marked
        .iter()
        .enumerate()
        .filter(|(index, _)| !new.contains(index))
        .map(|(_, (object, _))| *object)
        .collect();
    let mut found = Vec::new();
    for object in &listing.objects {
        if let Some(partial) = ledger.partial.as_ref().filter(|_| ledger.is_in_part(object)) {
            found.push(TakenIn { object: object.clone(), rows: Some(partial.rows) });
            continue;
        }
        let is_applied = match Position::of(object) {
            None => loaded.iter().any(|loaded| loaded.location == object.location),
            Some(_) if !ledger.load.is_of_generation(object) => false,
            Some(position) => match ledger.cdc.standing(&position, object, identify.kind()) {
                CdcStanding::Applied => true,
                CdcStanding::Ahead | CdcStanding::Late => false,
                CdcStanding::AskContent => {
                    ledger.cdc.knows(&super::Mark::identified(object, identify).await?)
                }
            },
        };
        if is_applied {
            found.push(TakenIn { object: object.clone(), rows: None });
        }
    }
    Ok(Some(found))
}
