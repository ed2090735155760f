//! One rule: what it is about and what it does, as far as bytes and names of objects show it.

use super::data_type::DataType;
use super::pattern::Locator;

/// The expression of the one header that orders all changes of a task.
const CHANGE_SEQUENCE: &str = "$AR_H_CHANGE_SEQ";

/// A rule of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `rule-id`, by which a person finds it.
    pub id: String,
    /// What it is about, by names at the source.
    pub locator: Locator,
    /// What it does.
    pub action: Action,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `include` and `explicit`: the task takes tables.
    Include {
        /// Whether rows are left out by `filters`.
        is_filtered: bool,
    },
    /// `exclude`: the task does not take tables that another rule includes.
    Exclude,
    /// `add-column`
    AddColumn(AddedColumn),
    /// `add-before-image-columns`
    AddBeforeImages(BeforeImages),
    /// `rename`, `convert-lowercase`, `add-prefix` and their like.
    Rename {
        /// Of what.
        level: Level,
        /// To what.
        renaming: Renaming,
    },
    /// `remove-column`
    RemoveColumn,
    /// `change-data-type`
    ChangeType(DataType),
    /// How a table is read: shows neither in columns nor in names of folders.
    Load,
    /// Anything else, in DMS's words. What it changes is for a person to find out.
    Other(String),
}

/// A column that a rule adds to a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedColumn {
    /// `value`: its name.
    pub name: String,
    /// What stands in it; empty if the rule does not say.
    pub expression: String,
    /// Its type, if the rule gives one.
    pub data_type: Option<DataType>,
}

impl AddedColumn {
    /// Whether the change sequence stands in it.
    #[must_use]
    pub fn is_change_sequence(&self) -> bool {
        self.expression.trim() == CHANGE_SEQUENCE
    }
}

/// Before images that a rule adds to a table, a column for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeforeImages {
    /// `column-prefix`; default `BI_`.
    pub prefix: String,
    /// `column-suffix`; default empty.
    pub suffix: String,
    /// `column-filter`: those of the primary key alone. Else all but large objects, of which
    /// there are none, so that `non-lob` and `all` are the same.
    pub keys_only: bool,
}

/// What may get another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Schemas, so the folders of their tables' folders.
    Schema,
    /// Tables, so their folders.
    Table,
    /// Columns.
    Column,
}

/// How a name changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renaming {
    /// It is replaced.
    To(String),
    /// What it begins with is replaced, if it does.
    Prefix {
        /// The old beginning.
        old: String,
        /// The new one.
        new: String,
    },
    /// What it ends with is replaced, if it does.
    Suffix {
        /// The old end.
        old: String,
        /// The new one.
        new: String,
    },
    /// Small letters.
    Lowercase,
    /// Capitals.
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
