//! Row groups with changed rows, column by column.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, MutableArrayData, RecordBatch, make_array, new_empty_array,
    new_null_array,
};
use arrow::compute::interleave;
use arrow::datatypes::{Field, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::ParquetMetaData;

use crate::error::Result;
use crate::files::FileLayout;
use crate::files::encode::Columns;
use crate::files::rewrite::bytes::FileRange;
use crate::files::rewrite::misplaced;
use crate::files::rewrite::steps::Run;
use crate::files::typed::{self, conform, unreadable};

/// Rows decoded at once; fewer if their values are large.
const BATCH_ROWS: usize = 8 << 10;
const BATCH_BYTES: usize = 16 << 20;

/// The new images of all changes, with the columns of the files.
pub(super) struct Images {
    /// For each column, one array per batch.
    columns: Vec<Vec<ArrayRef>>,
    /// The cumulative number of images at the end of each batch.
    ends: Vec<usize>,
}

impl Images {
    pub(super) fn of(layout: &FileLayout, batches: &[RecordBatch]) -> Result<Self> {
        let mut columns = vec![Vec::with_capacity(batches.len()); layout.schema().fields().len()];
        let mut ends = Vec::with_capacity(batches.len());
        let mut count = 0;
        for batch in batches {
            for (arrays, array) in columns.iter_mut().zip(layout.columns_of(batch)?) {
                arrays.push(array);
            }
            count += batch.num_rows();
            ends.push(count);
        }
        Ok(Self { columns, ends })
    }

    pub(super) fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or_default()
    }

    /// The batch and row of an image.
    fn place(&self, image: usize) -> (usize, usize) {
        let batch = self.ends.partition_point(|end| *end <= image);
        let start = batch.checked_sub(1).map_or(0, |before| self.ends[before]);
        (batch, image - start)
    }
}

/// A touched file whose columns are read.
pub(super) struct Source {
    schema: SchemaRef,
    metadata: ArrowReaderMetadata,
    /// For each column of the replacement its index in the file; none if the column was added
    /// later.
    places: Vec<Option<usize>>,
}

impl Source {
    pub(super) fn open(layout: &FileLayout, footer: Arc<ParquetMetaData>) -> Result<Self> {
        let metadata = typed::metadata(footer)?;
        let found = metadata.parquet_schema().root_schema().get_fields();
        let place = |field: &Arc<Field>| found.iter().position(|f| f.name() == field.name());
        let places = layout.schema().fields().iter().map(place).collect();
        Ok(Self { schema: Arc::clone(layout.schema()), metadata, places })
    }
}

/// Consecutive row groups with their edits.
pub(super) struct EditedRows {
    source: Arc<Source>,
    bytes: FileRange,
    run: Run,
    images: Arc<Images>,
    /// The positions of the run's images, in the order of its edits.
    image_places: Vec<(usize, usize)>,
}

impl EditedRows {
    pub(super) fn new(
        source: Arc<Source>,
        bytes: FileRange,
        run: Run,
        images: Arc<Images>,
    ) -> Self {
        let updates = run.edits.iter().filter_map(|edit| edit.image);
        let image_places = updates.map(|image| images.place(image)).collect();
        Self { source, bytes, run, images, image_places }
    }

    /// The new values of a column, in the order of the edits.
    fn images(&self, column: usize) -> Result<ArrayRef> {
        let field = self.source.schema.field(column);
        if self.image_places.is_empty() {
            return Ok(new_empty_array(field.data_type()));
        }
        let arrays: Vec<_> = self.images.columns[column].iter().map(AsRef::as_ref).collect();
        conform(interleave(&arrays, &self.image_places)?, field)
    }

    /// Passes the values of a column to `sink` as they are in the file.
    fn decode(&self, column: usize, sink: &mut dyn FnMut(ArrayRef) -> Result<()>) -> Result<()> {
        let field = self.source.schema.field(column);
        let Some(place) = self.source.places[column] else {
            let mut left = self.run.rows;
            while left > 0 {
                let count = left.min(BATCH_ROWS);
                sink(new_null_array(field.data_type(), count))?;
                left -= count;
            }
            return Ok(());
        };
        let groups = self.run.first..self.run.first + self.run.count;
        let metadata = self.source.metadata.clone();
        let mask = ProjectionMask::roots(metadata.parquet_schema(), [place]);
        let batch_rows = self.batch_rows(place);
        let reader =
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.bytes.clone(), metadata)
                .with_row_groups(groups.collect())
                .with_projection(mask)
                .with_batch_size(batch_rows)
                .build()?;
        for batch in reader {
            let batch = batch.map_err(|error| unreadable(field).because(error))?;
            sink(conform(Arc::clone(batch.column(0)), field)?)?;
        }
        Ok(())
    }

    /// The number of rows of a column to decode at once. Text offsets have 32 bits, so large values
    /// need small batches regardless of memory.
    fn batch_rows(&self, place: usize) -> usize {
        let groups =
            &self.source.metadata.metadata().row_groups()[self.run.first..][..self.run.count];
        let chunks = groups.iter().filter_map(|group| group.columns().get(place));
        let bytes: i64 = chunks
            .map(|chunk| {
                chunk.unencoded_byte_array_data_bytes().unwrap_or(0).max(chunk.uncompressed_size())
            })
            .sum();
        let row_bytes = usize::try_from(bytes).unwrap_or_default() / self.run.rows.max(1);
        (BATCH_BYTES / row_bytes.max(1)).clamp(1, BATCH_ROWS)
    }
}

impl Columns for EditedRows {
    fn read(&self, column: usize, sink: &mut dyn FnMut(&ArrayRef) -> Result<()>) -> Result<()> {
        let images = self.images(column)?;
        let mut edits = self.run.edits.iter().peekable();
        let mut first = 0;
        let mut next_image = 0;
        self.decode(column, &mut |array| {
            let end = first + array.len();
            if edits.peek().is_none_or(|edit| edit.row >= end) {
                first = end;
                return sink(&array);
            }
            let (found, new) = (array.to_data(), images.to_data());
            let mut edited = MutableArrayData::new(vec![&found, &new], false, array.len());
            let mut kept = first;
            while let Some(edit) = edits.next_if(|edit| edit.row < end) {
                edited.try_extend(0, kept - first, edit.row - first)?;
                if edit.image.is_some() {
                    edited.try_extend(1, next_image, next_image + 1)?;
                    next_image += 1;
                }
                kept = edit.row + 1;
            }
            edited.try_extend(0, kept - first, end - first)?;
            first = end;
            sink(&make_array(edited.freeze()))
        })?;
        if edits.next().is_some() { Err(misplaced()) } else { Ok(()) }
    }
}
