//! The one place that decides how a CSV object is to be read: where its rows end, whether it has
//! a header, and which fields it has. The configuration comes first. What it leaves open the
//! object may settle, if only one reading of it is possible; what could be read in two ways is
//! refused with both.

use std::ops::ControlFlow;

use crate::decode::bounds::MOST_FIELDS;
use crate::decode::columns::{Expected, Fields, OP};
use crate::decode::csv::feed::Feed;
use crate::decode::csv::header::check_header;
use crate::decode::csv::scan::{Ending, Row, Scanner, Uncut};
use crate::decode::csv::shape::{self, Glimpse};
use crate::decode::op_column::{self, OpValues, check_there};
use crate::dms::{MySqlType, Phase, S3Settings};
use crate::error::{Error, Result};
use crate::schema::ColumnType;
use crate::staging::object_context::ObjectContext;

/// The rows that decide which fields an object has.
const GLIMPSES: usize = 32;

/// Where rows end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowEnds {
    /// At the configured delimiter.
    Configured,
    /// At a newline, before which every row seen has a carriage return, at the end of its last
    /// value.
    ReturnInValue,
    /// The same, but no value can hold the carriage return of at least one row.
    ReturnBehindQuote,
}

impl RowEnds {
    /// What the rows that the scanner has, or the first of them, show.
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
        // A quote that never ends is found again when its row is read.
        let _ = scanner.peek(look);
        found
    }
}

/// Settles how an object is read, up to its first row of values; none if it has no rows. The
/// scanner cuts the rest as was decided.
///
/// # Errors
/// `SchemaRefused` if it cannot be read as configured, or in more than one way;
/// `MalformedObject` if a quote never ends.
pub(super) async fn settle(
    feed: &mut Feed,
    scanner: &mut Scanner,
    expected: &Expected<'_>,
    phase: &Phase,
    subject: &ObjectContext,
) -> Result<Option<Fields>> {
    let has_header = expected.dms.add_column_name;
    wait_for_row(feed, scanner, u64::from(!has_header), subject).await?;
    let ends = RowEnds::of(scanner, expected.dms, has_header);
    if ends != RowEnds::Configured {
        // Both readings cut at the same places; this one leaves the last values clean.
        scanner.delimit_rows_by("\r\n");
    }
    let header = if has_header { take_header(scanner, subject)? } else { None };
    if let Some(header) = &header {
        // Though nothing follows it: the only row of an object could be lost.
        check_header(header, expected, subject)?;
    }
    wait_for_row(feed, scanner, 1, subject).await?;
    let first = First::of(scanner, expected.dms);
    if first.glimpses.is_empty() {
        return Ok(None);
    }
    let fields = match header {
        Some(header) => named_fields(&header, first.operations, expected, phase, subject)?,
        None => shape::fields(&first.row, &first.glimpses, expected, phase, subject)?,
    };
    check_there(fields.operation.is_some(), phase, expected.dms, subject)?;
    settle_row_ends(ends, &fields, scanner, expected, subject)?;
    Ok(Some(fields))
}

/// Decides between carriage returns in values and in row delimiters.
fn settle_row_ends(
    ends: RowEnds,
    fields: &Fields,
    scanner: &mut Scanner,
    expected: &Expected<'_>,
    subject: &ObjectContext,
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
        (_, true, false) => Err(subject
            .refused(
                "every row ends in a carriage return before the newline: either both delimit rows, \
                 or the carriage return belongs to the values of the last column",
            )
            .with("column", last)
            .with_remedy(
                "state csv_row_delimiter in [dms] as the endpoint has it: \"\\r\\n\" if both \
                 delimit rows, \"\\n\" if the carriage return belongs to the values",
            )),
        (_, false, true) => Err(subject
            .refused(
                "every row ends in a carriage return before the newline, which the last column \
                 cannot hold and csv_row_delimiter = \"\\n\" does not say",
            )
            .with("column", last)
            .with_remedy("set csv_row_delimiter = \"\\r\\n\" in [dms]")),
    }
}

/// Whether a value of that column can end in a carriage return.
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

/// The fields of an object with header.
fn named_fields(
    header: &[Vec<u8>],
    operations: OpValues,
    expected: &Expected<'_>,
    phase: &Phase,
    subject: &ObjectContext,
) -> Result<Fields> {
    let name = |name: &Vec<u8>| String::from_utf8(name.clone());
    let names: Result<Vec<String>, _> = header.iter().map(name).collect();
    let names = names.map_err(|_| subject.refused("the header is not valid UTF-8"))?;
    let operation = op_column::find(&names, Some(operations), expected, phase, subject)?;
    Ok(Fields { names, physical: Vec::new(), operation })
}

/// What the first rows show.
struct First {
    /// The fields of the very first.
    row: Vec<Vec<u8>>,
    glimpses: Vec<Glimpse>,
    /// What the first fields are, if they are operations.
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

/// The header's fields; none if there is no row at all.
fn take_header(scanner: &mut Scanner, subject: &ObjectContext) -> Result<Option<Vec<Vec<u8>>>> {
    let row = scanner.next_row().map_err(|uncut| not_cut(uncut, 0, subject))?;
    Ok(row.map(|row| texts(&row)))
}

/// Feeds the scanner until it has a whole row, or its end.
async fn wait_for_row(
    feed: &mut Feed,
    scanner: &mut Scanner,
    row: u64,
    subject: &ObjectContext,
) -> Result<()> {
    loop {
        let mut has_row = false;
        let peeked = scanner.peek(|_| {
            has_row = true;
            ControlFlow::Break(())
        });
        peeked.map_err(|uncut| not_cut(uncut, row, subject))?;
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
pub(super) fn not_cut(uncut: Uncut, row: u64, subject: &ObjectContext) -> Error {
    let error = match uncut {
        Uncut::EndlessQuote => subject.malformed("a quoted value never ends").with_remedy(
            "stage the object again if it is cut off, or bring rfc_4180 in line with the endpoint",
        ),
        Uncut::TooManyFields(fields) => subject
            .refused(format!("a row has {fields} fields; at most {MOST_FIELDS} are read"))
            .with_remedy(
                "bring csv_delimiter and csv_row_delimiter in line with the endpoint, or stage \
                 the object again if it is damaged",
            ),
    };
    error.with("row", row)
}
