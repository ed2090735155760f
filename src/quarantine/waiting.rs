//! The rows in the quarantine of one table, read and taken out.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, Schema, TimestampMicrosecondType};
use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;

use crate::change::NetChanges;
use crate::clock::Clock;
use crate::error::{ErrorKind, Result};
use crate::files::live_rows;
use crate::merge;
use crate::quarantine::{KEYS, schema};
use crate::storage::{Location, with_whole_paths};
use crate::table::{self, LakeTable, Transaction};

/// So often another worker may commit to the quarantine first.
const MOST_ATTEMPTS: u32 = 8;

/// A row in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedRow {
    /// The path of its object below the table's folder.
    pub object: String,
    /// Its 1-based number there.
    pub row: u64,
    /// What identifies the object's content, as its mark is written.
    pub identity: String,
    /// The source column at fault, if it is one column.
    pub column: Option<String>,
    /// Why it could not be decoded.
    pub reason: String,
    /// The row as staged: CSV text, or a Parquet row as JSON.
    pub content: String,
    /// When it was set aside.
    pub at: DateTime<Utc>,
}

/// All rows in quarantine, by object and row; none if there is no quarantine.
///
/// # Errors
/// `Unavailable` if it cannot be read.
pub async fn waiting(location: &Location) -> Result<Vec<QuarantinedRow>> {
    let found = async {
        let Some(quarantine) = open(location).await? else { return Ok(Vec::new()) };
        let mut rows = Vec::new();
        for add in quarantine.live_files()? {
            let mut batches = live_rows(quarantine.files(), &add).await?;
            while let Some(batch) = batches.try_next().await? {
                rows.extend(rows_of(&batch)?);
            }
        }
        rows.sort_by(|one, other| (&one.object, one.row).cmp(&(&other.object, other.row)));
        Ok(rows)
    };
    found.await.map_err(|error| with_whole_paths(error, location, location))
}

async fn open(location: &Location) -> Result<Option<LakeTable>> {
    table::load(location).await?.map(LakeTable::without_progress).transpose()
}

/// The rows of a batch of the quarantine.
///
/// # Errors
/// `Internal` if its columns are not those of the quarantine.
pub(crate) fn rows_of(batch: &RecordBatch) -> Result<Vec<QuarantinedRow>> {
    let text = |name: &str| cast(&batch[name], &DataType::Utf8);
    let (identities, objects, columns) = (text("identity")?, text("object")?, text("column")?);
    let (reasons, contents) = (text("reason")?, text("content")?);
    let numbers = batch["row"].as_primitive::<Int64Type>();
    let times = batch["quarantined_at"].as_primitive::<TimestampMicrosecondType>();
    let at = |texts: &ArrayRef, row: usize| {
        let texts = texts.as_string::<i32>();
        texts.is_valid(row).then(|| texts.value(row).to_owned())
    };
    let row = |row: usize| QuarantinedRow {
        object: at(&objects, row).unwrap_or_default(),
        row: u64::try_from(numbers.value(row)).unwrap_or_default(),
        identity: at(&identities, row).unwrap_or_default(),
        column: at(&columns, row),
        reason: at(&reasons, row).unwrap_or_default(),
        content: at(&contents, row).unwrap_or_default(),
        at: DateTime::from_timestamp_micros(times.value(row)).unwrap_or_default(),
    };
    Ok((0..batch.num_rows()).map(row).collect())
}

/// Takes rows out of the quarantine, by identity of their object and number. Those that are not there
/// are no error: another attempt has taken them out.
///
/// # Errors
/// `Unavailable` or `Conflict` if the quarantine cannot be written.
pub async fn take_out(
    location: &Location,
    rows: &BTreeSet<(String, u64)>,
    clock: &Arc<dyn Clock>,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut attempts = 0;
    loop {
        match try_take_out(location, rows, clock).await {
            Err(error) if error.kind() == ErrorKind::Conflict && attempts < MOST_ATTEMPTS => {
                attempts += 1;
            }
            outcome => return outcome.map_err(|error| with_whole_paths(error, location, location)),
        }
    }
}

async fn try_take_out(
    location: &Location,
    rows: &BTreeSet<(String, u64)>,
    clock: &Arc<dyn Clock>,
) -> Result<()> {
    let Some(quarantine) = open(location).await? else { return Ok(()) };
    let identities = StringArray::from_iter_values(rows.iter().map(|(identity, _)| identity));
    let numbers: Int64Array =
        rows.iter().map(|(_, row)| i64::try_from(*row).unwrap_or(i64::MAX)).collect();
    let keys = Arc::new(Schema::clone(&schema().arrow()).project(&[0, 1])?);
    let deletes = RecordBatch::try_new(keys, vec![Arc::new(identities), Arc::new(numbers)])?;
    let changes = deletes.num_rows() as u64;
    let net = NetChanges { deletes: vec![deletes], changes, ..NetChanges::default() };
    let plan = merge::plan(&quarantine, &KEYS.map(str::to_owned), net).await?;
    if plan.deleted == 0 {
        return Ok(());
    }
    let transaction = Transaction::without_record(&quarantine, clock);
    merge::commit(transaction, plan).await?.outcome.committed()?;
    Ok(())
}
