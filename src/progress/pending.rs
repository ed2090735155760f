//! Compares a listing with the ledger: what to apply, in which order, or why nothing may be
//! applied.

use chrono::{DateTime, Utc};

use crate::dms::Phase;
use crate::error::{Error, ErrorKind, Result};
use crate::progress::{CdcStanding, Ledger, LoadStanding, Mark, NewLoad, Partial, Position};
use crate::staging::{Identify, Listing, StagedObject};

/// What a table has yet to apply.
#[derive(Debug, Default)]
pub struct Pending {
    /// Objects in the order of application. Some rows of the first one may already be applied, see
    /// [`Ledger::partial`]. None of them may be applied while there is a `hold`.
    pub objects: Vec<StagedObject>,
    /// Objects below the table's progress that were never applied.
    pub late: Vec<StagedObject>,
    /// The new load, where DMS has loaded the table again.
    pub reload: Option<NewLoad>,
    /// Why nothing may be applied until an operator has acted, beside late objects.
    pub hold: Option<Error>,
    /// When the oldest object that causes the hold was staged, if the objects still exist.
    pub held_since: Option<DateTime<Utc>>,
}

impl Pending {
    /// Why late objects hold the table, if there are any and nothing else places them.
    #[must_use]
    pub fn late_hold(&self) -> Option<Error> {
        let names: Vec<&str> = self.late.iter().map(|object| object.relative.as_str()).collect();
        let appeared = "unapplied objects appeared below the table's progress";
        let error =
            || Error::new(ErrorKind::LateObject, appeared).with("objects", names.join(", "));
        (!names.is_empty()).then(error)
    }

    fn held_by(&mut self, object: &StagedObject) {
        let since = self.held_since.map_or(object.last_modified, |at| at.min(object.last_modified));
        self.held_since = Some(since);
    }
}

/// Compares a listing with the ledger.
///
/// # Errors
/// `Unavailable` if an object's content must be compared and cannot be read.
pub async fn pending(ledger: &Ledger, listing: &Listing, identify: &Identify) -> Result<Pending> {
    let mut found = Pending::default();
    pending_loads(ledger, listing, identify, &mut found).await?;
    pending_cdc(ledger, listing, identify, &mut found).await?;
    if found.hold.is_none()
        && let Some(partial) = &ledger.partial
    {
        found.hold = resume(partial, identify, &mut found).await?;
    }
    Ok(found)
}

async fn pending_loads(
    ledger: &Ledger,
    listing: &Listing,
    identify: &Identify,
    found: &mut Pending,
) -> Result<()> {
    let mut marked = Vec::new();
    // What an earlier load has left behind is none of this one.
    for object in ledger.load.staged(listing) {
        if ledger.is_in_part(object) {
            found.objects.push(object.clone());
            continue;
        }
        marked.push((object, ledger.load.mark(object, identify).await?));
    }
    match ledger.load.standing(&marked, identify.kind(), listing.is_complete) {
        LoadStanding::Pending(new) => {
            found.objects.extend(new.into_iter().map(|index| marked[index].0.clone()));
        }
        LoadStanding::Changed(changed) => {
            let names: Vec<&str> =
                changed.iter().map(|&index| marked[index].0.relative.as_str()).collect();
            found.hold = Some(reload(&names));
            found.reload = NewLoad::of(ledger, &marked, &changed, listing);
            for index in changed {
                found.held_by(marked[index].0);
            }
        }
    }
    Ok(())
}

async fn pending_cdc(
    ledger: &Ledger,
    listing: &Listing,
    identify: &Identify,
    found: &mut Pending,
) -> Result<()> {
    for object in &listing.objects {
        let Some(position) = Position::of(object) else { continue };
        if ledger.is_in_part(object) {
            found.objects.push(object.clone());
            continue;
        }
        let standing = ledger.cdc.standing(&position, object, identify.kind());
        let is_late = match standing {
            CdcStanding::Ahead => {
                found.objects.push(object.clone());
                false
            }
            CdcStanding::Applied => false,
            CdcStanding::Late => true,
            CdcStanding::AskContent => {
                let mark = Mark::identified(object, identify).await?;
                !ledger.cdc.knows(&mark)
            }
        };
        if is_late {
            found.held_by(object);
            found.late.push(object.clone());
        }
    }
    Ok(())
}

/// Moves the partially applied object to the front, or returns why it cannot be continued.
async fn resume(
    partial: &Partial,
    identify: &Identify,
    found: &mut Pending,
) -> Result<Option<Error>> {
    let objects = &mut found.objects;
    let Some(index) = objects.iter().position(|object| object.relative == partial.object) else {
        return Ok(Some(in_part(ErrorKind::VanishedObject, partial, "disappeared")));
    };
    let object = objects.remove(index);
    if Mark::identified(&object, identify).await?.identity != partial.mark.identity {
        return Ok(Some(in_part(ErrorKind::LateObject, partial, "changed")));
    }
    if matches!(object.name.phase, Phase::Cdc { .. }) && index > 0 {
        // Rows of a later object are already applied, so these objects are late.
        for earlier in objects.drain(..index).collect::<Vec<_>>() {
            found.held_by(&earlier);
            found.late.push(earlier);
        }
    }
    found.objects.insert(0, object);
    Ok(None)
}

fn in_part(kind: ErrorKind, partial: &Partial, what: &str) -> Error {
    let error = format!("the object {what} after {} of its rows were applied", partial.rows);
    let error = Error::new(kind, error).with("object", &partial.object);
    if kind == ErrorKind::VanishedObject {
        return error;
    }
    error.with_remedy(
        "stage the object again as it was; or move it out of staging and dmslake resume TABLE \
         --accept-loss, which loses the rest of its changes",
    )
}

fn reload(names: &[&str]) -> Error {
    Error::new(
        ErrorKind::Reload,
        "full-load objects appeared or changed after their load was complete: a reload",
    )
    .with("objects", names.join(", "))
}
