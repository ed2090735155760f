//! Deleting files that no version within the retention needs.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore as _};

use crate::error::Result;
use crate::files::paths_of;
use crate::maintenance::checkpoint::before;
use crate::maintenance::live_file::LiveFile;
use crate::maintenance::tombstones::removed_since;
use crate::storage::delete_all;
use crate::table::LakeTable;
use crate::table::features::file_retention;

/// Files that are to go.
#[derive(Debug)]
pub(super) struct Vacuum {
    files: Vec<ObjectMeta>,
    pub(super) bytes: u64,
    pub(super) reason: String,
}

/// What is older than `delta.deletedFileRetentionDuration`, neither live nor removed since, and
/// no hidden file: also what crashed writers left, since nothing refers to it. None if nothing.
///
/// A version of that age or younger refers to files that are live now or were removed since, so
/// time travel within the retention finds all of its data files and deletion vectors.
///
/// # Errors
/// `Unavailable` if the table cannot be listed or its log not be read.
pub(super) async fn choose(
    table: &LakeTable,
    files: &[LiveFile],
    now: DateTime<Utc>,
) -> Result<Option<Vacuum>> {
    let retention = file_retention(table.delta().snapshot()?.metadata());
    let cutoff = before(now, retention);
    let live: HashSet<Path> = files.iter().flat_map(|file| paths_of(&file.add)).collect();
    let store = table.delta().log_store().object_store(None);
    let is_old = |object: &ObjectMeta| {
        object.last_modified < cutoff
            && !is_hidden(&object.location)
            && !live.contains(&object.location)
    };
    let mut old: Vec<ObjectMeta> = Vec::new();
    let mut listed = store.list(None);
    while let Some(object) = listed.try_next().await? {
        if is_old(&object) {
            old.push(object);
        }
    }
    if old.is_empty() {
        return Ok(None);
    }
    let needed = removed_since(table, cutoff).await?;
    old.retain(|object| !needed.contains(&object.location));
    let days = retention.as_secs() / (24 * 60 * 60);
    Ok((!old.is_empty()).then(|| Vacuum {
        bytes: old.iter().map(|object| object.size).sum(),
        reason: format!(
            "{} files are older than the retention of {days} days and no version of it needs them",
            old.len()
        ),
        files: old,
    }))
}

/// Deletes the files and gives their number.
///
/// # Errors
/// `Unavailable` if the lake does not let one be deleted; others may be gone.
pub(super) async fn delete(table: &LakeTable, vacuum: Vacuum) -> Result<u64> {
    let store = table.delta().log_store().object_store(None);
    let count = vacuum.files.len() as u64;
    delete_all(&store, vacuum.files.into_iter().map(|file| file.location)).await?;
    Ok(count)
}

/// Other files beside the data, the log among them, are nobody's here to delete. A folder of a
/// partition column whose name begins like that is one of ours all the same.
fn is_hidden(path: &Path) -> bool {
    path.parts().any(|part| {
        let name = part.as_ref();
        name.starts_with(['_', '.']) && !name.contains('=')
    })
}
