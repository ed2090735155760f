//! Checks that the first row of a CSV object is a header if, and only if, the endpoint is configured
//! to write one.

use std::collections::HashSet;

use crate::config::ColumnSpec;
use crate::decode::columns::{Expected, OP};
use crate::decode::values::appender::Appender;
use crate::decode::values::reading::Reading;
use crate::dms::Operation;
use crate::error::Result;
use crate::staging::object_context::ObjectContext;

/// All names of a table's columns that are known, in lower case.
struct KnownNames {
    names: HashSet<String>,
    before_prefix: Option<String>,
}

impl KnownNames {
    fn of(expected: &Expected<'_>) -> Self {
        let (table, dms) = (expected.table, expected.dms);
        let layouts = &table.layouts;
        let columns = layouts.iter().flat_map(|layout| &layout.columns).chain(&table.columns);
        let keys = layouts.iter().flat_map(|layout| layout.keys.iter().flatten());
        let lake = expected.lake.map_or(&[][..], |schema| schema.columns());
        let names = columns
            .map(|column| &column.name)
            .chain(keys)
            .chain(&table.keys)
            .chain(table.rename.keys())
            .chain(dms.timestamp_column_name.iter())
            .chain(dms.change_seq_column.iter())
            .chain(lake.iter().map(|column| &column.name))
            .map(|name| name.to_lowercase())
            .chain([OP.to_lowercase()]);
        let before_prefix = dms.before_image_prefix.as_ref().map(|prefix| prefix.to_lowercase());
        Self { names: names.collect(), before_prefix }
    }

    fn has(&self, name: &str) -> bool {
        let described = || name.strip_prefix(self.before_prefix.as_deref()?);
        self.names.contains(name)
            || described().is_some_and(|described| self.names.contains(described))
    }

    /// Which fields are known names. Only the first field of each name counts.
    fn among(&self, fields: &[Vec<u8>]) -> Vec<bool> {
        let mut seen = HashSet::new();
        let mut is_name = |field: &Vec<u8>| {
            let name = String::from_utf8_lossy(field).to_lowercase();
            Operation::parse(field).is_none() && self.has(&name) && seen.insert(name)
        };
        fields.iter().map(&mut is_name).collect()
    }
}

/// Refuses a first row that cannot be the header that the endpoint is configured to write.
///
/// # Errors
/// `SchemaRefused`, without any value of the row.
pub(super) fn check_header(
    fields: &[Vec<u8>],
    expected: &Expected<'_>,
    context: &ObjectContext,
) -> Result<()> {
    let hits = KnownNames::of(expected).among(fields).into_iter().filter(|hit| *hit).count();
    // If there are keys, a header without them is refused later, by their names.
    let needed = if expected.keys.is_empty() { fields.len() / 2 + 1 } else { 1 };
    if hits >= needed {
        return Ok(());
    }
    Err(context
        .refused(format!(
            "the first row is not a header: of its {} fields, {hits} are names of known columns",
            fields.len()
        ))
        .with_remedy(
            "if the endpoint writes no header, set add_column_name = false in [dms] and list all \
             columns in `columns`, in file order; if it is a header, list its columns there",
        ))
}

/// Refuses a first row that is a header, or may be one, although the endpoint is configured to
/// write none. `columns` are the expected columns of the rows.
///
/// # Errors
/// `SchemaRefused`.
pub(super) fn check_no_header(
    fields: &[Vec<u8>],
    columns: &[&ColumnSpec],
    expected: &Expected<'_>,
    context: &ObjectContext,
) -> Result<()> {
    let are_names = KnownNames::of(expected).among(fields);
    let hits = are_names.iter().filter(|hit| **hit).count();
    if hits * 2 <= fields.len() {
        return Ok(());
    }
    let may_be_data = fields.len().checked_sub(columns.len()).is_some_and(|leading| {
        let mut values = are_names[leading..].iter().zip(&fields[leading..]).zip(columns);
        !are_names[..leading].contains(&true)
            && values.all(|((is_name, text), column)| !is_name || can_hold(column, text, expected))
    });
    if !may_be_data {
        return Err(context
            .refused("the first row is a header, but add_column_name is false")
            .with_remedy("set add_column_name = true in [dms], as the endpoint writes headers"));
    }
    if hits < fields.len() || expected.dms.add_column_name_stated {
        return Ok(());
    }
    Err(context
        .refused(
            "the first row equals the names of the columns: it is either a header or a row of the \
             table",
        )
        .with_remedy(
            "set add_column_name in [dms]: true if the endpoint writes headers, false if it is a \
             row of the table",
        ))
}

/// Whether a text can be a value of a configured column.
pub(super) fn can_hold(column: &ColumnSpec, text: &[u8], expected: &Expected<'_>) -> bool {
    let lake = expected.lake_type(&column.name);
    let padded = expected.dms.add_trailing_padding_character;
    let reading = Reading::resolve(Some(column), lake, None, padded);
    reading.is_ok_and(|reading| Appender::new(&reading, 1).append(text).is_ok())
}
