//! Determines which folders `<schema>/<table>` of staging are tables.

use crate::config::{LAKE_FOLDERS, TableName};
use crate::dms::{Classified, classify, is_hidden, is_kept_by_dms};

/// What the names of the two folders say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableFolder {
    /// A table.
    Table,
    /// A table if DMS writes objects into it. Its name or its schema's begins like that of a hidden
    /// folder (`_temporary`, `.Trash`), which MySQL allows: Prisma names tables `_CategoryToPost`.
    IfStaged,
    /// Not a table: a control table of DMS, or a folder of a lake that shares its root with staging.
    Never,
}

impl TableFolder {
    /// What the folders of a table with this name are.
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

/// Whether no folder below a folder of this name is a table.
pub(crate) fn is_schema_passed_over(schema: &str) -> bool {
    is_kept_by_dms(schema) || LAKE_FOLDERS.contains(&schema)
}

/// Whether DMS writes such an object for a table, given its path below the table's folder.
pub(crate) fn is_of_a_table(relative: &str) -> bool {
    matches!(classify(relative), Classified::Changes(_) | Classified::TransactionOrdered)
}
