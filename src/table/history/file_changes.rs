//! Which data files a commit added and removed.

use deltalake::kernel::{Add, Remove, Version};
use deltalake::logstore::LogStoreRef;
use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};
use crate::table::history::Commit;

/// A commit with the entries that it moved.
#[derive(Clone, Debug)]
pub(crate) struct FileChanges {
    /// What it says of itself.
    pub(crate) commit: Commit,
    /// The entries that it added.
    pub(crate) added: Vec<Add>,
    /// The paths of the entries that it removed, decoded once.
    pub(crate) removed: Vec<String>,
}

/// The commit of a version with the entries that it moved; none if the log does not have its JSON.
///
/// # Errors
/// `Unavailable` if the log cannot be read, otherwise as [`Commit::parse`].
pub(crate) async fn file_changes(
    log_store: &LogStoreRef,
    version: Version,
) -> Result<Option<FileChanges>> {
    let Some(actions) = log_store.read_commit_entry(version).await? else { return Ok(None) };
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    let commit = Commit::parse_with(&actions, version, |action| {
        let unreadable = |error| {
            Error::new(ErrorKind::TableCorrupt, "an entry of the log cannot be read")
                .with("version", version)
                .because(error)
        };
        if let Some(add) = action.get("add") {
            added.push(Add::deserialize(add).map_err(unreadable)?);
        }
        if let Some(remove) = action.get("remove") {
            removed.push(Remove::deserialize(remove).map_err(unreadable)?.path);
        }
        Ok(())
    })?;
    Ok(Some(FileChanges { commit, added, removed }))
}
