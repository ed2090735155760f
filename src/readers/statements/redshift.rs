//! Redshift Spectrum, which does not read the log: an external table over symlink manifests.
//!
//! Source: Amazon Redshift Database Developer Guide, "Creating external tables for data managed in
//! Delta Lake". Data types: the same guide, "CREATE EXTERNAL TABLE".

use super::Described;
use super::spelling::{must_be_on_s3, quoted, text};
use crate::error::{Error, ErrorKind, Result};
use crate::readers::manifest::FOLDER;
use crate::schema::{Column, ColumnType, TableSchema};

/// Bytes of the longest name of a schema, a table or a database.
const LONGEST_NAME: usize = 127;
/// Bytes of the longest text in an external table.
const LONGEST_TEXT: u32 = 65_535;
/// Bytes of the longest binary value.
const LONGEST_BINARY: u32 = 1_024_000;

/// Statements for Redshift, which must run outside a transaction.
pub(super) fn statements(table: &Described<'_>) -> Result<Vec<String>> {
    must_be_on_s3(table.uri)?;
    if !table.has_manifests {
        return Err(Error::new(
            ErrorKind::Config,
            "Redshift reads symlink manifests, and this table has none: set \
             redshift_manifest = true",
        )
        .with("table", table.name));
    }
    let database = &table.name.database;
    let external = table.name.in_spectrum();
    for name in [&external.database, &external.table] {
        if name.len() > LONGEST_NAME {
            return Err(Error::new(
                ErrorKind::Config,
                format!("the name is longer than {LONGEST_NAME} bytes, Redshift's limit"),
            )
            .with("name", name)
            .with_remedy("choose a shorter name: name = \"database.table\" in its [[table]]"));
        }
    }
    let role = match table.iam_role {
        "default" => "default".to_owned(),
        arn => text(arn),
    };
    let schema = quoted(database);
    let name = quoted(&table.name.table);
    Ok(vec![
        format!(
            "CREATE EXTERNAL SCHEMA IF NOT EXISTS {schema}\nFROM DATA CATALOG\nDATABASE {}\n\
             IAM_ROLE {role}\nCREATE EXTERNAL DATABASE IF NOT EXISTS",
            text(external.database)
        ),
        // Columns of an external table cannot be changed, so it is dropped and created again. No
        // row is lost.
        format!("DROP TABLE IF EXISTS {schema}.{name}"),
        format!("CREATE EXTERNAL TABLE {schema}.{name} {}", definition(table)),
    ])
}

/// A value longer than its column fails the query that reads it. By default it would become NULL.
fn definition(table: &Described<'_>) -> String {
    let line =
        |column: &Column| format!("    {} {}", quoted(&column.name), spelled(column.column_type));
    let columns: Vec<String> = table.schema.columns().iter().map(line).collect();
    let location = text(format_args!("{}/{FOLDER}", table.uri));
    format!(
        "(\n{}\n)\n\
         ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe'\n\
         STORED AS\n\
         INPUTFORMAT 'org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat'\n\
         OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'\n\
         LOCATION {location}\n\
         TABLE PROPERTIES (\n    'data_cleansing_enabled' = 'true',\n    \
         'surplus_char_handling' = 'FAIL',\n    'surplus_bytes_handling' = 'FAIL'\n)",
        columns.join(",\n")
    )
}

/// Whether a column may contain values longer than Redshift's longest type for it.
pub(super) fn may_be_too_long(schema: &TableSchema) -> bool {
    let has_no_bound =
        |column: &Column| matches!(column.column_type, ColumnType::String | ColumnType::Binary);
    schema.columns().iter().any(has_no_bound)
}

fn spelled(column_type: ColumnType) -> String {
    match column_type {
        ColumnType::Byte | ColumnType::Short => "smallint".to_owned(),
        ColumnType::Int => "integer".to_owned(),
        ColumnType::Long => "bigint".to_owned(),
        ColumnType::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
        ColumnType::Double => "double precision".to_owned(),
        ColumnType::Boolean => "boolean".to_owned(),
        ColumnType::Date => "date".to_owned(),
        ColumnType::Timestamp => "timestamp".to_owned(),
        ColumnType::String => format!("varchar({LONGEST_TEXT})"),
        ColumnType::Binary => format!("varbyte({LONGEST_BINARY})"),
    }
}
