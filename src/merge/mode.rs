//! Decides whether a merge masks rows or replaces their file.

use crate::config::MergeMode;
use crate::files::TouchedFile;

/// In automatic mode, smaller files are replaced instead of masked: rewriting them costs no more
/// than a request.
const SMALL_BYTES: i64 = 4 << 20;

/// Whether a merge masks the changed rows of a file instead of replacing the file. Masking slows
/// down later reads; replacing slows down this write.
pub(super) fn is_masked(mode: MergeMode, file: &TouchedFile) -> bool {
    let (dead, rows) = (file.dead_rows(), file.rows());
    match mode {
        MergeMode::CopyOnWrite => false,
        MergeMode::DeletionVectors => dead == rows || dead * 2 <= rows,
        MergeMode::Auto => dead == rows || (dead * 8 <= rows && file.add.size > SMALL_BYTES),
    }
}
