//! Decimals in Parquet: big-endian numbers of any length, within their precision.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, Decimal256Array, PrimitiveArray,
};
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, DecimalType, i256};

use crate::decode::values::faults::{Faults, flag};
use crate::decode::values::text::Fault;
use crate::error::Result;

/// The most digits of an Arrow decimal.
pub(in crate::decode) const MOST_DIGITS: u8 = 76;

/// Decimals of an annotated precision and scale; a value with more digits becomes NULL and a fault.
/// Values may exceed their annotation, and Arrow's casts do not check that.
pub(in crate::decode) fn decimals(
    input: &ArrayRef,
    precision: u8,
    scale: i8,
    faults: &mut Faults,
) -> Result<ArrayRef> {
    match input.data_type() {
        DataType::Decimal128(_, _) => Ok(within::<Decimal128Type>(input, precision, faults)),
        DataType::Binary => {
            let read = from_bytes(input.as_binary::<i32>(), faults);
            let decimals: ArrayRef = Arc::new(read.with_precision_and_scale(precision, scale)?);
            Ok(within::<Decimal256Type>(&decimals, precision, faults))
        }
        _ => Ok(within::<Decimal256Type>(input, precision, faults)),
    }
}

fn within<T: DecimalType + ArrowPrimitiveType>(
    input: &ArrayRef,
    precision: u8,
    faults: &mut Faults,
) -> ArrayRef {
    let decimals: &PrimitiveArray<T> = input.as_primitive::<T>();
    if decimals.validate_decimal_precision(precision).is_ok() {
        return Arc::clone(input);
    }
    let fits = |value: T::Native| T::is_valid_decimal_precision(value, precision);
    flag(decimals.iter(), fits, faults);
    let kept: PrimitiveArray<T> = decimals.unary_opt(|value| fits(value).then_some(value));
    Arc::new(kept.with_data_type(input.data_type().clone()))
}

fn from_bytes(bytes: &BinaryArray, faults: &mut Faults) -> Decimal256Array {
    let read = |(position, value): (usize, Option<&[u8]>)| match unscaled(value?) {
        Ok(value) => Some(value),
        Err(fault) => {
            faults.push((position, fault));
            None
        }
    };
    bytes.iter().enumerate().map(read).collect()
}

/// A big-endian number in two's complement.
pub(in crate::decode) fn unscaled(bytes: &[u8]) -> Result<i256, Fault> {
    const WIDTH: usize = 32;
    let first = bytes.first().ok_or(Fault::Empty)?;
    let sign = if first & 0x80 == 0 { 0 } else { 0xff };
    let (beyond, kept) = bytes.split_at(bytes.len().saturating_sub(WIDTH));
    let is_extension = beyond.iter().all(|byte| *byte == sign);
    if !is_extension || kept.first().is_none_or(|byte| (byte ^ sign) & 0x80 != 0) {
        return Err(Fault::OutOfRange);
    }
    let mut wide = [sign; WIDTH];
    wide[WIDTH - kept.len()..].copy_from_slice(kept);
    Ok(i256::from_be_bytes(wide))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_length() {
        let cases: [(&[u8], Result<i128, Fault>); 8] = [
            (&[], Err(Fault::Empty)),
            (&[5], Ok(5)),
            (&[0xff], Ok(-1)),
            (&[0, 0xff], Ok(255)),
            (&[0xff; 40], Ok(-1)),
            (&[[0; 33].as_slice(), &[1]].concat(), Ok(1)),
            (&[[1].as_slice(), &[0; 32]].concat(), Err(Fault::OutOfRange)),
            // The sign would change.
            (&[[0].as_slice(), &[0xff; 32]].concat(), Err(Fault::OutOfRange)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(unscaled(bytes), expected.map(i256::from_i128), "{bytes:?}");
        }
    }
}
