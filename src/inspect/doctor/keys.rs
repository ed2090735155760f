//! Whether each key is there once.

use std::sync::Arc;

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{Expr, col, ident, lit};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::config::TableSpec;
use crate::error::Result;
use crate::inspect::doctor::{Check, Finding, Severity};
use crate::pipeline::{Limits, Pipeline};
use crate::table::LakeTable;

/// What keys are counted with.
pub(super) struct Counting {
    most_rows: u64,
    /// Tables that are counted side by side share the memory.
    runtime: Arc<RuntimeEnv>,
}

impl Counting {
    /// For tables of at most so many rows, in the memory of the budget; the rest goes to the disk.
    ///
    /// # Errors
    /// `Unavailable` if there is no disk for it.
    pub(super) fn new(pipeline: &Pipeline, most_rows: u64) -> Result<Self> {
        let pool = Arc::new(FairSpillPool::new(pipeline.memory_budget(&Limits::default())));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc()?;
        Ok(Self { most_rows, runtime })
    }
}

/// Counts keys that several rows have.
pub(super) async fn unique(spec: &TableSpec, table: &LakeTable, counting: &Counting) -> Finding {
    let most_rows = counting.most_rows;
    let finding =
        |severity, what: String| Finding::new(severity, Check::Keys, what).of(&spec.source);
    let keys = table.columns_among(spec.lake_keys());
    if spec.keys.is_empty() {
        return finding(Severity::Skipped, "it has no keys: each insert is a row".into());
    }
    if keys.len() < spec.keys.len() {
        let what = "the table lacks a key column of the configuration";
        return finding(Severity::Unknown, what.into())
            .with_advice("see how it stands")
            .then(format!("dmslake status {}", spec.source));
    }
    let rows = table.rows();
    if rows > most_rows {
        let what = format!("not looked for twice in {rows} rows: --key-rows is {most_rows}");
        return finding(Severity::Unknown, what)
            .with_advice("allow so many; key columns are read whole")
            .then(format!("dmslake doctor {} --key-rows {rows}", spec.source));
    }
    match Box::pin(repeated(table, &keys, counting)).await {
        Ok(Repeated { keys: 0, .. }) => {
            finding(Severity::Ok, format!("each key is there once in {rows} rows"))
        }
        Ok(found) => finding(
            Severity::Problem,
            format!("keys that several rows have: {}, in {} rows", found.keys, found.rows),
        )
        .with_advice(
            "dmslake writes none twice, so another writer has (dmslake history names it): make the \
             table anew while everything since the load is staged, or restore the version before",
        )
        .then(format!("dmslake rebuild {}", spec.source)),
        Err(error) => finding(Severity::Unknown, error.chain())
            .with_advice("see how the table stands")
            .then(format!("dmslake status {}", spec.source)),
    }
}

/// A column beside the keys; names with a space cannot collide.
const TIMES: &str = "times a key is there";

/// Keys that several rows have.
struct Repeated {
    keys: i64,
    /// All rows of these keys.
    rows: i64,
}

/// Reads the key columns.
async fn repeated(table: &LakeTable, keys: &[String], counting: &Counting) -> Result<Repeated> {
    let table = table.delta().table_provider().await?;
    let runtime = Arc::clone(&counting.runtime);
    let session = SessionContext::new_with_config_rt(SessionConfig::new(), runtime);
    let keys: Vec<Expr> = keys.iter().map(ident).collect();
    let counted = session
        .read_table(table)?
        .aggregate(keys, vec![count(lit(1)).alias(TIMES)])?
        .filter(ident(TIMES).gt(lit(1)))?
        .aggregate(vec![], vec![count(lit(1)).alias("keys"), sum(ident(TIMES)).alias("rows")])?
        .select(vec![col("keys"), col("rows")])?
        .collect()
        .await?;
    let value = |column: usize| {
        let batch = counted.iter().find(|batch| batch.num_rows() == 1)?;
        batch.column(column).as_primitive_opt::<Int64Type>().map(|values| values.value(0))
    };
    // The sum of no rows is NULL, of which the value is 0.
    Ok(Repeated { keys: value(0).unwrap_or_default(), rows: value(1).unwrap_or_default() })
}
