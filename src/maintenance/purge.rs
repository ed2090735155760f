//! Which files to rewrite without their masked rows.

use crate::config::MergeMode;
use crate::maintenance::live_file::LiveFile;
use crate::maintenance::policy::MASKED_SHARE;

/// Files that are rewritten, each by itself.
#[derive(Debug)]
pub(super) struct Purge {
    pub(super) files: Vec<LiveFile>,
    pub(super) reason: String,
}

/// The files that deletion vectors mask too much of, of at most so many bytes but for the first;
/// none if there are none. A table that is merged by copy-on-write has no use for vectors at all.
pub(super) fn choose(files: Vec<LiveFile>, mode: MergeMode, most_bytes: u64) -> Option<Purge> {
    let leaves_vectors = mode == MergeMode::CopyOnWrite;
    let is_due = |file: &LiveFile| {
        file.masked > 0 && (leaves_vectors || file.masked * MASKED_SHARE >= file.rows)
    };
    let mut bytes = 0;
    let mut due: Vec<LiveFile> = Vec::new();
    for file in files.into_iter().filter(is_due) {
        bytes += file.bytes;
        if !due.is_empty() && bytes > most_bytes {
            break;
        }
        due.push(file);
    }
    let count = due.len();
    let reason = if leaves_vectors {
        format!("the table is merged by copy-on-write: the deletion vectors of {count} files go")
    } else {
        format!("of {count} files a {MASKED_SHARE}th of the rows or more is masked")
    };
    (count > 0).then_some(Purge { files: due, reason })
}
