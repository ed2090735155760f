//! Checkpoints, and what of the log they make superfluous.

use std::time::Duration;

use chrono::{DateTime, Utc};
use deltalake::checkpoints::{cleanup_expired_logs_for, create_checkpoint};
use deltalake::kernel::Version;
use deltalake::table::config::TablePropertiesExt as _;

use crate::error::Result;
use crate::maintenance::log::with_log;
use crate::maintenance::policy::{CHECKPOINT_COMMITS, DELETION_SLACK};
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

/// Commits since the newest checkpoint. The log is listed for it: a crash may have left a
/// checkpoint without the hint that leads to it, and none is written twice.
///
/// # Errors
/// `Unavailable` if the log cannot be read.
async fn commits_since(table: &LakeTable) -> Result<u64> {
    let newest = with_log(table, |log, _| Ok(log.checkpoint_version)).await?;
    Ok(newest.map_or(table.version() + 1, |newest| table.version() - newest))
}

/// Why a checkpoint is due; none if it is not.
///
/// # Errors
/// As [`commits_since`].
pub(super) async fn due(table: &LakeTable) -> Result<Option<String>> {
    let commits = commits_since(table).await?;
    let is_due = commits >= CHECKPOINT_COMMITS;
    Ok(is_due.then(|| format!("{commits} commits since the newest checkpoint")))
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
