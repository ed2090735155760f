//! Whether what was replayed equals the table.

use std::pin::pin;
use std::sync::Arc;

use arrow::row::{RowConverter, SortField};
use deltalake::kernel::Version;
use futures::TryStreamExt as _;
use serde::Serialize;

use crate::config::TableSpec;
use crate::error::Result;
use crate::files::live_rows;
use crate::inspect::replay::is_same_progress;
use crate::merge::{Bounds, Compared, Difference, difference};
use crate::pipeline::{Limits, Pipeline};
use crate::schema::Column;
use crate::table::{self, LakeTable};

/// So many rows may differ and are counted.
const MOST_COUNTED: u64 = 1_000_000;

/// A replay compared with a version of the table itself.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The version of the table.
    pub version: Version,
    /// Its rows.
    pub rows: u64,
    /// Whether both have the same rows and columns. A column without any value in the table may be
    /// absent from the replay: columns are added before the object that brings them.
    pub equal: bool,
    /// Rows that only the replay has; none where they were not counted.
    pub only_in_replay: Option<u64>,
    /// Rows that have other values in the replay.
    pub differing: Option<u64>,
    /// Rows that only the table has.
    pub only_in_table: Option<u64>,
    /// Columns that only the replay has, or of which the types differ.
    pub columns: Vec<String>,
    /// Versions of the table by which other writers changed its rows before.
    pub foreign_versions: Vec<Version>,
    /// Why the rows that differ were not counted.
    pub uncounted: Option<&'static str>,
}

/// Compares a replay with the version that it is to come to; else with the newest one that has
/// taken in the same, if there is one.
///
/// # Errors
/// `Unavailable` if a table cannot be read, `TableCorrupt` if a file does not match its log.
pub(super) async fn compare(
    pipeline: &Pipeline,
    spec: &TableSpec,
    replayed: &LakeTable,
    version: Option<Version>,
) -> Result<Option<Comparison>> {
    let location = pipeline.lake_folder(&spec.source)?;
    let Some(newest) = table::open(&location, None).await? else { return Ok(None) };
    let (twin, foreign_versions) = twin(&newest, replayed, version).await?;
    let Some(version) = twin else { return Ok(None) };
    let Ok(table) = table::open_at(&location, version).await else { return Ok(None) };
    if !table::deleted_files(&newest, &table).await?.is_empty() {
        return Ok(None);
    }
    let columns = differing_columns(&table, replayed);
    let mut comparison = Comparison {
        version,
        rows: table.rows(),
        equal: false,
        only_in_replay: None,
        differing: None,
        only_in_table: None,
        columns,
        foreign_versions,
        uncounted: None,
    };
    if spec.keys.is_empty() {
        let equal = digest(&table, &table).await? == digest(replayed, &table).await?;
        comparison.equal = equal && comparison.columns.is_empty();
        comparison.uncounted = (!equal).then_some("the table has no keys");
        return Ok(Some(comparison));
    }
    let keys = spec.lake_keys();
    let bounds = Bounds {
        memory_budget: pipeline.memory_budget(&Limits::default()),
        most_rows: MOST_COUNTED,
    };
    match difference(&table, replayed, &keys, bounds, pipeline.clock().as_ref()).await? {
        Compared::Little(Difference { inserted, updated, deleted, .. }) => {
            comparison.equal = inserted + updated + deleted == 0 && comparison.columns.is_empty();
            comparison.only_in_replay = Some(inserted);
            comparison.differing = Some(updated);
            comparison.only_in_table = Some(deleted);
        }
        Compared::Unsuited(why) => comparison.uncounted = Some(why),
    }
    Ok(Some(comparison))
}

/// The version to compare with, and those before it by which others changed rows.
async fn twin(
    newest: &LakeTable,
    replayed: &LakeTable,
    version: Option<Version>,
) -> Result<(Option<Version>, Vec<Version>)> {
    let (mut twin, mut foreign) = (version, Vec::new());
    let mut history = pin!(table::history(&newest.delta().log_store(), newest.version()));
    while let Some(commit) = history.try_next().await? {
        let is_it = || {
            let ours = commit.ours.as_ref();
            ours.is_some_and(|it| is_same_progress(&it.record.ledger, replayed.ledger()))
        };
        if twin.is_none() && is_it() {
            twin = Some(commit.version);
        }
        if twin.is_some_and(|twin| commit.version <= twin) && commit.foreign().is_some() {
            foreign.push(commit.version);
        }
    }
    foreign.reverse();
    Ok((twin, foreign))
}

fn differing_columns(table: &LakeTable, replayed: &LakeTable) -> Vec<String> {
    let differs = |column: &&Column| {
        let known = table.schema().column(&column.name);
        known.is_none_or(|known| known.column_type != column.column_type)
    };
    let columns = replayed.schema().columns().iter().filter(differs);
    columns.map(|column| column.name.clone()).collect()
}

/// Number and digests of all rows, in whatever order, with the columns of `like`.
async fn digest(table: &LakeTable, like: &LakeTable) -> Result<(u64, u128)> {
    let schema = like.files().schema();
    let files = table.files().with_columns(Arc::clone(schema));
    let fields = schema.fields().iter().map(|field| SortField::new(field.data_type().clone()));
    let converter = RowConverter::new(fields.collect())?;
    let (mut rows, mut sum) = (0, 0_u128);
    for file in table.live_files()? {
        let mut batches = live_rows(&files, &file).await?;
        while let Some(batch) = batches.try_next().await? {
            for row in &converter.convert_columns(batch.columns())? {
                let hash = blake3::hash(row.as_ref());
                let half =
                    hash.as_bytes().first_chunk::<16>().map_or(0, |it| u128::from_le_bytes(*it));
                (rows, sum) = (rows + 1, sum.wrapping_add(half));
            }
        }
    }
    Ok((rows, sum))
}
