//! The rows of a Parquet object, row group by row group, each measured before it is unpacked.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;

use crate::decode::bounds::ReadBounds;
use crate::decode::parquet::footer::{footer, nested};
use crate::decode::parquet::pages::row_bytes;
use crate::decode::parquet::row_groups::{Object, guarded};
use crate::decode::parquet::schema::with_physical_types;
use crate::error::Result;
use crate::staging::fetch::ObjectBytes;
use crate::staging::object_context::ObjectContext;

/// The rows of an object that has at least one.
pub(super) struct ParquetRows {
    object: Object,
    metadata: ArrowReaderMetadata,
    /// The next row group to open.
    next: usize,
    /// The open row group, and how many of its rows are left.
    reading: Option<(ParquetRecordBatchReader, u64)>,
    /// Rows that are still to be skipped.
    skip_rows: u64,
    read_bounds: ReadBounds,
    context: ObjectContext,
}

impl ParquetRows {
    /// Opens an object and returns its fields with their annotated types; `None` if it has no rows.
    pub(super) async fn open(
        bytes: &ObjectBytes,
        read_bounds: ReadBounds,
    ) -> Result<Option<(Self, Schema)>> {
        let context = bytes.context.clone();
        let Some(object) = Object::open(bytes, read_bounds.bounds).await? else { return Ok(None) };
        let metadata = footer(&object, read_bounds.bounds, &context).await?;
        let rows = metadata.file_metadata().num_rows();
        let mut in_groups = metadata.row_groups().iter().map(RowGroupMetaData::num_rows);
        if in_groups.try_fold(0, i64::checked_add) != Some(rows) {
            return Err(
                context.malformed("the object declares another row count than its row groups")
            );
        }
        if rows <= 0 {
            return Ok(None);
        }
        let descriptor = metadata.file_metadata().schema_descr();
        let schema = guarded(&context, || parquet_to_arrow_schema(descriptor, None))?;
        if let Some(field) = schema.fields().iter().find(|field| field.data_type().is_nested()) {
            return Err(nested(field.name(), &context));
        }
        let metadata = guarded(&context, || {
            let metadata = Arc::new(with_physical_types(metadata, &schema)?);
            let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
            ArrowReaderMetadata::try_new(metadata, options)
        })?;
        let (reading, skip_rows) = (None, read_bounds.skip_rows);
        let rows = Self { object, metadata, next: 0, reading, skip_rows, read_bounds, context };
        Ok(Some((rows, schema)))
    }

    /// The next rows; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some((reader, left)) = &mut self.reading {
                let batch = guarded(&self.context, || reader.next().transpose())?;
                let rows = batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
                match left.checked_sub(rows) {
                    Some(rest) if batch.is_some() => *left = rest,
                    Some(0) => self.reading = None,
                    _ => {
                        return Err(self
                            .context
                            .malformed("a row group does not have as many rows as it declares"));
                    }
                }
                if batch.is_some() {
                    return Ok(batch);
                }
            }
            if !self.open_next().await? {
                return Ok(None);
            }
        }
    }

    /// The least and the greatest values of a field in each row group, as the field is read; empty if
    /// the object does not tell.
    pub(super) fn extremes(&self, field: usize) -> Vec<ArrayRef> {
        let metadata = &self.metadata;
        let found = guarded(&self.context, || {
            // No field is nested, so that each is one column; two may have the same name.
            let of = metadata.schema().field(field);
            let of = StatisticsConverter::from_column_index(field, of, metadata.parquet_schema())?;
            let groups = || metadata.metadata().row_groups();
            Ok::<_, ParquetError>(vec![of.row_group_mins(groups())?, of.row_group_maxes(groups())?])
        });
        // No statistics are no error: whatever is read is checked anyway.
        found.unwrap_or_default()
    }

    /// Opens the next row group with rows to read; false at the end.
    async fn open_next(&mut self) -> Result<bool> {
        let all = Arc::clone(self.metadata.metadata());
        while let Some(group) = all.row_groups().get(self.next) {
            let position = self.next;
            self.next += 1;
            let rows = u64::try_from(group.num_rows()).unwrap_or(0);
            if self.skip_rows >= rows {
                self.skip_rows -= rows;
                continue;
            }
            let bounds = self.read_bounds.bounds;
            let chunks = self.object.chunks(group, bounds, &self.context).await?;
            let row_bytes = row_bytes(&chunks, self.object.size(), group, bounds, &self.context)?;
            let fitting = self.read_bounds.batch_bytes as u64 / row_bytes.max(1);
            let fitting = usize::try_from(fitting).unwrap_or(usize::MAX);
            let skip = usize::try_from(std::mem::take(&mut self.skip_rows)).unwrap_or(usize::MAX);
            let reader = guarded(&self.context, || {
                ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, self.metadata.clone())
                    .with_row_groups(vec![position])
                    .with_batch_size(fitting.clamp(1, self.read_bounds.batch_rows))
                    .with_offset(skip)
                    .build()
            })?;
            self.reading = Some((reader, rows - skip as u64));
            return Ok(true);
        }
        Ok(false)
    }
}
