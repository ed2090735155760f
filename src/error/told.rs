//! An error as one process tells another of it.

use std::borrow::Cow;
use std::error::Error as StdError;

use serde::{Deserialize, Serialize};

use super::{Error, ErrorKind};

/// An error that was met elsewhere: all of it, with its causes as one text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldError {
    kind: ErrorKind,
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    context: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    remedy: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    may_pass: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    cause: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    has_whole_paths: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    is_for_memory: bool,
}

impl ToldError {
    /// What the caller does next about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether a larger part of the memory budget may avoid it.
    #[cfg(feature = "cli")]
    #[must_use]
    pub(crate) fn is_for_want_of_memory(&self) -> bool {
        self.is_for_memory
    }
}

impl From<&Error> for ToldError {
    fn from(error: &Error) -> Self {
        let context = error.context.iter();
        let told = error.to_string();
        let chain = error.chain();
        Self {
            kind: error.kind,
            message: error.message.clone(),
            context: context.map(|(name, value)| (name.to_string(), value.clone())).collect(),
            remedy: error.remedy.clone(),
            may_pass: error.may_pass.clone(),
            cause: error
                .source()
                .and_then(|_| chain.strip_prefix(&told))
                .map(|causes| causes.strip_prefix(": ").unwrap_or(causes).to_owned()),
            has_whole_paths: error.has_whole_paths,
            is_for_memory: error.is_for_memory,
        }
    }
}

impl From<ToldError> for Error {
    fn from(told: ToldError) -> Self {
        let context = told.context.into_iter();
        Self {
            kind: told.kind,
            message: told.message,
            context: context.map(|(name, value)| (Cow::Owned(name), value)).collect(),
            remedy: told.remedy,
            may_pass: told.may_pass,
            source: told.cause.map(Into::into),
            has_whole_paths: told.has_whole_paths,
            is_for_memory: told.is_for_memory,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_an_error_is_lost_on_the_way() {
        let met = Error::new(ErrorKind::MalformedObject, "a row cannot be decoded")
            .with("object", "LOAD00000001.csv")
            .with("row", 7)
            .with_remedy("fix it")
            .with_passable(vec!["LOAD00000001.csv".to_owned()])
            .because(Error::new(ErrorKind::Unavailable, "no answer").because("closed"))
            .for_want_of_memory();
        let json = serde_json::to_string(&ToldError::from(&met)).expect("written");
        let told: ToldError = serde_json::from_str(&json).expect("read");
        assert_eq!(told.kind(), ErrorKind::MalformedObject);
        let again = Error::from(told);
        assert_eq!(again.chain(), met.chain());
        assert_eq!((again.own_remedy(), again.passable()), (met.own_remedy(), met.passable()));
        assert!(again.is_for_want_of_memory());
    }
}
