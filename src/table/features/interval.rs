//! Durations as properties of a table spell them.

use std::time::Duration;

/// A duration in any spelling that Spark takes for a retention: `interval 30 days`, `30 days`,
/// `INTERVAL 1 WEEK 3 DAYS`. The library reads the first one alone, takes its default in place of
/// the second without a word, and of the third the week.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let text = text.to_ascii_lowercase();
    let mut words = text.split_whitespace().peekable();
    words.next_if_eq(&"interval");
    words.peek()?;
    let mut sum = Duration::ZERO;
    while let Some(number) = words.next() {
        let number: u32 = number.trim_matches('\'').parse().ok()?;
        sum = sum.checked_add(unit(words.next()?)?.checked_mul(number)?)?;
    }
    Some(sum)
}

/// A duration as every reader takes it, in the largest unit that it is a whole number of.
pub(super) fn spelled(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [("day", 86_400), ("hour", 3_600), ("minute", 60)];
    let fits = units.into_iter().find(|(_, unit)| seconds > 0 && seconds.is_multiple_of(*unit));
    let (name, unit) = fits.unwrap_or(("second", 1));
    let count = seconds / unit;
    format!("interval {count} {name}{}", if count == 1 { "" } else { "s" })
}

fn unit(name: &str) -> Option<Duration> {
    Some(match name.strip_suffix('s').unwrap_or(name) {
        "microsecond" => Duration::from_micros(1),
        "millisecond" => Duration::from_millis(1),
        "second" => Duration::from_secs(1),
        "minute" => Duration::from_mins(1),
        "hour" => Duration::from_hours(1),
        "day" => Duration::from_hours(24),
        "week" => Duration::from_hours(7 * 24),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_is_spelled_as_it_is_read() {
        let (day, hour) = (Duration::from_hours(24), Duration::from_hours(1));
        for (one, text) in [
            (7 * day, "interval 7 days"),
            (day, "interval 1 day"),
            (day + hour, "interval 25 hours"),
            (hour + Duration::from_mins(30), "interval 90 minutes"),
            (Duration::from_secs(61), "interval 61 seconds"),
            (Duration::ZERO, "interval 0 seconds"),
        ] {
            assert_eq!(spelled(one), text);
            assert_eq!(duration(text), Some(one), "{text}");
        }
    }

    #[test]
    fn retentions_are_read_in_every_spelling_of_spark() {
        let days = |days: u64| Some(Duration::from_hours(24 * days));
        for (text, read) in [
            ("interval 30 days", days(30)),
            ("30 days", days(30)),
            ("INTERVAL 1 WEEK 3 DAYS", days(10)),
            ("interval '2' day", days(2)),
            ("interval 168 hours", days(7)),
            ("interval 0 seconds", days(0)),
        ] {
            assert_eq!(duration(text), read, "{text}");
        }
        for text in ["interval 1 month", "a week", "interval", "", "30", "interval -1 days"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
