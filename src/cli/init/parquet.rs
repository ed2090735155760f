//! Reads the columns of a Parquet object and derives their MySQL types.

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as PhysicalType};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use super::survey::Sample;
use crate::decode;
use crate::error::Result;
use crate::staging::StagedObject;
use crate::storage::Location;

/// A column of a Parquet object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FoundColumn {
    /// Its name.
    pub(super) name: String,
    /// A MySQL type that fits its annotation; there may be several.
    pub(super) mysql_type: String,
    /// Whether it is text that cannot be null, like DMS's own timestamp column and no other.
    pub(super) is_required_text: bool,
    /// What the annotation does not tell.
    pub(super) remark: Option<&'static str>,
}

/// Reads the columns from the object's footer.
///
/// # Errors
/// Those of [`decode::parquet_schema`].
pub(super) async fn columns(staging: &Location, sample: &Sample) -> Result<Vec<FoundColumn>> {
    let Sample { meta, name } = sample;
    let (folder, relative) =
        meta.location.as_ref().rsplit_once('/').unwrap_or(("", meta.location.as_ref()));
    let object = StagedObject {
        location: meta.location.clone(),
        relative: relative.to_owned(),
        name: name.clone(),
        size: meta.size,
        e_tag: meta.e_tag.clone(),
        last_modified: meta.last_modified,
    };
    Ok(found(&*decode::parquet_schema(staging, folder, &object).await?))
}

fn found(schema: &SchemaDescriptor) -> Vec<FoundColumn> {
    schema.columns().iter().map(|column| found_column(column)).collect()
}

fn found_column(column: &ColumnDescriptor) -> FoundColumn {
    let is_required = column.self_type().get_basic_info().repetition() == Repetition::REQUIRED;
    FoundColumn {
        name: column.name().to_owned(),
        mysql_type: mysql_type(column),
        is_required_text: is_required && is_text(column),
        remark: remark(column),
    }
}

fn is_text(column: &ColumnDescriptor) -> bool {
    column.physical_type() == PhysicalType::BYTE_ARRAY
        && (column.converted_type() == ConvertedType::UTF8
            || matches!(column.logical_type_ref(), Some(LogicalType::String)))
}

/// DMS writes converted types; equivalent logical types set them too.
fn mysql_type(column: &ColumnDescriptor) -> String {
    let by_annotation = match column.converted_type() {
        ConvertedType::INT_8 => "tinyint",
        ConvertedType::UINT_8 => "tinyint unsigned",
        ConvertedType::INT_16 => "smallint",
        ConvertedType::UINT_16 => "smallint unsigned",
        ConvertedType::INT_32 => "int",
        ConvertedType::UINT_32 => "int unsigned",
        ConvertedType::INT_64 => "bigint",
        ConvertedType::UINT_64 => "bigint unsigned",
        ConvertedType::DATE => "date",
        ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS => "time",
        ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS => "datetime(6)",
        ConvertedType::DECIMAL => {
            let (precision, scale) = (column.type_precision(), column.type_scale());
            return format!("decimal({precision},{scale})");
        }
        _ if is_text(column) => "text",
        _ if matches!(column.logical_type_ref(), Some(LogicalType::Timestamp { .. })) => {
            "datetime(6)"
        }
        _ => match column.physical_type() {
            PhysicalType::BOOLEAN => "bit(1)",
            PhysicalType::INT32 => "int",
            PhysicalType::INT64 => "bigint",
            PhysicalType::INT96 => "datetime(6)",
            PhysicalType::FLOAT => "float",
            PhysicalType::DOUBLE => "double",
            PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY => "blob",
        },
    };
    by_annotation.to_owned()
}

fn remark(column: &ColumnDescriptor) -> Option<&'static str> {
    let is_plain = column.converted_type() == ConvertedType::NONE;
    match column.physical_type() {
        PhysicalType::BYTE_ARRAY if is_plain && !is_text(column) => {
            Some("add hex = true if DMS wrote hexadecimal text")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::schema::parser::parse_message_type;

    use super::*;

    #[test]
    fn annotations_become_mysql_types() {
        let message = "message dms {
            REQUIRED BYTE_ARRAY dms_ts (UTF8); OPTIONAL INT64 id (UINT_64);
            OPTIONAL INT32 tiny (INT_8); OPTIONAL INT32 plain; OPTIONAL INT64 long;
            OPTIONAL FIXED_LEN_BYTE_ARRAY (7) price (DECIMAL(15,2));
            OPTIONAL INT64 at (TIMESTAMP_MICROS); OPTIONAL INT32 day (DATE);
            OPTIONAL BOOLEAN flag; OPTIONAL BYTE_ARRAY raw; OPTIONAL DOUBLE ratio;
        }";
        let schema = parse_message_type(message).expect("valid message");
        let columns = found(&SchemaDescriptor::new(Arc::new(schema)));
        let types: Vec<&str> = columns.iter().map(|column| &*column.mysql_type).collect();
        assert_eq!(
            types,
            [
                "text",
                "bigint unsigned",
                "tinyint",
                "int",
                "bigint",
                "decimal(15,2)",
                "datetime(6)",
                "date",
                "bit(1)",
                "blob",
                "double"
            ]
        );
        assert!(columns[0].is_required_text);
        assert!(!columns[1].is_required_text);
        assert!(columns[9].remark.is_some());
    }
}
