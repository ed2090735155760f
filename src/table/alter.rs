//! Changing a table's columns and protocol, each in a commit of its own that takes in no object.

use std::collections::HashMap;
use std::sync::Arc;

use deltalake::kernel::{Action, Metadata, MetadataExt as _, Protocol, StructType};
use deltalake::protocol::DeltaOperation;
use deltalake::{DeltaTableError, TableProperty};

use crate::clock::Clock;
use crate::error::Result;
use crate::schema::Column;
use crate::table::LakeTable;
use crate::table::features::with_feature;
use crate::table::schema::to_delta;
use crate::table::transaction::{CommitOutcome, Transaction};

const VECTORS: TableProperty = TableProperty::EnableDeletionVectors;
const ON: &str = "true";

/// Adds nullable columns.
///
/// # Errors
/// As [`Transaction::commit`].
pub async fn add_columns(
    table: &LakeTable,
    columns: &[Column],
    clock: &Arc<dyn Clock>,
) -> Result<CommitOutcome> {
    let fields = to_delta(columns)?;
    let snapshot = table.delta().snapshot()?;
    let schema = StructType::try_new(snapshot.schema().fields().cloned().chain(fields.clone()))?;
    let metadata = snapshot.metadata().clone().with_schema(&schema);
    let metadata = metadata.map_err(DeltaTableError::from)?;
    let transaction = Transaction::carrying_on(table, clock);
    let operation = DeltaOperation::AddColumn { fields };
    transaction.commit(vec![Action::Metadata(metadata)], operation, None).await
}

/// Lets rows of the table be masked by deletion vectors. The protocol rises to reader 3 /
/// writer 7, until maintenance lowers it.
///
/// # Errors
/// As [`Transaction::commit`].
pub async fn allow_vectors(table: &LakeTable, clock: &Arc<dyn Clock>) -> Result<CommitOutcome> {
    let snapshot = table.delta().snapshot()?;
    let (metadata, protocol) = allowing_vectors(snapshot.metadata().clone(), snapshot.protocol())?;
    let actions = vec![Action::Metadata(metadata), Action::Protocol(protocol)];
    let transaction = Transaction::carrying_on(table, clock);
    let properties = HashMap::from([(VECTORS.as_ref().to_owned(), ON.to_owned())]);
    let operation = DeltaOperation::SetTableProperties { properties };
    transaction.commit(actions, operation, None).await
}

/// Metadata and protocol of a table as they are where its rows may be masked.
///
/// # Errors
/// `TableCorrupt` if the protocol cannot be understood.
pub(super) fn allowing_vectors(
    metadata: Metadata,
    protocol: &Protocol,
) -> Result<(Metadata, Protocol)> {
    let metadata = metadata.add_config_key(VECTORS.as_ref().to_owned(), ON.to_owned());
    let protocol = with_feature(protocol, "deletionVectors")?;
    Ok((metadata.map_err(DeltaTableError::from)?, protocol))
}
