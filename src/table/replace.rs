//! Replacing all rows of a table, or removing them, in one commit on the same log.

use std::collections::HashSet;
use std::sync::Arc;

use deltalake::DeltaTableError;
use deltalake::kernel::{Action, Add, LogicalFileView, MetadataExt as _, StructField, StructType};
use deltalake::protocol::{DeltaOperation, SaveMode};
use serde_json::json;

use crate::clock::Clock;
use crate::error::Result;
use crate::files::removal;
use crate::progress::{CommitRecord, Counts, Ledger};
use crate::table::alter::allowing_vectors;
use crate::table::{CommitOutcome, LakeTable, Transaction};

/// Replaces all rows of a table by those of its shadow, whose files are in the same folder: only
/// metadata is written, whatever the size. The log goes on, and with it history, properties and
/// name; progress afterwards is `ledger`.
///
/// Columns that the shadow lacks stay, without values, but for those that `leave`.
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
    let added = files(shadow)?;
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
    Ok(files(table)?.into_iter().map(|add| removal(add, now)).collect())
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
    let asks_for_vectors = shadow.may_mask() && !table.may_mask();
    if asks_for_vectors {
        let (allowing, protocol) = allowing_vectors(metadata, old.protocol())?;
        metadata = allowing;
        actions.push(Action::Protocol(protocol));
    }
    if has_other_columns || asks_for_vectors {
        actions.push(Action::Metadata(metadata));
    }
    Ok(actions)
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

/// The entries of all live files of a table, as ones that change rows.
fn files(table: &LakeTable) -> Result<Vec<Add>> {
    let snapshot = table.delta().snapshot()?;
    #[allow(deprecated, reason = "the only way to an entry that can be committed again")]
    let add = |view: LogicalFileView| Add { data_change: true, ..view.add_action() };
    Ok(snapshot.log_data().iter().map(add).collect())
}
