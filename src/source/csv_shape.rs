//! Which fields a CSV object without header has: with or without the operation, with or without
//! the timestamp column.

use crate::config::ColumnSpec;
use crate::dms::{Operation, Phase, S3Settings};
use crate::error::{Error, Result};
use crate::source::columns::{Fields, OP};
use crate::source::csv_scan::Row;
use crate::source::subject::Subject;
use crate::source::text;

/// What the first rows of an object show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glimpse {
    width: usize,
    is_operation: bool,
    /// Whether the first and the second field could be the timestamp column's.
    are_instants: [bool; 2],
}

impl Glimpse {
    pub(super) fn of(row: &Row<'_>) -> Self {
        let mut scratch = Vec::new();
        let is_operation = Operation::parse(row.field(0, &mut scratch).text).is_some();
        let mut is_instant = |position: usize| {
            position < row.width()
                && text::timestamp(row.field(position, &mut scratch).text).is_ok()
        };
        let are_instants = [is_instant(0), is_instant(1)];
        Self { width: row.width(), is_operation, are_instants }
    }

    /// Whether the first field is an operation.
    pub(super) fn is_operation(&self) -> bool {
        self.is_operation
    }
}

/// Finds out which fields the object has.
///
/// The count of fields must be the layout's, or that and one more for the operation, for the
/// timestamp column, or for both. Where one more could be either, the fields decide.
///
/// # Errors
/// `SchemaRefused`, naming the count seen and those allowed.
pub(super) fn fields<'a>(
    glimpses: &[Glimpse],
    layout: &'a [ColumnSpec],
    dms: &'a S3Settings,
    phase: &Phase,
    subject: &Subject,
) -> Result<Fields<'a>> {
    let timestamp = dms.timestamp_column_name.as_deref();
    let described = match layout.first() {
        Some(first) if first.name == OP => &layout[1..],
        _ => layout,
    };
    let columns: Vec<&str> = described
        .iter()
        .map(|column| column.name.as_str())
        .filter(|name| Some(*name) != timestamp)
        .collect();
    if columns.is_empty() {
        return Err(subject.refused(
            "the columns of a CSV object without header are not known: name them all in `columns`",
        ));
    }
    let fitting = glimpses
        .iter()
        .find_map(|glimpse| shape(glimpse, columns.len(), timestamp.is_some(), phase, glimpses));
    let Some((has_operation, has_timestamp)) = fitting else {
        return Err(misfit(glimpses, columns.len(), timestamp.is_some(), subject));
    };
    let mut names = Vec::with_capacity(columns.len() + 2);
    names.extend(has_operation.then_some(OP));
    names.extend(timestamp.filter(|_| has_timestamp));
    names.extend(columns);
    Ok(Fields { names, physical: Vec::new(), operation: has_operation.then_some(0) })
}

/// (has operation, has timestamp) if the row's fields are those of the layout.
fn shape(
    glimpse: &Glimpse,
    columns: usize,
    timestamp: bool,
    phase: &Phase,
    glimpses: &[Glimpse],
) -> Option<(bool, bool)> {
    let added = glimpse.width.checked_sub(columns)?;
    // One bad operation in a CDC object is a bad row; in a full load, where it may be missing,
    // none among the first rows means that the field is something else.
    let starts_with_operation = glimpse.is_operation
        || matches!(phase, Phase::Cdc { .. })
        || glimpses.iter().any(Glimpse::is_operation);
    match added {
        0 => Some((false, false)),
        1 if glimpse.is_operation => Some((true, false)),
        1 if timestamp && glimpse.are_instants[0] => Some((false, true)),
        1 if starts_with_operation => Some((true, false)),
        2 if timestamp && glimpse.are_instants[1] && starts_with_operation => Some((true, true)),
        _ => None,
    }
}

fn misfit(glimpses: &[Glimpse], columns: usize, timestamp: bool, subject: &Subject) -> Error {
    let with = if timestamp { "`Op`, the timestamp column, or both" } else { "`Op`" };
    let most = columns + 1 + usize::from(timestamp);
    let seen = glimpses.first().map_or(0, |glimpse| glimpse.width);
    let message = if (columns..=most).contains(&seen) {
        format!(
            "the {seen} fields of the first row are neither the {columns} configured columns nor those with {with}"
        )
    } else {
        format!(
            "the first row has {seen} fields; allowed are the {columns} configured columns, alone or with {with}"
        )
    };
    subject.refused(message)
}
