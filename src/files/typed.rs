//! Converts columns of data files to the table's types, whichever writer wrote the files.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, RecordBatch, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::ParquetMetaData;

use crate::error::{Error, ErrorKind, Result};

/// The metadata for reading a file by its Parquet types alone. An Arrow schema embedded by the
/// writer is ignored, because it may ask for dictionaries or views. INT96 timestamps are read as
/// microseconds, because nanoseconds cover too few years.
///
/// # Errors
/// `TableCorrupt` if a column has a type that Arrow does not know.
pub(crate) fn metadata(footer: Arc<ParquetMetaData>) -> Result<ArrowReaderMetadata> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::try_new(Arc::clone(&footer), options)?;
    let is_int96 = |column: usize| {
        let found = &footer.file_metadata().schema_descr().root_schema().get_fields()[column];
        found.is_primitive() && found.get_physical_type() == PhysicalType::INT96
    };
    let fields = metadata.schema().fields();
    if !(0..fields.len()).any(is_int96) {
        return Ok(metadata);
    }
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let field = |(column, field): (usize, &Arc<Field>)| {
        let field = field.as_ref().clone();
        if is_int96(column) { field.with_data_type(instant.clone()) } else { field }
    };
    let schema = Schema::new(fields.iter().enumerate().map(field).collect::<Vec<_>>());
    let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
    Ok(ArrowReaderMetadata::try_new(footer, options)?)
}

/// A column of the table for these rows of a file; NULL if the file does not have the column.
///
/// # Errors
/// As [`conform`].
pub(crate) fn column(rows: &RecordBatch, field: &Field) -> Result<ArrayRef> {
    match rows.column_by_name(field.name()) {
        Some(column) => conform(Arc::clone(column), field),
        None => Ok(new_null_array(field.data_type(), rows.num_rows())),
    }
}

/// Converts a column of a file to the table's type.
///
/// # Errors
/// `TableCorrupt` if a value does not fit, because it must not become NULL.
pub(crate) fn conform(array: ArrayRef, field: &Field) -> Result<ArrayRef> {
    if array.data_type() == field.data_type() {
        return Ok(array);
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(&array, field.data_type(), &options)
        .map_err(|error| unreadable(field).because(error))
}

/// The error for a column that does not match the table.
pub(crate) fn unreadable(field: &Field) -> Error {
    Error::new(
        ErrorKind::TableCorrupt,
        "a column of a data file cannot be read as the table's type",
    )
    .with("column", field.name())
}
