//! Making a table, adding columns to it, and letting its rows be masked.

use std::collections::HashMap;

use deltalake::kernel::{Action, MetadataExt as _, StructType};
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableError, TableProperty};

use crate::error::{Error, ErrorKind, Result};
use crate::progress::CommitRecord;
use crate::schema::Column;
use crate::storage::Location;
use crate::table::features::with_feature;
use crate::table::schema::to_delta;
use crate::table::{
    LakeTable, commit_properties, commit_where_it_stands, log_store, unknown_outcome,
};

/// What became of making a table.
#[derive(Debug)]
#[must_use]
pub enum CreateOutcome {
    /// It stands, empty.
    Created(DeltaTable),
    /// Nothing is known but that it did not go through here: look again.
    Unknown(Error),
}

/// Makes an empty table whose first commit carries an empty ledger.
///
/// Log clean-up is off, because progress is read from the JSON of our newest commit, which no
/// checkpoint repeats.
///
/// # Errors
/// `Internal` if the library chose a protocol that not every reader knows.
pub async fn create(
    location: &Location,
    name: &str,
    columns: &[Column],
    record: &CommitRecord,
) -> Result<CreateOutcome> {
    let outcome = CreateBuilder::new()
        .with_log_store(log_store(location)?)
        .with_table_name(name)
        .with_save_mode(SaveMode::ErrorIfExists)
        .with_columns(to_delta(columns)?)
        .with_configuration_property(TableProperty::EnableExpiredLogCleanup, Some("false"))
        .with_configuration_property(TableProperty::CheckpointInterval, Some("20"))
        .with_commit_properties(commit_properties(record, 1, None)?)
        .await;
    let delta = match outcome {
        Ok(delta) => delta,
        Err(error) => return Ok(CreateOutcome::Unknown(unknown_outcome(error))),
    };
    assert_protocol(&delta)?;
    Ok(CreateOutcome::Created(delta))
}

/// Adds nullable columns in a commit of its own, which takes in no object.
///
/// # Errors
/// `Conflict` if the table is another one by now or the outcome is unknown.
pub async fn add_columns(
    table: &LakeTable,
    columns: &[Column],
    record: &CommitRecord,
) -> Result<DeltaTable> {
    let fields = to_delta(columns)?;
    let snapshot = table.delta().snapshot()?;
    let schema = StructType::try_new(snapshot.schema().fields().cloned().chain(fields.clone()))?;
    let metadata = snapshot.metadata().clone().with_schema(&schema);
    let metadata = metadata.map_err(DeltaTableError::from)?;
    let properties = commit_properties(record, table.next_transaction(), None)?;
    let operation = DeltaOperation::AddColumn { fields };
    commit_where_it_stands(table, vec![Action::Metadata(metadata)], operation, properties).await
}

/// Lets rows of the table be masked by deletion vectors, in a commit of its own, which takes in
/// no object. The protocol rises to reader 3 / writer 7, until maintenance lowers it.
///
/// # Errors
/// `Conflict` if the table is another one by now or the outcome is unknown.
pub async fn allow_vectors(table: &LakeTable, record: &CommitRecord) -> Result<DeltaTable> {
    let snapshot = table.delta().snapshot()?;
    let property = TableProperty::EnableDeletionVectors.as_ref().to_owned();
    let on = "true".to_owned();
    let metadata = snapshot.metadata().clone().add_config_key(property.clone(), on.clone());
    let metadata = metadata.map_err(DeltaTableError::from)?;
    let protocol = with_feature(snapshot.protocol(), "deletionVectors")?;
    let actions = vec![Action::Metadata(metadata), Action::Protocol(protocol)];
    let properties = commit_properties(record, table.next_transaction(), None)?;
    let operation =
        DeltaOperation::SetTableProperties { properties: HashMap::from([(property, on)]) };
    commit_where_it_stands(table, actions, operation, properties).await
}

/// Reader 1 and writer 2 are what Athena, Redshift and every other reader are sure to know.
fn assert_protocol(delta: &DeltaTable) -> Result<()> {
    let protocol = delta.snapshot()?.protocol();
    let (reader, writer) = (protocol.min_reader_version(), protocol.min_writer_version());
    if (reader, writer) == (1, 2) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Internal, "the table's protocol is not reader 1 / writer 2")
        .with("reader", reader)
        .with("writer", writer))
}
