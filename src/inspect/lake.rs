//! All that is told of a lake at once: the values of its report.

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;

use crate::config::TableSpec;
use crate::error::Result;
use crate::inspect::{HistoryEntry, TableLayout, TableStatus, history, layout, status};
use crate::pipeline::Pipeline;
use crate::table::{self, LakeTable};

/// So many tables are looked at side by side.
const AT_ONCE: usize = 16;

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
    pub commits: Vec<HistoryEntry>,
    /// How its rows lie; none if there is no table, or it cannot be read.
    pub layout: Option<TableLayout>,
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
    let (mut page, location) = (TablePage::of(status), pipeline.lake_folder(&spec.source));
    let Ok(location) = location else { return page };
    let Ok(Some(table)) = table::open(&location, None).await else { return page };
    page.commits = newest(&table, spec, commits).await.unwrap_or_default();
    page.layout = layout(&table, spec).ok();
    page
}

async fn newest(table: &LakeTable, spec: &TableSpec, most: usize) -> Result<Vec<HistoryEntry>> {
    let entries = history(table, &spec.source.to_string(), false).take(most);
    let mut commits: Vec<HistoryEntry> = entries.try_collect().await?;
    commits.reverse();
    Ok(commits)
}

impl TablePage {
    fn of(status: TableStatus) -> Self {
        Self { status, commits: Vec::new(), layout: None }
    }
}
