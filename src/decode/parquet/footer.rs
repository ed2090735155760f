//! The footer of a Parquet object, measured before the reader takes it in.
//!
//! The reader allocates what lengths and counts in a footer ask for. So they are looked through
//! first: they must be those of a footer, and what they ask for must be within its bound.

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

/// Bytes of the object's end that are read in the hope that they hold the whole footer.
const HOPED: u64 = 64 * 1024;
/// The footer's length and the format's mark.
const TAIL: u64 = 8;
const MARK: &[u8] = b"PAR1";
/// What an element of any other list of a footer becomes, at most.
const ELEMENT: usize = 64;

/// Reads an object's footer.
///
/// # Errors
/// `MalformedObject` if it is none, or asks for more than the bounds allow; `SchemaRefused` if
/// columns are nested or there are too many; what reading meets.
pub(super) async fn footer(
    object: &Object,
    bounds: Bounds,
    subject: &ObjectContext,
) -> Result<ParquetMetaData> {
    let size = object.size();
    let mut end = object.range(size.saturating_sub(HOPED)..size).await?;
    let length = declared(&end, size, subject)?;
    bounds.footer().check("the object's footer", length, STAGE_AGAIN, subject)?;
    if length + TAIL > end.len() as u64 {
        end = object.range(size - length - TAIL..size).await?;
    }
    let from = end.len() as u64 - TAIL - length;
    let from = usize::try_from(from).map_err(|_| no_footer(subject))?;
    let footer = end.slice(from..end.len() - MARK.len() * 2);
    measure(&footer, bounds, subject)?;
    decode(&footer, subject)
}

/// The footer's length, as the object's end gives it.
fn declared(end: &Bytes, size: u64, subject: &ObjectContext) -> Result<u64> {
    let Some((_, tail)) = end.split_last_chunk::<8>() else { return Err(no_footer(subject)) };
    let (length, mark) = tail.split_at(4);
    let length = length.try_into().map_or(0, u32::from_le_bytes);
    if mark != MARK {
        return Err(no_footer(subject));
    }
    if u64::from(length) + TAIL > size {
        return Err(subject.malformed(format!(
            "the object's footer takes {length} bytes, and the object has {size}"
        )));
    }
    Ok(length.into())
}

/// Parquet's reader panics at some of what it does not expect.
fn decode(footer: &[u8], subject: &ObjectContext) -> Result<ParquetMetaData> {
    guarded(subject, || ParquetMetaDataReader::decode_metadata(footer))
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

/// Looks through a footer for what it asks for.
fn measure(footer: &[u8], bounds: Bounds, subject: &ObjectContext) -> Result<()> {
    let mut measure = Measure { asked: 0, bounds, subject };
    let measured = measure.file(&mut Walk::over(footer));
    match measured.and_then(|()| Ok(Walk::over(footer).conform(FILE)?)) {
        Ok(()) => Ok(()),
        Err(Refusal::Unreadable) => Err(no_footer(subject)),
        Err(Refusal::Error(error)) => Err(*error),
    }
}

struct Measure<'a> {
    /// Bytes that what was looked through so far becomes.
    asked: u64,
    bounds: Bounds,
    subject: &'a ObjectContext,
}

impl Measure<'_> {
    /// Numbers of fields are those of the format's `parquet.thrift`.
    fn file(&mut self, walk: &mut Walk<'_>) -> Result<(), Refusal> {
        walk.fields(|walk, number, kind| match (number, kind) {
            (2, Kind::List) => self.schema(walk).map(|()| true),
            (4, Kind::List) => self.row_groups(walk).map(|()| true),
            // Other lists are not taken in: their heads are enough.
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
            return Err(too_many_columns(columns, self.subject).into());
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
            // The reader makes room for as many as are declared, and goes down into each.
            if element > 0 && children != 0 {
                let name = String::from_utf8_lossy(name).into_owned();
                return Err(nested(&name, self.subject).into());
            }
            if element == 0 {
                children_of_root = children;
            }
        }
        if usize::try_from(children_of_root) == Ok(columns) {
            return Ok(());
        }
        Err(self
            .subject
            .malformed(format!(
                "the object's footer declares {children_of_root} columns and describes {columns}"
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
        Ok(self.bounds.metadata().check(what, self.asked, FEWER_GROUPS, self.subject)?)
    }
}

const FEWER_GROUPS: &str = "stage the object again with longer row groups (row_group_length of the \
     endpoint) or in smaller objects";

fn no_footer(subject: &ObjectContext) -> Error {
    subject.malformed("the object has no Parquet footer that can be read")
}

fn too_many_columns(columns: usize, subject: &ObjectContext) -> Error {
    subject
        .refused(format!("the object has {columns} columns; at most {MOST_FIELDS} are read"))
        .with_remedy(STAGE_AGAIN)
}

/// The error for a column that holds columns or lists.
pub(super) fn nested(column: &str, subject: &ObjectContext) -> Error {
    subject.refused("the column is nested, which no table of MySQL is").with("column", column)
}
