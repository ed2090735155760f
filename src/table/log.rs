//! Our records in the Delta log.

use std::fmt;

use deltalake::kernel::Version;
use deltalake::logstore::LogStoreRef;
use futures::TryStreamExt as _;
use object_store::path::Path;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::progress::{APP_ID, CommitRecord, KEY};

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

/// What a commit of ours says about itself.
#[derive(Clone, Debug)]
pub struct OurCommit {
    /// Its record.
    pub record: CommitRecord,
    /// The version of its `txn`.
    pub transaction: i64,
}

/// A commit of another writer that changed rows of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ForeignCommit {
    /// Its version.
    pub version: Version,
    /// What it says that it did, such as `UPDATE`, `DELETE`, `MERGE` or `WRITE`.
    pub operation: String,
    /// Of a `RESTORE`: the version whose rows it put back, where it names one.
    #[serde(skip)]
    pub restores: Option<Version>,
}

impl ForeignCommit {
    /// Whether it put back the rows of an earlier version.
    #[must_use]
    pub fn is_restore(&self) -> bool {
        self.operation == "RESTORE"
    }
}

impl fmt::Display for ForeignCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in version {}", self.operation, self.version)
    }
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
        Some(entry) => Ok(read(&entry, version)?.ours),
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
    let mut foreign = Vec::new();
    for candidate in (0..=version).rev() {
        let Some(entry) = log_store.read_commit_entry(candidate).await? else {
            return Ok(Newest::Cut(candidate));
        };
        let commit = read(&entry, candidate)?;
        if let Some(ours) = commit.ours {
            foreign.reverse();
            return Ok(Newest::Found(candidate, Box::new(ours), foreign));
        }
        foreign.extend(commit.foreign);
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
        if let Some(ours) = read(&entry, version)?.ours
            && ours.record.attempt == attempt
        {
            return Ok(Some((version, ours.record)));
        }
        version += 1;
    }
    Ok(None)
}

/// A commit of the log, as far as it tells whose it is and what it did to rows.
struct Entry {
    ours: Option<OurCommit>,
    /// What it is to our progress where it is not ours, if it changed rows.
    foreign: Option<ForeignCommit>,
}

fn read(entry: &[u8], version: Version) -> Result<Entry> {
    let (mut record, mut transaction) = (None, None);
    let (mut info, mut changes_rows) = (Value::Null, false);
    for action in serde_json::Deserializer::from_slice(entry).into_iter::<Value>() {
        let mut action = action.map_err(|error| {
            Error::new(ErrorKind::TableCorrupt, "a commit of the log is no JSON")
                .with("version", version)
                .because(error)
        })?;
        if let Some(found) = action.get_mut("commitInfo") {
            info = found.take();
            record = info.get(KEY).map(CommitRecord::from_json).transpose()?;
        }
        if let Some(found) = action.get("txn").filter(|txn| txn["appId"] == APP_ID) {
            transaction = found["version"].as_i64();
        }
        let moves = |kind: &str| action.get(kind).is_some_and(|file| file["dataChange"] == true);
        changes_rows |= moves("add") || moves("remove");
    }
    let Some(record) = record else {
        return Ok(Entry { ours: None, foreign: changes_rows.then(|| foreign(&info, version)) });
    };
    let transaction = transaction.ok_or_else(|| {
        Error::new(ErrorKind::TableCorrupt, "a commit of dmslake in the log lacks its txn")
            .with("version", version)
    })?;
    Ok(Entry { ours: Some(OurCommit { record, transaction }), foreign: None })
}

/// Spark writes the parameters of an operation as texts, other writers as numbers.
fn foreign(info: &Value, version: Version) -> ForeignCommit {
    let operation = info["operation"].as_str().unwrap_or("an unnamed operation").to_owned();
    let version_put_back = &info["operationParameters"]["version"];
    let restores = version_put_back.as_u64().or_else(|| version_put_back.as_str()?.parse().ok());
    ForeignCommit { version, operation, restores }
}
