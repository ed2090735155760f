//! What two versions of a table differ in, key by key.
//!
//! Only data files that one version has and the other lacks are read; of a file in which both mask
//! different rows, only these rows. Both sides are joined by key, sorted and spilled to disk by
//! DataFusion within a memory pool: the cost follows what changed, and its size has no bound.

mod changed;
mod images;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::JoinType;
use datafusion::dataframe::DataFrame;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::functions::expr_fn::coalesce;
use datafusion::logical_expr::ident;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::{SessionConfig, SessionContext, lit};
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};

use crate::config::{SEQUENCE, TableSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::diff::changed::{ChangedRows, changed};
use crate::inspect::diff::images::Images;
use crate::inspect::query::misunderstood;
use crate::merge::Halves;
use crate::pipeline::Pipeline;
use crate::table::{AsOf, LakeTable, open_both};

pub use images::Change;

/// Bytes of rows that are joined in memory.
const MEMORY: usize = 512 << 20;
const PARTITIONS: usize = 1;
/// So many rows are joined at once: each may have large values, on both sides.
const BATCH_ROWS: usize = 64;

/// Names that no column of the lake has, since they have a space.
const BEFORE: &str = "before ";
const AFTER: &str = "after ";
const THERE: &str = "is there";
const MEANT: &str = "is meant";

/// What two versions of a table differ in.
pub struct Diff {
    /// The version before.
    pub from: u64,
    /// The version after.
    pub to: u64,
    /// Bytes of the data files that had to be looked at.
    pub bytes: u64,
    /// One row for each key that differs, in key order: `schema`, `table`, `change`, `key`, `columns`
    /// that have another value, the images `before` and `after`.
    pub changes: BoxStream<'static, Result<RecordBatch>>,
}

/// Compares two versions of a table; none if there is no table. A row counts as updated if a column
/// of the later version has another value; the column that a guarded table adds is not compared. With
/// a condition, only rows of which one image fulfils it.
///
/// # Errors
/// `Config` if a version cannot be read, the table has no keys, or the condition cannot be
/// understood; `Unavailable` if the table cannot be read.
pub async fn diff(
    pipeline: &Pipeline,
    spec: &TableSpec,
    from: AsOf,
    to: Option<AsOf>,
    condition: Option<&str>,
) -> Result<Option<Diff>> {
    let keys = spec.lake_keys();
    if keys.is_empty() {
        return Err(Error::new(
            ErrorKind::Config,
            "the table has no keys by which rows are compared",
        )
        .with("table", &spec.source));
    }
    let location = pipeline.lake_folder(&spec.source)?;
    let Some((old, new)) = open_both(&location, (from, to)).await? else { return Ok(None) };
    let images = Images::of(spec, &compared(&new)?, &keys)?;
    let (before, after) = changed(&old, &new).await?;
    let bytes = before.bytes() + after.bytes();
    let rows = Rows { images: &images, keys: &keys, condition };
    let joined = rows.join(before, after)?.execute_stream().await?;
    let changes = joined
        .map_err(Error::from)
        .and_then(move |batch| std::future::ready(images.changes(&batch)))
        .boxed();
    Ok(Some(Diff { from: old.version(), to: new.version(), bytes, changes }))
}

/// The columns that are compared.
fn compared(table: &LakeTable) -> Result<SchemaRef> {
    let schema = table.schema().arrow();
    let compared: Vec<usize> =
        (0..schema.fields().len()).filter(|at| schema.field(*at).name() != SEQUENCE).collect();
    Ok(Arc::new(schema.project(&compared)?))
}

/// How rows of both sides are joined.
struct Rows<'a> {
    images: &'a Images,
    keys: &'a [String],
    condition: Option<&'a str>,
}

impl Rows<'_> {
    /// A row for each key of either side: the columns of both, each side with [`THERE`].
    fn join(&self, before: ChangedRows, after: ChangedRows) -> Result<DataFrame> {
        let pool = Halves::of(MEMORY, 3 * PARTITIONS);
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool)).build_arc()?;
        let mut config = SessionConfig::new()
            .with_target_partitions(PARTITIONS)
            .with_batch_size(BATCH_ROWS)
            .with_sort_spill_reservation_bytes(MEMORY / (32 * PARTITIONS));
        // A join by a hash table is not spilled.
        config.options_mut().optimizer.prefer_hash_join = false;
        let session = SessionContext::new_with_config_rt(config, runtime);
        let before = self.side(&session, before, BEFORE)?;
        let after = self.side(&session, after, AFTER)?;
        let both = |key: &String| (ident(format!("{BEFORE}{key}")), ident(format!("{AFTER}{key}")));
        let same = self.keys.iter().map(both).map(|(before, after)| before.eq(after));
        let mut joined = before.join_on(after, JoinType::Full, same)?;
        if self.condition.is_some() {
            let meant = |side: &str| ident(format!("{side}{MEANT}")).is_true();
            joined = joined.filter(meant(BEFORE).or(meant(AFTER)))?;
        }
        let order = self
            .keys
            .iter()
            .map(both)
            .map(|(before, after)| coalesce(vec![after, before]).sort(true, true));
        Ok(joined.sort(order.collect())?)
    }

    fn side(&self, session: &SessionContext, rows: ChangedRows, side: &str) -> Result<DataFrame> {
        let rows = rows.reading(self.images.schema());
        let schema = Arc::clone(PartitionStream::schema(&rows));
        let table = StreamingTable::try_new(schema, vec![Arc::new(rows)])?;
        let rows = session.read_table(Arc::new(table))?;
        let meant = self.condition.map(|condition| rows.parse_sql_expr(condition));
        let meant = meant.transpose().map_err(misunderstood)?;
        let fields = self.images.schema().fields().iter();
        let mut columns: Vec<_> =
            fields.map(|it| ident(it.name()).alias(format!("{side}{}", it.name()))).collect();
        columns.push(lit(true).alias(format!("{side}{THERE}")));
        columns.extend(meant.map(|meant| meant.alias(format!("{side}{MEANT}"))));
        rows.select(columns).map_err(misunderstood)
    }
}
