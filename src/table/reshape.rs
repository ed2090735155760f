//! Giving a table other columns in a way that all of its files must follow, in one commit on the
//! same log.

use std::collections::HashMap;
use std::sync::Arc;

use deltalake::DeltaTableError;
use deltalake::kernel::{Action, Add, Metadata, MetadataExt as _, StructField, StructType};
use deltalake::protocol::{DeltaOperation, SaveMode};
use serde_json::json;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::files::{removal, row_count};
use crate::progress::{Books, CommitRecord, Counts, Ledger};
use crate::schema::{Column, ColumnChange, TableSchema, earlier_name, reshaped};
use crate::storage::Location;
use crate::table::create::make;
use crate::table::schema::to_delta;
use crate::table::{CommitOutcome, LakeTable, Transaction};

/// The key in a file's `tags` that names the file whose rows it holds.
const TAG: &str = "dmslake.rows_of";

/// A file of a table, and with which of its rows: another deletion vector is another source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RowSource(String);

impl RowSource {
    /// The live rows of a file.
    #[must_use]
    pub fn of(add: &Add) -> Self {
        let Some(vector) = &add.deletion_vector else { return Self(add.path.clone()) };
        let (place, offset) = (&vector.path_or_inline_dv, vector.offset.unwrap_or_default());
        Self(format!("{} {}{place}@{offset}", add.path, vector.storage_type))
    }

    fn tags(&self) -> HashMap<String, Option<String>> {
        HashMap::from([(TAG.to_owned(), Some(self.0.clone()))])
    }

    fn tagged(add: &Add) -> Option<Self> {
        add.tags.as_ref()?.get(TAG)?.clone().map(Self)
    }
}

/// Makes the empty table beside a table, with its name, properties and partitions, in which its
/// rows are written with these columns.
///
/// # Errors
/// As [`crate::table::create`].
pub async fn create_reshaped(
    location: &Location,
    table: &LakeTable,
    changes: &[ColumnChange],
    clock: &Arc<dyn Clock>,
) -> Result<CommitOutcome> {
    let snapshot = table.delta().snapshot()?;
    let metadata = changed(table, changes)?;
    let record = CommitRecord::without_objects(clock.attempt_id(), Ledger::default(), 0);
    let transaction = Transaction::making(location, Some(record), clock);
    make(transaction, location, metadata, snapshot.protocol().clone()).await
}

/// Commits files to that table, each with the file whose live rows it holds.
///
/// # Errors
/// As [`Transaction::commit`].
pub async fn add_reshaped(
    reshaped: &LakeTable,
    files: Vec<(RowSource, Add)>,
    clock: &Arc<dyn Clock>,
) -> Result<CommitOutcome> {
    let rows: u64 = files.iter().map(|(_, add)| rows_of(add)).sum();
    let (before, after) = (reshaped.rows(), reshaped.rows() + rows);
    let counts = Counts { rows, inserted: rows, ..Counts::default() };
    let record = CommitRecord {
        books: Books { counts, before, after },
        ..CommitRecord::without_objects(clock.attempt_id(), reshaped.ledger().clone(), after)
    };
    let added = files.into_iter().map(|(source, add)| Add { tags: Some(source.tags()), ..add });
    let actions = added.map(Action::Add).collect();
    let operation =
        DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
    Transaction::on(reshaped, record, clock).commit(actions, operation, None).await
}

/// The files of that table by the file whose rows they hold.
///
/// # Errors
/// `TableCorrupt` if its log cannot be understood.
pub fn reshaped_files(reshaped: &LakeTable) -> Result<HashMap<RowSource, Vec<Add>>> {
    let mut files: HashMap<RowSource, Vec<Add>> = HashMap::new();
    for add in reshaped.live_files()? {
        if let Some(source) = RowSource::tagged(&add) {
            files.entry(source).or_default().push(add);
        }
    }
    Ok(files)
}

/// Changes the columns of a table, and puts in place of its files those that hold the same rows so.
/// Progress stays, but for the names of the keys.
///
/// # Errors
/// `Internal` if rows of a file are missing, so that nothing is committed; as
/// [`Transaction::commit`].
pub async fn reshape(
    table: &LakeTable,
    reshaped: &LakeTable,
    changes: &[ColumnChange],
    keys: Vec<String>,
    clock: &Arc<dyn Clock>,
) -> Result<CommitOutcome> {
    let mut files = reshaped_files(reshaped)?;
    let mut actions = vec![Action::Metadata(changed(table, changes)?)];
    let (mut removed, mut added) = (0_u64, 0_u64);
    for file in table.live_files()? {
        let source = RowSource::of(&file);
        let masked = file.deletion_vector.as_ref().map_or(0, |vector| vector.cardinality);
        let live = rows_of(&file).saturating_sub(masked.unsigned_abs());
        let replacements = files.remove(&source).unwrap_or_default();
        if replacements.iter().map(rows_of).sum::<u64>() != live {
            return Err(Error::new(ErrorKind::Internal, "rows of a file are not written again")
                .with("file", &file.path));
        }
        // No row changes, so that readers of changes need not look.
        actions.push(removal(Add { data_change: false, ..file }, clock.now()));
        removed += 1;
        added += replacements.len() as u64;
        actions.extend(
            replacements
                .into_iter()
                .map(|add| Action::Add(Add { data_change: false, tags: None, ..add })),
        );
    }
    let metrics = json!({
        "numFiles": added.to_string(),
        "numOutputRows": table.rows().to_string(),
        "numRemovedFiles": removed.to_string(),
    });
    let record = table.record_without_objects(clock.as_ref());
    let ledger = Ledger { keys: Some(keys), ..record.ledger };
    let record = CommitRecord { ledger, ..record };
    let operation =
        DeltaOperation::Write { mode: SaveMode::Overwrite, partition_by: None, predicate: None };
    Transaction::on(table, record, clock).commit(actions, operation, Some(metrics)).await
}

/// Rows in a file, masked ones included, as the log counts them.
fn rows_of(add: &Add) -> u64 {
    add.stats.as_deref().and_then(row_count).unwrap_or_default()
}

/// The metadata of a table with other columns. What others have noted of a column stays.
fn changed(table: &LakeTable, changes: &[ColumnChange]) -> Result<Metadata> {
    let snapshot = table.delta().snapshot()?;
    let (metadata, old) = (snapshot.metadata().clone(), snapshot.schema());
    let partitions = metadata.partition_columns();
    if let Some(change) = changes.iter().find(|it| partitions.iter().any(|p| p == it.column())) {
        return Err(Error::new(
            ErrorKind::SchemaRefused,
            "a column by which another writer has partitioned the table cannot be changed",
        )
        .with("column", change.column()));
    }
    let after: TableSchema = reshaped(table.schema(), changes);
    let field = |(field, column): (StructField, &Column)| {
        let before = old.field(earlier_name(&column.name, changes));
        before.map_or(field.clone(), |before| StructField {
            nullable: before.nullable,
            metadata: before.metadata.clone(),
            ..field
        })
    };
    let fields = to_delta(after.columns())?.into_iter().zip(after.columns()).map(field);
    let schema = StructType::try_new(fields)?;
    Ok(metadata.with_schema(&schema).map_err(DeltaTableError::from)?)
}
