//! What commits cost, about.

use crate::inspect::HistoryEntry;
use crate::price;

/// The memory of a function that commits are priced for, in GB.
const FUNCTION_GB: f64 = 1.0;

/// What a commit cost in dollars, about: its seconds on a function with 1 GB, a PUT for each file and
/// for the commit, a GET for each object. Looks, storage and readers are left out.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(super) fn dollars(entry: &HistoryEntry) -> f64 {
    let files = entry.files_added.unwrap_or_default() + entry.vectors.map_or(0, |it| it.min(1));
    let puts = (files + 1) as f64 * price::S3_PUT_THOUSAND / 1_000.0;
    let gets = entry.objects.unwrap_or_default() as f64 * price::S3_GET_THOUSAND / 1_000.0;
    puts + gets + price::of_time(entry.seconds.unwrap_or_default(), FUNCTION_GB)
}
