//! The properties that all data files of one commit share.

use std::num::NonZeroU64;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use buoyant_kernel::table_properties::DataSkippingNumIndexedCols;
use deltalake::table::config::TablePropertiesExt as _;
use parquet::arrow::ArrowSchemaConverter;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor};

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::files::SnapshotFiles;
use crate::files::encode::unwritable;
use crate::files::properties::writer_properties;

/// Columns, encoding, statistics and target size of a table's data files, and the clock that
/// generates their names.
#[derive(Clone, Debug)]
pub struct FileLayout {
    schema: SchemaRef,
    parquet: SchemaDescPtr,
    properties: WriterPropertiesPtr,
    keys: Vec<String>,
    partition_columns: Vec<String>,
    /// For each column, whether its statistics go into the log.
    indexed: Vec<bool>,
    target_file_size: NonZeroU64,
    clock: Arc<dyn Clock>,
}

impl FileLayout {
    /// The layout according to a table's schema and properties. Columns keep the table's order,
    /// without the partition columns. Keys always have statistics, whatever the properties say.
    ///
    /// # Errors
    /// `TableCorrupt` if the table's metadata cannot be read.
    pub fn of(files: &SnapshotFiles, keys: &[String], clock: &Arc<dyn Clock>) -> Result<Self> {
        let snapshot = files.delta().snapshot()?;
        let metadata = snapshot.metadata();
        let partitions = metadata.partition_columns();
        let arrow = files.schema();
        let fields: Vec<_> = arrow.fields().iter().cloned().collect();
        let kept = fields.into_iter().filter(|field| !partitions.contains(field.name()));
        let schema = Schema::new(kept.collect::<Vec<_>>());
        let properties = snapshot.table_config();
        let is_indexed = |(position, field): (usize, &Field)| {
            let by_property = match &properties.data_skipping_stats_columns {
                Some(names) => names.iter().any(|name| name.path() == [field.name().as_str()]),
                None => match properties.num_indexed_cols() {
                    DataSkippingNumIndexedCols::AllColumns => true,
                    DataSkippingNumIndexedCols::NumColumns(count) => (position as u64) < count,
                },
            };
            by_property || keys.contains(field.name())
        };
        let indexed =
            schema.fields().iter().map(AsRef::as_ref).enumerate().map(is_indexed).collect();
        let parquet = ArrowSchemaConverter::new().convert(&schema).map_err(unwritable)?;
        Ok(Self {
            parquet: SchemaDescPtr::new(parquet),
            properties: WriterPropertiesPtr::new(writer_properties(keys, false)),
            schema: SchemaRef::new(schema),
            keys: keys.to_vec(),
            partition_columns: partitions.to_vec(),
            indexed,
            target_file_size: properties.target_file_size(),
            clock: Arc::clone(clock),
        })
    }

    /// The same layout with bloom filters on the key columns, for keys whose ranges overlap between
    /// row groups.
    #[must_use]
    pub fn with_bloom_filters(self) -> Self {
        let properties = WriterPropertiesPtr::new(writer_properties(&self.keys, true));
        Self { properties, ..self }
    }

    /// The same layout with another target file size.
    #[must_use]
    pub fn with_target_file_size(self, target_file_size: NonZeroU64) -> Self {
        Self { target_file_size, ..self }
    }

    /// The columns of the files.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The columns as a Parquet schema.
    pub(crate) fn parquet(&self) -> &SchemaDescriptor {
        &self.parquet
    }

    /// Names of the key columns.
    pub(crate) fn keys(&self) -> &[String] {
        &self.keys
    }

    /// The partition columns, whose values are in the log instead of the files.
    pub(crate) fn partition_columns(&self) -> &[String] {
        &self.partition_columns
    }

    pub(super) fn properties(&self) -> &WriterPropertiesPtr {
        &self.properties
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    pub(super) fn is_indexed(&self, column: usize) -> bool {
        self.indexed[column]
    }

    /// The target size of a file in bytes.
    pub(crate) fn target_file_size(&self) -> u64 {
        self.target_file_size.get()
    }

    /// The columns of a batch that are stored in the files, in order.
    ///
    /// # Errors
    /// `Internal` if the batch lacks one.
    pub(crate) fn columns_of(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let column = |field: &Field| {
            batch.column_by_name(field.name()).cloned().ok_or_else(|| {
                Error::new(ErrorKind::Internal, "the rows to write lack a column of the table")
                    .with("column", field.name())
            })
        };
        self.schema.fields().iter().map(|field| column(field)).collect()
    }
}
