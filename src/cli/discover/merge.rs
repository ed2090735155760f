//! What becomes of the lock file: what is known already, and what is found now.

use std::collections::BTreeSet;
use std::fmt;

use crate::cli::init::FoundTable;
use crate::config::{Lock, LockedTable, TableName};

/// The lock file as it is to be, and what changes in it.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) lock: Lock,
    pub(super) changes: Vec<Change>,
}

/// A change of the lock file, or what keeps it from one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A table that was not known.
    Added(TableName, Option<Vec<String>>),
    /// Other keys than were known.
    Keys(TableName, Option<Vec<String>>, Option<Vec<String>>),
    /// Other columns than were known.
    Columns(TableName),
    /// A table that no pattern is about any more: taken away.
    Unclaimed(TableName),
    /// A table that the source does not have any more: kept.
    Gone(TableName),
    /// The same, taken away since that was asked for.
    Pruned(TableName),
}

/// Takes in what is found. A table that is known stays as it is unless the source was asked about
/// it: staged objects tell less, and they expire.
pub(super) fn merge(
    known: &Lock,
    found: &[FoundTable],
    at_source: Option<&BTreeSet<TableName>>,
    is_claimed: impl Fn(&TableName) -> bool,
    prunes: bool,
) -> Merged {
    let (mut lock, mut changes) = (known.clone(), Vec::new());
    for table in found {
        match lock.tables.get_mut(&table.name) {
            None => {
                changes.push(Change::Added(table.name.clone(), table.table.keys.clone()));
                lock.tables.insert(table.name.clone(), table.table.clone());
            }
            Some(before) => update(before, table, &mut changes),
        }
    }
    for name in known.tables.keys() {
        if !is_claimed(name) {
            lock.tables.remove(name);
            changes.push(Change::Unclaimed(name.clone()));
        } else if is_gone(name, found, at_source) {
            if prunes {
                lock.tables.remove(name);
            }
            let change = if prunes { Change::Pruned } else { Change::Gone };
            changes.push(change(name.clone()));
        }
    }
    Merged { lock, changes }
}

fn update(before: &mut LockedTable, table: &FoundTable, changes: &mut Vec<Change>) {
    let now = &table.table;
    if !table.is_declared {
        // Whatever objects show is for people only.
        if !now.shown.is_empty() && before.columns.is_empty() {
            before.shown.clone_from(&now.shown);
        }
        return;
    }
    if before.keys != now.keys {
        changes.push(Change::Keys(table.name.clone(), before.keys.clone(), now.keys.clone()));
    }
    if before.columns != now.columns {
        changes.push(Change::Columns(table.name.clone()));
    }
    before.clone_from(now);
}

/// Whether the source was asked and does not have a table, of which nothing is staged either.
fn is_gone(
    name: &TableName,
    found: &[FoundTable],
    at_source: Option<&BTreeSet<TableName>>,
) -> bool {
    let is_missing = at_source.is_some_and(|tables| !tables.contains(name));
    is_missing && found.iter().all(|table| table.name != *name)
}

impl Change {
    /// The table.
    pub(super) fn name(&self) -> &TableName {
        match self {
            Self::Added(name, _)
            | Self::Keys(name, ..)
            | Self::Columns(name)
            | Self::Unclaimed(name)
            | Self::Gone(name)
            | Self::Pruned(name) => name,
        }
    }

    /// The table, if it was not known.
    pub(super) fn added(&self) -> Option<&TableName> {
        if let Self::Added(name, _) = self { Some(name) } else { None }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Without keys of its own it is valid by those of the configuration.
            Self::Added(name, None) => write!(f, "added: {name}, keys: as configured"),
            Self::Added(name, keys) => write!(f, "added: {name}, keys: {}", spelled(keys.as_ref())),
            Self::Keys(name, before, now) => write!(
                f,
                "changed: {name}, keys: {}, before: {}; the table is held until dmslake rebuild \
                 {name}",
                spelled(now.as_ref()),
                spelled(before.as_ref())
            ),
            Self::Columns(name) => write!(f, "changed: {name}, columns"),
            Self::Unclaimed(name) => write!(f, "left out: {name}, no pattern is about it any more"),
            Self::Gone(name) => write!(
                f,
                "kept: {name}, which the source does not have any more; --prune leaves it out"
            ),
            Self::Pruned(name) => {
                write!(f, "left out: {name}, which the source does not have any more")
            }
        }
    }
}

fn spelled(keys: Option<&Vec<String>>) -> String {
    match keys {
        None => "not known".to_owned(),
        Some(keys) if keys.is_empty() => "none".to_owned(),
        Some(keys) => keys.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LockedColumn;

    fn name(table: &str) -> TableName {
        TableName { schema: "shop".into(), table: table.into() }
    }

    fn table(keys: &[&str], mysql_type: &str) -> LockedTable {
        let column = LockedColumn {
            name: "id".into(),
            mysql_type: Some(mysql_type.into()),
            nullable: false,
        };
        LockedTable {
            keys: Some(keys.iter().map(|&key| key.to_owned()).collect()),
            columns: vec![column],
            ..LockedTable::default()
        }
    }

    fn found(name: &TableName, table: LockedTable, is_declared: bool) -> FoundTable {
        FoundTable { name: name.clone(), table, is_declared, remarks: Vec::new() }
    }

    #[test]
    fn what_is_known_stays_unless_the_source_says_otherwise() {
        let (a, b, c) = (name("a"), name("b"), name("c"));
        let known = Lock {
            tables: [(a.clone(), table(&["id"], "int")), (b.clone(), table(&["id"], "int"))].into(),
        };
        let staged =
            [found(&a, LockedTable::default(), false), found(&c, table(&[], "int"), false)];
        let merged = merge(&known, &staged, None, |_| true, false);
        assert_eq!(merged.changes, [Change::Added(c, Some(Vec::new()))]);
        assert_eq!(merged.lock.tables[&a], known.tables[&a], "objects tell less");
        assert_eq!(merged.lock.tables[&b], known.tables[&b], "its objects may have expired");

        let declared = [found(&a, table(&["id", "line"], "bigint"), true)];
        let at_source = [a.clone()].into();
        let merged = merge(&known, &declared, Some(&at_source), |_| true, false);
        assert!(
            matches!(&merged.changes[..], [Change::Keys(..), Change::Columns(_), Change::Gone(gone)] if *gone == b)
        );
        assert_eq!(merged.lock.tables[&a], table(&["id", "line"], "bigint"));
        assert!(merged.lock.tables.contains_key(&b), "it is not left out unasked");
        let merged = merge(&known, &declared, Some(&at_source), |_| true, true);
        assert!(!merged.lock.tables.contains_key(&b));
    }

    #[test]
    fn a_table_that_no_pattern_is_about_is_left_out() {
        let a = name("a");
        let known = Lock { tables: [(a.clone(), table(&["id"], "int"))].into() };
        let merged = merge(&known, &[], None, |_| false, false);
        assert_eq!(merged.changes, [Change::Unclaimed(a)]);
        assert_eq!(merged.lock, Lock::default());
    }
}
