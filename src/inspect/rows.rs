//! Rows of one table.

use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, ident};
use datafusion::prelude::SessionContext;

use crate::config::TableName;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::query::{misunderstood, provider};
use crate::pipeline::Pipeline;
use crate::table::AsOf;

/// Which rows are asked for.
#[derive(Clone, Debug, Default)]
pub struct RowsAsked {
    /// Of which version; none is the newest.
    pub as_of: Option<AsOf>,
    /// A SQL condition that is true of them.
    pub condition: Option<String>,
    /// Columns, by their exact names; all if there is none.
    pub columns: Vec<String>,
    /// At most so many; none is all of them.
    pub limit: Option<usize>,
}

/// Rows of a table, which are yet to be read; none if there is no table.
///
/// # Errors
/// `Config` if the condition cannot be understood, or there is no such column or version.
pub async fn rows(
    pipeline: &Pipeline,
    table: &TableName,
    asked: &RowsAsked,
) -> Result<Option<DataFrame>> {
    let Some(table) = provider(pipeline, table, asked.as_of).await? else { return Ok(None) };
    let mut rows = SessionContext::new().read_table(table)?;
    if let Some(condition) = &asked.condition {
        let condition = rows.parse_sql_expr(condition).map_err(misunderstood)?;
        rows = rows.filter(condition).map_err(misunderstood)?;
    }
    if !asked.columns.is_empty() {
        if let Some(unknown) = asked.columns.iter().find(|name| !has_column(&rows, name)) {
            let known: Vec<&str> =
                rows.schema().fields().iter().map(|field| field.name().as_str()).collect();
            return Err(Error::new(ErrorKind::Config, "the table has no such column")
                .with("column", unknown)
                .with("columns", known.join(", ")));
        }
        let columns: Vec<Expr> = asked.columns.iter().map(ident).collect();
        rows = rows.select(columns)?;
    }
    rows.limit(0, asked.limit).map(Some).map_err(misunderstood)
}

fn has_column(rows: &DataFrame, name: &str) -> bool {
    rows.schema().fields().iter().any(|field| field.name() == name)
}
