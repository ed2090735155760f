//! The checks of an object's columns against its table, and the errors that they give.

use std::collections::{HashMap, HashSet};

use crate::config::refused_column_name;
use crate::decode::columns::{Expected, Fields, Output, Role};
use crate::error::{Error, Result};
use crate::schema::TableSchema;
use crate::staging::object_context::ObjectContext;

/// The error for two fields of one name.
pub(super) fn refused_duplicate(
    [first, second]: [usize; 2],
    fields: &Fields,
    expected: &Expected<'_>,
    context: &ObjectContext,
) -> Error {
    let name = &fields.names[first];
    if fields.are_certain() || expected.spec(name).is_some() {
        let message = format!("two columns of the object are named `{name}`");
        return context.refused(message).with_remedy(
            "give one of them another name, at the source or in the rule of the task that adds \
             it, and stage the object again",
        );
    }
    let (first, second) = (first + 1, second + 1);
    context
        .refused(format!("fields {first} and {second} of the header have the same name"))
        .with_remedy(
            "if the object has no header, set add_column_name = false in [dms]; otherwise give one \
             of the columns another name, at the source or in the rule of the task that adds it, \
             and stage the object again",
        )
}

/// The error for a column whose values cannot be read as its type.
pub(super) fn refused_type(context: &ObjectContext, column: &str, message: String) -> Error {
    context.refused(message).with("column", column).with_remedy(
        "if the column's type changed at the source: give the new type in `columns`, and apply \
         again; if that does not fit the table, dmslake rebuild TABLE while everything since the \
         load is staged; if older objects cannot be read as that type, reload the table in DMS first",
    )
}

/// The error for fields without a known type.
pub(super) fn refused_untyped(
    untyped: &[usize],
    fields: &Fields,
    context: &ObjectContext,
) -> Error {
    let names: Vec<&str> = untyped.iter().map(|field| fields.names[*field].as_str()).collect();
    if fields.are_certain() {
        return context
            .refused(format!("no type is configured for {}: add it to `columns`", listed(&names)));
    }
    let positions: Vec<String> = untyped.iter().map(|field| (field + 1).to_string()).collect();
    let message = format!(
        "no type is configured for the columns that the header names in fields {}",
        positions.join(", ")
    );
    context.refused(message).with_remedy(
        "list every column of the object in `columns`, spelled as in its header; if it has no \
         header, set add_column_name = false",
    )
}

/// Checks the names of the columns in the lake: allowed, unique, and spelled in one way.
pub(super) fn check_names(
    outputs: &[Output],
    lake: Option<&TableSchema>,
    context: &ObjectContext,
) -> Result<()> {
    let mut folded: HashMap<String, &str> = HashMap::new();
    for column in lake.map_or(&[][..], TableSchema::columns) {
        folded.insert(column.name.to_lowercase(), &column.name);
    }
    let mut seen = HashSet::new();
    for output in outputs.iter().filter(|output| output.role != Role::Before) {
        let name = output.name.as_str();
        if let Some(reason) = refused_column_name(name) {
            return Err(context.refused(reason));
        }
        if !seen.insert(name) {
            return Err(context.refused(format!(
                "two columns would be named `{name}` in the lake: give one of them another name in \
                 `rename`"
            )));
        }
        let other = folded.insert(name.to_lowercase(), name);
        if let Some(other) = other.filter(|other| *other != name) {
            let source = &output.source;
            let as_one = if seen.contains(other) {
                String::new()
            } else {
                format!("if it is the same column, add rename = {{ {source:?} = {other:?} }}; ")
            };
            return Err(context
                .refused(format!("the columns `{other}` and `{name}` differ only by letter case"))
                .with_remedy(format!(
                    "{as_one}if it is another column, add rename = {{ {source:?} = \"{name}_2\" }}"
                )));
        }
    }
    Ok(())
}

/// Checks that the object has every key column.
pub(super) fn check_keys(
    fields: &Fields,
    expected: &Expected<'_>,
    context: &ObjectContext,
) -> Result<()> {
    let has = |key: &String| fields.names.iter().any(|name| expected.table.is_same(name, key));
    let missing: Vec<&str> =
        expected.keys.iter().filter(|key| !has(key)).map(String::as_str).collect();
    let Some(first) = missing.first() else { return Ok(()) };
    let from = &context.from;
    let lake_name = expected.table.lake_name(first);
    Err(context
        .refused(format!("the object lacks the key column {}", listed(&missing)))
        .with_remedy(format!(
            "if it was renamed at the source, add renamed = {{ {first:?} = \"its new name\" }}; or, \
             to keep its name in the lake, rename = {{ \"its new name\" = {lake_name:?} }} and a \
             [[table.layout]] with from = {from:?} and the new name in its `keys`; otherwise fix \
             `keys`"
        )))
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
