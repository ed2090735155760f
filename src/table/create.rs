//! Making a table.

use std::sync::Arc;

use deltalake::TableProperty;
use deltalake::kernel::{Action, MetadataExt as _, Protocol, StructType, new_metadata};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTableError, kernel::Metadata};
use serde_json::json;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::progress::CommitRecord;
use crate::schema::Column;
use crate::storage::Location;
use crate::table::open::log_store;
use crate::table::schema::to_delta;
use crate::table::transaction::{CommitOutcome, Transaction};

/// Makes an empty table whose first commit carries this record.
///
/// Log clean-up is off, because progress is read from the JSON of our newest commit, which no
/// checkpoint repeats.
///
/// # Errors
/// `Conflict` if there is a table already; else as [`Transaction::commit`].
pub async fn create(
    location: &Location,
    name: &str,
    columns: &[Column],
    record: CommitRecord,
    clock: &Arc<dyn Clock>,
) -> Result<CommitOutcome> {
    let properties = [
        (TableProperty::EnableExpiredLogCleanup, "false"),
        (TableProperty::CheckpointInterval, "20"),
    ];
    let metadata = metadata(name, columns, &properties)?;
    let transaction = Transaction::making(location, Some(record), clock);
    make(transaction, location, metadata, plain_protocol()?).await
}

/// Makes an empty table that keeps no progress.
///
/// # Errors
/// As [`create`].
pub async fn create_without_progress(
    location: &Location,
    name: &str,
    columns: &[Column],
    clock: &Arc<dyn Clock>,
) -> Result<CommitOutcome> {
    let metadata = metadata(name, columns, &[])?;
    let transaction = Transaction::making(location, None, clock);
    make(transaction, location, metadata, plain_protocol()?).await
}

fn metadata(
    name: &str,
    columns: &[Column],
    properties: &[(TableProperty, &str)],
) -> Result<Metadata> {
    let schema = StructType::try_new(to_delta(columns)?)?;
    let properties = properties.iter().map(|(property, value)| (property.as_ref(), *value));
    let metadata = new_metadata(&schema, [""; 0], properties);
    let named = metadata.and_then(|metadata| metadata.with_name(name.to_owned()));
    Ok(named.map_err(DeltaTableError::from)?)
}

pub(super) async fn make(
    transaction: Transaction<'_>,
    location: &Location,
    metadata: Metadata,
    protocol: Protocol,
) -> Result<CommitOutcome> {
    // The commit call only sees that version 0 is free, not a table whose first commits are gone.
    if log_store(location)?.is_delta_table_location().await? {
        return Err(Error::new(ErrorKind::Conflict, "there is a table already"));
    }
    let operation = DeltaOperation::Create {
        mode: SaveMode::ErrorIfExists,
        metadata: metadata.clone(),
        location: location.url().clone(),
        protocol: protocol.clone(),
    };
    let actions = vec![Action::Protocol(protocol), Action::Metadata(metadata)];
    transaction.commit(actions, operation, None).await
}

/// Reader 1 and writer 2 are what Athena, Redshift and every other reader are sure to know.
fn plain_protocol() -> Result<Protocol> {
    let protocol = serde_json::from_value(json!({ "minReaderVersion": 1, "minWriterVersion": 2 }));
    Ok(protocol.map_err(DeltaTableError::from)?)
}
