//! Compares the bounds of files, row groups and pages with the sorted keys.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, TimestampMicrosecondArray};
use arrow::compute::kernels::cast::cast;
use arrow::datatypes::{DataType, Decimal128Type, TimeUnit, TimestampMicrosecondType};
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};

use crate::error::Result;
use crate::merge::keys::KeySet;

/// Lower and upper bounds of one column in several places (data files, row groups or pages); NULL
/// where they are unknown.
#[derive(Debug)]
pub(super) struct Bounds {
    pub(super) low: ArrayRef,
    pub(super) high: ArrayRef,
}

/// A set of keys, with each column sorted separately.
#[derive(Debug)]
pub(super) struct SortedKeys {
    columns: Vec<SortedColumn>,
    len: usize,
}

#[derive(Debug)]
struct SortedColumn {
    data_type: DataType,
    converter: RowConverter,
    /// The values in the order of the changes, comparable by bytes.
    values: Rows,
    /// Changes in ascending order of their values.
    order: Vec<u32>,
}

/// The bounds of one place as comparable bytes; none if they are unknown.
pub(super) type Interval = Option<(OwnedRow, OwnedRow)>;

impl SortedKeys {
    pub(super) fn of(keys: &KeySet) -> Result<Self> {
        let columns = keys.columns().iter().map(SortedColumn::of).collect::<Result<Vec<_>>>()?;
        Ok(Self { columns, len: keys.len() })
    }

    /// For each of `places` places, whether a key may be there: whether every column of some key is
    /// within the place's bounds. `bounds` contains the bounds of each key column.
    pub(super) fn may_stand(&self, places: usize, bounds: &[Option<Bounds>]) -> Result<Vec<bool>> {
        let standing = self.standing(places, bounds, 1)?;
        Ok(standing.iter().map(|keys| !keys.is_empty()).collect())
    }

    /// For each of `places` places the keys that may be there, by their changes; at most `most` of
    /// them.
    pub(super) fn standing(
        &self,
        places: usize,
        bounds: &[Option<Bounds>],
        most: usize,
    ) -> Result<Vec<Vec<u32>>> {
        let columns = self.columns.iter().zip(bounds);
        let intervals = columns.map(|(column, bounds)| column.intervals(places, bounds.as_ref()));
        let intervals = intervals.collect::<Result<Vec<Vec<Interval>>>>()?;
        Ok((0..places).map(|place| self.standing_in(place, &intervals, most)).collect())
    }

    fn standing_in(&self, place: usize, intervals: &[Vec<Interval>], most: usize) -> Vec<u32> {
        let known = self
            .columns
            .iter()
            .zip(intervals)
            .filter_map(|(column, intervals)| Some((column, intervals[place].as_ref()?)))
            .map(|(column, interval)| (column, interval, column.within(interval)));
        let known: Vec<_> = known.collect();
        // Start with the column that leaves the fewest keys, and check the others key by key.
        let Some(least) = (0..known.len()).min_by_key(|&at| known[at].2.len()) else {
            return (0..self.len.min(most)).filter_map(|key| u32::try_from(key).ok()).collect();
        };
        let (column, _, range) = &known[least];
        let within = column.order[range.clone()].iter().copied().filter(|&key| {
            known.iter().enumerate().all(|(at, (column, interval, _))| {
                at == least || contains(interval, column.values.row(key as usize).as_ref())
            })
        });
        within.take(most).collect()
    }
}

fn contains((low, high): &(OwnedRow, OwnedRow), value: &[u8]) -> bool {
    low.as_ref() <= value && value <= high.as_ref()
}

impl SortedColumn {
    fn of(column: &ArrayRef) -> Result<Self> {
        let data_type = column.data_type().clone();
        let converter = RowConverter::new(vec![SortField::new(data_type.clone())])?;
        let values = converter.convert_columns(std::slice::from_ref(column))?;
        let count = u32::try_from(column.len()).expect("a slice has fewer changes");
        let mut order: Vec<u32> = (0..count).collect();
        let value = |&key: &u32| values.row(key as usize);
        if !order.is_sorted_by_key(value) {
            order.sort_unstable_by(|a, b| value(a).cmp(&value(b)));
        }
        Ok(Self { data_type, converter, values, order })
    }

    fn intervals(&self, places: usize, bounds: Option<&Bounds>) -> Result<Vec<Interval>> {
        let Some(Bounds { low, high }) = bounds else { return Ok(vec![None; places]) };
        let (low, high) = (cast(low, &self.data_type)?, cast(high, &self.data_type)?);
        Bounds { low, high }.intervals(&self.converter)
    }

    /// The positions in `order` of the keys within an interval.
    fn within(&self, (low, high): &(OwnedRow, OwnedRow)) -> Range<usize> {
        let value = |key: &u32| self.values.row(*key as usize);
        let begin = self.order.partition_point(|key| value(key) < low.row());
        let length = self.order[begin..].partition_point(|key| value(key) <= high.row());
        begin..begin + length
    }
}

impl Bounds {
    /// The bounds of each place, comparable with others of the same type.
    pub(super) fn intervals(&self, converter: &RowConverter) -> Result<Vec<Interval>> {
        let Self { low, high } = self;
        let rows = |column: &ArrayRef| converter.convert_columns(&[Arc::clone(column)]);
        let (lows, highs) = (rows(low)?, rows(high)?);
        let is_known = |place| low.is_valid(place) && high.is_valid(place);
        let interval =
            |place| is_known(place).then(|| (lows.row(place).owned(), highs.row(place).owned()));
        Ok((0..low.len()).map(interval).collect())
    }

    /// Bounds from the log's statistics, widened by the precision they may have lost.
    /// Floating-point columns have no bounds, because their statistics exclude NaN.
    pub(super) fn of_log(self) -> Option<Self> {
        match self.low.data_type() {
            data_type if data_type.is_floating() => None,
            DataType::Decimal128(..) => Some(Self {
                low: decimals(&self.low, -1, i64::MIN),
                high: decimals(&self.high, 1, i64::MAX),
            }),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Some(Self { low: instants(&self.low, -1), high: instants(&self.high, 1) })
            }
            _ => Some(self),
        }
    }
}

/// `deltalake`'s writer converts decimals through a double, which keeps 15 digits, or through
/// 64-bit integers, where they are capped at `end`. A capped value is no bound.
fn decimals(bounds: &ArrayRef, sign: i128, end: i64) -> ArrayRef {
    const EXACT: i128 = 10i128.pow(15);
    let widen = |value: i128| {
        (value != i128::from(end)).then(|| value.saturating_add(sign * (value.abs() / EXACT)))
    };
    let widened: Decimal128Array = bounds.as_primitive::<Decimal128Type>().unary_opt(widen);
    Arc::new(widened.with_data_type(bounds.data_type().clone()))
}

/// Statistics have milliseconds, and `deltalake` rounds them up through a double, whose steps are
/// up to 32 microseconds within MySQL's range of years.
fn instants(bounds: &ArrayRef, sign: i64) -> ArrayRef {
    const SLACK: i64 = 2_000;
    let widened: TimestampMicrosecondArray = bounds
        .as_primitive::<TimestampMicrosecondType>()
        .unary(|value| value.saturating_add(sign * SLACK));
    Arc::new(widened.with_data_type(bounds.data_type().clone()))
}
