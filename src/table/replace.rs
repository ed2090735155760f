//! Replacing all rows of a table, or removing them, in one commit on the same log.

use std::collections::HashSet;
use std::sync::Arc;

use deltalake::kernel::{Action, Add, MetadataExt as _, StructField, StructType};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTableError, TableProperty};
use serde_json::json;

use crate::clock::Clock;
use crate::error::Result;
use crate::files::removal;
use crate::progress::{Books, CommitRecord, Counts, Ledger};
use crate::table::features::with_feature;
use crate::table::{CommitOutcome, LakeTable, Transaction};

/// Replaces all rows of a table by those of its shadow, whose files are in the same folder: only
/// metadata is written, whatever the size. The log goes on, and with it history, properties and
/// name; progress afterwards is `ledger`.
///
/// Columns that the shadow lacks stay, without values.
///
/// # Errors
/// As [`Transaction::commit`].
pub async fn replace(
    table: &LakeTable,
    shadow: &LakeTable,
    ledger: Ledger,
    clock: &Arc<dyn Clock>,
) -> Result<CommitOutcome> {
    let (before, after) = (table.rows(), shadow.rows());
    let counts =
        Counts { rows: before + after, inserted: after, deleted: before, ..Counts::default() };
    let record = CommitRecord {
        format: CommitRecord::FORMAT,
        attempt: clock.attempt_id(),
        objects: Vec::new(),
        books: Books { counts, before, after },
        ledger: Ledger { rows: after, ..ledger },
    };
    record.books.check()?;
    let mut actions = definition(table, shadow)?;
    let removed = files(table)?;
    let added = files(shadow)?;
    let metrics = json!({
        "numFiles": added.len().to_string(),
        "numOutputRows": after.to_string(),
        "numRemovedFiles": removed.len().to_string(),
    });
    let changed = |add: Add| Add { data_change: true, ..add };
    actions.extend(removed.into_iter().map(|add| removal(changed(add), clock.now())));
    actions.extend(added.into_iter().map(|add| Action::Add(changed(add))));
    let operation =
        DeltaOperation::Write { mode: SaveMode::Overwrite, partition_by: None, predicate: None };
    Transaction::on(table, record, clock).commit(actions, operation, Some(metrics)).await
}

/// Removes all rows of a table, in one commit; progress stays as it is.
///
/// # Errors
/// As [`Transaction::commit`].
pub async fn empty(table: &LakeTable, clock: &Arc<dyn Clock>) -> Result<CommitOutcome> {
    let before = table.rows();
    let counts = Counts { rows: before, deleted: before, ..Counts::default() };
    let record = CommitRecord {
        format: CommitRecord::FORMAT,
        attempt: clock.attempt_id(),
        objects: Vec::new(),
        books: Books { counts, before, after: 0 },
        ledger: Ledger { rows: 0, emptied: true, ..table.ledger().clone() },
    };
    record.books.check()?;
    let removed = files(table)?;
    let metrics = json!({
        "numRemovedFiles": removed.len().to_string(),
        "numDeletedRows": before.to_string(),
    });
    let removals = removed.into_iter().map(|add| {
        let add = Add { data_change: true, ..add };
        removal(add, clock.now())
    });
    let operation = DeltaOperation::Delete { predicate: None };
    Transaction::on(table, record, clock).commit(removals.collect(), operation, Some(metrics)).await
}

/// What of columns, properties and protocol has to change, if anything.
fn definition(table: &LakeTable, shadow: &LakeTable) -> Result<Vec<Action>> {
    let (old, new) = (table.delta().snapshot()?, shadow.delta().snapshot()?);
    let mut actions = Vec::new();
    let mut metadata = old.metadata().clone();
    let schema = columns(&old.schema(), &new.schema())?;
    let has_other_columns = schema != *old.schema();
    if has_other_columns {
        metadata = metadata.with_schema(&schema).map_err(DeltaTableError::from)?;
    }
    let asks_for_vectors = shadow.may_mask() && !table.may_mask();
    if asks_for_vectors {
        let property = TableProperty::EnableDeletionVectors.as_ref().to_owned();
        let with = metadata.add_config_key(property, "true".to_owned());
        metadata = with.map_err(DeltaTableError::from)?;
        actions.push(Action::Protocol(with_feature(old.protocol(), "deletionVectors")?));
    }
    if has_other_columns || asks_for_vectors {
        actions.push(Action::Metadata(metadata));
    }
    Ok(actions)
}

/// The columns of the table in their order, as the shadow has them, and then its new ones.
fn columns(old: &StructType, new: &StructType) -> Result<StructType> {
    let known: HashSet<&str> = old.fields().map(|field| field.name().as_str()).collect();
    let kept = old.fields().map(|field| new.field(field.name()).unwrap_or(field));
    let added = new.fields().filter(|field| !known.contains(field.name().as_str()));
    let fields: Vec<StructField> = kept.chain(added).cloned().collect();
    Ok(StructType::try_new(fields)?)
}

/// The entries of all live files of a table.
fn files(table: &LakeTable) -> Result<Vec<Add>> {
    let snapshot = table.delta().snapshot()?;
    #[allow(deprecated, reason = "the only way to an entry that can be committed again")]
    let adds = snapshot.log_data().iter().map(|view| view.add_action()).collect();
    Ok(adds)
}
