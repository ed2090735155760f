//! Which folders `<schema>/<table>` of staging are tables.

use crate::config::{LAKE_FOLDERS, TableName};
use crate::dms::{Classified, classify, is_hidden, is_kept_by_dms};

/// What the names of two folders say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableFolder {
    /// A table.
    Table,
    /// A table if DMS writes objects into it. Its name or its schema's begins as those of hidden
    /// folders do (`_temporary`, `.Trash`), and as MySQL allows it for tables: Prisma calls some
    /// `_CategoryToPost`.
    IfStaged,
    /// No table: a control table of DMS, or a folder of the lake where it shares one with staging.
    Never,
}

impl TableFolder {
    /// What the folders of such a table would be.
    pub(crate) fn of(name: &TableName) -> Self {
        let TableName { schema, table } = name;
        if is_schema_passed_over(schema) || is_kept_by_dms(table) {
            Self::Never
        } else if is_hidden(schema) || is_hidden(table) {
            Self::IfStaged
        } else {
            Self::Table
        }
    }
}

/// Whether no folder below one of that name is a table.
pub(crate) fn is_schema_passed_over(schema: &str) -> bool {
    is_kept_by_dms(schema) || LAKE_FOLDERS.contains(&schema)
}

/// Whether an object is one that DMS writes for a table; its name is that below the table's folder.
pub(crate) fn is_of_a_table(relative: &str) -> bool {
    matches!(classify(relative), Classified::Changes(_) | Classified::TransactionOrdered)
}
