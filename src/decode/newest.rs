//! The newest commit time at the source that an object tells of.

use chrono::{DateTime, Utc};

use crate::decode::values::text::timestamp;

/// Follows the timestamp column row by row. DMS writes it as text of one length, so that times
/// compare as their texts do. It only tells how late changes are: nothing is ordered or refused
/// by it.
#[derive(Clone, Debug, Default)]
pub(super) struct NewestTime {
    text: Vec<u8>,
}

impl NewestTime {
    /// Takes in one row's time.
    pub(super) fn follow(&mut self, text: &[u8]) {
        if text > self.text.as_slice() {
            self.text.clear();
            self.text.extend_from_slice(text);
        }
    }

    /// The newest so far; none if no row has one, or it is no time.
    pub(super) fn seen(&self) -> Option<DateTime<Utc>> {
        timestamp(&self.text).ok().flatten().and_then(DateTime::from_timestamp_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_all_rows_counts_and_what_is_no_time_tells_nothing() {
        let mut newest = NewestTime::default();
        assert_eq!(newest.seen(), None);
        let times = [
            "2026-03-01 08:22:18.620001",
            "2026-03-01 08:22:18.620002",
            "",
            "2026-03-01 08:22:17.999999",
        ];
        for text in times {
            newest.follow(text.as_bytes());
        }
        let seen = newest.seen().expect("a time");
        assert_eq!(seen.to_rfc3339(), "2026-03-01T08:22:18.620002+00:00");
        newest.follow(b"soon");
        assert_eq!(newest.seen(), None);
    }
}
