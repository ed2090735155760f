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

    /// The batch in key order; rows with one key stay in their order.
    pub(super) fn sorted(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let order = by_key(&self.rows(&batch)?)?;
        if order.is_sorted() {
            return Ok(batch);
        }
        Ok(take_record_batch(&batch, &UInt32Array::from(order))?)
    }

    /// The last row with each key, in key order.
    pub(super) fn last_of_each(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = self.rows(batch)?;
        let mut order = by_key(&rows)?;
        let row = |at: u32| rows.row(at as usize);
        // Of neighbours with one key the later one stays, at the place of the first.
        order.dedup_by(|next, kept| {
            let is_same = row(*next) == row(*kept);
            if is_same {
                *kept = *next;
            }
            is_same
        });
        Ok(take_record_batch(batch, &UInt32Array::from(order))?)
    }

    /// The part of a batch in key order whose keys are not below `from` and below `below`.
    pub(super) fn within(
        &self,
        batch: &RecordBatch,
        from: Option<&KeyBytes>,
        below: Option<&KeyBytes>,
    ) -> Result<RecordBatch> {
        let rows = self.rows(batch)?;
        let first = from.map_or(0, |from| first_from(&rows, &from.0));
        let end = below.map_or(batch.num_rows(), |below| first_from(&rows, &below.0));
        Ok(batch.slice(first, end.saturating_sub(first)))
    }

    /// The first and the last key of a batch; none if it has no row.
    pub(super) fn ends(&self, batch: &RecordBatch) -> Result<Option<(KeyBytes, KeyBytes)>> {
        let Some(last) = batch.num_rows().checked_sub(1) else { return Ok(None) };
        let key =
            |at| Ok::<_, Error>(KeyBytes(self.rows(&batch.slice(at, 1))?.row(0).data().to_vec()));
        Ok(Some((key(0)?, key(last)?)))
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

/// Rows by their keys; those with one key in their order.
fn by_key(rows: &Rows) -> Result<Vec<u32>> {
    let end = u32::try_from(rows.num_rows()).map_err(|_| too_many())?;
    let mut order: Vec<u32> = (0..end).collect();
    // A stable sort merges the runs that are in order already.
    match numbers(rows) {
        Some(numbers) => order.sort_by_key(|at| numbers[*at as usize]),
        None => order.sort_by(|a, b| rows.row(*a as usize).cmp(&rows.row(*b as usize))),
    }
    Ok(order)
}

/// Keys of few bytes, and of one length, as numbers in the same order: they are compared at once.
fn numbers(rows: &Rows) -> Option<Vec<u128>> {
    const MOST: usize = size_of::<u128>();
    let width = rows.iter().next()?.data().len();
    let number = |bytes: &[u8]| {
        let mut padded = [0; MOST];
        padded.get_mut(..width)?.copy_from_slice(bytes);
        Some(u128::from_be_bytes(padded))
    };
    rows.iter().map(|row| (row.data().len() == width).then(|| number(row.data()))?).collect()
}

/// The place of the first row that is not below a key.
fn first_from(rows: &Rows, key: &[u8]) -> usize {
    let (mut low, mut high) = (0, rows.num_rows());
    while low < high {
        let middle = usize::midpoint(low, high);
        if rows.row(middle).data() < key {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

fn lacking(key: &str) -> Error {
    Error::new(ErrorKind::Internal, "rows of a task lack a key column").with("column", key)
}

fn too_many() -> Error {
    Error::new(ErrorKind::Internal, "a task has too many rows")
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray as _, Int64Array, StringArray, UInt32Array as Places};
    use arrow::datatypes::{Int64Type, UInt32Type};

    use super::*;
    use crate::schema::{Column, ColumnType};

    fn order(column_type: ColumnType) -> KeyOrder {
        let column = Column { name: "k".into(), column_type, nullable: true };
        KeyOrder::of(&TableSchema::new(vec![column]), &["k".to_owned()]).expect("keys")
    }

    /// With the place of each row beside its key.
    fn batch(keys: ArrayRef) -> RecordBatch {
        let places: ArrayRef = Arc::new(Places::from_iter_values((0..).take(keys.len())));
        RecordBatch::try_from_iter_with_nullable([("k", keys, true), ("at", places, false)])
            .expect("a batch")
    }

    fn places(batch: &RecordBatch) -> Vec<u32> {
        batch["at"].as_primitive::<UInt32Type>().values().to_vec()
    }

    #[test]
    fn the_last_row_of_each_key_stays_in_key_order() {
        let numbers = batch(Arc::new(Int64Array::from(vec![
            Some(7),
            Some(-3),
            None,
            Some(7),
            Some(0),
            Some(-3),
            Some(7),
        ])));
        let long = order(ColumnType::Long);
        assert_eq!(places(&long.sorted(numbers.clone()).expect("sorted")), [2, 1, 5, 4, 0, 3, 6]);
        let last = long.last_of_each(&numbers).expect("reduced");
        assert_eq!(places(&last), [2, 5, 4, 6]);
        let keys = last["k"].as_primitive::<Int64Type>();
        assert_eq!(keys.iter().collect::<Vec<_>>(), [None, Some(-3), Some(0), Some(7)]);

        // Of several lengths, and longer than a number.
        let texts = ["b", "a", "a long text that fits no number", "", "a", "b"];
        let texts = batch(Arc::new(StringArray::from_iter_values(texts)));
        let last = order(ColumnType::String).last_of_each(&texts).expect("reduced");
        assert_eq!(places(&last), [3, 4, 2, 5]);
    }

    #[test]
    fn a_range_begins_with_its_bound_and_ends_before_the_next() {
        let long = order(ColumnType::Long);
        let batch = batch(Arc::new(Int64Array::from_iter_values([1, 2, 4, 5])));
        let key = |key: i64| {
            let one = Int64Array::from_iter_values([key]);
            let rows = long.converter.convert_columns(&[Arc::new(one)]).expect("a key");
            KeyBytes(rows.row(0).data().to_vec())
        };
        let within = |from: Option<i64>, below: Option<i64>| {
            let (from, below) = (from.map(key), below.map(key));
            places(&long.within(&batch, from.as_ref(), below.as_ref()).expect("a part"))
        };
        assert_eq!(within(None, None), [0, 1, 2, 3]);
        assert_eq!(within(Some(2), Some(5)), [1, 2]);
        assert_eq!(within(Some(3), None), [2, 3]);
        assert_eq!(within(None, Some(1)), Vec::<u32>::new());
        assert_eq!(within(Some(5), Some(2)), Vec::<u32>::new());
        assert_eq!(long.ends(&batch).expect("ends"), Some((key(1), key(5))));
        assert_eq!(long.ends(&batch.slice(0, 0)).expect("ends"), None);
    }
}
