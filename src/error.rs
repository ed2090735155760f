//! The one error type of the crate.
//!
//! A kind exists only where its caller acts differently; [`crate::disposition`] says how. Expected
//! outcomes (nothing to do, already applied, lost the race) are values and never appear here.

mod library;
mod store;
mod told;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use serde::{Deserialize, Serialize};

use store::Refusal;
pub(crate) use store::{NoCredentials, is_missing};
pub use told::ToldError;

/// Result of every fallible operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn StdError + Send + Sync + 'static>;

/// What the caller does next about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ErrorKind {
    /// The store or the network did not answer; the same call may pass later.
    Unavailable,
    /// Another commit won: refresh the table and plan again.
    Conflict,
    /// Too little time or memory is left to continue.
    Deadline,
    /// Bytes or rows of an object do not fit what the table expects.
    MalformedObject,
    /// An object's columns or types cannot be read into the table.
    SchemaRefused,
    /// An unapplied object appeared below the table's progress.
    LateObject,
    /// A full-load object appeared or changed after its load generation was closed.
    Reload,
    /// DMS is loading the table again, and the new load is not complete.
    Reloading,
    /// An object that was seen vanished from staging before it was applied.
    VanishedObject,
    /// An operator has paused the table.
    Paused,
    /// What is pending is left to a job, which is at work or about to be.
    HandedOver,
    /// The job to which what is pending was left has failed too often.
    JobFailed,
    /// The table's log or its ledger contradicts itself or is incomplete.
    TableCorrupt,
    /// The table is intact but cannot be continued: the configuration, another writer or the
    /// objects left in staging contradict what it was built from.
    TableRefused,
    /// The store cannot be used as configured: the bucket does not exist or is in another region,
    /// access is denied, credentials are missing or nothing answers at the address. Retrying does
    /// not help.
    StoreRefused,
    /// A setting is missing or invalid.
    Config,
    /// A bug in this program.
    Internal,
}

impl ErrorKind {
    /// The kind's name in logs, metrics and the Lambda function's error type.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "Unavailable",
            Self::Conflict => "Conflict",
            Self::Deadline => "Deadline",
            Self::MalformedObject => "MalformedObject",
            Self::SchemaRefused => "SchemaRefused",
            Self::LateObject => "LateObject",
            Self::Reload => "Reload",
            Self::Reloading => "Reloading",
            Self::VanishedObject => "VanishedObject",
            Self::Paused => "Paused",
            Self::HandedOver => "HandedOver",
            Self::JobFailed => "JobFailed",
            Self::TableCorrupt => "TableCorrupt",
            Self::TableRefused => "TableRefused",
            Self::StoreRefused => "StoreRefused",
            Self::Config => "Config",
            Self::Internal => "Internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure: its kind, a message, the context it happened in, and a remedy if this case has its
/// own.
///
/// Messages and context name tables, objects, columns and row numbers, never row values. The
/// display form is `message (name: value, …)`. It does not include the cause, which
/// [`StdError::source`] returns. The debug form is the kind and the [chain](Self::chain), because
/// others log it (the Lambda runtime does) and the debug form of a cause may contain the whole text
/// that could not be read.
pub struct Error {
    kind: ErrorKind,
    message: String,
    context: Vec<(Cow<'static, str>, String)>,
    remedy: Option<String>,
    may_pass: Vec<String>,
    source: Option<Source>,
    has_whole_paths: bool,
    is_for_memory: bool,
}

impl Error {
    /// An error without cause or context.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            context: Vec::new(),
            remedy: None,
            may_pass: Vec::new(),
            source: None,
            has_whole_paths: false,
            is_for_memory: false,
        }
    }

    /// Adds one piece of context, such as `("object", key)`.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.context.push((Cow::Borrowed(name), value.to_string()));
        self
    }

    /// Sets the remedy for this case. It replaces the one of the kind's disposition.
    #[must_use]
    pub fn with_remedy(mut self, sentence: impl Into<String>) -> Self {
        self.remedy = Some(sentence.into());
        self
    }

    /// Sets the staged objects, by their paths below the table's folder, that an operator may let
    /// pass in spite of this error.
    #[must_use]
    pub fn with_passable(mut self, objects: Vec<String>) -> Self {
        self.may_pass = objects;
        self
    }

    /// Marks an error that a larger part of the memory budget may avoid.
    #[must_use]
    pub(crate) fn for_want_of_memory(mut self) -> Self {
        self.is_for_memory = true;
        self
    }

    /// Whether a larger part of the memory budget may avoid this error.
    pub(crate) fn is_for_want_of_memory(&self) -> bool {
        self.is_for_memory
    }

    /// Sets the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// A copy without the cause, which cannot be cloned.
    fn told_again(&self) -> Self {
        let Self {
            kind,
            message,
            context,
            remedy,
            may_pass,
            source: _,
            has_whole_paths,
            is_for_memory,
        } = self;
        Self {
            kind: *kind,
            message: message.clone(),
            context: context.clone(),
            remedy: remedy.clone(),
            may_pass: may_pass.clone(),
            source: None,
            has_whole_paths: *has_whole_paths,
            is_for_memory: *is_for_memory,
        }
    }

    /// Replaces each context value for which `whole_path` returns another one. Only the first call
    /// on an error has an effect, so paths that are already complete are not extended again.
    pub(crate) fn with_whole_paths(
        mut self,
        whole_path: impl Fn(&str, &str) -> Option<String>,
    ) -> Self {
        if !self.has_whole_paths {
            for (name, value) in &mut self.context {
                if let Some(whole) = whole_path(name, value) {
                    *value = whole;
                }
            }
            self.has_whole_paths = true;
        }
        self
    }

    /// The kind, which decides what the caller does next.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message without context.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The remedy of this case, if it has its own. [`crate::disposition::remedy_of`] falls back to
    /// the remedy of the kind.
    #[must_use]
    pub fn own_remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    /// The staged objects that an operator may let pass; none for most errors.
    #[must_use]
    pub fn passable(&self) -> &[String] {
        &self.may_pass
    }

    /// The message, its context and every cause, for a log line.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for (position, (name, value)) in self.context.iter().enumerate() {
            let opening = if position == 0 { " (" } else { ", " };
            write!(f, "{opening}{name}: {value}")?;
        }
        if self.context.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.chain())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// The store's refusal among the causes of an error, if there is one. The store's own text is
/// dropped: it is long and may contain what should not be logged.
pub(crate) fn refusal(error: &(dyn StdError + 'static)) -> Option<Error> {
    Refusal::of(error).map(refused)
}

/// As [`refusal`], for the first request to a store: no answer in time is a refusal too.
pub(crate) fn refusal_of_first_request(error: &(dyn StdError + 'static)) -> Option<Error> {
    Refusal::of_first_request(error).map(refused)
}

/// The refusal of an AWS service that answered with this code.
pub(crate) fn refusal_of_code(code: &str) -> Option<Error> {
    Refusal::of_code(code).map(refused)
}

/// The refusal when nothing answers at the address, or when there are no credentials.
pub(crate) fn refusal_without_answer(has_credentials: bool) -> Error {
    refused(Refusal::without_answer(has_credentials))
}

fn refused(refusal: Refusal) -> Error {
    let Refusal { sentence, remedy, address, answer } = refusal;
    let circumstances = [("address", address), ("answer", answer)];
    let error = Error::new(ErrorKind::StoreRefused, sentence).with_remedy(remedy);
    circumstances.into_iter().fold(error, |error, (name, value)| match value {
        Some(value) => error.with(name, value),
        None => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debug_form_tells_no_more_than_the_chain() {
        let unread =
            toml::from_str::<toml::Table>("secret = 1\nsecret = 2").expect_err("a key twice");
        let error = Error::new(ErrorKind::Config, "not TOML").with("line", 2).because(unread);
        let shown = format!("{error:?}");
        assert_eq!(shown, format!("Config: {}", error.chain()));
        assert!(!shown.contains("secret = 1"), "{shown}");
    }
}
