//! The footer of a Parquet object, measured before the reader parses it.
//!
//! The reader allocates whatever the lengths and counts in a footer ask for. So they are checked
//! first: the bytes must have the structure of a footer, and what they ask for must be within the
//! bounds.

use std::mem::size_of;

use bytes::Bytes;
use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};

use crate::decode::bounds::{Bounds, MOST_FIELDS};
use crate::decode::parquet::row_groups::{Object, guarded};
use crate::decode::parquet::shapes::FILE;
use crate::decode::parquet::thrift::{Kind, List, Unreadable, Walk};
use crate::error::{Error, Result};
use crate::staging::object_context::{ObjectContext, STAGE_AGAIN};

/// Bytes at the end of the object that are read first. They usually hold the whole footer.
const HOPED: u64 = 64 * 1024;
/// The footer's length and the format's mark.
const TAIL: u64 = 8;
const MARK: &[u8] = b"PAR1";
/// The most bytes that an element of any other list in a footer takes once parsed.
const ELEMENT: usize = 64;

/// Reads an object's footer.
///
/// # Errors
/// `MalformedObject` if it is not a footer or asks for more than the bounds allow; `SchemaRefused`
/// if columns are nested or there are too many; errors of reading.
pub(super) async fn footer(
    object: &Object,
    bounds: Bounds,
    context: &ObjectContext,
) -> Result<ParquetMetaData> {
    let size = object.size();
    let mut end = object.range(size.saturating_sub(HOPED)..size).await?;
    let length = declared(&end, size, context)?;
    bounds.footer().check("the object's footer", length, STAGE_AGAIN, context)?;
    if length + TAIL > end.len() as u64 {
        end = object.range(size - length - TAIL..size).await?;
    }
    let from = end.len() as u64 - TAIL - length;
    let from = usize::try_from(from).map_err(|_| no_footer(context))?;
    let footer = end.slice(from..end.len() - MARK.len() * 2);
    measure(&footer, bounds, context)?;
    decode(&footer, context)
}

/// The footer's length, as the object's end gives it.
fn declared(end: &Bytes, size: u64, context: &ObjectContext) -> Result<u64> {
    let Some((_, tail)) = end.split_last_chunk::<8>() else { return Err(no_footer(context)) };
    let (length, mark) = tail.split_at(4);
    let length = length.try_into().map_or(0, u32::from_le_bytes);
    if mark != MARK {
        return Err(no_footer(context));
    }
    if u64::from(length) + TAIL > size {
        return Err(context.malformed(format!(
            "the object's footer declares {length} bytes, but the object has only {size}"
        )));
    }
    Ok(length.into())
}

/// Parses a footer. Parquet's reader panics on some unexpected input.
fn decode(footer: &[u8], context: &ObjectContext) -> Result<ParquetMetaData> {
    guarded(context, || ParquetMetaDataReader::decode_metadata(footer))
}

/// Why a footer is refused.
enum Refusal {
    Unreadable,
    Error(Box<Error>),
}

impl From<Unreadable> for Refusal {
    fn from(_: Unreadable) -> Self {
        Self::Unreadable
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(Box::new(error))
    }
}

/// Checks how much memory a footer asks for.
fn measure(footer: &[u8], bounds: Bounds, context: &ObjectContext) -> Result<()> {
    let mut measure = Measure { asked: 0, bounds, context };
    let measured = measure.file(&mut Walk::over(footer));
    match measured.and_then(|()| Ok(Walk::over(footer).conform(FILE)?)) {
        Ok(()) => Ok(()),
        Err(Refusal::Unreadable) => Err(no_footer(context)),
        Err(Refusal::Error(error)) => Err(*error),
    }
}

struct Measure<'a> {
    /// Bytes that the part checked so far takes once parsed.
    asked: u64,
    bounds: Bounds,
    context: &'a ObjectContext,
}

impl Measure<'_> {
    /// Field numbers are those of the format's `parquet.thrift`.
    fn file(&mut self, walk: &mut Walk<'_>) -> Result<(), Refusal> {
        walk.fields(|walk, number, kind| match (number, kind) {
            (2, Kind::List) => self.schema(walk).map(|()| true),
            (4, Kind::List) => self.row_groups(walk).map(|()| true),
            // Other lists are only counted.
            (_, Kind::List) => self.other_list(walk).map(|()| false),
            _ => Ok(false),
        })
    }

    fn schema(&mut self, walk: &mut Walk<'_>) -> Result<(), Refusal> {
        let List { length, of } = walk.list()?;
        if of != Kind::Struct && length > 0 {
            return Err(Refusal::Unreadable);
        }
        let columns = length.saturating_sub(1);
        if columns > MOST_FIELDS {
            return Err(too_many_columns(columns, self.context).into());
        }
        let mut children_of_root = 0;
        for element in 0..length {
            let (mut name, mut children) = (&b""[..], 0);
            walk.fields(|walk, number, kind| {
                match (number, kind) {
                    (4, Kind::Binary) => name = walk.binary()?,
                    (5, Kind::Integer) => children = walk.integer()?,
                    _ => return Ok::<bool, Unreadable>(false),
                }
                Ok(true)
            })?;
            // The reader allocates as many children as are declared and descends into each.
            if element > 0 && children != 0 {
                let name = String::from_utf8_lossy(name).into_owned();
                return Err(nested(&name, self.context).into());
            }
            if element == 0 {
                children_of_root = children;
            }
        }
        if usize::try_from(children_of_root) == Ok(columns) {
            return Ok(());
        }
        Err(self
            .context
            .malformed(format!(
                "the object's footer declares {children_of_root} columns but describes {columns}"
            ))
            .into())
    }

    fn row_groups(&mut self, walk: &mut Walk<'_>) -> Result<(), Refusal> {
        let List { length, of } = walk.list()?;
        if of != Kind::Struct && length > 0 {
            return Err(Refusal::Unreadable);
        }
        self.ask(length, size_of::<RowGroupMetaData>())?;
        for _ in 0..length {
            walk.fields(|walk, number, kind| match (number, kind) {
                (1, Kind::List) => self.column_chunks(walk).map(|()| true),
                (_, Kind::List) => self.other_list(walk).map(|()| false),
                _ => Ok(false),
            })?;
        }
        Ok(())
    }

    fn column_chunks(&mut self, walk: &mut Walk<'_>) -> Result<(), Refusal> {
        let mut ahead = *walk;
        let List { length, .. } = ahead.list()?;
        self.ask(length, size_of::<ColumnChunkMetaData>())?;
        walk.skip_value(Kind::List)?;
        Ok(())
    }

    fn other_list(&mut self, walk: &mut Walk<'_>) -> Result<(), Refusal> {
        let mut ahead = *walk;
        let List { length, .. } = ahead.list()?;
        self.ask(length, ELEMENT)
    }

    fn ask(&mut self, count: usize, bytes_each: usize) -> Result<(), Refusal> {
        self.asked = self.asked.saturating_add((count as u64).saturating_mul(bytes_each as u64));
        let what = "what the object's footer describes";
        Ok(self.bounds.metadata().check(what, self.asked, FEWER_GROUPS, self.context)?)
    }
}

const FEWER_GROUPS: &str = "stage the object again with longer row groups (row_group_length of the \
     endpoint) or in smaller objects";

fn no_footer(context: &ObjectContext) -> Error {
    context.malformed("the object has no readable Parquet footer")
}

fn too_many_columns(columns: usize, context: &ObjectContext) -> Error {
    context
        .refused(format!("the object has {columns} columns; at most {MOST_FIELDS} are read"))
        .with_remedy(STAGE_AGAIN)
}

/// The error for a column that holds columns or lists.
pub(super) fn nested(column: &str, context: &ObjectContext) -> Error {
    context
        .refused("the column is nested, but DMS writes flat columns only")
        .with("column", column)
        .with_remedy(STAGE_AGAIN)
}
