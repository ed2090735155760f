//! Up to where a table is replayed.

use std::convert::Infallible;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use deltalake::kernel::Version;

/// Up to where what is staged is applied again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Until {
    /// All of it.
    Everything,
    /// Everything in order of application up to this object, and of that only so many rows if so
    /// many are given.
    Object {
        /// Its path below the table's folder, or the end of its whole path.
        name: String,
        /// Its first rows that are applied; none for all.
        rows: Option<u64>,
    },
    /// What this version of the table and those before it have taken in.
    Version(Version),
    /// The same for the newest version that was there at that time.
    Time(DateTime<Utc>),
}

impl FromStr for Until {
    type Err = Infallible;

    /// A number is a version, a time as RFC 3339 has it is a time, and all else an object.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        if let Ok(version) = text.parse() {
            return Ok(Self::Version(version));
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::Time(time.to_utc()));
        }
        Ok(Self::Object { name: text.to_owned(), rows: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_times_and_objects_are_told_apart() {
        let read = |text: &str| Until::from_str(text).expect("anything is a bound");
        assert_eq!(read("12"), Until::Version(12));
        let time = DateTime::from_timestamp(1_772_359_200, 0).expect("a time");
        assert_eq!(read("2026-03-01T10:00:00Z"), Until::Time(time));
        for name in ["LOAD00000001.csv", "20260301-100000000.parquet", "2026/03/01/x.csv"] {
            assert_eq!(read(name), Until::Object { name: name.to_owned(), rows: None });
        }
    }
}
