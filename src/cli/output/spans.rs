//! Times, spans and sizes as people read them.

use chrono::{DateTime, Utc};

use crate::clock::shown;

/// A span: `8 s`, `4 min`, `2 h 5 min`, `3 days`.
pub(in crate::cli) fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (2.., ..) => format!("{days} days"),
        (_, 1.., _) if minutes % 60 == 0 => format!("{hours} h"),
        (_, 1.., _) => format!("{hours} h {} min", minutes % 60),
        (_, _, 2..) => format!("{minutes} min"),
        _ => format!("{seconds} s"),
    }
}

/// What may not be known, as it is shown; a dash if it is not.
pub(in crate::cli) fn or_dash<T>(known: Option<T>, shown: impl FnOnce(T) -> String) -> String {
    known.map_or_else(|| "-".to_owned(), shown)
}

/// A span that may not be known.
pub(in crate::cli) fn span_or_dash(seconds: Option<u64>) -> String {
    or_dash(seconds, span)
}

/// A time and how long ago it was: `2026-03-01 08:22:19 UTC (4 min ago)`.
pub(in crate::cli) fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - at).num_seconds();
    match u64::try_from(seconds) {
        Ok(seconds) => format!("{} ({} ago)", shown(at), span(seconds)),
        Err(_) => format!("{} (in {})", shown(at), span(seconds.unsigned_abs())),
    }
}

/// Bytes: `512 B`, `3.4 MB`, `1.2 TB`. Powers of 1000, as stores bill them.
pub(in crate::cli) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if number < 1_000 {
        return format!("{number} B");
    }
    let mut unit = 0;
    let mut divisor = 1_000;
    while unit + 1 < UNITS.len() && number / divisor >= 1_000 {
        divisor *= 1_000;
        unit += 1;
    }
    // One digit behind the point, without rounding up to the next unit.
    format!("{}.{} {}", number / divisor, number % divisor * 10 / divisor, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_the_units_that_matter() {
        let spans = [0, 119, 120, 3_600, 7_500, 86_400, 200_000].map(span);
        assert_eq!(spans, ["0 s", "119 s", "2 min", "1 h", "2 h 5 min", "24 h", "2 days"]);
    }

    #[test]
    fn bytes_have_one_digit_behind_the_point() {
        let shown = [0, 999, 1_000, 1_999, 999_999, 1_000_000, 2_345_678_901].map(bytes);
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "1.9 kB", "999.9 kB", "1.0 MB", "2.3 GB"]);
    }
}
