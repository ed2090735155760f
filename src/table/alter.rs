//! Changing a table's columns and protocol, each in a commit of its own that takes in no object.

use std::collections::HashMap;
use std::sync::Arc;

use deltalake::kernel::{Action, MetadataExt as _, StructType};
use deltalake::protocol::DeltaOperation;
use deltalake::{DeltaTableError, TableProperty};

use crate::clock::Clock;
use crate::error::Result;
use crate::schema::Column;
use crate::table::LakeTable;
use crate::table::features::with_feature;
use crate::table::schema::to_delta;
use crate::table::transaction::{CommitOutcome, Transaction};

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
    let property = TableProperty::EnableDeletionVectors.as_ref().to_owned();
    let on = "true".to_owned();
    let metadata = snapshot.metadata().clone().add_config_key(property.clone(), on.clone());
    let metadata = metadata.map_err(DeltaTableError::from)?;
    let protocol = with_feature(snapshot.protocol(), "deletionVectors")?;
    let actions = vec![Action::Metadata(metadata), Action::Protocol(protocol)];
    let transaction = Transaction::carrying_on(table, clock);
    let operation =
        DeltaOperation::SetTableProperties { properties: HashMap::from([(property, on)]) };
    transaction.commit(actions, operation, None).await
}
