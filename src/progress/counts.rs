//! What became of changes, as one value: what is counted is listed once.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// Calls a macro with the names of all counts in brackets, and what is given behind.
macro_rules! with_counts {
    ($callback:ident!($($given:tt)*)) => {
        $callback! { [rows inserted updated deleted superseded ignored quarantined] $($given)* }
    };
}
pub(crate) use with_counts;

/// Logs an event at a level, with all counts among its fields.
macro_rules! event_with_counts {
    (
        [$($name:ident)*]
        $level:ident, $counts:expr, { $($before:tt)* }, { $($behind:tt)* }, $message:literal
    ) => {
        tracing::$level!($($before)* $($name = $counts.$name,)* $($behind)* $message)
    };
}
pub(crate) use event_with_counts;

/// What became of changes, each counted where it was decided.
///
/// `rows = inserted + updated + deleted + superseded + ignored + quarantined`, where each object
/// row counts once and a key change counts as two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Changes taken in.
    pub rows: u64,
    /// Rows that were not in the table before.
    pub inserted: u64,
    /// Rows that were replaced.
    pub updated: u64,
    /// Rows that were removed.
    pub deleted: u64,
    /// Changes of a key that a later change overrode: of the same slice or, in a guarded table, one
    /// that was applied before.
    pub superseded: u64,
    /// Deletes of keys that were not in the table.
    pub ignored: u64,
    /// Rows set aside.
    pub quarantined: u64,
}

impl Counts {
    /// Checks that every change has one fate.
    ///
    /// # Errors
    /// `Internal` if one has none, or two.
    pub fn check(&self) -> Result<()> {
        let fates = self.each().iter().skip(1).map(|(_, count)| count).sum::<u64>();
        if self.rows == fates {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Internal, "the counts of the changes do not add up")
            .with("rows", self.rows)
            .with("fates", fates))
    }
}

macro_rules! implement {
    ([$($name:ident)*]) => {
        impl Counts {
            /// Each count with its name, `rows` first.
            #[must_use]
            pub fn each(&self) -> [(&'static str, u64); [$(stringify!($name)),*].len()] {
                [$((stringify!($name), self.$name)),*]
            }
        }

        impl Counts {
            /// The same with a function of each count.
            #[must_use]
            pub fn map(self, of: impl Fn(u64) -> u64) -> Self {
                Self { $($name: of(self.$name)),* }
            }
        }

        impl AddAssign for Counts {
            fn add_assign(&mut self, more: Self) {
                $(self.$name += more.$name;)*
            }
        }
    };
}
with_counts!(implement!());

impl Add for Counts {
    type Output = Self;

    fn add(mut self, more: Self) -> Self {
        self += more;
        self
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), Add::add)
    }
}
