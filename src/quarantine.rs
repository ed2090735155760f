//! Where bad rows go: a Delta table of their own beside the lake's tables.
//!
//! They are written before the main commit, by a merge on (object identity, row number), so
//! that a crash between the two leaves rows here that the next attempt finds and keeps or
//! replaces. What counts as quarantined is what the main commit's ledger says.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::Int64Type;
use chrono::{DateTime, Utc};
use datafusion::common::Column as PlanColumn;
use datafusion::datasource::MemTable;
use datafusion::prelude::{Expr, SessionContext, lit};
use deltalake::DeltaTable;
use deltalake::delta_datafusion::create_session;
use deltalake::operations::create::CreateBuilder;

use crate::config::TableName;
use crate::error::Result;
use crate::progress::Mark;
use crate::schema::{Column, ColumnType, TableSchema};
use crate::source::{BadRow, StagedObject};
use crate::storage::Location;
use crate::table::{log_store, to_delta, unknown_outcome};

/// The bad rows among consecutive rows of an object.
#[derive(Clone, Debug)]
pub struct SetAside<'a> {
    /// The object.
    pub object: &'a StagedObject,
    /// Its identity.
    pub mark: Mark,
    /// The rows that were decoded, by number.
    pub rows: RangeInclusive<u64>,
    /// Those of them that are bad.
    pub bad_rows: &'a [BadRow],
}

const SOURCE: &str = "bad";
const TARGET: &str = "quarantine";

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

/// Makes the quarantine hold exactly the bad rows among the rows decoded, whatever earlier
/// attempts left there.
///
/// # Errors
/// `Unavailable` or `Conflict` if the quarantine cannot be written; the slice is then redone.
pub async fn set_aside(
    location: &Location,
    table: &TableName,
    aside: &[SetAside<'_>],
    now: DateTime<Utc>,
) -> Result<()> {
    let has_bad_rows = aside.iter().any(|aside| !aside.bad_rows.is_empty());
    let quarantine = match crate::table::load(location).await? {
        Some(quarantine) => quarantine,
        None if has_bad_rows => create(location, table).await?,
        None => return Ok(()),
    };
    let bad = bad_rows(aside, now)?;
    if stands_already(&quarantine, &bad, aside).await? {
        return Ok(());
    }
    replace(quarantine, bad, aside).await
}

async fn create(location: &Location, table: &TableName) -> Result<DeltaTable> {
    CreateBuilder::new()
        .with_log_store(log_store(location)?)
        .with_table_name(format!("quarantine of {table}"))
        .with_columns(to_delta(schema().columns())?)
        .await
        .map_err(unknown_outcome)
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

/// Whether a row of the quarantine is among those that were decoded.
fn decoded_rows(aside: &[SetAside<'_>], column: impl Fn(&str) -> Expr) -> Expr {
    let one = |aside: &SetAside<'_>| {
        let bound = |row: u64| lit(i64::try_from(row).unwrap_or(i64::MAX));
        column("identity")
            .eq(lit(aside.mark.identity.to_string()))
            .and(column("row").between(bound(*aside.rows.start()), bound(*aside.rows.end())))
    };
    aside.iter().map(one).reduce(Expr::or).unwrap_or_else(|| lit(false))
}

/// Whether the quarantine holds these rows of what was decoded, and no others.
async fn stands_already(
    quarantine: &DeltaTable,
    bad: &RecordBatch,
    aside: &[SetAside<'_>],
) -> Result<bool> {
    let session: SessionContext = create_session().into();
    let found = session
        .read_table(quarantine.table_provider().await?)?
        .filter(decoded_rows(aside, unqualified))?
        .select(["identity", "row", "reason"].map(unqualified))?
        .collect()
        .await?;
    let mut standing = Vec::new();
    for batch in found {
        let text =
            |index: usize| arrow::compute::cast(batch.column(index), bad.column(0).data_type());
        standing.extend(keys(&text(0)?, batch.column(1), &text(2)?));
    }
    let mut wanted = keys(bad.column(0), bad.column(1), bad.column(4));
    standing.sort();
    wanted.sort();
    Ok(standing == wanted)
}

fn keys(identity: &ArrayRef, row: &ArrayRef, reason: &ArrayRef) -> Vec<(String, i64, String)> {
    let (identity, reason) = (identity.as_string::<i32>(), reason.as_string::<i32>());
    let row = row.as_primitive::<Int64Type>();
    let key =
        |at: usize| (identity.value(at).to_owned(), row.value(at), reason.value(at).to_owned());
    (0..row.len()).map(key).collect()
}

async fn replace(quarantine: DeltaTable, bad: RecordBatch, aside: &[SetAside<'_>]) -> Result<()> {
    if bad.num_rows() == 0 {
        let stale = decoded_rows(aside, unqualified);
        quarantine.delete().with_predicate(stale).await.map_err(unknown_outcome)?;
        return Ok(());
    }
    let decoded = decoded_rows(aside, |name| column(TARGET, name));
    let session: SessionContext = create_session().into();
    let source = MemTable::try_new(bad.schema(), vec![vec![bad]])?;
    let source = session.read_table(Arc::new(source))?;
    let on = column(TARGET, "identity")
        .eq(column(SOURCE, "identity"))
        .and(column(TARGET, "row").eq(column(SOURCE, "row")));
    let names: Vec<String> = schema().columns().iter().map(|c| c.name.clone()).collect();
    let set = |name: &String| (PlanColumn::from_name(name), column(SOURCE, name));
    quarantine
        .merge(source, on)
        .with_source_alias(SOURCE)
        .with_target_alias(TARGET)
        .when_matched_update(|update| {
            names.iter().map(set).fold(update, |update, (name, value)| update.update(name, value))
        })?
        .when_not_matched_insert(|insert| {
            names.iter().map(set).fold(insert, |insert, (name, value)| insert.set(name, value))
        })?
        .when_not_matched_by_source_delete(|delete| delete.predicate(decoded))?
        .await
        .map_err(unknown_outcome)?;
    Ok(())
}

fn unqualified(name: &str) -> Expr {
    Expr::Column(PlanColumn::from_name(name))
}

fn column(relation: &str, name: &str) -> Expr {
    Expr::Column(PlanColumn::new(Some(relation), name))
}
