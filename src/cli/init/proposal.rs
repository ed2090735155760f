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
    /// Whether the objects tell these columns and their types by themselves, so that nothing need
    /// be written of one but what is to be looked at.
    pub(super) is_told_by_objects: bool,
    /// Columns of the object that are DMS's own, with what they are.
    pub(super) control: Vec<String>,
    /// A column that looks like DMS's timestamp column, where the endpoint's settings are unknown.
    pub(super) timestamp: Option<String>,
    /// Whether its CSV objects begin with the names of their columns.
    pub(super) header: Header,
    /// What a person should look at.
    pub(super) remarks: Vec<String>,
}

/// Whether CSV objects begin with the names of their columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// No, as far as can be seen.
    None,
    /// Yes, as the endpoint's settings say.
    Configured,
    /// Yes, as the first record shows, though no setting says so.
    Found,
}

/// How sure the keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// The source's primary key.
    Known(Vec<String>),
    /// A guess, and what it is made from.
    Guess(Vec<String>, &'static str),
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
            is_told_by_objects: false,
            control: Vec::new(),
            timestamp: None,
            header: Header::None,
            remarks: Vec::new(),
        }
    }

    /// What must be filled in before the configuration is valid.
    pub(super) fn gaps(&self) -> Vec<&'static str> {
        let mut gaps = Vec::new();
        if self.columns.iter().any(|column| column.mysql_type.is_none()) {
            gaps.push(match self.header {
                Header::None => "columns: names and MySQL types, in the order of the CSV fields",
                Header::Configured | Header::Found => "columns: MySQL types",
            });
        }
        match self.keys {
            Keys::Known(_) => {}
            Keys::Guess(..) => {
                gaps.push("keys: those written are a guess, uncomment or correct them");
            }
            Keys::Unknown => gaps.push("keys: the columns that identify a row"),
            Keys::None => {
                gaps.push("keys: the source has no primary key; name columns that identify a row");
            }
        }
        gaps
    }
}
