//! Reads the first records of a CSV object: the number of fields, and their names if it has a
//! header.

use object_store::ObjectStoreExt;

use super::survey::Sample;
use crate::decode;
use crate::dms::S3Settings;
use crate::error::Result;
use crate::storage::Location;

/// How much of an object is read for its first records.
const HEAD_BYTES: u64 = 256 << 10;

/// How many records are needed to tell a header from rows.
const RECORDS: usize = 2;

/// The fields of an object's first two records, as text, if they are complete.
///
/// # Errors
/// `Unavailable` if the object cannot be read.
pub(super) async fn first_records(
    staging: &Location,
    sample: &Sample,
    dms: &S3Settings,
) -> Result<Vec<Vec<String>>> {
    let end = sample.meta.size.min(HEAD_BYTES);
    let head = staging.store().get_range(&sample.meta.location, 0..end).await?;
    Ok(decode::first_records(&head, end == sample.meta.size, dms, RECORDS))
}
