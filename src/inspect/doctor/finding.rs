//! What a check found, and what a person does about it.

use serde::Serialize;

use crate::config::TableName;

/// How bad a finding is. The worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It does not work, or rows will be lost or doubled.
    Problem,
    /// It works, and will not for long, or not as one would expect.
    Warning,
    /// It could not be checked. That is not the same as fine.
    Unknown,
    /// Worth knowing.
    Note,
    /// It does not apply here, or was not asked for.
    Skipped,
    /// It was checked, and is fine.
    Ok,
}

impl Severity {
    /// All of them, the worst first.
    pub const ALL: [Self; 6] =
        [Self::Problem, Self::Warning, Self::Unknown, Self::Note, Self::Skipped, Self::Ok];

    /// As it is written in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Note => "note",
            Self::Skipped => "skipped",
            Self::Ok => "ok",
        }
    }
}

/// What is checked, in the order in which it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Whether there are credentials, and whose.
    Credentials,
    /// Whether staging can be listed.
    Staging,
    /// Whether the lake can be listed.
    Lake,
    /// Whether the lake's store refuses the second of two writers.
    ConditionalPut,
    /// Whether this machine and the store agree on the time.
    Clock,
    /// Whether what is staged is configured, and the reverse.
    Tables,
    /// Whether a table goes on.
    State,
    /// Whether the newest staged objects can be decoded.
    Decoding,
    /// Whether `[dms]` is as the objects show it.
    Settings,
    /// Whether each key is there once.
    Keys,
    /// Whether readers know what the table's protocol asks of them.
    Readers,
    /// Whether manifests and the entries in AWS Glue are those of the newest version.
    Catalog,
    /// Whether somebody is told of new objects.
    Notification,
    /// Whether those who are told listen.
    Queue,
    /// Whether objects are deleted by age before they are applied.
    Expiry,
    /// Whether a table has stopped getting objects.
    Silence,
    /// Whether a table could cost much less.
    Cost,
}

impl Check {
    /// As it is written in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Staging => "staging",
            Self::Lake => "lake",
            Self::ConditionalPut => "conditional-put",
            Self::Clock => "clock",
            Self::Tables => "tables",
            Self::State => "state",
            Self::Decoding => "decoding",
            Self::Settings => "settings",
            Self::Keys => "keys",
            Self::Readers => "readers",
            Self::Catalog => "catalog",
            Self::Notification => "notification",
            Self::Queue => "queue",
            Self::Expiry => "expiry",
            Self::Silence => "silence",
            Self::Cost => "cost",
        }
    }
}

/// What one check found of one table, or of what all tables share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name and the version of this schema: `doctor/1`.
    pub schema: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was checked.
    pub check: Check,
    /// `schema.table`; none if it is not about one table.
    pub table: Option<String>,
    /// What was found.
    pub what: String,
    /// What a person does about it.
    pub remedy: Option<String>,
    /// The command to type next.
    pub next: Option<String>,
}

impl Finding {
    /// A finding about what all tables share, without a remedy.
    pub(super) fn new(severity: Severity, check: Check, what: impl Into<String>) -> Self {
        let (table, remedy, next) = (None, None, None);
        Self { schema: "doctor/1", severity, check, table, what: what.into(), remedy, next }
    }

    /// The same about this table.
    #[must_use]
    pub(super) fn of(self, table: &TableName) -> Self {
        Self { table: Some(table.to_string()), ..self }
    }

    /// The same with what a person does about it.
    #[must_use]
    pub(super) fn with_advice(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// The same with the command to type next.
    #[must_use]
    pub(super) fn then(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }
}
