//! The order of keys across tasks: as bytes that compare as keys do.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, Rows, SortField};

use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::job::format::KeyBytes;
use crate::schema::TableSchema;

/// Encodes keys of a table.
#[derive(Debug)]
pub(super) struct KeyOrder {
    keys: Vec<String>,
    converter: RowConverter,
}

impl KeyOrder {
    /// Of a table with these columns and keys.
    ///
    /// # Errors
    /// `Internal` if it lacks a key column.
    pub(super) fn of(columns: &TableSchema, keys: &[String]) -> Result<Self> {
        let fields = keys.iter().map(|key| match columns.column(key) {
            Some(column) => Ok(SortField::new(column.column_type.arrow())),
            None => Err(lacking(key)),
        });
        let converter = RowConverter::new(fields.collect::<Result<_>>()?)?;
        Ok(Self { keys: keys.to_vec(), converter })
    }

    /// The keys of a batch.
    pub(super) fn rows(&self, batch: &RecordBatch) -> Result<Rows> {
        Ok(self.converter.convert_columns(&self.columns(batch)?)?)
    }

    /// Only the key columns of a batch.
    pub(super) fn only_keys(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let places = self.keys.iter().map(|key| batch.schema_ref().index_of(key));
        Ok(batch.project(&places.collect::<Result<Vec<_>, _>>()?)?)
    }

    /// The batch in key order.
    pub(super) fn sorted(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let rows = self.rows(&batch)?;
        let count = u32::try_from(batch.num_rows()).map_err(|_| too_many())?;
        let row = |at: &u32| rows.row(*at as usize);
        let mut order: Vec<u32> = (0..count).collect();
        if order.is_sorted_by(|a, b| row(a) <= row(b)) {
            return Ok(batch);
        }
        order.sort_unstable_by(|a, b| row(a).cmp(&row(b)));
        Ok(take_record_batch(&batch, &UInt32Array::from(order))?)
    }

    /// The least and the greatest key of some batches.
    pub(super) fn bounds<'a>(
        &self,
        batches: impl IntoIterator<Item = &'a RecordBatch>,
    ) -> Result<Option<(KeyBytes, KeyBytes)>> {
        let mut bounds: Option<(Vec<u8>, Vec<u8>)> = None;
        for batch in batches {
            let rows = self.rows(batch)?;
            let (Some(low), Some(high)) = (rows.iter().min(), rows.iter().max()) else { continue };
            let (low, high) = (low.data(), high.data());
            let (least, greatest) = bounds.get_or_insert_with(|| (low.to_vec(), high.to_vec()));
            if low < least.as_slice() {
                *least = low.to_vec();
            }
            if high > greatest.as_slice() {
                *greatest = high.to_vec();
            }
        }
        Ok(bounds.map(|(least, greatest)| (KeyBytes(least), KeyBytes(greatest))))
    }

    fn columns(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let column =
            |key: &String| batch.column_by_name(key).map(Arc::clone).ok_or_else(|| lacking(key));
        self.keys.iter().map(column).collect()
    }
}

fn lacking(key: &str) -> Error {
    Error::new(ErrorKind::Internal, "rows of a task lack a key column").with("column", key)
}

fn too_many() -> Error {
    Error::new(ErrorKind::Internal, "a task has too many rows")
}
