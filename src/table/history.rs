//! The commits of a table's log: who wrote each of them, and what it says that it did.
//!
//! This is the one parser of a commit's JSON. It takes what it knows and ignores the rest, since
//! every writer may add keys of its own.

#[cfg(feature = "cli")]
mod file_changes;
mod metrics;

use std::fmt;
use std::future::ready;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use deltalake::kernel::Version;
use deltalake::logstore::LogStoreRef;
use futures::stream::{self, Stream};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use serde_json::Value;

#[cfg(feature = "cli")]
pub(crate) use file_changes::{FileChanges, file_changes};
pub use metrics::OperationMetrics;

use crate::error::{Error, ErrorKind, Result};
use crate::progress::{APP_ID, CommitRecord, KEY};

/// So many commits are read at once where several are.
const READ_AHEAD: usize = 16;

/// A commit of a table, as its log has it.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The version that it made.
    pub version: Version,
    /// When it was written, by its writer's clock.
    pub timestamp: Option<DateTime<Utc>>,
    /// The `engineInfo` of its writer, such as `dmslake/0.1.0` or `Apache-Spark/4.0.1
    /// Delta-Lake/4.0.0`.
    pub engine: Option<String>,
    /// The operation, such as `MERGE`, `WRITE` or `OPTIMIZE`.
    pub operation: Option<String>,
    /// The version whose rows a `RESTORE` put back, where it names one.
    pub restores: Option<Version>,
    /// Whether it added or removed files with a change of rows. Compaction does not.
    pub changes_rows: bool,
    /// What the operation counted, as far as its writer says so.
    pub metrics: OperationMetrics,
    /// The record and the transaction, if the commit is ours; none for another writer's.
    pub ours: Option<OurCommit>,
}

impl Commit {
    /// Parses the actions of a commit, one JSON object after another.
    ///
    /// # Errors
    /// `TableCorrupt` if the text is not JSON, if our record in it cannot be read, or if that is
    /// there without our `txn`.
    pub fn parse(actions: &[u8], version: Version) -> Result<Self> {
        Self::parse_with(actions, version, |_| Ok(()))
    }

    /// The same, and `each` of the actions as it is met.
    fn parse_with(
        actions: &[u8],
        version: Version,
        mut each: impl FnMut(&Value) -> Result<()>,
    ) -> Result<Self> {
        let (mut info, mut transaction, mut changes_rows) = (Value::Null, None, false);
        for action in serde_json::Deserializer::from_slice(actions).into_iter::<Value>() {
            let mut action = action.map_err(|error| {
                Error::new(ErrorKind::TableCorrupt, "a commit of the log is not valid JSON")
                    .with("version", version)
                    .because(error)
            })?;
            each(&action)?;
            if let Some(found) = action.get_mut("commitInfo") {
                info = found.take();
            }
            if let Some(found) = action.get("txn").filter(|txn| txn["appId"] == APP_ID) {
                transaction = found["version"].as_i64();
            }
            let moves =
                |kind: &str| action.get(kind).is_some_and(|file| file["dataChange"] == true);
            changes_rows |= moves("add") || moves("remove");
        }
        let text = |key: &str| info[key].as_str().map(ToOwned::to_owned);
        let time = info["inCommitTimestamp"].as_i64().or_else(|| info["timestamp"].as_i64());
        Ok(Self {
            version,
            timestamp: time.and_then(DateTime::from_timestamp_millis),
            engine: text("engineInfo"),
            operation: text("operation"),
            restores: metrics::number(&info["operationParameters"]["version"])
                .filter(|_| info["operation"] == "RESTORE"),
            changes_rows,
            metrics: OperationMetrics::of(&info["operationMetrics"]),
            ours: ours(&info, transaction, version)?,
        })
    }

    /// A commit of which nothing but its version is known.
    #[cfg(feature = "cli")]
    pub(crate) fn unread(version: Version) -> Self {
        Self {
            version,
            timestamp: None,
            engine: None,
            operation: None,
            restores: None,
            changes_rows: false,
            metrics: OperationMetrics::default(),
            ours: None,
        }
    }

    /// The commit as another writer's change of our rows, if it is one.
    #[must_use]
    pub fn foreign(&self) -> Option<ForeignCommit> {
        let is_foreign = self.ours.is_none() && self.changes_rows;
        is_foreign.then(|| ForeignCommit {
            version: self.version,
            operation: self.operation.clone().unwrap_or_else(|| "an unnamed operation".to_owned()),
            restores: self.restores,
        })
    }
}

fn ours(info: &Value, transaction: Option<i64>, version: Version) -> Result<Option<OurCommit>> {
    let Some(record) = info.get(KEY) else {
        return Ok(None);
    };
    let record = CommitRecord::from_json(record)?;
    let transaction = transaction.ok_or_else(|| {
        Error::new(ErrorKind::TableCorrupt, "a commit of dmslake is in the log without its txn")
            .with("version", version)
    })?;
    Ok(Some(OurCommit { record, transaction }))
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

/// The commit of a version; none if the log does not have its JSON, or not any more.
///
/// # Errors
/// `Unavailable` if the log cannot be read, otherwise as [`Commit::parse`].
pub async fn commit(log_store: &LogStoreRef, version: Version) -> Result<Option<Commit>> {
    let actions = log_store.read_commit_entry(version).await?;
    actions.map(|actions| Commit::parse(&actions, version)).transpose()
}

/// The commits from a version downwards, as far as the log has their JSON. Some are read ahead.
///
/// The stream fails as [`commit`] does.
pub fn history(
    log_store: &LogStoreRef,
    newest: Version,
) -> impl Stream<Item = Result<Commit>> + use<> {
    let log_store = Arc::clone(log_store);
    let read = move |version| {
        let log_store = Arc::clone(&log_store);
        async move { commit(&log_store, version).await }
    };
    let commits = stream::iter((0..=newest).rev()).map(read).buffered(READ_AHEAD);
    commits.try_take_while(|commit| ready(Ok(commit.is_some()))).try_filter_map(|it| ready(Ok(it)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(actions: &[Value]) -> Result<Commit> {
        let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
        Commit::parse(lines.join("\n").as_bytes(), 7)
    }

    #[test]
    fn a_commit_of_spark_is_foreign_and_says_what_it_did() {
        let info = json!({"commitInfo": {
            "timestamp": 1_712_148_722_269_i64, "operation": "UPDATE",
            "operationParameters": {"predicate": "[\"(id#640 = 2)\"]"}, "readVersion": 6,
            "operationMetrics": {"numUpdatedRows": "2"},
            "engineInfo": "Apache-Spark/4.0.1 Delta-Lake/4.0.0",
            "txnId": "6ae56a22-9ff9-4b9a-aec1-d7ab21bb57e8",
        }});
        let add = json!({"add": {"path": "a.parquet", "size": 9, "dataChange": true}});
        let commit = parse(&[info, add]).expect("a commit");
        assert_eq!(commit.timestamp.expect("a time").timestamp_millis(), 1_712_148_722_269);
        assert_eq!(commit.engine.as_deref(), Some("Apache-Spark/4.0.1 Delta-Lake/4.0.0"));
        assert_eq!(commit.metrics.rows_updated, Some(2));
        assert!(commit.ours.is_none());
        let foreign = commit.foreign().expect("rows changed");
        assert_eq!(foreign.to_string(), "UPDATE in version 7");
    }

    #[test]
    fn a_restore_names_its_version_as_text_or_as_number() {
        for version in [json!("3"), json!(3)] {
            let parameters = json!({ "version": version });
            let info = json!({"commitInfo": {
                "operation": "RESTORE", "operationParameters": parameters,
            }});
            assert_eq!(parse(&[info]).expect("a commit").restores, Some(3));
        }
    }

    #[test]
    fn a_writer_that_says_nothing_is_read_too() {
        let compaction = json!({"add": {"path": "a.parquet", "dataChange": false}});
        let commit = parse(&[compaction]).expect("a commit");
        assert!(commit.operation.is_none() && commit.engine.is_none() && !commit.changes_rows);
        assert_eq!(commit.metrics, OperationMetrics::default());
        assert_eq!(commit.foreign(), None);
        let odd = json!({"commitInfo": {
            "timestamp": "yesterday", "operation": 5, "engineInfo": [], "operationMetrics": "many",
        }});
        let change = json!({"remove": {"path": "a.parquet", "dataChange": true}});
        let commit = parse(&[odd, change]).expect("a commit");
        assert_eq!(commit.timestamp, None);
        let foreign = commit.foreign().expect("rows changed");
        assert_eq!(foreign.to_string(), "an unnamed operation in version 7");
    }

    #[test]
    fn what_is_no_commit_is_refused() {
        let kind = |result: Result<Commit>| result.expect_err("refused").kind();
        assert_eq!(kind(Commit::parse(b"{", 0)), ErrorKind::TableCorrupt);
        let unreadable = json!({"commitInfo": {"dmslake": {"format": 2}}});
        assert_eq!(kind(parse(&[unreadable])), ErrorKind::TableCorrupt);
    }
}
