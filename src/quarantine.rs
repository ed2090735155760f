//! Writes bad rows to the quarantine: a separate Delta table for each table of the lake.
//!
//! They are written before the main commit, by a merge on (object identity, row number). A crash
//! between the two leaves rows in the quarantine, and the next attempt keeps or replaces them. The
//! ledger of the main commit decides what counts as quarantined.

#[cfg(feature = "cli")]
mod waiting;

#[cfg(feature = "cli")]
pub(crate) use waiting::rows_of;
#[cfg(feature = "cli")]
pub use waiting::{QuarantinedRow, take_out, waiting};

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Int64Type, Schema};
use chrono::{DateTime, Utc};

use crate::change::NetChanges;
use crate::clock::Clock;
use crate::config::TableName;
use crate::decode::BadRow;
use crate::error::Result;
use crate::merge;
use crate::progress::Mark;
use crate::schema::{Column, ColumnType, TableSchema};
use crate::staging::StagedObject;
use crate::storage::{Location, with_whole_paths};
use crate::table::{self, LakeTable, Transaction, log_store};

/// The bad rows in a range of an object's rows.
#[derive(Clone, Debug)]
pub struct SetAside<'a> {
    /// The object.
    pub object: &'a StagedObject,
    /// Its identity.
    pub mark: Mark,
    /// The numbers of the decoded rows.
    pub rows: RangeInclusive<u64>,
    /// The bad rows among them.
    pub bad_rows: &'a [BadRow],
}

/// The key columns of the quarantine.
pub(crate) const KEYS: [&str; 2] = ["identity", "row"];

fn schema() -> TableSchema {
    let column =
        |name: &str, column_type| Column { name: name.into(), column_type, nullable: true };
    TableSchema::new(vec![
        column("identity", ColumnType::String),
        column("row", ColumnType::Long),
        column("object", ColumnType::String),
        column("column", ColumnType::String),
        column("reason", ColumnType::String),
        column("content", ColumnType::String),
        column("quarantined_at", ColumnType::Timestamp),
    ])
}

/// Identity, row number and reason of rows, in that order.
type Reasons = Vec<(String, i64, String)>;

/// Makes the quarantine contain exactly the bad rows among the decoded rows, whatever earlier
/// attempts left there.
///
/// # Errors
/// `Unavailable` or `Conflict` if the quarantine cannot be written; the slice is then retried.
pub async fn set_aside(
    location: &Location,
    source: &TableName,
    aside: &[SetAside<'_>],
    clock: &Arc<dyn Clock>,
) -> Result<()> {
    let outcome = bring_up_to_date(location, source, aside, clock).await;
    // The quarantine has its own folder, not the table's.
    outcome.map_err(|error| with_whole_paths(error, location, location))
}

async fn bring_up_to_date(
    location: &Location,
    source: &TableName,
    aside: &[SetAside<'_>],
    clock: &Arc<dyn Clock>,
) -> Result<()> {
    let has_bad_rows = aside.iter().any(|aside| !aside.bad_rows.is_empty());
    // One listing shows that earlier attempts left nothing.
    if !has_bad_rows && !log_store(location)?.is_delta_table_location().await? {
        return Ok(());
    }
    let quarantine = if let Some(quarantine) = table::load(location).await? {
        LakeTable::without_progress(quarantine)?
    } else {
        let name = format!("quarantine of {source}");
        let columns = schema();
        let made = table::create_without_progress(location, &name, columns.columns(), clock);
        made.await?.committed()?
    };
    let bad = bad_rows(aside, clock.now())?;
    let wanted = reasons(&bad);
    let standing = standing(&quarantine, aside).await?;
    if standing == wanted {
        return Ok(());
    }
    let stale = stale_keys(&standing, &wanted)?;
    replace(&quarantine, bad, stale, clock).await
}

fn bad_rows(aside: &[SetAside<'_>], now: DateTime<Utc>) -> Result<RecordBatch> {
    let rows = || aside.iter().flat_map(|a| a.bad_rows.iter().map(move |bad| (a, bad)));
    let text = |of: &dyn Fn(&SetAside<'_>, &BadRow) -> Option<String>| -> ArrayRef {
        Arc::new(rows().map(|(aside, bad)| of(aside, bad)).collect::<StringArray>())
    };
    let numbers: Int64Array =
        rows().map(|(_, bad)| i64::try_from(bad.row).unwrap_or(i64::MAX)).collect();
    let times = vec![now.timestamp_micros(); numbers.len()];
    Ok(RecordBatch::try_new(
        schema().arrow(),
        vec![
            text(&|aside, _| Some(aside.mark.identity.to_string())),
            Arc::new(numbers),
            text(&|aside, _| Some(aside.object.relative.clone())),
            text(&|_, bad| bad.column.clone()),
            text(&|_, bad| Some(bad.reason.clone())),
            text(&|_, bad| Some(bad.content.clone())),
            Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")),
        ],
    )?)
}

/// The rows in the quarantine that are among the decoded rows.
async fn standing(quarantine: &LakeTable, aside: &[SetAside<'_>]) -> Result<Reasons> {
    let identities: BTreeSet<String> =
        aside.iter().map(|aside| aside.mark.identity.to_string()).collect();
    let identities: ArrayRef = Arc::new(StringArray::from_iter_values(identities));
    let asked = RecordBatch::try_from_iter([(KEYS[0], identities)])?;
    let columns = ["row", "reason"].map(str::to_owned);
    let found = merge::rows_with(quarantine, &[KEYS[0].to_owned()], &asked, &columns).await?;
    let mut standing: Reasons = found.iter().flat_map(reasons).collect();
    standing.retain(|(identity, row, _)| is_decoded(aside, identity, *row));
    standing.sort();
    Ok(standing)
}

fn is_decoded(aside: &[SetAside<'_>], identity: &str, row: i64) -> bool {
    aside.iter().any(|aside| {
        u64::try_from(row).is_ok_and(|row| aside.rows.contains(&row))
            && aside.mark.identity.to_string() == identity
    })
}

/// Extracts the reasons from rows of the quarantine.
fn reasons(rows: &RecordBatch) -> Reasons {
    let text = |name: &str| rows[name].as_string::<i32>().iter().map(Option::unwrap_or_default);
    let numbers = rows["row"].as_primitive::<Int64Type>().values();
    let rows = text("identity").zip(numbers).zip(text("reason"));
    let mut reasons: Reasons =
        rows.map(|((identity, row), reason)| (identity.into(), *row, reason.into())).collect();
    reasons.sort();
    reasons
}

/// Keys of rows that are in the quarantine and should not be.
fn stale_keys(standing: &Reasons, wanted: &Reasons) -> Result<RecordBatch> {
    let key = |(identity, row, _): &'_ (String, i64, String)| (identity.clone(), *row);
    let wanted: BTreeSet<(String, i64)> = wanted.iter().map(key).collect();
    let stale: BTreeSet<(String, i64)> =
        standing.iter().map(key).filter(|key| !wanted.contains(key)).collect();
    let identities = StringArray::from_iter_values(stale.iter().map(|(identity, _)| identity));
    let rows = Int64Array::from_iter_values(stale.iter().map(|(_, row)| *row));
    let schema = Schema::clone(&schema().arrow()).project(&[0, 1])?;
    Ok(RecordBatch::try_new(Arc::new(schema), vec![Arc::new(identities), Arc::new(rows)])?)
}

async fn replace(
    quarantine: &LakeTable,
    bad: RecordBatch,
    stale: RecordBatch,
    clock: &Arc<dyn Clock>,
) -> Result<()> {
    let changes = (bad.num_rows() + stale.num_rows()) as u64;
    let rows = |batch: RecordBatch| if batch.num_rows() > 0 { vec![batch] } else { Vec::new() };
    let (upserts, deletes) = (rows(bad), rows(stale));
    let net = NetChanges { upserts, deletes, changes, ..NetChanges::default() };
    let plan = merge::plan(quarantine, &KEYS.map(str::to_owned), net).await?;
    let transaction = Transaction::without_record(quarantine, clock);
    merge::commit(transaction, plan).await?.outcome.committed()?;
    Ok(())
}
