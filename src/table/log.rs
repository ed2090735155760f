//! Our records in the Delta log.

use deltalake::kernel::Version;
use deltalake::logstore::LogStoreRef;
use futures::TryStreamExt as _;
use object_store::path::Path;
use serde_json::Value;
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::progress::{APP_ID, CommitRecord, KEY};

/// What the log says about our newest commit.
#[derive(Clone, Debug)]
pub enum Newest {
    /// It stands at this version.
    Found(Version, Box<OurCommit>),
    /// No commit of the log is ours.
    Absent,
    /// The log's JSON ends at this version before one of ours was met.
    Cut(Version),
}

/// What a commit of ours says about itself.
#[derive(Clone, Debug)]
pub struct OurCommit {
    /// Its record.
    pub record: CommitRecord,
    /// The version of its `txn`.
    pub transaction: i64,
}

/// What the commit of a version says about itself; none if that commit is not ours or not there.
///
/// # Errors
/// As [`newest_commit`].
pub(super) async fn commit_at(
    log_store: &LogStoreRef,
    version: Version,
) -> Result<Option<OurCommit>> {
    match log_store.read_commit_entry(version).await? {
        Some(entry) => ours(&entry, version),
        None => Ok(None),
    }
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
    for candidate in (0..=version).rev() {
        match log_store.read_commit_entry(candidate).await? {
            None => return Ok(Newest::Cut(candidate)),
            Some(entry) => {
                if let Some(commit) = ours(&entry, candidate)? {
                    return Ok(Newest::Found(candidate, Box::new(commit)));
                }
            }
        }
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
    while let Some(entry) = log_store.read_commit_entry(version).await? {
        if let Some(commit) = ours(&entry, version)?
            && commit.record.attempt == attempt
        {
            return Ok(Some((version, commit.record)));
        }
        version += 1;
    }
    Ok(None)
}

fn ours(entry: &[u8], version: Version) -> Result<Option<OurCommit>> {
    let (mut record, mut transaction) = (None, None);
    for action in serde_json::Deserializer::from_slice(entry).into_iter::<Value>() {
        let action = action.map_err(|error| {
            Error::new(ErrorKind::TableCorrupt, "a commit of the log is no JSON")
                .with("version", version)
                .because(error)
        })?;
        if let Some(found) = action.get("commitInfo").and_then(|info| info.get(KEY)) {
            record = Some(CommitRecord::from_json(found)?);
        }
        if let Some(found) = action.get("txn").filter(|txn| txn["appId"] == APP_ID) {
            transaction = found["version"].as_i64();
        }
    }
    let Some(record) = record else { return Ok(None) };
    let transaction = transaction.ok_or_else(|| {
        Error::new(ErrorKind::TableCorrupt, "a commit of dmslake stands in the log without its txn")
            .with("version", version)
    })?;
    Ok(Some(OurCommit { record, transaction }))
}
