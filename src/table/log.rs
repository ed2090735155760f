//! Our records in the Delta log.

use deltalake::kernel::Version;
use deltalake::logstore::LogStoreRef;
use serde_json::Value;
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::progress::{CommitRecord, KEY};

/// What the log says about our newest commit.
#[derive(Clone, Debug)]
pub enum Newest {
    /// It stands at this version.
    Found(Version, Box<CommitRecord>),
    /// No commit of the log is ours.
    Absent,
    /// The log's JSON ends at this version before one of ours was met.
    Cut(Version),
}

/// Our record in the commit of a version; none if that commit is not ours or not there.
///
/// # Errors
/// As [`newest_record`].
pub(super) async fn record_at(
    log_store: &LogStoreRef,
    version: Version,
) -> Result<Option<CommitRecord>> {
    match log_store.read_commit_entry(version).await? {
        Some(entry) => record_of(&entry, version),
        None => Ok(None),
    }
}

/// Looks for our newest commit from `version` downwards.
///
/// # Errors
/// `Unavailable` if the log cannot be read, `TableCorrupt` if a record cannot be understood.
pub async fn newest_record(log_store: &LogStoreRef, version: Version) -> Result<Newest> {
    for candidate in (0..=version).rev() {
        match log_store.read_commit_entry(candidate).await? {
            None => return Ok(Newest::Cut(candidate)),
            Some(entry) => {
                if let Some(record) = record_of(&entry, candidate)? {
                    return Ok(Newest::Found(candidate, Box::new(record)));
                }
            }
        }
    }
    Ok(Newest::Absent)
}

/// Looks for the commit of an attempt among the versions above `base`.
///
/// # Errors
/// As [`newest_record`].
pub async fn find_attempt(
    log_store: &LogStoreRef,
    attempt: Uuid,
    base: Option<Version>,
) -> Result<Option<(Version, CommitRecord)>> {
    let mut version = base.map_or(0, |base| base + 1);
    while let Some(entry) = log_store.read_commit_entry(version).await? {
        if let Some(record) = record_of(&entry, version)?
            && record.attempt == attempt
        {
            return Ok(Some((version, record)));
        }
        version += 1;
    }
    Ok(None)
}

fn record_of(entry: &[u8], version: Version) -> Result<Option<CommitRecord>> {
    for action in serde_json::Deserializer::from_slice(entry).into_iter::<Value>() {
        let action = action.map_err(|error| {
            Error::new(ErrorKind::TableCorrupt, "a commit of the log is no JSON")
                .with("version", version)
                .because(error)
        })?;
        if let Some(record) = action.get("commitInfo").and_then(|info| info.get(KEY)) {
            return Ok(Some(CommitRecord::from_json(record)?));
        }
    }
    Ok(None)
}
