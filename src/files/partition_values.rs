//! Values of partition columns. They are in the log, not in the data files.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use buoyant_kernel::engine::arrow_conversion::TryFromArrow as _;
use buoyant_kernel::expressions::Scalar;
use buoyant_kernel::schema::DataType;
use deltalake::kernel::Add;

use crate::error::{Error, ErrorKind, Result};
use crate::files::typed;

/// The values of the partition columns, which all rows of a data file share.
#[derive(Debug)]
pub(crate) struct PartitionValues(HashMap<String, Scalar>);

impl PartitionValues {
    /// The file's partition values for these columns of the table.
    ///
    /// # Errors
    /// `TableCorrupt` if a value does not match its column's type.
    pub(crate) fn of(file: &Add, columns: &Schema) -> Result<Self> {
        let mut values = HashMap::new();
        for field in columns.fields() {
            if let Some(spelled) = file.partition_values.get(field.name()) {
                let value = parse(spelled.as_deref(), field.data_type()).map_err(|error| {
                    no_value(error).with("column", field.name()).with("file", &file.path)
                })?;
                values.insert(field.name().clone(), value);
            }
        }
        Ok(Self(values))
    }

    /// Rows of the file, extended to these columns of the table.
    ///
    /// # Errors
    /// `TableCorrupt` if a value does not fit its column.
    pub(crate) fn rows(&self, rows: &RecordBatch, columns: &SchemaRef) -> Result<RecordBatch> {
        let arrays = columns.fields().iter().map(|field| self.column(rows, field));
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(columns), arrays, &options)?)
    }

    /// One column of the table for these rows of the file.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub(crate) fn column(&self, rows: &RecordBatch, field: &Field) -> Result<ArrayRef> {
        match self.0.get(field.name()) {
            Some(value) => value.to_array(rows.num_rows()).map_err(no_value),
            None => typed::column(rows, field),
        }
    }
}

/// In the log, NULL is a missing or an empty value.
fn parse(spelled: Option<&str>, column: &ArrowType) -> Result<Scalar, buoyant_kernel::Error> {
    match DataType::try_from_arrow(column)? {
        DataType::Primitive(primitive) => primitive.parse_scalar(spelled.unwrap_or_default()),
        other => Ok(Scalar::Null(other)),
    }
}

fn no_value(error: buoyant_kernel::Error) -> Error {
    Error::new(ErrorKind::TableCorrupt, "a partition value does not match its column's type")
        .because(error)
}
