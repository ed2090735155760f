//! Replacing all rows of a table, putting those of an older version back, or removing them, in one
//! commit on the same log.

use std::collections::HashSet;
use std::sync::Arc;

use deltalake::DeltaTableError;
use deltalake::kernel::{Action, Add, Metadata, MetadataExt as _, StructField, StructType};
use deltalake::protocol::{DeltaOperation, SaveMode};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use serde_json::json;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::files::{paths_of, removal};
use crate::progress::{CommitRecord, Counts, Ledger};
use crate::table::alter::allowing_vectors;
use crate::table::{CommitOutcome, LakeTable, RowSource, Transaction};

/// So many files are asked for at once.
const HEADS_AT_ONCE: usize = 16;

/// Replaces all rows of a table by those of its shadow, whose files are in the same folder: only
/// metadata is written, whatever the size. The log goes on, and with it history, properties and
/// name; progress afterwards is `ledger`.
///
/// Columns that the shadow lacks stay, without values, but for those that `leave`. The table is
/// partitioned as the shadow is.
///
/// # Errors
/// As [`Transaction::commit`].
pub async fn replace(
    table: &LakeTable,
    shadow: &LakeTable,
    ledger: Ledger,
    leave: impl Fn(&str) -> bool,
    clock: &Arc<dyn Clock>,
) -> Result<CommitOutcome> {
    let record = record(table, shadow.rows(), ledger, clock.as_ref())?;
    let mut actions = definition(table, shadow, leave)?;
    let removals = removals(table, clock.as_ref())?;
    let added = shadow.live_files()?;
    let metrics = json!({
        "numFiles": added.len().to_string(),
        "numOutputRows": shadow.rows().to_string(),
        "numRemovedFiles": removals.len().to_string(),
    });
    actions.extend(removals);
    actions.extend(added.into_iter().map(Action::Add));
    let operation =
        DeltaOperation::Write { mode: SaveMode::Overwrite, partition_by: None, predicate: None };
    Transaction::on(table, record, clock).commit(actions, operation, Some(metrics)).await
}

/// Puts the rows of an older version of a table back; progress afterwards is `ledger`. Files that both
/// versions have stay as they are. Columns that were added since stay, without values, unless others
/// were renamed, dropped or given another type.
///
/// # Errors
/// As [`Transaction::commit`].
pub async fn put_back(
    table: &LakeTable,
    older: &LakeTable,
    ledger: Ledger,
    clock: &Arc<dyn Clock>,
) -> Result<CommitOutcome> {
    let record = record(table, older.rows(), ledger, clock.as_ref())?;
    // Where columns have changed otherwise since, those of then come back.
    let has_all = has_all_columns_of(table, older)?;
    let mut actions = definition(table, older, |_| !has_all)?;
    let (now, then) = (table.live_files()?, older.live_files()?);
    let sources = |files: &[Add]| files.iter().map(RowSource::of).collect::<HashSet<_>>();
    let (live, kept) = (sources(&now), sources(&then));
    let is_new = |add: &&Add| !live.contains(&RowSource::of(add));
    let is_gone = |add: &&Add| !kept.contains(&RowSource::of(add));
    let added: Vec<Add> = then.iter().filter(is_new).cloned().collect();
    let removed: Vec<Add> = now.iter().filter(is_gone).cloned().collect();
    let metrics = json!({
        "numRestoredFiles": added.len().to_string(),
        "numRemovedFiles": removed.len().to_string(),
        "numOfFilesAfterRestore": then.len().to_string(),
    });
    let time = clock.now();
    actions.extend(removed.into_iter().map(|add| removal(add, time)));
    actions.extend(added.into_iter().map(Action::Add));
    let operation = DeltaOperation::Restore { version: Some(older.version()), datetime: None };
    Transaction::on(table, record, clock).commit(actions, operation, Some(metrics)).await
}

/// The files of an older version that no longer exist, data files and deletion vectors.
///
/// # Errors
/// `Unavailable` if the store does not answer.
pub async fn deleted_files(table: &LakeTable, older: &LakeTable) -> Result<Vec<Path>> {
    let live: HashSet<Path> = table.live_files()?.iter().flat_map(paths_of).collect();
    let needed: HashSet<Path> = older.live_files()?.iter().flat_map(paths_of).collect();
    let store = table.files().store();
    let heads = needed.into_iter().filter(|path| !live.contains(path)).map(|path| {
        let store = Arc::clone(&store);
        async move {
            match store.head(&path).await {
                Ok(_) => Ok(None),
                Err(object_store::Error::NotFound { .. }) => Ok(Some(path)),
                Err(error) => Err(Error::from(error)),
            }
        }
    });
    let gone: Vec<Option<Path>> =
        stream::iter(heads).buffer_unordered(HEADS_AT_ONCE).try_collect().await?;
    Ok(gone.into_iter().flatten().collect())
}

/// Whether a table has all columns of its older version, as they were.
fn has_all_columns_of(table: &LakeTable, older: &LakeTable) -> Result<bool> {
    let (now, then) = (table.delta().snapshot()?.schema(), older.delta().snapshot()?.schema());
    Ok(then.fields().all(|field| now.field(field.name()) == Some(field)))
}

/// Removes all rows of a table, in one commit; progress stays as it is.
///
/// # Errors
/// As [`Transaction::commit`].
pub async fn empty(table: &LakeTable, clock: &Arc<dyn Clock>) -> Result<CommitOutcome> {
    let mut ledger = table.ledger().clone();
    ledger.empty();
    let record = record(table, 0, ledger, clock.as_ref())?;
    let removals = removals(table, clock.as_ref())?;
    let metrics = json!({
        "numRemovedFiles": removals.len().to_string(),
        "numDeletedRows": table.rows().to_string(),
    });
    let operation = DeltaOperation::Delete { predicate: None };
    Transaction::on(table, record, clock).commit(removals, operation, Some(metrics)).await
}

/// The record of a commit that removes all rows and brings so many others.
fn record(
    table: &LakeTable,
    after: u64,
    ledger: Ledger,
    clock: &dyn Clock,
) -> Result<CommitRecord> {
    let before = table.rows();
    let counts =
        Counts { rows: before + after, inserted: after, deleted: before, ..Counts::default() };
    CommitRecord::replacing(clock.attempt_id(), counts, before, after, ledger)
}

/// The actions that remove all live files of a table.
fn removals(table: &LakeTable, clock: &dyn Clock) -> Result<Vec<Action>> {
    let now = clock.now();
    Ok(table.live_files()?.into_iter().map(|add| removal(add, now)).collect())
}

/// What of columns, properties and protocol has to change, if anything.
fn definition(
    table: &LakeTable,
    shadow: &LakeTable,
    leave: impl Fn(&str) -> bool,
) -> Result<Vec<Action>> {
    let (old, new) = (table.delta().snapshot()?, shadow.delta().snapshot()?);
    let mut actions = Vec::new();
    let mut metadata = old.metadata().clone();
    let schema = columns(&old.schema(), &new.schema(), leave)?;
    let has_other_columns = schema != *old.schema();
    if has_other_columns {
        metadata = metadata.with_schema(&schema).map_err(DeltaTableError::from)?;
    }
    let is_partitioned_otherwise =
        metadata.partition_columns() != new.metadata().partition_columns();
    if is_partitioned_otherwise {
        metadata = partitioned_as(&metadata, new.metadata())?;
    }
    let asks_for_vectors = shadow.may_mask() && !table.may_mask();
    if asks_for_vectors {
        let (allowing, protocol) = allowing_vectors(metadata, old.protocol())?;
        metadata = allowing;
        actions.push(Action::Protocol(protocol));
    }
    if has_other_columns || is_partitioned_otherwise || asks_for_vectors {
        actions.push(Action::Metadata(metadata));
    }
    Ok(actions)
}

/// All files come from the shadow, so that its partition columns are those that they have values of.
fn partitioned_as(metadata: &Metadata, shadow: &Metadata) -> Result<Metadata> {
    let mut json = serde_json::to_value(metadata).map_err(DeltaTableError::from)?;
    json["partitionColumns"] = json!(shadow.partition_columns());
    Ok(serde_json::from_value(json).map_err(DeltaTableError::from)?)
}

/// The columns of the table in their order, as the shadow has them, and then its new ones.
fn columns(old: &StructType, new: &StructType, leave: impl Fn(&str) -> bool) -> Result<StructType> {
    let known: HashSet<&str> = old.fields().map(|field| field.name().as_str()).collect();
    let kept = old.fields().filter_map(|field| {
        new.field(field.name()).or_else(|| Some(field).filter(|field| !leave(field.name())))
    });
    let added = new.fields().filter(|field| !known.contains(field.name().as_str()));
    let fields: Vec<StructField> = kept.chain(added).cloned().collect();
    Ok(StructType::try_new(fields)?)
}
