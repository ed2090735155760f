//! Converts Parquet columns into the lake's types: each value exactly, or a fault for its row. Text
//! columns arrive here as bytes, so that one value of invalid UTF-8 is one bad row.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Decimal128Array, Float64Array, Int64Array,
    StringArray,
};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{CastOptions, and, cast, cast_with_options, is_not_null};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int32Type, Int64Type};

use crate::decode::values::appender::Appender;
use crate::decode::values::cast_decimal::{MOST_DIGITS, decimals};
use crate::decode::values::cast_time::{days, instants, times_of_day};
use crate::decode::values::faults::{Faults, flag, flag_lost};
use crate::decode::values::reading::{Domain, Reading, is_year};
use crate::decode::values::text::{self, Fault};
use crate::error::Result;
use crate::schema::ColumnType;

/// Values that cannot be cast become NULL, and are found by comparing with the input.
const SAFE: CastOptions<'static> =
    CastOptions { safe: true, format_options: arrow::util::display::FormatOptions::new() };

/// Whether values of an Arrow type can be read as the domain at all.
pub(in crate::decode) fn is_readable(domain: Domain, physical: &DataType) -> bool {
    use DataType as T;
    let is_integer = physical.is_integer();
    match domain {
        // Text may hold any type if DMS was not certain of it.
        _ if *physical == T::Utf8 => true,
        Domain::Integer { .. } | Domain::Year => {
            is_integer || *physical == T::Boolean || is_whole_decimal(physical)
        }
        Domain::UnsignedLong => is_integer || is_whole_decimal(physical),
        Domain::Decimal { .. } => is_integer || is_decimal(physical),
        Domain::Double => {
            let is_exact = is_integer && !matches!(physical, T::Int64 | T::UInt64);
            is_exact || matches!(physical, T::Float16 | T::Float32 | T::Float64)
        }
        Domain::Bit { .. } | Domain::Boolean => {
            is_integer || *physical == T::Boolean || is_binary(physical)
        }
        Domain::Date | Domain::Timestamp => {
            matches!(physical, T::Date32 | T::Timestamp(_, _))
        }
        Domain::Time { .. } => is_binary(physical) || is_time(physical),
        Domain::Text { .. } => {
            is_binary(physical)
                || is_time(physical)
                || matches!(physical, T::Decimal256(precision, _) if *precision <= MOST_DIGITS)
        }
        Domain::Bytes { .. } => is_binary(physical),
    }
}

fn is_decimal(physical: &DataType) -> bool {
    match physical {
        DataType::Decimal128(_, _) => true,
        DataType::Decimal256(precision, _) => *precision <= MOST_DIGITS,
        _ => false,
    }
}

fn is_whole_decimal(physical: &DataType) -> bool {
    let is_whole = matches!(physical, DataType::Decimal128(_, 0) | DataType::Decimal256(_, 0));
    is_whole && is_decimal(physical)
}

fn is_time(physical: &DataType) -> bool {
    matches!(physical, DataType::Time32(_) | DataType::Time64(_))
}

fn is_binary(physical: &DataType) -> bool {
    matches!(physical, DataType::Binary | DataType::FixedSizeBinary(_))
}

/// Reads a column. `physical` is its annotated type, which [`is_readable`] accepted; annotated
/// text arrives as `Binary`. The values at faulty positions are unspecified.
pub(in crate::decode) fn read(
    input: &ArrayRef,
    physical: &DataType,
    reading: &Reading,
    faults: &mut Faults,
) -> Result<ArrayRef> {
    let input = &annotated(input, physical, faults)?;
    let target = reading.target.arrow();
    let bytes = || -> Result<BinaryArray> {
        Ok(cast(input, &DataType::Binary)?.as_binary::<i32>().clone())
    };
    let is_text = *physical == DataType::Utf8;
    let read: ArrayRef = match reading.domain {
        Domain::Text { padded: false } if is_text || is_binary(physical) => {
            let bytes = bytes()?;
            match StringArray::try_from_binary(bytes.clone()) {
                Ok(text) => Arc::new(text),
                Err(_) => spelled(&bytes, reading, faults),
            }
        }
        Domain::Bytes { hex: false } if is_binary(physical) => Arc::new(bytes()?),
        Domain::Bit { width, hex: false } if is_binary(physical) => {
            let value = |bytes| text::big_endian(bytes, width);
            let bits = each(bytes()?.iter(), value, faults);
            cast(&(Arc::new(Int64Array::from(bits)) as ArrayRef), &target)?
        }
        _ if is_text || is_binary(physical) => spelled(&bytes()?, reading, faults),
        Domain::Integer { .. } | Domain::Year | Domain::Bit { .. } => {
            let whole = whole(input, faults)?;
            flag(whole.iter(), |value| is_in(reading.domain, value), faults);
            // Only faulty values can be too large for the target, and their rows are taken out.
            cast_with_options(&whole, &target, &SAFE)?
        }
        Domain::UnsignedLong => {
            let decimals = rescaled(input, 20, 0, faults)?;
            let is_in = |value| (0..=i128::from(u64::MAX)).contains(&value);
            flag(decimals.iter(), is_in, faults);
            cast_with_options(&decimals, &target, &SAFE)?
        }
        Domain::Decimal { precision, scale } => {
            let decimals = rescaled(input, precision, scale, faults)?;
            cast_with_options(&decimals, &target, &SAFE)?
        }
        Domain::Double => {
            let doubles: Float64Array =
                cast(input, &DataType::Float64)?.as_primitive::<Float64Type>().clone();
            flag(doubles.iter(), f64::is_finite, faults);
            Arc::new(doubles)
        }
        Domain::Boolean if *physical == DataType::Boolean => Arc::clone(input),
        Domain::Boolean => {
            let whole = whole(input, faults)?;
            flag(whole.iter(), |value| value == 0 || value == 1, faults);
            let is_one = |value: Option<i64>| value.map(|value| value == 1);
            Arc::new(whole.iter().map(is_one).collect::<BooleanArray>())
        }
        Domain::Date => {
            let days = days(input, faults)?;
            if reading.target == ColumnType::Timestamp { instants(&days, faults)? } else { days }
        }
        Domain::Timestamp => instants(input, faults)?,
        Domain::Text { .. } if is_decimal(physical) => cast(input, &DataType::Utf8)?,
        Domain::Time { .. } | Domain::Text { .. } | Domain::Bytes { .. } => times_of_day(input)?,
    };
    Ok(read)
}

/// Checks the physical values against their annotation.
fn annotated(input: &ArrayRef, physical: &DataType, faults: &mut Faults) -> Result<ArrayRef> {
    let (least, most) = match physical {
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            return decimals(input, *precision, *scale, faults);
        }
        DataType::Int8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => (i16::MIN.into(), i16::MAX.into()),
        DataType::UInt8 => (0, u8::MAX.into()),
        DataType::UInt16 => (0, u16::MAX.into()),
        _ => return Ok(Arc::clone(input)),
    };
    let is_allowed = |value: i32| least <= value && value <= most;
    flag(input.as_primitive::<Int32Type>().iter(), is_allowed, faults);
    Ok(Arc::clone(input))
}

/// Reads values from text, as in CSV.
fn spelled(bytes: &BinaryArray, reading: &Reading, faults: &mut Faults) -> ArrayRef {
    let mut appender = Appender::new(reading, bytes.len());
    for (position, value) in bytes.iter().enumerate() {
        match value.map(|text| appender.append(text)) {
            Some(Ok(_)) => {}
            None => appender.append_null(),
            Some(Err(fault)) => {
                appender.append_null();
                faults.push((position, fault));
            }
        }
    }
    appender.finish()
}

/// Reads every value with a function; if it fails, the result is NULL and a fault.
fn each<T, U>(
    values: impl Iterator<Item = Option<T>>,
    read: impl Fn(T) -> Result<U, Fault>,
    faults: &mut Faults,
) -> Vec<Option<U>> {
    let read_one = |(position, value): (usize, Option<T>)| match read(value?) {
        Ok(value) => Some(value),
        Err(fault) => {
            faults.push((position, fault));
            None
        }
    };
    values.enumerate().map(read_one).collect()
}

fn whole(input: &ArrayRef, faults: &mut Faults) -> Result<Int64Array> {
    let whole = cast_with_options(input, &DataType::Int64, &SAFE)?;
    flag_lost(input, &whole, faults);
    Ok(whole.as_primitive::<Int64Type>().clone())
}

fn is_in(domain: Domain, value: i64) -> bool {
    match domain {
        Domain::Integer { min, max } => min <= value && value <= max,
        Domain::Year => is_year(value),
        Domain::Bit { width, .. } => value >= 0 && value >> width == 0,
        _ => false,
    }
}

/// Converts integers and decimals exactly into decimals of a precision and scale.
fn rescaled(
    input: &ArrayRef,
    precision: u8,
    scale: u8,
    faults: &mut Faults,
) -> Result<Decimal128Array> {
    let target = ColumnType::Decimal { precision, scale }.arrow();
    let rescaled = cast_with_options(input, &target, &SAFE)?;
    flag_lost(input, &rescaled, faults);
    if let DataType::Decimal128(_, old) | DataType::Decimal256(_, old) = input.data_type()
        && i16::from(*old) > i16::from(scale)
    {
        // Casting rounds: a value that does not come back unchanged was rounded.
        let back = cast_with_options(&rescaled, input.data_type(), &SAFE)?;
        let rounded = and(&distinct(&back, input)?, &is_not_null(&rescaled)?)?;
        faults.extend(rounded.values().set_indices().map(|position| (position, Fault::Fraction)));
    }
    Ok(rescaled.as_primitive::<Decimal128Type>().clone())
}
