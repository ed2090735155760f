//! The rows in a table's quarantine, as people and programs ask for them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::config::TableSpec;
use crate::error::Result;
use crate::pipeline::{ChosenRows, Pipeline, Quarantine};
use crate::quarantine::QuarantinedRow;

/// What waits in the quarantine of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuarantineSummary {
    /// The name and the version of this schema: `quarantine/1`.
    pub schema: &'static str,
    /// `schema.table`
    pub table: String,
    /// Rows that wait, as the newest commit of the table counts them.
    pub waiting: u64,
    /// Rows that stand in the quarantine and count for nothing: of an attempt that came to no commit,
    /// or of a load that another one has replaced.
    pub uncounted: u64,
    /// The objects that the rows are of.
    pub objects: u64,
    /// When the first of the rows was set aside.
    pub first: Option<DateTime<Utc>>,
    /// When the last one was.
    pub last: Option<DateTime<Utc>>,
    /// What is wrong with how many of them, the most frequent first.
    pub reasons: Vec<ReasonCount>,
}

/// How many rows could not be decoded for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReasonCount {
    /// The source column at fault, if it is one column.
    pub column: Option<String>,
    /// Why they could not be decoded.
    pub reason: String,
    /// How many.
    pub rows: u64,
}

/// A row in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuarantineRow {
    /// The name and the version of this schema: `quarantined-row/1`.
    pub schema: &'static str,
    /// `schema.table`
    pub table: String,
    /// The path of its object below the table's folder.
    pub object: String,
    /// Its number there, from 1.
    pub row: u64,
    /// The source column at fault, if it is one column.
    pub column: Option<String>,
    /// Why it could not be decoded.
    pub reason: String,
    /// The row as staged: CSV text, or a Parquet row as JSON.
    pub content: String,
    /// When it was set aside.
    pub at: DateTime<Utc>,
    /// Whether the table counts it among those that wait.
    pub counts: bool,
}

/// What waits in the quarantine of a table; none if there is no table.
///
/// # Errors
/// As [`Pipeline::quarantine`].
pub async fn quarantine(
    pipeline: &Pipeline,
    spec: &TableSpec,
) -> Result<Option<QuarantineSummary>> {
    let Some(found) = pipeline.quarantine(spec).await? else { return Ok(None) };
    let Quarantine { waiting, rows, uncounted } = found;
    let objects: BTreeSet<&str> = rows.iter().map(|row| &*row.object).collect();
    let mut by_reason: BTreeMap<(&Option<String>, &str), u64> = BTreeMap::new();
    for row in &rows {
        *by_reason.entry((&row.column, &row.reason)).or_default() += 1;
    }
    let mut reasons: Vec<ReasonCount> = by_reason
        .into_iter()
        .map(|((column, reason), rows)| ReasonCount {
            column: column.clone(),
            reason: reason.to_owned(),
            rows,
        })
        .collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.rows));
    Ok(Some(QuarantineSummary {
        schema: "quarantine/1",
        table: spec.source.to_string(),
        waiting,
        uncounted: uncounted.len() as u64,
        objects: objects.len() as u64,
        first: rows.iter().map(|row| row.at).min(),
        last: rows.iter().map(|row| row.at).max(),
        reasons,
    }))
}

/// The chosen rows in a table's quarantine, in the order of changes; none if there is no table.
///
/// # Errors
/// As [`Pipeline::quarantine`].
pub async fn quarantined_rows(
    pipeline: &Pipeline,
    spec: &TableSpec,
    chosen: &ChosenRows,
) -> Result<Option<Vec<QuarantineRow>>> {
    let Some(found) = pipeline.quarantine(spec).await? else { return Ok(None) };
    let id = |row: &QuarantinedRow| (row.identity.clone(), row.row);
    let uncounted: BTreeSet<(String, u64)> = found.uncounted.iter().map(id).collect();
    let rows = found.rows.into_iter().filter(|row| chosen.has(row)).map(|row| {
        let counts = !uncounted.contains(&id(&row));
        let QuarantinedRow { object, row, column, reason, content, at, .. } = row;
        let (schema, table) = ("quarantined-row/1", spec.source.to_string());
        QuarantineRow { schema, table, object, row, column, reason, content, at, counts }
    });
    Ok(Some(rows.collect()))
}
