//! The one spelling of a value of MySQL's `time`: `[-]HH:MM:SS[.fraction]`.
//!
//! Hours have two digits or three, the fraction has no zeros at its end, and zero has no sign. So
//! the same value is the same text, whether it came as CSV, as text in Parquet or as a number of
//! any unit there; also where the number of fraction digits at the source has changed since.

use crate::decode::values::text::Fault;

/// The most hours of a `time`.
const MOST_HOURS: u64 = 838;

/// A value as MySQL and DMS may spell it, in the one spelling.
pub(super) fn canonical(text: &str) -> Result<String, Fault> {
    let (is_negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if text.is_empty() {
        return Err(Fault::Empty);
    }
    let (clock, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let mut parts = clock.split(':');
    let mut next = |lengths: std::ops::RangeInclusive<usize>| {
        let part = parts.next().filter(|part| lengths.contains(&part.len()));
        let part = part.filter(|part| is_digits(part)).ok_or(Fault::Unreadable)?;
        part.parse::<u64>().map_err(|_| Fault::Unreadable)
    };
    let (hours, minutes, seconds) = (next(1..=3)?, next(2..=2)?, next(2..=2)?);
    let is_whole = rest.contains('.') != fraction.is_empty();
    if parts.next().is_some() || !is_digits(fraction) || !is_whole {
        return Err(Fault::Unreadable);
    }
    if hours > MOST_HOURS || minutes > 59 || seconds > 59 {
        return Err(Fault::OutOfRange);
    }
    Ok(spelled(is_negative, (hours, minutes, seconds), fraction))
}

/// So many ticks, of which a second has ten to the power of `digits`, in the one spelling.
pub(super) fn of_ticks(ticks: i64, digits: u32) -> String {
    let (magnitude, per_second) = (ticks.unsigned_abs(), 10_u64.pow(digits));
    let (seconds, fraction) = (magnitude / per_second, magnitude % per_second);
    let clock = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let width = digits as usize;
    spelled(ticks < 0, clock, &format!("{fraction:0width$}"))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn spelled(is_negative: bool, clock: (u64, u64, u64), fraction: &str) -> String {
    let (hours, minutes, seconds) = clock;
    let fraction = fraction.trim_end_matches('0');
    let is_zero = clock == (0, 0, 0) && fraction.is_empty();
    let sign = if is_negative && !is_zero { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{hours:02}:{minutes:02}:{seconds:02}{point}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_value_becomes_one() {
        for (texts, expected) in [
            (&["10:20:30", "10:20:30.000000", "010:20:30.0", "+10:20:30"][..], "10:20:30"),
            (&["-838:59:59", "-838:59:59.000"], "-838:59:59"),
            (&["00:00:00.500", "0:00:00.5", "000:00:00.500000"], "00:00:00.5"),
            (&["-00:00:00.000", "00:00:00"], "00:00:00"),
            (&["-00:00:00.000001"], "-00:00:00.000001"),
        ] {
            for text in texts {
                assert_eq!(canonical(text).as_deref(), Ok(expected), "{text}");
            }
        }
        assert_eq!(of_ticks(37_230_500, 3), "10:20:30.5");
        assert_eq!(of_ticks(37_230_500_000, 6), "10:20:30.5");
        assert_eq!(of_ticks(-1, 9), "-00:00:00.000000001");
        assert_eq!(of_ticks(37_230, 0), "10:20:30");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["10:20", "10:20:3", "1010:20:30", "10:20:30.", "a:20:30", "10:20:30:40", "-"] {
            assert_eq!(canonical(text), Err(Fault::Unreadable), "{text}");
        }
        for text in ["839:00:00", "10:60:00", "10:20:60"] {
            assert_eq!(canonical(text), Err(Fault::OutOfRange), "{text}");
        }
        assert_eq!(canonical(""), Err(Fault::Empty));
    }
}
