//! One rule: what it applies to, and what it does to the bytes and names of objects.

use super::data_type::DataType;
use super::pattern::Locator;

/// The expression for the header that orders all changes of a task.
const CHANGE_SEQUENCE: &str = "$AR_H_CHANGE_SEQ";

/// A rule of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `rule-id`, for messages.
    pub id: String,
    /// What it applies to, by names at the source.
    pub locator: Locator,
    /// What it does.
    pub action: Action,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `include` and `explicit`: the task includes tables.
    Include {
        /// Whether `filters` leave out rows.
        is_filtered: bool,
    },
    /// `exclude`: the task leaves out tables that another rule includes.
    Exclude,
    /// `add-column`
    AddColumn(AddedColumn),
    /// `add-before-image-columns`
    AddBeforeImages(BeforeImages),
    /// `rename`, `convert-lowercase`, `add-prefix` and their like.
    Rename {
        /// What gets another name.
        level: Level,
        /// How the name changes.
        renaming: Renaming,
    },
    /// `remove-column`
    RemoveColumn,
    /// `change-data-type`
    ChangeType(DataType),
    /// How a table is read: affects neither columns nor names of folders.
    Load,
    /// Anything else, in DMS's words. A person must find out what it changes.
    Other(String),
}

/// A column that a rule adds to a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedColumn {
    /// `value`: its name.
    pub name: String,
    /// The expression of its values; empty if the rule does not give one.
    pub expression: String,
    /// Its type, if the rule gives one.
    pub data_type: Option<DataType>,
}

impl AddedColumn {
    /// Whether it holds the change sequence.
    #[must_use]
    pub fn is_change_sequence(&self) -> bool {
        self.expression.trim() == CHANGE_SEQUENCE
    }
}

/// Before images that a rule adds to a table, one column each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeforeImages {
    /// `column-prefix`; default `BI_`.
    pub prefix: String,
    /// `column-suffix`; default empty.
    pub suffix: String,
    /// `column-filter`: whether only the primary key gets before images. Otherwise all columns but
    /// large objects do; these never have before images, so `non-lob` and `all` are the same.
    pub keys_only: bool,
}

/// What can be renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Schemas, and so the schema folders.
    Schema,
    /// Tables, and so the table folders.
    Table,
    /// Columns.
    Column,
}

/// How a name changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renaming {
    /// The name is replaced.
    To(String),
    /// The prefix is replaced, if the name has it.
    Prefix {
        /// The old prefix.
        old: String,
        /// The new prefix.
        new: String,
    },
    /// The suffix is replaced, if the name has it.
    Suffix {
        /// The old suffix.
        old: String,
        /// The new suffix.
        new: String,
    },
    /// The name is put in lower case.
    Lowercase,
    /// The name is put in upper case.
    Uppercase,
}

impl Renaming {
    /// The new name.
    #[must_use]
    pub fn apply(&self, name: &str) -> String {
        match self {
            Self::To(new) => new.clone(),
            Self::Prefix { old, new } => match name.strip_prefix(old.as_str()) {
                Some(rest) => format!("{new}{rest}"),
                None => name.to_owned(),
            },
            Self::Suffix { old, new } => match name.strip_suffix(old.as_str()) {
                Some(rest) => format!("{rest}{new}"),
                None => name.to_owned(),
            },
            Self::Lowercase => name.to_lowercase(),
            Self::Uppercase => name.to_uppercase(),
        }
    }
}
