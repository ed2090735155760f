//! Redshift Spectrum, which does not read the log: an external table over symlink manifests.
//!
//! Source: Amazon Redshift Database Developer Guide, "Creating external tables for data managed
//! in Delta Lake". Its data types: the same guide, "CREATE EXTERNAL TABLE".

use super::Described;
use super::spelling::{must_be_on_s3, quoted, text};
use crate::catalog::manifest::FOLDER;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, ColumnType};

/// Bytes of the longest text that an external table has.
const LONGEST_TEXT: u32 = 65_535;
/// Bytes of the longest binary value.
const LONGEST_BINARY: u32 = 1_024_000;

/// Statements of Redshift, which run outside of a transaction.
pub(super) fn statements(table: &Described<'_>) -> Result<Vec<String>> {
    must_be_on_s3(table.url)?;
    if !table.has_manifests {
        return Err(Error::new(
            ErrorKind::Config,
            "Redshift reads symlink manifests, which this table has none of: set \
             redshift_manifest = true",
        )
        .with("table", table.name));
    }
    let database = &table.name.database;
    let role = match table.iam_role {
        "default" => "default".to_owned(),
        arn => text(arn),
    };
    let schema = quoted(database);
    let name = quoted(&table.name.table);
    Ok(vec![
        // A database of its own: in Glue, a table over manifests is another one than the Delta
        // table of that name.
        format!(
            "CREATE EXTERNAL SCHEMA IF NOT EXISTS {schema}\nFROM DATA CATALOG\nDATABASE {}\n\
             IAM_ROLE {role}\nCREATE EXTERNAL DATABASE IF NOT EXISTS",
            text(format!("{database}_spectrum"))
        ),
        format!("CREATE EXTERNAL TABLE {schema}.{name} {}", definition(table)),
    ])
}

fn definition(table: &Described<'_>) -> String {
    let line =
        |column: &Column| format!("    {} {}", quoted(&column.name), spelled(column.column_type));
    let columns: Vec<String> = table.schema.columns().iter().map(line).collect();
    let location = text(format!("{}{FOLDER}", table.url));
    format!(
        "(\n{}\n)\n\
         ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe'\n\
         STORED AS\n\
         INPUTFORMAT 'org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat'\n\
         OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'\n\
         LOCATION {location}",
        columns.join(",\n")
    )
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
