//! The statements that register a table with an engine, in the engine's own dialect.

mod redshift;
mod spelling;

use std::fmt::Display;

use crate::config::CatalogName;
use crate::error::Result;
use crate::schema::TableSchema;
use crate::storage::is_on_s3;
use spelling::{backquoted, quoted, text};

/// An engine that reads Delta tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Engine {
    /// Amazon Athena, engine version 3.
    Athena,
    /// Apache Spark with Delta's library.
    Spark,
    /// Trino with its `delta_lake` connector as the catalog `delta`.
    Trino,
    /// DuckDB with its `delta` extension.
    #[cfg_attr(feature = "cli", value(name = "duckdb"))]
    DuckDb,
    /// Amazon Redshift Spectrum, over symlink manifests.
    Redshift,
}

/// A table as the statements describe it.
#[derive(Clone, Debug)]
pub struct Described<'a> {
    /// Its name in the engine's catalog.
    pub name: &'a CatalogName,
    /// Its folder, as [`crate::storage::Location::uri`] returns it.
    pub uri: &'a str,
    /// Its columns.
    pub schema: &'a TableSchema,
    /// Whether its protocol allows deletion vectors.
    pub may_mask: bool,
    /// Whether manifests are kept beside its log.
    pub has_manifests: bool,
    /// The role that Redshift assumes: an ARN, or `default`.
    pub iam_role: &'a str,
}

/// The statements, in the order in which they must be run, without semicolons.
///
/// # Errors
/// `Config` if the engine cannot read the table.
pub fn statements(engine: Engine, table: &Described<'_>) -> Result<Vec<String>> {
    Ok(match engine {
        Engine::Athena => athena(table)?,
        Engine::Spark => spark(table),
        Engine::Trino => trino(table),
        Engine::DuckDb => duckdb(table),
        Engine::Redshift => redshift::statements(table)?,
    })
}

/// Athena reads the columns from the log, so none are listed.
///
/// Source: Athena User Guide, "Query Linux Foundation Delta Lake tables".
fn athena(table: &Described<'_>) -> Result<Vec<String>> {
    spelling::must_be_on_s3(table.uri)?;
    let (database, name) = (backquoted(&table.name.database), backquoted(&table.name.table));
    let location = text(format_args!("{}/", table.uri));
    Ok(vec![
        format!("CREATE DATABASE IF NOT EXISTS {database}"),
        format!(
            "CREATE EXTERNAL TABLE {database}.{name}\nLOCATION {location}\n\
             TBLPROPERTIES ('table_type' = 'DELTA')"
        ),
    ])
}

fn spark(table: &Described<'_>) -> Vec<String> {
    let (database, name) = (backquoted(&table.name.database), backquoted(&table.name.table));
    let location = text(format_args!("{}/", table.uri));
    vec![
        format!("CREATE DATABASE IF NOT EXISTS {database}"),
        format!("CREATE TABLE IF NOT EXISTS {database}.{name}\nUSING DELTA\nLOCATION {location}"),
    ]
}

/// Requires `delta.register-table-procedure.enabled=true` in the catalog's properties.
fn trino(table: &Described<'_>) -> Vec<String> {
    let CatalogName { database, table: name } = table.name;
    let location = text(table.uri);
    vec![
        format!("CREATE SCHEMA IF NOT EXISTS delta.{}", quoted(database)),
        format!("CALL delta.system.register_table({}, {}, {location})", text(database), text(name)),
    ]
}

fn duckdb(table: &Described<'_>) -> Vec<String> {
    let (database, name) = (quoted(&table.name.database), quoted(&table.name.table));
    let location = text(format_args!("{}/", table.uri));
    let mut statements = vec!["INSTALL delta".to_owned(), "LOAD delta".to_owned()];
    if is_on_s3(table.uri) {
        let secret = "CREATE SECRET IF NOT EXISTS s3 (TYPE s3, PROVIDER credential_chain)";
        statements.extend(["INSTALL httpfs", "LOAD httpfs", secret].map(str::to_owned));
    }
    statements.push(format!("CREATE SCHEMA IF NOT EXISTS {database}"));
    let view = format!("CREATE OR REPLACE VIEW {database}.{name} AS");
    statements.push(format!("{view}\nSELECT * FROM delta_scan({location})"));
    statements
}

/// What to know before running the statements.
#[must_use]
pub fn remarks(engine: Engine, table: &Described<'_>) -> Vec<&'static str> {
    let remark = match engine {
        Engine::Athena if table.may_mask => {
            "this table may mask rows by deletion vectors; AWS's documentation is not clear on \
             whether Athena reads them"
        }
        Engine::Redshift if redshift::may_be_too_long(table.schema) => {
            "a query fails if it reads a text longer than 65,535 bytes or a binary value longer \
             than 1,024,000 bytes"
        }
        _ => return Vec::new(),
    };
    vec![remark]
}

/// The statements as one text, each with a semicolon.
#[must_use]
pub fn script(statements: &[impl Display]) -> String {
    statements.iter().fold(String::new(), |script, statement| format!("{script}{statement};\n"))
}
