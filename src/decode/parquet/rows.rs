//! The rows of a Parquet object as the reader gives them, row group by row group, each looked
//! through before it is unpacked.

use std::sync::Arc;

use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::metadata::RowGroupMetaData;

use crate::decode::bounds::ReadBounds;
use crate::decode::parquet::footer::{footer, nested};
use crate::decode::parquet::pages::row_bytes;
use crate::decode::parquet::row_groups::{Object, guarded};
use crate::decode::parquet::schema::as_it_stands;
use crate::error::Result;
use crate::staging::fetch::ObjectBytes;
use crate::staging::object_context::ObjectContext;

/// The rows of an object that has some.
pub(super) struct ParquetRows {
    object: Object,
    metadata: ArrowReaderMetadata,
    /// The row group to be opened next.
    next: usize,
    /// The open row group, and how many of its rows are to come.
    reading: Option<(ParquetRecordBatchReader, u64)>,
    /// Rows that are still to be passed over.
    skip_rows: u64,
    passage: ReadBounds,
    subject: ObjectContext,
}

impl ParquetRows {
    /// Opens an object, and tells its fields with the types that they are annotated with; none if
    /// it has no rows.
    pub(super) async fn open(
        bytes: &ObjectBytes,
        passage: ReadBounds,
    ) -> Result<Option<(Self, Schema)>> {
        let subject = bytes.subject.clone();
        let Some(object) = Object::open(bytes, passage.bounds).await? else { return Ok(None) };
        let metadata = footer(&object, passage.bounds, &subject).await?;
        let rows = metadata.file_metadata().num_rows();
        let mut in_groups = metadata.row_groups().iter().map(RowGroupMetaData::num_rows);
        if in_groups.try_fold(0, i64::checked_add) != Some(rows) {
            return Err(subject.malformed("the object has other rows than its row groups"));
        }
        if rows <= 0 {
            return Ok(None);
        }
        let descriptor = metadata.file_metadata().schema_descr();
        let schema = guarded(&subject, || parquet_to_arrow_schema(descriptor, None))?;
        if let Some(field) = schema.fields().iter().find(|field| field.data_type().is_nested()) {
            return Err(nested(field.name(), &subject));
        }
        let metadata = guarded(&subject, || {
            let metadata = Arc::new(as_it_stands(metadata, &schema)?);
            let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
            ArrowReaderMetadata::try_new(metadata, options)
        })?;
        let (reading, skip_rows) = (None, passage.skip_rows);
        let rows = Self { object, metadata, next: 0, reading, skip_rows, passage, subject };
        Ok(Some((rows, schema)))
    }

    /// The next rows; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some((reader, left)) = &mut self.reading {
                let batch = guarded(&self.subject, || reader.next().transpose())?;
                let rows = batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
                match left.checked_sub(rows) {
                    Some(rest) if batch.is_some() => *left = rest,
                    Some(0) => self.reading = None,
                    _ => {
                        return Err(self
                            .subject
                            .malformed("a row group holds other rows than it declares"));
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

    /// Opens the next row group that has rows to be read; false at the end.
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
            let bounds = self.passage.bounds;
            let chunks = self.object.chunks(group, bounds, &self.subject).await?;
            let row_bytes = row_bytes(&chunks, self.object.size(), group, bounds, &self.subject)?;
            let fitting = self.passage.batch_bytes as u64 / row_bytes.max(1);
            let fitting = usize::try_from(fitting).unwrap_or(usize::MAX);
            let skip = usize::try_from(std::mem::take(&mut self.skip_rows)).unwrap_or(usize::MAX);
            let reader = guarded(&self.subject, || {
                ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, self.metadata.clone())
                    .with_row_groups(vec![position])
                    .with_batch_size(fitting.clamp(1, self.passage.batch_rows))
                    .with_offset(skip)
                    .build()
            })?;
            self.reading = Some((reader, rows - skip as u64));
            return Ok(true);
        }
        Ok(false)
    }
}
