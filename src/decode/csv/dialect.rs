//! Decides how a CSV object is read: where its rows end, whether it has a header, and which fields
//! it has. The configuration decides first. What it leaves open is decided by the object, if only
//! one reading of it is possible. An object that can be read in two ways is refused, and the error
//! names both.

use std::ops::ControlFlow;

use crate::decode::bounds::MOST_FIELDS;
use crate::decode::columns::{Expected, Fields, OP};
use crate::decode::csv::feed::Feed;
use crate::decode::csv::header::check_header;
use crate::decode::csv::row::{Ending, Row};
use crate::decode::csv::scan::{Scanner, Uncut};
use crate::decode::csv::shape::{self, Glimpse};
use crate::decode::op_column::{self, OpValues, check_there};
use crate::dms::{MySqlType, Phase, S3Settings};
use crate::error::{Error, Result};
use crate::schema::ColumnType;
use crate::staging::object_context::ObjectContext;

/// How many rows decide which fields an object has.
const GLIMPSES: usize = 32;

/// How rows end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowEnds {
    /// At the configured delimiter.
    Configured,
    /// At a newline, and every row seen has a carriage return before it, which may be the end of
    /// its last value.
    ReturnInValue,
    /// At a newline after a carriage return, which in at least one row belongs to no value.
    ReturnBehindQuote,
}

impl RowEnds {
    /// How the rows in the scanner end, or only the first of them.
    pub(super) fn of(scanner: &mut Scanner, dms: &S3Settings, only_first: bool) -> Self {
        let mut found = Self::Configured;
        if dms.csv_row_delimiter != "\n" {
            return found;
        }
        let look = |row: &Row<'_>| {
            match row.ending() {
                _ if !row.delimited => {}
                Ending::Plain => {
                    found = Self::Configured;
                    return ControlFlow::Break(());
                }
                Ending::Return if found == Self::Configured => found = Self::ReturnInValue,
                Ending::Return => {}
                Ending::QuotedReturn => found = Self::ReturnBehindQuote,
            }
            if only_first { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        // A quote that never ends is reported when its row is read.
        let _ = scanner.peek(look);
        found
    }
}

/// Decides how an object is read and reads up to its first row of values; `None` if it has no rows.
/// The scanner then cuts the rest accordingly.
///
/// # Errors
/// `SchemaRefused` if it cannot be read as configured, or in more than one way;
/// `MalformedObject` if a quote never ends.
pub(super) async fn settle(
    feed: &mut Feed,
    scanner: &mut Scanner,
    expected: &Expected<'_>,
    phase: &Phase,
    context: &ObjectContext,
) -> Result<Option<Fields>> {
    let has_header = expected.dms.add_column_name;
    wait_for_row(feed, scanner, u64::from(!has_header), context).await?;
    let ends = RowEnds::of(scanner, expected.dms, has_header);
    if ends != RowEnds::Configured {
        // Both delimiters cut at the same places; this one keeps the return out of the last value.
        scanner.delimit_rows_by("\r\n");
    }
    let header = if has_header { take_header(scanner, context)? } else { None };
    if let Some(header) = &header {
        // Checked even if nothing follows it: it may be the only row of the object.
        check_header(header, expected, context)?;
    }
    wait_for_row(feed, scanner, 1, context).await?;
    let first = First::of(scanner, expected.dms);
    if first.glimpses.is_empty() {
        return Ok(None);
    }
    let fields = match header {
        Some(header) => named_fields(&header, first.operations, expected, phase, context)?,
        None => shape::fields(&first.row, &first.glimpses, expected, phase, context)?,
    };
    check_there(fields.operation.is_some(), phase, expected.dms, context)?;
    settle_row_ends(ends, &fields, scanner, expected, context)?;
    Ok(Some(fields))
}

/// Decides whether carriage returns belong to values or to row delimiters.
fn settle_row_ends(
    ends: RowEnds,
    fields: &Fields,
    scanner: &mut Scanner,
    expected: &Expected<'_>,
    context: &ObjectContext,
) -> Result<()> {
    let last = fields.names.last().map_or("", String::as_str);
    let is_stated = expected.dms.csv_row_delimiter_stated;
    let may_be_value = ends == RowEnds::ReturnInValue
        && !expected.dms.add_column_name
        && may_hold_return(last, expected);
    match (ends, may_be_value, is_stated) {
        (RowEnds::Configured, _, _) | (_, false, false) => Ok(()),
        (_, true, true) => {
            scanner.delimit_rows_by("\n");
            Ok(())
        }
        (_, true, false) => Err(context
            .refused(
                "every row ends in a carriage return before the newline: either both delimit rows, \
                 or the carriage return belongs to the values of the last column",
            )
            .with("column", last)
            .with_remedy(
                "set csv_row_delimiter in [dms] as the endpoint has it: \"\\r\\n\" if both \
                 delimit rows, \"\\n\" if the carriage return belongs to the values",
            )),
        (_, false, true) => Err(context
            .refused(
                "every row ends in a carriage return before the newline: the last column cannot \
                 hold it, and csv_row_delimiter = \"\\n\" does not include it",
            )
            .with("column", last)
            .with_remedy("set csv_row_delimiter = \"\\r\\n\" in [dms]")),
    }
}

/// Whether a value of a column can end in a carriage return.
fn may_hold_return(name: &str, expected: &Expected<'_>) -> bool {
    let dms = expected.dms;
    let is_control = [&dms.timestamp_column_name, &dms.change_seq_column]
        .into_iter()
        .flatten()
        .any(|control| control == name);
    if is_control || name == OP && expected.spec(OP).is_none() {
        return false;
    }
    let described = dms.before_image_prefix.as_deref().and_then(|prefix| name.strip_prefix(prefix));
    match (expected.spec(name), described.and_then(|name| expected.spec(name))) {
        (Some(spec), _) | (None, Some(spec)) => spec.mysql_type == MySqlType::Text,
        (None, None) => {
            expected.lake_type(name).is_none_or(|lake_type| lake_type == ColumnType::String)
        }
    }
}

/// The fields of an object with a header.
fn named_fields(
    header: &[Vec<u8>],
    operations: OpValues,
    expected: &Expected<'_>,
    phase: &Phase,
    context: &ObjectContext,
) -> Result<Fields> {
    let name = |name: &Vec<u8>| String::from_utf8(name.clone());
    let names: Result<Vec<String>, _> = header.iter().map(name).collect();
    let names = names.map_err(|_| {
        context.refused("the header is not valid UTF-8").with_remedy(
            "if the endpoint writes no header, set add_column_name = false in [dms]; otherwise \
             stage the object again as DMS wrote it",
        )
    })?;
    let operation = op_column::find(&names, Some(operations), expected, phase, context)?;
    Ok(Fields { names, physical: Vec::new(), operation, outgrown: Vec::new() })
}

/// What the first rows show.
struct First {
    /// The fields of the first row.
    row: Vec<Vec<u8>>,
    glimpses: Vec<Glimpse>,
    /// Which operations the first fields would be.
    operations: OpValues,
}

impl First {
    fn of(scanner: &mut Scanner, dms: &S3Settings) -> Self {
        let (mut row, mut glimpses) = (Vec::new(), Vec::new());
        let mut operations = OpValues::default();
        let null = dms.csv_null_value.as_bytes();
        let look = |found: &Row<'_>| {
            if glimpses.is_empty() {
                row = texts(found);
            }
            glimpses.push(Glimpse::of(found));
            let mut scratch = Vec::new();
            let text = found.field(0, &mut scratch).text;
            operations.add(Some(text).filter(|text| !text.is_empty() && *text != null));
            if glimpses.len() < GLIMPSES {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        let _ = scanner.peek(look);
        Self { row, glimpses, operations }
    }
}

/// The header's fields; `None` if there is no row at all.
fn take_header(scanner: &mut Scanner, context: &ObjectContext) -> Result<Option<Vec<Vec<u8>>>> {
    let row = scanner.next_row().map_err(|uncut| not_cut(uncut, 0, context))?;
    Ok(row.map(|row| texts(&row)))
}

/// Feeds the scanner until it has a complete row or has ended.
async fn wait_for_row(
    feed: &mut Feed,
    scanner: &mut Scanner,
    row: u64,
    context: &ObjectContext,
) -> Result<()> {
    loop {
        let mut has_row = false;
        let peeked = scanner.peek(|_| {
            has_row = true;
            ControlFlow::Break(())
        });
        peeked.map_err(|uncut| not_cut(uncut, row, context))?;
        if has_row || scanner.has_ended() {
            return Ok(());
        }
        feed.fill(scanner).await?;
    }
}

fn texts(row: &Row<'_>) -> Vec<Vec<u8>> {
    let mut scratch = Vec::new();
    (0..row.width()).map(|position| row.field(position, &mut scratch).text.to_vec()).collect()
}

/// The error for text that cannot be cut into rows.
pub(super) fn not_cut(uncut: Uncut, row: u64, context: &ObjectContext) -> Error {
    let error = match uncut {
        Uncut::EndlessQuote => context.malformed("a quoted value never ends").with_remedy(
            "stage the object again if it is cut off, or set rfc_4180 in [dms] as the endpoint has \
             it",
        ),
        Uncut::TooManyFields(fields) => context
            .refused(format!("a row has {fields} fields; at most {MOST_FIELDS} are read"))
            .with_remedy(
                "set csv_delimiter and csv_row_delimiter in [dms] as the endpoint has them, or \
                 stage the object again if it is damaged",
            ),
    };
    error.with("row", row)
}
