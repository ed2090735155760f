//! Days, instants and times of day in Parquet. Day arithmetic turns a zero date into a day before
//! the year 1, which is read as NULL; a day of the year 0 cannot be told from it.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, FixedSizeBinaryArray, Int64Array, StringArray,
    StringBuilder, TimestampMicrosecondArray,
};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
};
use chrono::{DateTime, TimeDelta};

use crate::decode::values::faults::{Faults, flag, flag_as, flag_lost};
use crate::decode::values::text::{Fault, MICROS_PER_DAY};
use crate::decode::values::time;
use crate::error::Result;

/// Days from 1970-01-01 to 0001-01-01.
const FIRST_DAY: i64 = -719_162;
/// Days from 1970-01-01 to 9999-12-31.
const LAST_DAY: i64 = 2_932_896;
/// Days from 1970-01-01 to a day that is before 0000-00-00 however its months and days are counted.
const ZERO_DAY: i64 = FIRST_DAY - 2 * 366;

/// The Julian day of 1970-01-01.
const JULIAN_DAY_OF_1970: i64 = 2_440_588;

/// `Date32` from days, or from instants at midnight.
pub(in crate::decode) fn days(input: &ArrayRef, faults: &mut Faults) -> Result<ArrayRef> {
    if *input.data_type() != DataType::Date32 {
        let instants = instants(input, faults)?;
        let instants = instants.as_primitive::<TimestampMicrosecondType>();
        flag(instants.iter(), |micros| micros % MICROS_PER_DAY == 0, faults);
        let day = |micros: i64| i32::try_from(micros.div_euclid(MICROS_PER_DAY)).ok();
        let days: Date32Array = instants.unary_opt(day);
        return Ok(Arc::new(days));
    }
    let days = input.as_primitive::<Date32Type>();
    let (values, changed) = checked(days.iter().map(|day| day.map(i64::from)), 1, faults);
    if !changed {
        return Ok(Arc::clone(input));
    }
    let day = |day: Option<i64>| day.and_then(|day| i32::try_from(day).ok());
    Ok(Arc::new(values.into_iter().map(day).collect::<Date32Array>()))
}

/// `Timestamp(µs, "UTC")` from instants of any unit, from the bytes of INT96, or from days.
pub(in crate::decode) fn instants(input: &ArrayRef, faults: &mut Faults) -> Result<ArrayRef> {
    let micros = match input.data_type() {
        DataType::FixedSizeBinary(_) => of_int96(input.as_fixed_size_binary(), faults),
        other => {
            if let DataType::Timestamp(TimeUnit::Nanosecond, _) = other {
                let nanos = input.as_primitive::<TimestampNanosecondType>();
                flag_as(Fault::Fraction, nanos.iter(), |nanos| nanos % 1000 == 0, faults);
            }
            let zone = match other {
                DataType::Timestamp(_, zone) => zone.clone(),
                _ => None,
            };
            let options = CastOptions { safe: true, ..CastOptions::default() };
            let unit = DataType::Timestamp(TimeUnit::Microsecond, zone);
            let micros = cast_with_options(input, &unit, &options)?;
            flag_lost(input, &micros, faults);
            micros.as_primitive::<TimestampMicrosecondType>().clone()
        }
    };
    let (values, changed) = checked(micros.iter(), MICROS_PER_DAY, faults);
    let micros = if changed { TimestampMicrosecondArray::from(values) } else { micros };
    Ok(Arc::new(micros.with_timezone("UTC")))
}

fn of_int96(instants: &FixedSizeBinaryArray, faults: &mut Faults) -> TimestampMicrosecondArray {
    let micros = |bytes: &[u8]| {
        let (day, nanos) = day_and_nanos(bytes).ok_or(Fault::Unreadable)?;
        if nanos % 1000 != 0 {
            return Err(Fault::Fraction);
        }
        let midnight = day.checked_mul(MICROS_PER_DAY).ok_or(Fault::OutOfRange)?;
        midnight.checked_add(nanos / 1000).ok_or(Fault::OutOfRange)
    };
    let read = |(position, bytes): (usize, Option<&[u8]>)| match micros(bytes?) {
        Ok(micros) => Some(micros),
        Err(fault) => {
            faults.push((position, fault));
            None
        }
    };
    instants.iter().enumerate().map(read).collect()
}

/// The days since 1970-01-01 and the nanoseconds of the day in an INT96.
fn day_and_nanos(bytes: &[u8]) -> Option<(i64, i64)> {
    let (nanos, day) = bytes.split_first_chunk::<8>()?;
    let day = i32::from_le_bytes(day.try_into().ok()?);
    Some((i64::from(day) - JULIAN_DAY_OF_1970, i64::from_le_bytes(*nanos)))
}

/// An INT96 as text with all its digits; `None` beyond the calendar.
pub(in crate::decode) fn int96_text(bytes: &[u8]) -> Option<String> {
    let (day, nanos) = day_and_nanos(bytes)?;
    let midnight = DateTime::from_timestamp(day.checked_mul(86_400)?, 0)?;
    let instant = midnight.checked_add_signed(TimeDelta::nanoseconds(nanos))?;
    Some(instant.format("%Y-%m-%d %H:%M:%S%.9f").to_string())
}

/// Checks days, or instants with `day` units per day: zero dates become `None`, other values
/// outside the years 1 to 9999 are faults. Values are returned only if one became `None`.
fn checked(
    values: impl Iterator<Item = Option<i64>> + Clone,
    day: i64,
    faults: &mut Faults,
) -> (Vec<Option<i64>>, bool) {
    let (first, end, zero) = (FIRST_DAY * day, (LAST_DAY + 1) * day, ZERO_DAY * day);
    flag(values.clone(), |value| (zero..end).contains(&value), faults);
    let is_zero = |value: &i64| (zero..first).contains(value);
    if !values.clone().flatten().any(|value| is_zero(&value)) {
        return (Vec::new(), false);
    }
    (values.map(|value| value.filter(|value| !is_zero(value))).collect(), true)
}

/// Times of day as text in the form of [`time::of_ticks`].
pub(in crate::decode) fn times_of_day(input: &ArrayRef) -> Result<ArrayRef> {
    let digits = match input.data_type() {
        DataType::Time32(TimeUnit::Second) => 0,
        DataType::Time32(_) => 3,
        DataType::Time64(TimeUnit::Nanosecond) => 9,
        _ => 6,
    };
    let width = if matches!(input.data_type(), DataType::Time32(_)) {
        DataType::Int32
    } else {
        DataType::Int64
    };
    let ticks = cast(&cast(input, &width)?, &DataType::Int64)?;
    let ticks: &Int64Array = ticks.as_primitive::<Int64Type>();
    let mut text = StringBuilder::with_capacity(ticks.len(), ticks.len() * 12);
    for tick in ticks {
        text.append_option(tick.map(|tick| time::of_ticks(tick, digits)));
    }
    let text: StringArray = text.finish();
    Ok(Arc::new(text))
}
