//! Checkpoints, and what of the log they make superfluous.

use std::collections::HashMap;
use std::time::Duration;

use buoyant_kernel::path::{LogPathFileType, ParsedLogPath};
use chrono::{DateTime, Utc};
use deltalake::checkpoints::{cleanup_expired_logs_for, create_checkpoint};
use deltalake::kernel::Version;
use deltalake::table::config::TablePropertiesExt as _;
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore as _};
use url::Url;

use crate::error::Result;
use crate::maintenance::policy::{CHECKPOINT_COMMITS, DELETION_SLACK, LISTED_COMMITS};
use crate::table::LakeTable;
use crate::table::features::{has_protected_checkpoints, log_retention};

/// Writes a checkpoint if the commits since a version passed a multiple of
/// `delta.checkpointInterval`. It is no part of a commit, whose answer would wait for it: where
/// it fails, a later one or `maintain` makes up for it.
pub(crate) async fn checkpoint_after(base: Option<Version>, table: &LakeTable) {
    let interval = table
        .delta()
        .snapshot()
        .map_or(u64::MAX, |snapshot| snapshot.table_config().checkpoint_interval().get());
    let before = base.map_or(0, |base| (base + 1) / interval);
    if (table.version() + 1) / interval == before {
        return;
    }
    if let Err(error) = write(table).await {
        tracing::warn!(version = table.version(), "no checkpoint: {}", error.chain());
    }
}

/// Writes a checkpoint of this version.
///
/// # Errors
/// `Unavailable` if the lake does not take it.
pub(super) async fn write(table: &LakeTable) -> Result<()> {
    Ok(create_checkpoint(table.delta(), None).await?)
}

/// Commits since the newest checkpoint; more than [`LISTED_COMMITS`] are not told apart. The log is
/// listed for it: a crash may have left a checkpoint without the hint that leads to it, and none is
/// written twice.
///
/// # Errors
/// `Unavailable` if the log cannot be listed.
async fn commits_since(table: &LakeTable) -> Result<u64> {
    let log_store = table.delta().log_store();
    let first = table.version().saturating_sub(LISTED_COMMITS - 1);
    let log = Path::from("_delta_log");
    let offset = log.clone().join(format!("{first:020}"));
    let store = log_store.object_store(None);
    let listed = store.list_with_offset(Some(&log), &offset);
    let listed: Vec<ObjectMeta> = listed.try_collect().await?;
    let root = log_store.root_url();
    let urls = listed.iter().filter_map(|entry| root.join(entry.location.as_ref()).ok());
    let newest = newest_checkpoint(urls, table.version())?;
    Ok(table.version() + 1 - newest.map_or(first, |newest| newest + 1))
}

/// The newest version up to `version` of which all parts of a checkpoint are among these.
fn newest_checkpoint(
    entries: impl Iterator<Item = Url>,
    version: Version,
) -> Result<Option<Version>> {
    let mut parts: HashMap<(Version, u32), u32> = HashMap::new();
    let mut newest = None;
    for entry in entries {
        let Some(entry) = ParsedLogPath::try_from(entry)? else { continue };
        let is_whole = match entry.file_type {
            LogPathFileType::ClassicCheckpoint | LogPathFileType::UuidCheckpoint => true,
            LogPathFileType::MultiPartCheckpoint { num_parts, .. } => {
                let found = parts.entry((entry.version, num_parts)).or_default();
                *found += 1;
                *found == num_parts
            }
            _ => false,
        };
        if is_whole && entry.version <= version {
            newest = newest.max(Some(entry.version));
        }
    }
    Ok(newest)
}

/// Why a checkpoint is due; none if it is not.
///
/// # Errors
/// As [`commits_since`].
pub(super) async fn due(table: &LakeTable) -> Result<Option<String>> {
    let commits = commits_since(table).await?;
    let about = if commits == LISTED_COMMITS { "at least " } else { "" };
    let is_due = commits >= CHECKPOINT_COMMITS;
    Ok(is_due.then(|| format!("{about}{commits} commits since the newest checkpoint")))
}

/// Deletes entries of the log that are older than `delta.logRetentionDuration` and that a
/// checkpoint replaces, up to our newest commit, which stays since it holds the ledger; none where
/// checkpoints are protected. Gives their number.
///
/// # Errors
/// `Unavailable` if the lake does not let them be deleted.
pub(super) async fn clean_log(table: &LakeTable, now: DateTime<Utc>) -> Result<u64> {
    let snapshot = table.delta().snapshot()?;
    if has_protected_checkpoints(snapshot.protocol()) {
        return Ok(0);
    }
    let retention = log_retention(snapshot.metadata());
    let log_store = table.delta().log_store();
    let cutoff = before(now, retention).timestamp_millis();
    let Some(newest) = table.newest() else { return Ok(0) };
    let deleted =
        cleanup_expired_logs_for(newest.version, log_store.as_ref(), cutoff, None).await?;
    Ok(deleted as u64)
}

/// The time before which a retention has surely passed.
pub(super) fn before(now: DateTime<Utc>, retention: Duration) -> DateTime<Utc> {
    let span = retention.saturating_add(DELETION_SLACK);
    chrono::TimeDelta::from_std(span)
        .ok()
        .and_then(|span| now.checked_sub_signed(span))
        .unwrap_or(DateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(names: &[&str]) -> Option<Version> {
        let root = Url::parse("memory:///table/_delta_log/").expect("a URL");
        newest_checkpoint(names.iter().map(|name| root.join(name).expect("a URL")), 9)
            .expect("told")
    }

    #[test]
    fn the_newest_checkpoint_is_whole_and_no_newer_than_the_table() {
        let (classic, commit) =
            ("00000000000000000003.checkpoint.parquet", "00000000000000000009.json");
        assert_eq!(newest(&[commit]), None);
        assert_eq!(newest(&[classic, commit, "_last_checkpoint"]), Some(3));
        assert_eq!(newest(&[classic, "00000000000000000010.checkpoint.parquet"]), Some(3));
        let part =
            |part: u32| format!("00000000000000000007.checkpoint.{part:010}.0000000002.parquet");
        assert_eq!(newest(&[classic, &part(2)]), Some(3));
        assert_eq!(newest(&[classic, &part(1), &part(2)]), Some(7));
        let named = "00000000000000000008.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json";
        assert_eq!(newest(&[named, classic]), Some(8));
    }
}
