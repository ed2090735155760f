//! Tables that were truncated at the source: how that shows, and what follows.

use chrono::TimeDelta;

use crate::config::{OnObjectsVanished, TableSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::Pipeline;
use crate::pipeline::tally::AppliedSlice;
use crate::progress::{Counts, Ledger};
use crate::staging::{Listing, list_everything};
use crate::storage::Location;
use crate::table::{self, LakeTable, TableState};

/// Whether all that was applied was deleted before it expired, and that matters. To tell, staging
/// is listed whole, and once more: DMS deletes and writes objects one by one.
///
/// # Errors
/// `Unavailable` if staging cannot be listed.
pub(super) async fn is_all_deleted(
    pipeline: &Pipeline,
    spec: &TableSpec,
    ledger: &Ledger,
    staging: &Location,
    listing: &mut Listing,
) -> Result<bool> {
    let matters = spec.on_objects_vanished != OnObjectsVanished::Ignore;
    let Some(days) = pipeline.settings().staging_expiry_days.filter(|_| matters) else {
        return Ok(false);
    };
    let cannot_expire = pipeline.clock().now() - TimeDelta::days(days.into());
    let cannot_expire = cannot_expire.timestamp_millis();
    if !ledger.is_all_deleted(listing, cannot_expire) {
        return Ok(false);
    }
    *listing = list_everything(staging, true).await?;
    Ok(ledger.is_all_deleted(listing, cannot_expire))
}

/// Removes all rows of a table in one commit. Its state object says so first: the log may be moved
/// away.
///
/// # Errors
/// As [`crate::table::StateObject::update`] and what the commit met, where it may not be in the log.
pub(super) async fn empty(
    pipeline: &Pipeline,
    spec: &TableSpec,
    table: &LakeTable,
) -> Result<LakeTable> {
    let now = pipeline.clock().now();
    pipeline.update_state(spec, |state: &mut TableState| state.emptied = Some(now)).await?;
    table::empty(table, pipeline.clock()).await?.committed()
}

/// Removes all rows of a table, as [`Pipeline::truncate`] does. What is staged is applied onto the
/// empty table.
///
/// # Errors
/// What the commit met, where it may not be in the log: the next look tells, because the ledger of
/// an emptied table says so. `Internal` if there is no table.
pub(super) async fn empty_truncated(
    pipeline: &Pipeline,
    spec: &TableSpec,
    table: Option<&LakeTable>,
) -> Result<AppliedSlice> {
    let table = table.ok_or_else(|| {
        Error::new(ErrorKind::Internal, "a table that is not there cannot be emptied")
    })?;
    let rows = table.rows();
    let version = empty(pipeline, spec, table).await?.version();
    tracing::warn!(table = %spec.source, version, rows, "the table was truncated: it is emptied");
    let counts = Counts { rows, deleted: rows, ..Counts::default() };
    Ok(AppliedSlice { version, counts, objects: 0, replayed: 0 })
}
