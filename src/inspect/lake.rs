//! All that is told of a lake at once: the values of its report.

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;

use crate::config::TableSpec;
use crate::error::Result;
use crate::inspect::{HistoryEntry, TableLayout, TableStatus, history, layout, status};
use crate::metrics::price;
use crate::pipeline::Pipeline;
use crate::table;

/// So many tables are looked at side by side.
const AT_ONCE: usize = 16;
/// The memory of a function that commits are priced for, in GB.
const FUNCTION_GB: f64 = 1.0;

/// A lake at one time.
#[derive(Clone, Debug, Serialize)]
pub struct LakeReport {
    /// When it was looked at.
    pub at: DateTime<Utc>,
    /// Its tables, the worst first.
    pub tables: Vec<TablePage>,
}

/// What is told of one table.
#[derive(Clone, Debug, Serialize)]
pub struct TablePage {
    /// How it stands.
    pub status: TableStatus,
    /// Its newest commits, the oldest first.
    pub commits: Vec<PricedCommit>,
    /// How its rows lie; none if there is no table, or it cannot be read.
    pub layout: Option<TableLayout>,
}

/// A commit, and what it cost.
#[derive(Clone, Debug, Serialize)]
pub struct PricedCommit {
    /// The commit.
    pub entry: HistoryEntry,
    /// What it cost in dollars, about: its seconds on a function with 1 GB, a PUT for each file and
    /// for the commit, a GET for each object. Looks, storage and readers are left out.
    pub dollars: f64,
}

/// Looks at these tables, and at so many of their newest commits.
pub async fn lake_report(pipeline: &Pipeline, tables: &[TableSpec], commits: usize) -> LakeReport {
    let pages = stream::iter(tables).map(|spec| page(pipeline, spec, commits));
    let mut tables: Vec<TablePage> = pages.buffered(AT_ONCE).collect().await;
    tables.sort_by_key(|page| page.status.state);
    LakeReport { at: pipeline.clock().now(), tables }
}

/// A table of which something cannot be read has the reason in its status.
async fn page(pipeline: &Pipeline, spec: &TableSpec, commits: usize) -> TablePage {
    let status = Box::pin(status(pipeline, spec)).await;
    let commits = newest(pipeline, spec, commits).await.unwrap_or_default();
    let layout = layout(pipeline, spec).await.ok().flatten();
    TablePage { status, commits, layout }
}

async fn newest(pipeline: &Pipeline, spec: &TableSpec, most: usize) -> Result<Vec<PricedCommit>> {
    let location = pipeline.lake_folder(&spec.source)?;
    let Some(table) = table::open(&location, None).await? else { return Ok(Vec::new()) };
    let entries = history(&table, &spec.source.to_string(), false).take(most);
    let mut commits: Vec<PricedCommit> = entries.map_ok(priced).try_collect().await?;
    commits.reverse();
    Ok(commits)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn priced(entry: HistoryEntry) -> PricedCommit {
    let files = entry.files_added.unwrap_or_default() + entry.vectors.map_or(0, |it| it.min(1));
    let puts = (files + 1) as f64 * price::S3_PUT_THOUSAND / 1_000.0;
    let gets = entry.objects.unwrap_or_default() as f64 * price::S3_GET_THOUSAND / 1_000.0;
    let time = price::of_time(entry.seconds.unwrap_or_default(), FUNCTION_GB);
    PricedCommit { entry, dollars: puts + gets + time }
}
