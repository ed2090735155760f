//! Columns of the lake as Delta spells them.

use deltalake::kernel::{DataType, PrimitiveType, StructField, StructType};

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, ColumnType, TableSchema};

/// Delta's fields for these columns. Every column is nullable: DMS turns values of NOT NULL
/// columns into NULL (zero dates, LOBs that follow later), and a column that disappears from
/// the source stays.
///
/// # Errors
/// `SchemaRefused` if a decimal's digits are out of Delta's range.
pub fn to_delta(columns: &[Column]) -> Result<Vec<StructField>> {
    let field =
        |column: &Column| Ok(StructField::new(&column.name, delta_type(column.column_type)?, true));
    columns.iter().map(field).collect()
}

fn delta_type(column_type: ColumnType) -> Result<DataType> {
    let primitive = match column_type {
        ColumnType::Byte => PrimitiveType::Byte,
        ColumnType::Short => PrimitiveType::Short,
        ColumnType::Int => PrimitiveType::Integer,
        ColumnType::Long => PrimitiveType::Long,
        ColumnType::Decimal { precision, scale } => PrimitiveType::decimal(precision, scale)
            .map_err(|error| {
                Error::new(ErrorKind::SchemaRefused, "Delta has no such decimal")
                    .with("type", column_type)
                    .because(error)
            })?,
        ColumnType::Double => PrimitiveType::Double,
        ColumnType::Boolean => PrimitiveType::Boolean,
        ColumnType::Date => PrimitiveType::Date,
        ColumnType::Timestamp => PrimitiveType::Timestamp,
        ColumnType::String => PrimitiveType::String,
        ColumnType::Binary => PrimitiveType::Binary,
    };
    Ok(DataType::Primitive(primitive))
}

/// The columns of a Delta schema.
///
/// # Errors
/// `SchemaRefused` if a column has a type that no table of ours has.
pub(super) fn from_delta(schema: &StructType) -> Result<TableSchema> {
    let column = |field: &StructField| {
        let column_type = column_type(field.data_type()).ok_or_else(|| {
            Error::new(
                ErrorKind::SchemaRefused,
                "the table has a column of a type that no source column has",
            )
            .with("column", field.name())
            .with("type", field.data_type())
        })?;
        Ok(Column { name: field.name().clone(), column_type, nullable: field.is_nullable() })
    };
    let columns: Result<Vec<Column>> = schema.fields().map(column).collect();
    Ok(TableSchema::new(columns?))
}

pub(super) fn column_type(data_type: &DataType) -> Option<ColumnType> {
    let DataType::Primitive(primitive) = data_type else { return None };
    Some(match primitive {
        PrimitiveType::Byte => ColumnType::Byte,
        PrimitiveType::Short => ColumnType::Short,
        PrimitiveType::Integer => ColumnType::Int,
        PrimitiveType::Long => ColumnType::Long,
        PrimitiveType::Decimal(decimal) => {
            ColumnType::Decimal { precision: decimal.precision(), scale: decimal.scale() }
        }
        PrimitiveType::Double => ColumnType::Double,
        PrimitiveType::Boolean => ColumnType::Boolean,
        PrimitiveType::Date => ColumnType::Date,
        PrimitiveType::Timestamp => ColumnType::Timestamp,
        PrimitiveType::String => ColumnType::String,
        PrimitiveType::Binary => ColumnType::Binary,
        _ => return None,
    })
}
