//! What an object's columns ask of its table, as the configuration has it.

use crate::config::{OnColumnAdded, OnColumnGone, SEQUENCE, TableSpec};
use crate::error::{Error, Result};
use crate::schema::evolve::{Difference, difference};
use crate::schema::{Column, ColumnChange, TableSchema};
use crate::staging::object_context::ObjectContext;

/// What an object's columns ask of its table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Changes that the table must have seen before the object is applied.
    pub(super) changes: Vec<ColumnChange>,
    /// Columns of the table that the object lacks and that stay.
    pub(super) gone: Vec<String>,
}

/// Compares an object's columns with the table's. An object without columns, since it has no rows,
/// and a table without columns ask nothing.
///
/// # Errors
/// `SchemaRefused` if the configuration holds a table whose columns come or go.
pub(super) fn asked(
    brought: &[Column],
    lake: &TableSchema,
    table: &TableSpec,
    context: &ObjectContext,
) -> Result<Asked> {
    if brought.is_empty() || lake.columns().is_empty() {
        return Ok(Asked::default());
    }
    let Difference { mut added, wider, mut gone } = difference(lake, brought);
    // Ours is text from the beginning.
    if wider.iter().any(|column| column.name == SEQUENCE) {
        return Err(refused_sequence(context));
    }
    // Whether an object has those is for the task's settings and the kind of the object.
    let is_stored = |name: &str| {
        name == SEQUENCE || table.store.iter().any(|stored| table.lake_name(stored) == name)
    };
    added.retain(|column| !is_stored(&column.name));
    gone.retain(|name| !is_stored(name));
    if table.on_column_gone == OnColumnGone::Hold
        && let Some(first) = gone.first()
    {
        return Err(refused_gone(first, &gone, &added, lake, context));
    }
    if table.on_column_added == OnColumnAdded::Hold && !added.is_empty() {
        return Err(refused_added(&added, context));
    }
    let widen =
        |Column { name, column_type, .. }| ColumnChange::Widen { column: name, to: column_type };
    let mut changes: Vec<ColumnChange> = wider.into_iter().map(widen).collect();
    if table.on_column_gone == OnColumnGone::Drop {
        changes.extend(gone.drain(..).map(|column| ColumnChange::Drop { column }));
    }
    Ok(Asked { changes, gone })
}

fn refused_sequence(context: &ObjectContext) -> Error {
    context
        .refused(format!("the table has a column `{SEQUENCE}` that does not hold change sequences"))
        .with_remedy("set guard = \"off\" for the table; then late objects hold it")
}

fn refused_gone(
    first: &str,
    gone: &[String],
    added: &[Column],
    lake: &TableSchema,
    context: &ObjectContext,
) -> Error {
    let same_type =
        |new: &&Column| lake.column(first).is_some_and(|old| old.column_type == new.column_type);
    let new_name = added.iter().find(same_type).map_or("its new name", |new| &new.name);
    context
        .refused(format!("the object no longer has the columns {}", gone.join(", ")))
        .with_remedy(format!(
            "if a column was renamed at the source, add renamed = {{ {first:?} = {new_name:?} }}; if \
             it was removed, set on_column_gone: \"keep\" keeps it and its values, \"drop\" removes \
             both"
        ))
}

fn refused_added(added: &[Column], context: &ObjectContext) -> Error {
    let names: Vec<&str> = added.iter().map(|column| column.name.as_str()).collect();
    context
        .refused(format!("the object has columns that the table lacks: {}", names.join(", ")))
        .with_remedy(
            "set on_column_added = \"add\", which adds them; or, if one of them was another column \
             before, name both in `renamed`",
        )
}
