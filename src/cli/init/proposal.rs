//! What is to be written about one table.

use crate::config::TableName;

/// A `[[table]]` to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    /// Its source.
    pub(super) name: TableName,
    /// What was found of it, in a sentence.
    pub(super) about: String,
    /// Its keys.
    pub(super) keys: Keys,
    /// Its columns.
    pub(super) columns: Vec<Column>,
    /// Columns of the object that are DMS's own, with what they are.
    pub(super) control: Vec<String>,
    /// A column that looks like DMS's timestamp column, where the endpoint's settings are unknown.
    pub(super) timestamp: Option<String>,
    /// What a person should look at.
    pub(super) remarks: Vec<String>,
}

/// How sure the keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// The source's primary key.
    Known(Vec<String>),
    /// A guess by name.
    Guess(String),
    /// Nothing is known.
    Unknown,
    /// The source has no primary key.
    None,
}

/// A column to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// Its name, or a placeholder.
    pub(super) name: String,
    /// Its MySQL type; none is a placeholder.
    pub(super) mysql_type: Option<String>,
    /// What to say about it.
    pub(super) remark: Option<String>,
    /// Whether it is read and not stored: the change sequence or a before image.
    pub(super) is_set_apart: bool,
}

impl Proposal {
    /// A table of which nothing more is known.
    pub(super) fn blank(name: TableName, about: String) -> Self {
        Self {
            name,
            about,
            keys: Keys::Unknown,
            columns: Vec::new(),
            control: Vec::new(),
            timestamp: None,
            remarks: Vec::new(),
        }
    }

    /// What must be filled in before the configuration is valid.
    pub(super) fn gaps(&self) -> Vec<&'static str> {
        let mut gaps = Vec::new();
        if self.columns.iter().any(|column| column.mysql_type.is_none()) {
            gaps.push("columns: names and MySQL types, in the order of the CSV fields");
        }
        match self.keys {
            Keys::Known(_) => {}
            Keys::Guess(_) => {
                gaps.push("keys: the one written is a guess, uncomment or correct it");
            }
            Keys::Unknown => gaps.push("keys: the columns that identify a row"),
            Keys::None => {
                gaps.push("keys: the source has no primary key; name columns that identify a row");
            }
        }
        gaps
    }
}
