//! The result of a verification.

use serde::Serialize;

/// What a table was compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Against {
    /// The rows of the MySQL source.
    MySql,
    /// A replay of what is staged.
    Staging,
}

/// What a verification found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All that was compared is equal.
    Equal,
    /// Something differs, whatever is pending.
    Different,
    /// It is not known: why is said beside it.
    Undecided,
}

/// How a row of the lake differs from the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Only the source has it.
    Missing,
    /// Only the lake has it.
    Extra,
    /// Its values differ.
    OtherValues,
    /// The lake has it several times.
    Repeated,
}

/// How many keys differ, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Differing {
    /// Only the source has them.
    pub missing: u64,
    /// Only the lake has them.
    pub extra: u64,
    /// Other values.
    pub other_values: u64,
    /// In the lake several times.
    pub repeated: u64,
}

impl Differing {
    /// One more of that kind.
    pub(super) fn add(&mut self, kind: Kind) {
        *match kind {
            Kind::Missing => &mut self.missing,
            Kind::Extra => &mut self.extra,
            Kind::OtherValues => &mut self.other_values,
            Kind::Repeated => &mut self.repeated,
        } += 1;
    }

    /// All of them.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.missing + self.extra + self.other_values + self.repeated
    }
}

/// A key that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DifferingKey {
    /// The key columns' values as text, in key order.
    pub key: Vec<String>,
    /// How it differs.
    pub difference: Kind,
    /// The columns with other values, as the lake names them; empty where a row is missing or extra.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
}

/// A column that was not compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotCompared {
    /// Its name: the lake's, or the source's if the lake has none such.
    pub column: String,
    /// Why, as a part of a sentence.
    pub because: String,
}

/// What a verification found out about one table.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// The name and the version of this schema: `verify/1`.
    pub schema: &'static str,
    /// `schema.table`
    pub table: String,
    /// The version whose rows were compared.
    pub version: u64,
    /// The newest version by which differences were checked again; that version if none was.
    pub checked_until: u64,
    /// What it was compared with.
    pub source: Against,
    /// What was found.
    pub verdict: Verdict,
    /// Live rows in the lake.
    pub lake_rows: u64,
    /// Rows at the source, or of the replay; none if it did not come to its end.
    pub source_rows: Option<u64>,
    /// Parts by which rows were counted and their checksums compared: ranges of keys, or groups of
    /// keys where lake and source order keys differently.
    pub parts: u64,
    /// Parts that differed at first.
    pub parts_differing: u64,
    /// Parts among them that were not narrowed to keys, since too much differs.
    pub parts_not_narrowed: u64,
    /// Keys that differed at first, and turned out to be on their way.
    pub settled: u64,
    /// Keys that differ.
    pub differing: Differing,
    /// Keys of which it is not known whether they differ.
    pub undecided: u64,
    /// Why something is not known, a sentence each.
    pub undecided_because: Vec<String>,
    /// The first keys that differ, in key order.
    pub keys: Vec<DifferingKey>,
    /// Columns that were compared, as the lake names them.
    pub compared: Vec<String>,
    /// Columns that were not.
    pub not_compared: Vec<NotCompared>,
    /// What else is to be known, a sentence each.
    pub notes: Vec<String>,
    /// How long all of it took.
    pub seconds: f64,
    /// Rows per second that were read from the source, or replayed from staging.
    pub source_rows_per_second: Option<f64>,
    /// Rows per second that were read from the lake.
    pub lake_rows_per_second: Option<f64>,
}

impl Verification {
    /// Whether the table equals its source in all that was compared.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.verdict == Verdict::Equal
    }

    /// The same with the verdict that follows from its numbers.
    pub(super) fn judged(mut self) -> Self {
        self.verdict = if self.differing.keys() > 0 {
            Verdict::Different
        } else if self.undecided > 0
            || self.parts_not_narrowed > 0
            || !self.undecided_because.is_empty()
        {
            Verdict::Undecided
        } else {
            Verdict::Equal
        };
        self
    }
}

/// Rows per second; none if nothing was measured.
#[expect(clippy::cast_precision_loss, reason = "a speed need not be exact")]
pub(super) fn speed(rows: u64, seconds: f64) -> Option<f64> {
    (seconds > 0.0).then(|| (rows as f64 / seconds).round())
}
