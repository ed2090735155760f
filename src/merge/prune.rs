//! Finds the data files, and the rows in them, that may contain a key.

use arrow::array::{Array, ArrayRef, BooleanArray, new_null_array};
use arrow::compute::{concat, nullif};
use arrow::datatypes::{DataType, Field};
use buoyant_kernel::expressions::{Scalar, StructData};
use deltalake::kernel::LogicalFileView;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, RowSelection, RowSelector};
use parquet::errors::ParquetError;

use crate::error::{Error, ErrorKind, Result};
use crate::files::{Selected, has_bounds, in_memory};
use crate::merge::bounds::{Bounds, SortedKeys};
use crate::merge::keys::KeySet;

/// The files that may contain a key, by partition values and the log's statistics.
pub(super) fn files(
    views: Vec<LogicalFileView>,
    keys: &KeySet,
    sorted: &SortedKeys,
) -> Result<Vec<LogicalFileView>> {
    let told = told(&views);
    let bounds = keys.schema().fields().iter().map(|key| log_bounds(&told, key));
    let may_hold = sorted.may_stand(views.len(), &bounds.collect::<Result<Vec<_>>>()?)?;
    Ok(views.into_iter().zip(may_hold).filter_map(|(view, may)| may.then_some(view)).collect())
}

/// The log's statistics and partition values of these files.
pub(super) fn told(views: &[LogicalFileView]) -> Vec<Told> {
    views.iter().map(Told::of).collect()
}

/// The log's statistics and partition values of a file, as structs with a member for each column.
pub(super) struct Told {
    partition: Option<StructData>,
    least: Option<StructData>,
    greatest: Option<StructData>,
}

impl Told {
    fn of(view: &LogicalFileView) -> Self {
        let members = |scalar| match scalar {
            Some(Scalar::Struct(members)) => Some(members),
            _ => None,
        };
        Self {
            partition: view.partition_values(),
            least: members(view.min_values()),
            greatest: members(view.max_values()),
        }
    }

    /// The lower and the upper bound of a column.
    fn bounds(&self, name: &str) -> (Option<Scalar>, Option<Scalar>) {
        let of = |members: &Option<StructData>| member(members.as_ref()?, name);
        match of(&self.partition) {
            Some(value) => (Some(value.clone()), Some(value)),
            None => (of(&self.least), of(&self.greatest)),
        }
    }
}

/// The bounds of a column in these files.
pub(super) fn log_bounds(told: &[Told], key: &Field) -> Result<Option<Bounds>> {
    Ok(told_bounds(told, key)?.of_log())
}

/// The bounds exactly as they are in the log, without widening for lost precision.
pub(super) fn told_bounds(told: &[Told], key: &Field) -> Result<Bounds> {
    let mut low = Vec::with_capacity(told.len());
    let mut high = Vec::with_capacity(told.len());
    for file in told {
        let (least, greatest) = file.bounds(key.name());
        low.push(bound(least, key.data_type())?);
        high.push(bound(greatest, key.data_type())?);
    }
    let whole = |parts: &[ArrayRef]| whole(parts, key.data_type());
    Ok(Bounds { low: whole(&low)?, high: whole(&high)? })
}

/// A member by name.
fn member(values: &StructData, name: &str) -> Option<Scalar> {
    let at = values.fields().iter().position(|field| field.name() == name)?;
    values.values().get(at).cloned()
}

/// A bound as an array with one value; NULL if it is unknown or has another type.
fn bound(scalar: Option<Scalar>, data_type: &DataType) -> Result<ArrayRef> {
    let array = match scalar {
        Some(scalar) if !scalar.is_null() => scalar.to_array(1).map_err(|error| {
            Error::new(ErrorKind::TableCorrupt, "a statistic in the log has an unknown type")
                .because(error)
        })?,
        _ => return Ok(new_null_array(data_type, 1)),
    };
    let is_same = array.data_type() == data_type;
    Ok(if is_same { array } else { new_null_array(data_type, 1) })
}

fn whole(parts: &[ArrayRef], data_type: &DataType) -> Result<ArrayRef> {
    if parts.is_empty() {
        return Ok(new_null_array(data_type, 0));
    }
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    Ok(concat(&parts)?)
}

/// The rows of a file that may contain a key, by the statistics of row groups and pages.
pub(super) fn rows(
    footer: &ArrowReaderMetadata,
    keys: &KeySet,
    sorted: &SortedKeys,
) -> Result<Selected> {
    let file = footer.metadata();
    let may_hold = sorted.may_stand(file.num_row_groups(), &row_groups(footer, keys)?)?;
    Selected::of(file, |row_group, rows| {
        if may_hold[row_group] {
            page_rows(footer, row_group, in_memory(rows.end - rows.start), keys, sorted)
        } else {
            Ok(RowSelection::default())
        }
    })
}

/// The bounds of each key column in the row groups of a file.
pub(super) fn row_groups(
    footer: &ArrowReaderMetadata,
    keys: &KeySet,
) -> Result<Vec<Option<Bounds>>> {
    keys.schema().fields().iter().map(|key| row_group_bounds(footer, key.name())).collect()
}

fn row_group_bounds(footer: &ArrowReaderMetadata, name: &str) -> Result<Option<Bounds>> {
    let Some(converter) = converter(footer, name)? else { return Ok(None) };
    let Some(column) = converter.parquet_column_index() else { return Ok(None) };
    let groups = footer.metadata().row_groups();
    let low = converter.row_group_mins(groups).map_err(statistics)?;
    let high = converter.row_group_maxes(groups).map_err(statistics)?;
    let unknown = groups.iter().map(|group| Some(!has_bounds(group, column)));
    let unknown: BooleanArray = unknown.collect();
    Ok(comparable(nullif(&low, &unknown)?, nullif(&high, &unknown)?))
}

/// The rows of a row group whose pages may contain a key.
fn page_rows(
    footer: &ArrowReaderMetadata,
    row_group: usize,
    row_count: usize,
    keys: &KeySet,
    sorted: &SortedKeys,
) -> Result<RowSelection> {
    let mut rows = RowSelection::from(vec![RowSelector::select(row_count)]);
    for (at, key) in keys.schema().fields().iter().enumerate() {
        let Some((bounds, begins)) = page_bounds(footer, row_group, key.name())? else { continue };
        let mut of_columns: Vec<Option<Bounds>> = keys.columns().iter().map(|_| None).collect();
        of_columns[at] = Some(bounds);
        let may_hold = sorted.may_stand(begins.len(), &of_columns)?;
        let ends = begins.iter().skip(1).copied().chain([row_count]);
        let pages = begins.iter().copied().zip(ends).zip(may_hold);
        let kept = pages.filter_map(|((begin, end), may)| may.then_some(begin..end));
        rows = rows.intersection(&RowSelection::from_consecutive_ranges(kept, row_count));
    }
    Ok(rows)
}

/// Bounds of a column's pages in a row group, and the first row of each page.
fn page_bounds(
    footer: &ArrowReaderMetadata,
    row_group: usize,
    name: &str,
) -> Result<Option<(Bounds, Vec<usize>)>> {
    let file = footer.metadata();
    let (Some(columns), Some(offsets)) = (file.column_index(), file.offset_index()) else {
        return Ok(None);
    };
    let Some(converter) = converter(footer, name)? else { return Ok(None) };
    let Some(column) = converter.parquet_column_index() else { return Ok(None) };
    let begins = offsets[row_group][column].page_locations().iter();
    let begins = begins.map(|page| usize::try_from(page.first_row_index).unwrap_or_default());
    let begins: Vec<usize> = begins.collect();
    let low = converter.data_page_mins(columns, offsets, [&row_group]).map_err(statistics)?;
    let high = converter.data_page_maxes(columns, offsets, [&row_group]).map_err(statistics)?;
    if low.len() != begins.len() || high.len() != begins.len() {
        return Ok(None);
    }
    Ok(comparable(low, high).map(|bounds| (bounds, begins)))
}

fn converter<'a>(
    footer: &'a ArrowReaderMetadata,
    name: &str,
) -> Result<Option<StatisticsConverter<'a>>> {
    let schema = footer.schema();
    if schema.index_of(name).is_err() {
        return Ok(None);
    }
    let found = StatisticsConverter::try_new(name, schema, footer.parquet_schema());
    Ok(Some(found.map_err(statistics)?))
}

/// Statistics of floating-point columns exclude NaN.
fn comparable(low: ArrayRef, high: ArrayRef) -> Option<Bounds> {
    (!low.data_type().is_floating()).then_some(Bounds { low, high })
}

fn statistics(error: ParquetError) -> Error {
    Error::new(ErrorKind::TableCorrupt, "the statistics of a data file cannot be read")
        .because(error)
}
