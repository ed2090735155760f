//! The proposed configuration of one table.

use crate::config::TableName;

/// A `[[table]]` to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    /// Its source.
    pub(super) name: TableName,
    /// What was found about it, in one sentence.
    pub(super) about: String,
    /// Its keys.
    pub(super) keys: Keys,
    /// Its columns.
    pub(super) columns: Vec<Column>,
    /// Whether the objects themselves give the columns and types, so that only columns with a remark
    /// are written.
    pub(super) is_told_by_objects: bool,
    /// Columns of the object that are DMS's own, each with its meaning.
    pub(super) control: Vec<String>,
    /// A column that looks like DMS's timestamp column, if the endpoint's settings are unknown.
    pub(super) timestamp: Option<String>,
    /// Whether its CSV objects have a header.
    pub(super) header: Header,
    /// What a person should check.
    pub(super) remarks: Vec<String>,
}

/// Whether CSV objects have a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// Apparently not.
    None,
    /// Yes, according to the endpoint's settings.
    Configured,
    /// Yes, judging by the first record, although no setting says so.
    Found,
}

/// How certain the keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// The source's primary key.
    Known(Vec<String>),
    /// A guess, and its basis.
    Guess(Vec<String>, &'static str),
    /// Nothing is known.
    Unknown,
    /// The source has no primary key.
    None,
}

/// A column to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// Its name, or a placeholder.
    pub(super) name: String,
    /// Its MySQL type; `None` is a placeholder.
    pub(super) mysql_type: Option<String>,
    /// A comment about it.
    pub(super) remark: Option<String>,
    /// Whether it is read but not stored: the change sequence or a before image.
    pub(super) is_set_apart: bool,
}

impl Proposal {
    /// A table about which nothing else is known.
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
                gaps.push("keys: the written ones are a guess; uncomment or correct them");
            }
            Keys::Unknown => gaps.push("keys: the columns that identify a row"),
            Keys::None => {
                gaps.push("keys: the source has no primary key; name columns that identify a row");
            }
        }
        gaps
    }
}
