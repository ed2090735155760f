//! What is found of tables: in staging, at the source, and in the rules of the task.

use std::collections::{BTreeMap, BTreeSet};

use super::proposal::{Column, Header, Keys, Proposal};
use super::propose::{self, Task};
use super::render::renames;
use super::{mysql, survey};
use crate::config::{LockedColumn, LockedTable, TableName};
use crate::dms::{S3Settings, TableMappings};
use crate::error::Result;
use crate::storage::Location;

/// Everything that is found.
#[derive(Debug)]
pub(in crate::cli) struct Found {
    /// The tables that are staged, and those that the task's rules select, by name.
    pub(in crate::cli) tables: Vec<FoundTable>,
    /// All tables of the source, as DMS names their folders, if the source was asked.
    pub(in crate::cli) at_source: Option<BTreeSet<TableName>>,
}

/// A table as it is found.
#[derive(Clone, Debug)]
pub(in crate::cli) struct FoundTable {
    pub(in crate::cli) name: TableName,
    /// What the lock file says of it.
    pub(in crate::cli) table: LockedTable,
    /// Whether the source has declared it.
    pub(in crate::cli) is_declared: bool,
    /// What a person should check.
    pub(in crate::cli) remarks: Vec<String>,
}

/// Looks at staging, and asks the source if there is a URL.
///
/// # Errors
/// `Config` for a URL that cannot be used; `Unavailable` if staging or the source does not answer.
pub(in crate::cli) async fn look(
    staging: &Location,
    mysql: Option<&str>,
    mappings: Option<&TableMappings>,
    dms: &S3Settings,
) -> Result<Found> {
    let staged = survey::survey(staging).await?;
    let source = match mysql {
        Some(url) => Some(mysql::read(url, &staged.tables, true).await?),
        None => None,
    };
    let task = Task { mappings, dms, has_endpoint: true };
    let proposals = propose::all(staging, &staged.tables, source.as_ref(), &task).await?;
    let at_source: Option<BTreeSet<TableName>> = source.map(|declarations| {
        declarations.keys().map(|name| propose::folders(name, mappings)).collect()
    });
    let is_at_source =
        |name: &TableName| at_source.as_ref().is_some_and(|tables| tables.contains(name));
    let tables = proposals.into_iter().map(|proposal| FoundTable {
        table: locked(&proposal),
        is_declared: is_at_source(&proposal.name),
        name: proposal.name,
        remarks: proposal.remarks,
    });
    Ok(Found { tables: tables.collect(), at_source })
}

/// What the lock file says of a table.
pub(super) fn locked(proposal: &Proposal) -> LockedTable {
    let keys = match &proposal.keys {
        Keys::Known(names) => Some(names.clone()),
        Keys::None => Some(Vec::new()),
        Keys::Guess(..) | Keys::Unknown => None,
    };
    let is_key = |column: &Column| keys.as_ref().is_some_and(|keys| keys.contains(&column.name));
    let column = |column: &Column| LockedColumn {
        name: column.name.clone(),
        mysql_type: column.mysql_type.clone(),
        nullable: !is_key(column),
    };
    let all: Vec<LockedColumn> = proposal.columns.iter().map(column).collect();
    let is_typed = all.iter().all(|column| column.mysql_type.is_some());
    let (columns, shown) = if is_typed && !proposal.is_told_by_objects {
        (all, Vec::new())
    } else if is_typed || proposal.header != Header::None {
        // Objects do not tell what can be NULL.
        (Vec::new(), all.into_iter().map(|it| LockedColumn { nullable: true, ..it }).collect())
    } else {
        // Nothing but a number of fields.
        (Vec::new(), Vec::new())
    };
    let rename: BTreeMap<String, String> = renames(&proposal.columns).into_iter().collect();
    LockedTable { keys, rename, columns, shown }
}
