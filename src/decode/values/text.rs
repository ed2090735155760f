//! Reads values from text, as in CSV, and in Parquet columns whose type DMS was not certain of.

use crate::decode::values::reading::{Domain, is_year};

/// Why a value cannot be read. The reason names the type, never the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::decode) enum Fault {
    /// Empty text, which is not a value of the type.
    Empty,
    /// The text does not have the form of a value of the type.
    Unreadable,
    /// The form is right, but the value is outside the type's range.
    OutOfRange,
    /// More digits after the point than the type has.
    Fraction,
    /// Not UTF-8.
    Encoding,
}

impl Fault {
    /// The reason for a bad row.
    pub(in crate::decode) fn reason(self, label: &str) -> String {
        match self {
            Self::Empty => format!("empty text is not a valid {label}"),
            Self::Unreadable => format!("the value is not a valid {label}"),
            Self::OutOfRange => format!("the value is out of range for {label}"),
            Self::Fraction => format!("the value has more fraction digits than {label}"),
            Self::Encoding => "the text is not valid UTF-8".to_owned(),
        }
    }
}

pub(in crate::decode) const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The sign (true if negative) and magnitude of a whole number in decimal digits.
#[inline]
fn magnitude(text: &[u8]) -> Result<(bool, u64), Fault> {
    let (negative, digits) = sign(text);
    if digits.is_empty() {
        return Err(Fault::Unreadable);
    }
    // Up to 19 digits cannot overflow.
    if digits.len() <= 19 {
        let (mut value, mut greatest) = (0_u64, 0);
        for digit in digits {
            let digit = digit.wrapping_sub(b'0');
            greatest = greatest.max(digit);
            value = value.wrapping_mul(10).wrapping_add(digit.into());
        }
        return if greatest <= 9 { Ok((negative, value)) } else { Err(Fault::Unreadable) };
    }
    let mut value = 0_u64;
    let mut overflow = false;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return Err(Fault::Unreadable);
        }
        match value.checked_mul(10).and_then(|tens| tens.checked_add(digit.into())) {
            Some(next) => value = next,
            None => overflow = true,
        }
    }
    if overflow { Err(Fault::OutOfRange) } else { Ok((negative, value)) }
}

#[inline]
fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// A signed whole number of 64 bits.
#[inline]
pub(in crate::decode) fn long(text: &[u8]) -> Result<i64, Fault> {
    let (negative, value) = magnitude(text)?;
    let signed =
        if negative { 0_i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() };
    signed.ok_or(Fault::OutOfRange)
}

/// An unsigned whole number of 64 bits.
pub(in crate::decode) fn unsigned_long(text: &[u8]) -> Result<u64, Fault> {
    let (negative, value) = magnitude(text)?;
    if negative && value != 0 { Err(Fault::OutOfRange) } else { Ok(value) }
}

/// A whole number of an integer domain.
#[inline]
pub(in crate::decode) fn integer(domain: Domain, text: &[u8]) -> Result<i64, Fault> {
    match domain {
        Domain::Bit { width, hex } => bits(text, width, hex),
        Domain::Year => long(text).and_then(|value| within(is_year(value), value)),
        Domain::Integer { min, max } => {
            let value = long(text)?;
            within(min <= value && value <= max, value)
        }
        _ => Err(Fault::Unreadable),
    }
}

fn within<T>(fits: bool, value: T) -> Result<T, Fault> {
    if fits { Ok(value) } else { Err(Fault::OutOfRange) }
}

/// The bits of a `bit(width)` below 64: decimal digits, or hexadecimal ones if `hex`, or if the
/// text begins with `0x` or contains a letter.
fn bits(text: &[u8], width: u8, hex: bool) -> Result<i64, Fault> {
    let marked = text.starts_with(b"0x") || text.starts_with(b"0X");
    let lettered = text.iter().any(u8::is_ascii_alphabetic);
    let value = if hex || marked || lettered {
        let mut bytes = Vec::with_capacity(8);
        hexadecimal(text, &mut bytes)?;
        return big_endian(&bytes, width);
    } else {
        unsigned_long(text)?
    };
    bits_of(value, width)
}

/// The bits of a `bit(width)` below 64 from big-endian bytes.
pub(in crate::decode) fn big_endian(bytes: &[u8], width: u8) -> Result<i64, Fault> {
    let leading = bytes.len().saturating_sub(8);
    if bytes.is_empty() {
        return Err(Fault::Empty);
    }
    if bytes[..leading].iter().any(|byte| *byte != 0) {
        return Err(Fault::OutOfRange);
    }
    let value = bytes[leading..].iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    bits_of(value, width)
}

fn bits_of(value: u64, width: u8) -> Result<i64, Fault> {
    let signed = i64::try_from(value).map_err(|_| Fault::OutOfRange)?;
    within(value >> width == 0, signed)
}

/// The unscaled value of a decimal; digits beyond `scale` must be zeros.
pub(in crate::decode) fn decimal(text: &[u8], precision: u8, scale: u8) -> Result<i128, Fault> {
    let (negative, digits) = sign(text);
    let (whole, fraction) = match memchr::memchr(b'.', digits) {
        Some(point) => (&digits[..point], &digits[point + 1..]),
        None => (digits, &digits[..0]),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(Fault::Unreadable);
    }
    if !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return Err(Fault::Unreadable);
    }
    let kept = fraction.len().min(scale.into());
    if fraction[kept..].iter().any(|digit| *digit != b'0') {
        return Err(Fault::Fraction);
    }
    let significant = whole.iter().position(|digit| *digit != b'0').unwrap_or(whole.len());
    let whole = &whole[significant..];
    // With fewer digits than this nothing below can overflow.
    if whole.len() > usize::from(precision - scale) {
        return Err(Fault::OutOfRange);
    }
    let missing = usize::from(scale) - kept;
    let value = if whole.len() + usize::from(scale) <= 18 {
        let mut small = 0_i64;
        for digit in whole.iter().chain(&fraction[..kept]) {
            small = small * 10 + i64::from(digit - b'0');
        }
        (0..missing).for_each(|_| small *= 10);
        i128::from(small)
    } else {
        let mut large = 0_i128;
        for digit in whole.iter().chain(&fraction[..kept]) {
            large = large * 10 + i128::from(digit - b'0');
        }
        (0..missing).for_each(|_| large *= 10);
        large
    };
    Ok(if negative { -value } else { value })
}

/// A finite number; an exponent is allowed, `inf` and `nan` are not.
pub(in crate::decode) fn double(text: &[u8]) -> Result<f64, Fault> {
    let (_, digits) = sign(text);
    if !matches!(digits.first(), Some(b'0'..=b'9' | b'.')) {
        return Err(Fault::Unreadable);
    }
    let text = std::str::from_utf8(text).map_err(|_| Fault::Encoding)?;
    let value: f64 = text.parse().map_err(|_| Fault::Unreadable)?;
    within(value.is_finite(), value)
}

/// `0 1 t f true false` in any letter case, or one raw byte of a `bit(1)`.
pub(in crate::decode) fn boolean(text: &[u8]) -> Result<bool, Fault> {
    match text {
        b"1" | b"t" | b"T" | [1] => Ok(true),
        b"0" | b"f" | b"F" | [0] => Ok(false),
        _ if text.eq_ignore_ascii_case(b"true") => Ok(true),
        _ if text.eq_ignore_ascii_case(b"false") => Ok(false),
        _ => Err(Fault::Unreadable),
    }
}

/// Days since 1970-01-01; `None` for a zero date. A time of midnight may follow.
pub(in crate::decode) fn date(text: &[u8]) -> Result<Option<i32>, Fault> {
    let (day, rest) = text.split_at_checked(10).ok_or(Fault::Unreadable)?;
    let found = day_number(day)?;
    if !rest.is_empty() && time_of_day(rest)? != 0 {
        return Err(Fault::OutOfRange);
    }
    Ok(found)
}

/// Microseconds since 1970-01-01 in UTC; `None` for a zero date.
pub(in crate::decode) fn timestamp(text: &[u8]) -> Result<Option<i64>, Fault> {
    let (day, rest) = text.split_at_checked(10).ok_or(Fault::Unreadable)?;
    let found = day_number(day)?;
    let micros = if rest.is_empty() { 0 } else { time_of_day(rest)? };
    Ok(found.map(|days| i64::from(days) * MICROS_PER_DAY + micros))
}

/// The microseconds of ` HH:MM:SS[.ffffff][Z|+00:00]`; a `T` may replace the space.
fn time_of_day(text: &[u8]) -> Result<i64, Fault> {
    let (clock, rest) = text.split_at_checked(9).ok_or(Fault::Unreadable)?;
    if !matches!(clock[0], b' ' | b'T') || clock[3] != b':' || clock[6] != b':' {
        return Err(Fault::Unreadable);
    }
    let (hour, minute, second) =
        (number(&clock[1..3])?, number(&clock[4..6])?, number(&clock[7..9])?);
    if hour > 23 || minute > 59 || second > 59 {
        return Err(Fault::OutOfRange);
    }
    let (fraction, zone) = match rest {
        [b'.', rest @ ..] => {
            let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
            if !(1..=6).contains(&end) {
                return Err(Fault::Unreadable);
            }
            let scaled = (end..6).fold(number(&rest[..end])?, |value, _| value * 10);
            (scaled, &rest[end..])
        }
        _ => (0, rest),
    };
    if !matches!(zone, b"" | b"Z" | b"+00:00") {
        return Err(Fault::Unreadable);
    }
    let seconds = (hour * 60 + minute) * 60 + second;
    Ok(i64::from(seconds) * 1_000_000 + i64::from(fraction))
}

/// A number of at most six digits.
fn number(digits: &[u8]) -> Result<u32, Fault> {
    digits.iter().try_fold(0, |value, digit| match digit {
        b'0'..=b'9' => Ok(value * 10 + u32::from(digit - b'0')),
        _ => Err(Fault::Unreadable),
    })
}

/// Days since 1970-01-01 of `YYYY-MM-DD`; `None` if year, month or day is zero.
fn day_number(text: &[u8]) -> Result<Option<i32>, Fault> {
    if text[4] != b'-' || text[7] != b'-' {
        return Err(Fault::Unreadable);
    }
    let (year, month, day) = (number(&text[..4])?, number(&text[5..7])?, number(&text[8..])?);
    if month == 0 || day == 0 {
        return within(month <= 12 && day <= 31, None);
    }
    if month > 12 || day > days_of(year, month) {
        return Err(Fault::OutOfRange);
    }
    if year == 0 {
        return Ok(None);
    }
    // Years count from 1 March, so that a leap day is the last day of its year.
    let shifted_year = if month > 2 { year } else { year - 1 };
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let days = 365 * shifted_year + shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    let since_year_zero = i32::try_from(days + day_of_year).map_err(|_| Fault::OutOfRange)?;
    Ok(Some(since_year_zero - 719_468))
}

fn days_of(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Appends the bytes of hexadecimal text in either letter case, with an optional `0x`.
pub(in crate::decode) fn hexadecimal(text: &[u8], bytes: &mut Vec<u8>) -> Result<(), Fault> {
    let digits = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X")).unwrap_or(text);
    let (pairs, odd) = digits.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(Fault::Unreadable);
    }
    bytes.reserve(pairs.len());
    for [high, low] in pairs {
        match (nibble(*high), nibble(*low)) {
            (Some(high), Some(low)) => bytes.push(high << 4 | low),
            _ => return Err(Fault::Unreadable),
        }
    }
    Ok(())
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
