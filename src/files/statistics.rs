//! Statistics of a data file as the Delta log holds them, from the file's own footer.
//!
//! Copied and encoded row groups are treated alike. A statistic is exact or a valid bound; if
//! neither is possible, it is omitted.

use arrow::array::temporal_conversions::date32_to_datetime;
use arrow::array::{Array as _, ArrayRef, ArrowNumericType, AsArray as _};
use arrow::compute::{max, max_string, min, min_string};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DecimalType as _, Field, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use chrono::{DateTime, Datelike};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use serde::Serialize;
use serde_json::Value;

use crate::error::Result;
use crate::files::FileLayout;
use crate::files::encode::unwritable;

/// The `stats` value of an `add` action.
pub(super) fn of_file(layout: &FileLayout, footer: &ParquetMetaData) -> Result<String> {
    let mut least = Object::default();
    let mut greatest = Object::default();
    let mut null_counts = Object::default();
    for (position, field) in layout.schema().fields().iter().enumerate() {
        if !layout.is_indexed(position) {
            continue;
        }
        let column = ColumnStatistics::read(layout, field, position, footer)?;
        if let Some(count) = column.null_count() {
            null_counts.push(field.name(), &json(&count));
        }
        let (low, high) = column.bounds(field.data_type());
        for (object, bound) in [(&mut least, low), (&mut greatest, high)] {
            if let Some(bound) = bound {
                object.push(field.name(), &bound);
            }
        }
    }
    let mut stats = Object::default();
    stats.push("numRecords", &json(&footer.file_metadata().num_rows()));
    stats.push("minValues", &least.finish());
    stats.push("maxValues", &greatest.finish());
    stats.push("nullCount", &null_counts.finish());
    Ok(stats.finish())
}

/// The rows of a file, masked ones included, by the `stats` value of its `add` action; none if they
/// do not tell.
pub(crate) fn row_count(stats: &str) -> Option<u64> {
    serde_json::from_str::<Value>(stats).ok()?.get("numRecords")?.as_u64()
}

/// Whether a row group's statistics bound the values of a column.
pub(crate) fn has_bounds(row_group: &RowGroupMetaData, column: usize) -> bool {
    let Some(statistics) = row_group.column(column).statistics() else { return false };
    let is_bounded = statistics.min_bytes_opt().is_some()
        && statistics.max_bytes_opt().is_some()
        // Old writers used another order for some types.
        && !statistics.is_min_max_deprecated();
    is_bounded || statistics.null_count_opt().map(i64::try_from) == Some(Ok(row_group.num_rows()))
}

/// The statistics of one column in all row groups.
struct ColumnStatistics {
    least: ArrayRef,
    greatest: ArrayRef,
    null_count: Option<u64>,
    /// Whether every row group's values are bounded.
    is_bounded: bool,
}

impl ColumnStatistics {
    fn read(
        layout: &FileLayout,
        field: &Field,
        position: usize,
        footer: &ParquetMetaData,
    ) -> Result<Self> {
        let converter =
            StatisticsConverter::try_new(field.name(), layout.schema(), layout.parquet())
                .map_err(unwritable)?
                .with_missing_null_counts_as_zero(false);
        let row_groups = footer.row_groups();
        let least = converter.row_group_mins(row_groups).map_err(unwritable)?;
        let greatest = converter.row_group_maxes(row_groups).map_err(unwritable)?;
        let null_counts = converter.row_group_null_counts(row_groups).map_err(unwritable)?;
        let is_known = null_counts.null_count() == 0;
        let null_count = is_known.then(|| null_counts.values().iter().sum());
        let is_bounded = row_groups.iter().enumerate().all(|(index, row_group)| {
            let rows = u64::try_from(row_group.num_rows()).unwrap_or_default();
            let is_all_null = null_counts.is_valid(index) && null_counts.value(index) == rows;
            // A value outside the type's range is read as NULL.
            let is_read = least.is_valid(index) && greatest.is_valid(index);
            has_bounds(row_group, position) && (is_read || is_all_null)
        });
        Ok(Self { least, greatest, null_count, is_bounded })
    }

    fn null_count(&self) -> Option<u64> {
        self.null_count
    }

    /// The minimum and the maximum as JSON, for types whose order Delta defines.
    fn bounds(&self, data_type: &DataType) -> (Option<String>, Option<String>) {
        if !self.is_bounded {
            return (None, None);
        }
        match data_type {
            DataType::Int8 => self.primitive::<Int8Type>(exactly, exactly),
            DataType::Int16 => self.primitive::<Int16Type>(exactly, exactly),
            DataType::Int32 => self.primitive::<Int32Type>(exactly, exactly),
            DataType::Int64 => self.primitive::<Int64Type>(exactly, exactly),
            DataType::Float64 => self.primitive::<Float64Type>(finite, finite),
            DataType::Date32 => self.primitive::<Date32Type>(day, day),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                self.primitive::<TimestampMicrosecondType>(instant_before, instant_after)
            }
            DataType::Decimal128(precision, scale) => {
                let digits =
                    |value| Some(Decimal128Type::format_decimal(value, *precision, *scale));
                self.primitive::<Decimal128Type>(digits, digits)
            }
            DataType::Utf8 => {
                let low = min_string(self.least.as_string::<i32>()).map(|text| json(&text));
                let high = max_string(self.greatest.as_string::<i32>()).map(|text| json(&text));
                (low, high)
            }
            _ => (None, None),
        }
    }

    fn primitive<T: ArrowNumericType>(
        &self,
        low: impl Fn(T::Native) -> Option<String>,
        high: impl Fn(T::Native) -> Option<String>,
    ) -> (Option<String>, Option<String>) {
        let least = min(self.least.as_primitive::<T>());
        let greatest = max(self.greatest.as_primitive::<T>());
        (least.and_then(low), greatest.and_then(high))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "one of several that are passed on")]
fn exactly(value: impl Serialize) -> Option<String> {
    Some(json(&value))
}

fn finite(value: f64) -> Option<String> {
    value.is_finite().then(|| json(&value))
}

fn day(days: i32) -> Option<String> {
    let day = date32_to_datetime(days)?;
    is_four_digit_year(&day).then(|| format!("\"{}\"", day.format("%Y-%m-%d")))
}

/// The log stores milliseconds. A minimum is rounded down.
fn instant_before(micros: i64) -> Option<String> {
    instant(micros.div_euclid(1_000))
}

/// A maximum is rounded up if the result can be written, because readers expect truncated maxima.
fn instant_after(micros: i64) -> Option<String> {
    let cut = micros.div_euclid(1_000);
    let is_whole = micros.rem_euclid(1_000) == 0;
    if is_whole { instant(cut) } else { instant(cut + 1).or_else(|| instant(cut)) }
}

fn instant(millis: i64) -> Option<String> {
    let instant = DateTime::from_timestamp_millis(millis)?;
    is_four_digit_year(&instant)
        .then(|| format!("\"{}\"", instant.format("%Y-%m-%dT%H:%M:%S%.3fZ")))
}

/// Readers do not agree on the format of other years.
fn is_four_digit_year(day: &impl Datelike) -> bool {
    (0..=9999).contains(&day.year())
}

fn json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("a number or a text")
}

/// A JSON object built from text, because a parsed JSON number would lose digits of a decimal.
struct Object {
    text: String,
}

impl Default for Object {
    fn default() -> Self {
        Self { text: String::from("{") }
    }
}

impl Object {
    fn push(&mut self, name: &str, value: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        self.text.push_str(&json(name));
        self.text.push(':');
        self.text.push_str(value);
    }

    fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }
}
