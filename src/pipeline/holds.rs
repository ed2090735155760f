//! Why nothing may be applied to a table, where its progress alone does not tell.

use crate::clock::shown;
use crate::config::{OnObjectsVanished, TableSpec};
use crate::dms::S3Settings;
use crate::error::{Error, ErrorKind};
use crate::progress::{NewLoad, SeenObject};
use crate::staging::{Listing, refused_order};
use crate::table::TableState;

/// So many objects are named in a message.
const MOST_NAMED: usize = 20;

/// Objects as messages name them: the first ones.
pub(super) fn named<'a>(mut objects: impl Iterator<Item = &'a str>) -> String {
    let names = objects.by_ref().take(MOST_NAMED).collect::<Vec<_>>().join(", ");
    match objects.count() {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

/// An operator lets the table wait.
pub(super) fn paused(spec: &TableSpec, state: Option<&TableState>) -> Option<Error> {
    let paused = state?.paused.as_ref()?;
    let error = Error::new(ErrorKind::Paused, "an operator has paused the table")
        .with("since", shown(paused.since))
        .with_remedy(format!("dmslake resume {}", spec.source));
    Some(match &paused.reason {
        Some(reason) => error.with("reason", reason),
        None => error,
    })
}

/// Nothing that DMS stages in this way may be applied.
pub(super) fn refuse_staging(dms: &S3Settings, listing: &Listing) -> Option<Error> {
    if dms.preserve_transactions {
        return Some(Error::new(
            ErrorKind::SchemaRefused,
            "preserve_transactions is not supported: turn it off at the endpoint",
        ));
    }
    listing.transaction_ordered.first().map(|object| refused_order(object))
}

/// Changes are lost.
pub(super) fn refuse_vanished(spec: &TableSpec, vanished: &[SeenObject]) -> Option<Error> {
    if vanished.is_empty() {
        return None;
    }
    let bytes: u64 = vanished.iter().map(|seen| seen.size).sum();
    let count = vanished.len();
    let (what, they) = if count == 1 { ("object", "it was") } else { ("objects", "they were") };
    Some(
        Error::new(
            ErrorKind::VanishedObject,
            format!("{count} staged {what} vanished before {they} applied"),
        )
        .with("objects", named(vanished.iter().map(|seen| seen.object.as_str())))
        .with("bytes", bytes)
        .with_remedy(format!(
            "stage again what vanished; or, if its changes are to be lost, dmslake resume {} \
             --accept-loss",
            spec.source
        )),
    )
}

/// Everything that is staged of the table was deleted before it expired.
pub(super) fn all_deleted(spec: &TableSpec, is_rebuilt: bool) -> Error {
    Error::new(
        ErrorKind::VanishedObject,
        "everything that was applied was deleted from staging before it expired",
    )
    .with_remedy(match spec.on_objects_vanished {
        OnObjectsVanished::Truncate => {
            "wait for the next object, which tells whether the table was truncated or is loaded \
             again; or, if it was truncated, dmslake truncate TABLE"
        }
        _ if is_rebuilt => {
            "dmslake rebuild TABLE --cancel: the table is not what the rebuild was begun from"
        }
        OnObjectsVanished::Hold | OnObjectsVanished::Ignore => {
            "if the table was truncated or dropped at the source, dmslake truncate TABLE; if DMS \
             loads it again, wait; if somebody deleted the objects, set on_objects_vanished = \
             \"ignore\" until the next change has been applied"
        }
    })
}

/// A new load is not complete yet.
pub(super) fn incomplete(load: &NewLoad) -> Error {
    let error = Error::new(ErrorKind::Reloading, "DMS loads the table again: not complete yet")
        .with("since", shown(load.begins));
    if load.has_gaps() {
        return error.with_remedy(
            "wait until all of its objects are staged; if DMS has ended the load, some of them have \
             vanished: have it reload the table again",
        );
    }
    error.with_remedy(
        "nothing: it is applied when the next change object or [reload] settle_minutes show that \
         it is complete",
    )
}
