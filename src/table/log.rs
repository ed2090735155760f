//! Our records in the Delta log.

use deltalake::kernel::Version;
use deltalake::logstore::LogStoreRef;
use futures::TryStreamExt as _;
use object_store::path::Path;
use uuid::Uuid;

use crate::error::Result;
use crate::progress::CommitRecord;
use crate::table::history::{ForeignCommit, OurCommit, commit};

/// What the log says about our newest commit.
#[derive(Clone, Debug)]
pub enum Newest {
    /// It is at this version; after it others have changed rows by these commits, in order.
    Found(Version, Box<OurCommit>, Vec<ForeignCommit>),
    /// No commit of the log is ours.
    Absent,
    /// The log's JSON ends at this version before one of ours was met.
    Cut(Version),
}

/// What the commit of a version says about itself; none if that commit is not ours or not there.
///
/// # Errors
/// As [`newest_commit`].
pub(super) async fn commit_at(
    log_store: &LogStoreRef,
    version: Version,
) -> Result<Option<OurCommit>> {
    Ok(commit(log_store, version).await?.and_then(|commit| commit.ours))
}

/// Whether the log goes on above a version. The next commit itself would not tell: a clean-up
/// may have removed it, below a checkpoint.
///
/// # Errors
/// `Unavailable` if the log cannot be listed.
pub(super) async fn goes_on_above(log_store: &LogStoreRef, version: Version) -> Result<bool> {
    let log = Path::from("_delta_log");
    let offset = log.clone().join(format!("{version:020}.json"));
    let store = log_store.object_store(None);
    let mut listed = store.list_with_offset(Some(&log), &offset);
    while let Some(entry) = listed.try_next().await? {
        let digits = entry.location.filename().and_then(|name| name.get(..20));
        let found: Option<Version> = digits.and_then(|digits| digits.parse().ok());
        if found.is_some_and(|found| found > version) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Looks for our newest commit from `version` downwards.
///
/// # Errors
/// `Unavailable` if the log cannot be read, `TableCorrupt` if a record cannot be understood.
pub async fn newest_commit(log_store: &LogStoreRef, version: Version) -> Result<Newest> {
    let mut foreign = Vec::new();
    for candidate in (0..=version).rev() {
        let Some(commit) = commit(log_store, candidate).await? else {
            return Ok(Newest::Cut(candidate));
        };
        if let Some(ours) = commit.ours {
            foreign.reverse();
            return Ok(Newest::Found(candidate, Box::new(ours), foreign));
        }
        foreign.extend(commit.foreign());
    }
    Ok(Newest::Absent)
}

/// Looks for the commit of an attempt among the versions above `base`.
///
/// # Errors
/// As [`newest_commit`].
pub async fn find_attempt(
    log_store: &LogStoreRef,
    attempt: Uuid,
    base: Option<Version>,
) -> Result<Option<(Version, CommitRecord)>> {
    let mut version = base.map_or(0, |base| base + 1);
    while let Some(commit) = commit(log_store, version).await? {
        if let Some(ours) = commit.ours
            && ours.record.attempt == attempt
        {
            return Ok(Some((version, ours.record)));
        }
        version += 1;
    }
    Ok(None)
}
