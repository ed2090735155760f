//! The demo's query, over two versions of a table.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::prelude::SessionContext;

use super::{SHOWN_TABLE, open};
use crate::cli::output::{Row, count};
use crate::error::Result;
use crate::pipeline::Pipeline;

/// The query.
pub(super) const SQL: &str =
    "SELECT status, count(*), sum(total) FROM orders GROUP BY status ORDER BY status";

/// A row for each status: its name, then orders and total in each of the two versions.
pub(super) async fn by_status(pipeline: &Pipeline, then: u64, now: u64) -> Result<Vec<Row>> {
    let (before, after) = (ask(pipeline, then).await?, ask(pipeline, now).await?);
    let statuses: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let row = |status: &String| {
        let cells = [&before, &after].map(|version| {
            version.get(status).cloned().unwrap_or_else(|| ["0".to_owned(), "0".to_owned()])
        });
        std::iter::once(status.clone()).chain(cells.into_iter().flatten()).collect()
    };
    Ok(statuses.into_iter().map(row).collect())
}

/// Orders and total by status.
async fn ask(pipeline: &Pipeline, version: u64) -> Result<BTreeMap<String, [String; 2]>> {
    let session = SessionContext::new();
    let table = open(pipeline, SHOWN_TABLE, Some(version)).await?;
    session.register_table(SHOWN_TABLE, table.table_provider().await?)?;
    let mut answer = BTreeMap::new();
    for batch in session.sql(SQL).await?.collect().await? {
        let statuses = cast(batch.column(0), &DataType::Utf8)?;
        let orders = cast(batch.column(1), &DataType::Int64)?;
        let totals = cast(batch.column(2), &DataType::Utf8)?;
        for position in 0..batch.num_rows() {
            let orders = orders.as_primitive::<Int64Type>().value(position);
            let total = totals.as_string::<i32>().value(position).to_owned();
            let status = statuses.as_string::<i32>().value(position).to_owned();
            answer.insert(status, [count(u64::try_from(orders).unwrap_or_default()), total]);
        }
    }
    Ok(answer)
}
