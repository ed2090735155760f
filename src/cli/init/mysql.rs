//! Reads the keys and column types that the source declares from `information_schema`.

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Value};

use super::survey::StagedTable;
use crate::config::TableName;
use crate::error::Result;
use crate::mysql::MySqlSource;

const SYSTEM_SCHEMAS: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

/// The declarations of tables, by name.
pub(super) type Declarations = BTreeMap<TableName, Declaration>;

/// A table as declared by the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Declaration {
    /// Columns in table order.
    pub(super) columns: Vec<DeclaredColumn>,
    /// Columns of the primary key, in key order; empty if there is none.
    pub(super) keys: Vec<String>,
}

/// A column as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeclaredColumn {
    /// Its name.
    pub(super) name: String,
    /// `column_type` of `information_schema.columns`.
    pub(super) mysql_type: String,
    /// Whether it is computed, so that DMS does not capture its changes.
    pub(super) is_generated: bool,
}

/// Reads the declarations of all tables of the staged schemas. With `is_ruled` it reads every
/// schema, as rules of the task may include tables that are not staged yet, and rename others. If
/// nothing is staged, it reads the URL's schema, or every schema if the URL has none.
///
/// # Errors
/// `Config` if the URL cannot be used, `Unavailable` if the source refuses or does not answer.
pub(super) async fn read(
    url: &str,
    staged: &[StagedTable],
    is_ruled: bool,
) -> Result<Declarations> {
    let source = MySqlSource::parse(url)?;
    let schemas = schemas(staged, source.schema(), is_ruled);
    let unavailable = |error| source.unavailable(error);
    let mut connection = source.connect().await?;
    let declarations = query(&mut connection, &schemas).await.map_err(unavailable)?;
    connection.disconnect().await.map_err(unavailable)?;
    Ok(declarations)
}

/// The schemas to read; empty means every schema.
fn schemas(staged: &[StagedTable], default: Option<&str>, is_ruled: bool) -> Vec<String> {
    if staged.is_empty() {
        return default.map(str::to_owned).into_iter().collect();
    }
    if is_ruled {
        return Vec::new();
    }
    let found: BTreeSet<String> = staged.iter().map(|table| table.name.schema.clone()).collect();
    found.into_iter().collect()
}

async fn query(
    connection: &mut Conn,
    schemas: &[String],
) -> Result<Declarations, mysql_async::Error> {
    let (condition, parameters) = restriction(schemas);
    let columns = format!(
        "SELECT c.table_schema, c.table_name, c.column_name, c.column_type, c.extra \
         FROM information_schema.columns c JOIN information_schema.tables t \
         ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
         WHERE t.table_type = 'BASE TABLE' AND c.table_schema {condition} \
         ORDER BY c.table_schema, c.table_name, c.ordinal_position"
    );
    let keys = format!(
        "SELECT table_schema, table_name, column_name FROM information_schema.statistics \
         WHERE index_name = 'PRIMARY' AND table_schema {condition} \
         ORDER BY table_schema, table_name, seq_in_index"
    );

    let mut declarations = Declarations::new();
    let rows: Vec<(String, String, String, String, String)> =
        connection.exec(columns, parameters.clone()).await?;
    for (schema, table, name, mysql_type, extra) in rows {
        let is_generated = extra.to_ascii_uppercase().contains("GENERATED")
            && !extra.to_ascii_uppercase().contains("DEFAULT_GENERATED");
        let column = DeclaredColumn { name, mysql_type, is_generated };
        declarations.entry(TableName { schema, table }).or_default().columns.push(column);
    }
    let rows: Vec<(String, String, String)> = connection.exec(keys, parameters).await?;
    for (schema, table, column) in rows {
        if let Some(declaration) = declarations.get_mut(&TableName { schema, table }) {
            declaration.keys.push(column);
        }
    }
    Ok(declarations)
}

/// A condition on a schema's name, and its parameters.
fn restriction(schemas: &[String]) -> (String, Params) {
    let (operator, names): (&str, Vec<&str>) = if schemas.is_empty() {
        ("NOT IN", SYSTEM_SCHEMAS.to_vec())
    } else {
        ("IN", schemas.iter().map(String::as_str).collect())
    };
    let marks = vec!["?"; names.len()].join(", ");
    let values = names.into_iter().map(Value::from).collect();
    (format!("{operator} ({marks})"), Params::Positional(values))
}
