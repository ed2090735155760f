//! The first record of a CSV object: how many fields there are, and their names if it has a
//! header.

use object_store::ObjectStoreExt;

use super::survey::Sample;
use crate::dms::S3Settings;
use crate::error::Result;
use crate::source;
use crate::storage::Location;

/// So much of an object holds its first record.
const HEAD_BYTES: u64 = 256 << 10;

/// The fields of an object's first record, as text; none if there is no whole record.
///
/// # Errors
/// `Unavailable` if the object cannot be read.
pub(super) async fn first_record(
    staging: &Location,
    sample: &Sample,
    dms: &S3Settings,
) -> Result<Option<Vec<String>>> {
    let end = sample.meta.size.min(HEAD_BYTES);
    let head = staging.store().get_range(&sample.meta.location, 0..end).await?;
    Ok(source::first_record(&head, end == sample.meta.size, dms))
}
