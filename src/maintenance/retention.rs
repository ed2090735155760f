//! How long files may wait for the commit that names them.

use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::table::LakeTable;
use crate::table::features::file_retention;

/// Less than the hour that vacuum leaves files alone beyond the retention.
const MARGIN: Duration = Duration::from_mins(30);

/// Vacuum deletes what no commit names once it is older than the table's retention and an hour more.
/// Files that were begun to be written before then may be gone by their commit.
///
/// # Errors
/// `TableRefused` if they may be.
pub(crate) fn must_be_within_retention(
    table: &LakeTable,
    begun: Instant,
    clock: &dyn Clock,
) -> Result<()> {
    let retention = file_retention(table.delta().snapshot()?.metadata());
    if clock.instant() - begun <= retention + MARGIN {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::TableRefused,
        "the files of a commit took longer to write than vacuum leaves files alone that no commit names",
    )
    .with("delta.deletedFileRetentionDuration in seconds", retention.as_secs())
    .with_remedy(
        "set delta.deletedFileRetentionDuration of the table to a day or more, or give dmslake job \
         smaller --round-bytes",
    ))
}
