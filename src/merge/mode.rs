//! Whether a merge masks rows where they are or replaces their file.

use crate::config::MergeMode;
use crate::files::TouchedFile;

/// Files that are replaced rather than masked in automatic mode: a request costs as much.
const SMALL_BYTES: i64 = 4 << 20;

/// Whether a merge masks the changed rows of a file, or else replaces it: masking costs those
/// who read the file from then on, replacing those who write it now.
pub(super) fn is_masked(mode: MergeMode, file: &TouchedFile) -> bool {
    let (dead, rows) = (file.dead_rows(), file.rows());
    match mode {
        MergeMode::CopyOnWrite => false,
        MergeMode::DeletionVectors => dead == rows || dead * 2 <= rows,
        MergeMode::Auto => dead == rows || (dead * 8 <= rows && file.add.size > SMALL_BYTES),
    }
}
