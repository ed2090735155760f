//! Keys of rows: key changes, order, and uniqueness.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Scalar, UInt8Array, UInt32Array};
use arrow::compute::kernels::cmp::{eq, lt, neq};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{and, interleave, is_not_null, or, prep_null_mask_filter, take};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, SortField};

use super::batch::ChangeBatch;
use crate::dms::Operation;
use crate::error::{Error, ErrorKind, Result};

/// Splits each key change into the delete of the old key and the upsert of the new one, which share
/// the change sequence, the column `sequence`. A batch without key changes is returned as it is.
pub(super) fn expand(
    batch: ChangeBatch,
    before: &[Option<ArrayRef>],
    keys: &[usize],
    sequence: Option<usize>,
) -> Result<ChangeBatch> {
    let Some(changed) = key_changes(&batch, before, keys)? else { return Ok(batch) };
    let row_count = batch.len() + changed.true_count();
    let mut operation = Vec::with_capacity(row_count);
    let mut moved = Vec::with_capacity(row_count);
    // For each result row: the row of its image (none for a delete), and of its key, as (0, row)
    // in the after image or (1, row) in the before image.
    let mut image_row = Vec::with_capacity(row_count);
    let mut key_row = Vec::with_capacity(row_count);
    for (row, index) in (0..batch.len()).zip(0_u32..) {
        let splits = changed.value(row);
        if splits {
            operation.push(Operation::Delete.code());
            moved.push(false);
            image_row.push(None);
            key_row.push((1, row));
        }
        operation.push(batch.operation.value(row));
        moved.push(splits);
        image_row.push(Some(index));
        key_row.push((0, row));
    }

    let image_row = UInt32Array::from(image_row);
    let source_row =
        || -> UInt32Array { key_row.iter().map(|&(_, row)| u32::try_from(row).ok()).collect() };
    let mut columns = Vec::with_capacity(batch.image.num_columns());
    for (place, column) in batch.image.columns().iter().enumerate() {
        if sequence == Some(place) {
            columns.push(take(column, &source_row(), None)?);
            continue;
        }
        let Some(key) = keys.iter().position(|&key| key == place) else {
            columns.push(take(column, &image_row, None)?);
            continue;
        };
        columns.push(match &before[key] {
            Some(before) => {
                let old = zip(&is_not_null(before)?, before, column)?;
                interleave(&[column.as_ref(), old.as_ref()], &key_row)?
            }
            None => interleave(&[column.as_ref(), column.as_ref()], &key_row)?,
        });
    }
    let mut unset = Vec::with_capacity(batch.unset.len());
    for flags in batch.unset {
        unset.push(match flags {
            Some(flags) => Some(BooleanArray::from(take(&flags, &image_row, None)?.to_data())),
            None => None,
        });
    }
    Ok(ChangeBatch {
        operation: UInt8Array::from(operation),
        image: RecordBatch::try_new(batch.image.schema(), columns)?,
        unset,
        moved: Some(BooleanArray::from(moved)),
    })
}

/// Which updates have a before image of the key that differs from the after image, if any do.
fn key_changes(
    batch: &ChangeBatch,
    before: &[Option<ArrayRef>],
    keys: &[usize],
) -> Result<Option<BooleanArray>> {
    let mut changed: Option<BooleanArray> = None;
    for (before, &key) in before.iter().zip(keys) {
        let Some(before) = before else { continue };
        if before.null_count() == before.len() {
            continue;
        }
        let mut differs = neq(before, batch.image.column(key))?;
        if differs.null_count() > 0 {
            differs = prep_null_mask_filter(&differs);
        }
        changed = Some(match changed {
            Some(changed) => or(&changed, &differs)?,
            None => differs,
        });
    }
    let Some(changed) = changed.filter(BooleanArray::has_true) else { return Ok(None) };
    let update = Scalar::new(UInt8Array::from(vec![Operation::Update.code()]));
    let changed = and(&changed, &eq(&batch.operation, &update)?)?;
    Ok(Some(changed).filter(BooleanArray::has_true))
}

/// Whether each key is greater than the previous one, over all batches, so that no key occurs
/// twice. Text and bytes compare by bytes. Stops at the first batch that is not ascending.
pub(super) fn strictly_ascending<'a>(
    batches: impl IntoIterator<Item = &'a [ArrayRef]>,
) -> Result<bool> {
    let mut previous: Option<Vec<ArrayRef>> = None;
    for columns in batches {
        let row_count = columns.first().map_or(0, Array::len);
        if row_count == 0 {
            continue;
        }
        if let Some(previous) = previous
            && !all_less(&previous, &sliced(columns, 0, 1))?
        {
            return Ok(false);
        }
        let all_but_last = sliced(columns, 0, row_count - 1);
        if !all_less(&all_but_last, &sliced(columns, 1, row_count - 1))? {
            return Ok(false);
        }
        previous = Some(sliced(columns, row_count - 1, 1));
    }
    Ok(true)
}

fn sliced(columns: &[ArrayRef], offset: usize, length: usize) -> Vec<ArrayRef> {
    columns.iter().map(|column| column.slice(offset, length)).collect()
}

/// Whether each left key is less than the right key at the same position. The first column
/// compares first.
fn all_less(left: &[ArrayRef], right: &[ArrayRef]) -> Result<bool> {
    let mut less: Option<BooleanArray> = None;
    for (left, right) in left.iter().zip(right).rev() {
        let here = lt(left, right)?;
        less = Some(match less {
            Some(less) => or(&here, &and(&eq(left, right)?, &less)?)?,
            None => here,
        });
    }
    Ok(less.is_none_or(|less| !less.has_false()))
}

/// A converter from keys of these types into comparable rows.
pub(super) fn row_converter<'a>(
    types: impl IntoIterator<Item = &'a DataType>,
) -> Result<RowConverter> {
    let fields = types.into_iter().map(|data_type| SortField::new(data_type.clone()));
    Ok(RowConverter::new(fields.collect())?)
}

/// Checks that no key is NULL or in two rows.
///
/// # Errors
/// `Internal` if one is.
pub(super) fn check_unique<'a>(
    batches: impl IntoIterator<Item = &'a RecordBatch>,
    keys: &[String],
) -> Result<()> {
    let mut key_columns = Vec::new();
    for batch in batches {
        let mut columns = Vec::with_capacity(keys.len());
        for name in keys {
            let column = batch.column_by_name(name).filter(|column| column.null_count() == 0);
            columns.push(Arc::clone(column.ok_or_else(|| {
                Error::new(ErrorKind::Internal, "a net change lacks a value of its key")
                    .with("column", name)
            })?));
        }
        key_columns.push(columns);
    }
    let Some(first) = key_columns.first().filter(|columns| !columns.is_empty()) else {
        return Ok(());
    };
    if strictly_ascending(key_columns.iter().map(Vec::as_slice))? {
        return Ok(());
    }
    let converter = row_converter(first.iter().map(Array::data_type))?;
    let mut rows_of_batches = Vec::with_capacity(key_columns.len());
    for columns in &key_columns {
        rows_of_batches.push(converter.convert_columns(columns)?);
    }
    let mut seen = HashSet::new();
    if rows_of_batches.iter().flatten().all(|row| seen.insert(row)) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Internal, "two net changes have the same key"))
}
