//! The key ranges of data files, to find files that overlap.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
#[cfg(feature = "cli")]
use arrow::compute::cast;
use arrow::compute::kernels::substring::substring_by_char;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::row::{RowConverter, SortField};
use deltalake::kernel::LogicalFileView;

use crate::error::Result;
use crate::merge::bounds::{Bounds, Interval};
use crate::merge::prune;

/// The minimum and maximum of a key column in a file, comparable by bytes with those of other
/// files; none if the statistics cannot distinguish files.
pub(crate) type KeyRange = Interval;

/// Characters of a text that are compared. Every writer keeps at least this many in its statistics.
const TEXT_LENGTH: u64 = 32;

/// The range of each key column, for each file.
///
/// # Errors
/// `TableCorrupt` if a statistic in the log cannot be read.
pub(crate) fn key_ranges(
    files: &[LogicalFileView],
    columns: &Schema,
    keys: &[String],
) -> Result<Vec<Vec<KeyRange>>> {
    let told = prune::told(files);
    let mut by_file = vec![Vec::with_capacity(keys.len()); files.len()];
    for key in keys {
        let Ok(field) = columns.field_with_name(key) else { continue };
        let bounds = prune::log_bounds(&told, field)?;
        let ranges = match bounds {
            Some(bounds) => ranges(bounds, field)?,
            None => vec![None; files.len()],
        };
        for (file, range) in by_file.iter_mut().zip(ranges) {
            file.push(range);
        }
    }
    Ok(by_file)
}

/// The least and the greatest key, as bytes that compare as keys do.
#[cfg(feature = "cli")]
pub(crate) type KeyInterval = (Vec<u8>, Vec<u8>);

/// The least and the greatest key that a file may have, for each file, as bytes that compare as the
/// whole keys do; none if the statistics do not tell.
///
/// # Errors
/// `TableCorrupt` if a statistic in the log cannot be read.
#[cfg(feature = "cli")]
pub(crate) fn key_intervals(
    files: &[LogicalFileView],
    columns: &Schema,
    keys: &[String],
) -> Result<Vec<Option<KeyInterval>>> {
    let told = prune::told(files);
    let (mut lows, mut highs, mut types) = (Vec::new(), Vec::new(), Vec::new());
    for key in keys {
        let field = columns.field_with_name(key)?;
        let Some(bounds) = prune::log_bounds(&told, field)? else {
            return Ok(vec![None; files.len()]);
        };
        types.push(SortField::new(field.data_type().clone()));
        lows.push(cast(&bounds.low, field.data_type())?);
        highs.push(cast(&bounds.high, field.data_type())?);
    }
    let converter = RowConverter::new(types)?;
    let (low, high) = (converter.convert_columns(&lows)?, converter.convert_columns(&highs)?);
    let is_known = |at: usize| lows.iter().chain(&highs).all(|column| column.is_valid(at));
    let interval = |at| (low.row(at).data().to_vec(), high.row(at).data().to_vec());
    Ok((0..files.len()).map(|at| is_known(at).then(|| interval(at))).collect())
}

fn ranges(Bounds { low, high }: Bounds, field: &Field) -> Result<Vec<KeyRange>> {
    let converter = RowConverter::new(vec![SortField::new(field.data_type().clone())])?;
    let mut ranges =
        Bounds { low: beginning(&low)?, high: beginning(&high)? }.intervals(&converter)?;
    for (file, range) in ranges.iter_mut().enumerate() {
        let is_cut = [&low, &high].into_iter().any(|bound| is_long(bound, file));
        range.take_if(|(least, greatest)| is_cut && least == greatest);
    }
    Ok(ranges)
}

fn beginning(bound: &ArrayRef) -> Result<ArrayRef, arrow::error::ArrowError> {
    match bound.data_type() {
        DataType::Utf8 => {
            let cut = substring_by_char(bound.as_string::<i32>(), 0, Some(TEXT_LENGTH))?;
            Ok(Arc::new(cut))
        }
        _ => Ok(Arc::clone(bound)),
    }
}

fn is_long(bound: &ArrayRef, file: usize) -> bool {
    bound.as_string_opt::<i32>().is_some_and(|texts| {
        texts.is_valid(file) && texts.value(file).chars().count() as u64 > TEXT_LENGTH
    })
}
