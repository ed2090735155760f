//! The schema by which a Parquet object is read: physical types where the reader's own conversion
//! would fail a whole batch because of one value, or wrap or truncate values.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use parquet::basic::Type as Physical;
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, ParquetMetaData};
use parquet::schema::types::{SchemaDescriptor, Type};

/// Bytes of an INT96: the nanoseconds of the day, then the Julian day, both little-endian.
pub(super) const INT96: i32 = 12;

/// The object's metadata with the physical types of these columns:
///
/// - text is read as bytes, so that one value of invalid UTF-8 is one bad row;
/// - decimals of any number of bytes are read as bytes, since the reader takes 16 and panics;
/// - INT96 is read as its bytes: as nanoseconds, it would wrap outside the years 1677 to 2262;
/// - integers of 8 and 16 bits are read as the 32 bits that hold them, which the reader would
///   truncate.
pub(super) fn with_physical_types(
    metadata: ParquetMetaData,
    schema: &Schema,
) -> Result<ParquetMetaData, ParquetError> {
    let file = metadata.file_metadata();
    let mut columns = Vec::new();
    for (column, field) in file.schema().get_fields().iter().zip(schema.fields()) {
        columns.push(match physical_type(column, field.data_type()) {
            None => Arc::clone(column),
            Some((physical, length)) => {
                let builder = Type::primitive_type_builder(column.name(), physical)
                    .with_repetition(column.get_basic_info().repetition())
                    .with_length(length);
                Arc::new(builder.build()?)
            }
        });
    }
    let root = Type::group_type_builder(file.schema().name()).with_fields(columns).build()?;
    let file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        None,
        Arc::new(SchemaDescriptor::new(Arc::new(root))),
        None,
    );
    Ok(ParquetMetaData::new(file, metadata.into_builder().take_row_groups()))
}

/// The physical type and length by which a column is read, if not by its annotated type.
fn physical_type(column: &Type, annotated: &DataType) -> Option<(Physical, i32)> {
    let is_decimal = matches!(annotated, DataType::Decimal128(_, _) | DataType::Decimal256(_, _));
    match column.get_physical_type() {
        Physical::INT96 => Some((Physical::FIXED_LEN_BYTE_ARRAY, INT96)),
        Physical::BYTE_ARRAY if is_decimal || *annotated == DataType::Utf8 => {
            Some((Physical::BYTE_ARRAY, -1))
        }
        Physical::INT32 => {
            use DataType::{Int8, Int16, UInt8, UInt16};
            matches!(annotated, Int8 | Int16 | UInt8 | UInt16).then_some((Physical::INT32, -1))
        }
        _ => None,
    }
}
