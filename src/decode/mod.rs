//! Decoding: from the bytes of a staged object to its changes, as Arrow batches in row order, with
//! the types of the lake's columns and the operation and row number of each change.
//!
//! `csv` and `parquet` read the two formats, `values` converts their values into the lake's types.
//! Both formats share the rest: which columns an object has (`columns`, `column_checks`,
//! `op_column`), by what names they go (`names`), what they ask of the table (`evolution`), which
//! operations its rows may carry (`rules`), and what becomes of rows that cannot be decoded (`flaw`,
//! `batch`).

mod batch;
mod bounds;
mod column_checks;
mod columns;
mod csv;
mod evolution;
mod flaw;
mod names;
mod newest;
mod op_column;
mod open;
mod parquet;
mod read_ahead;
mod rules;
mod sequence;
#[cfg(feature = "cli")]
mod source_row;
#[cfg(feature = "cli")]
mod source_text;
mod values;

#[cfg(feature = "cli")]
pub(crate) use csv::peek::first_records;
#[cfg(feature = "cli")]
pub(crate) use open::open_at_once;
pub use open::{DecodeContext, ObjectReader, open};
#[cfg(feature = "cli")]
pub(crate) use parquet::peek::parquet_schema;
pub use read_ahead::{Next, OpenObject, ReadAhead, ReadSettings};
pub use sequence::ChangeSequence;
#[cfg(feature = "cli")]
pub(crate) use source_row::{FieldText, SourceRow, csv_field_names};
#[cfg(feature = "cli")]
pub(crate) use source_text::SourceText;

use std::borrow::Cow;

use arrow::array::{AsArray, UInt64Array};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// Name of the `UInt8` column that holds [`crate::dms::Operation::code`]. Names with a space
/// cannot collide: no lake column may contain one.
pub const OPERATION: &str = "change operation";
/// Name of the `UInt64` column with the 1-based number of the row in its object.
pub const ROW: &str = "change row";
/// Prefix of the before-image columns of key columns (`"before id"`), typed like the key column.
/// NULL if the object gives no before image.
pub const BEFORE: &str = "before ";
/// Prefix of `Boolean` columns (`"unset note"`): true where the object carries the
/// no-supplied-value marker, so that the target's value is kept.
pub const UNSET: &str = "unset ";

/// Some consecutive rows of an object.
#[derive(Clone, Debug)]
pub struct DecodedBatch {
    /// [`OPERATION`], [`ROW`], then [`BEFORE`] and [`UNSET`] columns if any, then the table's
    /// columns that this object brings, under their names in the lake.
    pub changes: RecordBatch,
    /// Rows that could not be decoded; they are not in `changes`.
    pub bad_rows: Vec<BadRow>,
    /// The first and last change sequence of the rows read so far; `None` if rows carry none.
    pub sequence: Option<ChangeSequence>,
    /// The newest commit time at the source among the rows read so far; none if rows carry none.
    pub source_time: Option<DateTime<Utc>>,
}

impl DecodedBatch {
    /// Those of the rows that come up to that row of the object. What the batch tells of the rows
    /// behind it too is left out.
    pub(crate) fn up_to(mut self, last: u64) -> Result<Self> {
        let rows = self.changes.column_by_name(ROW).and_then(|it| it.as_primitive_opt());
        let rows: &UInt64Array = rows.ok_or_else(|| {
            Error::new(ErrorKind::Internal, "a decoded batch lacks the numbers of its rows")
        })?;
        let kept = rows.values().partition_point(|row| *row <= last);
        let is_whole = kept == rows.len() && self.bad_rows.last().is_none_or(|bad| bad.row <= last);
        if is_whole {
            return Ok(self);
        }
        (self.sequence, self.source_time) = (None, None);
        self.changes = self.changes.slice(0, kept);
        self.bad_rows.retain(|bad| bad.row <= last);
        Ok(self)
    }
}

/// A row that could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    /// 1-based number in its object.
    pub row: u64,
    /// The source column at fault, if it is one column.
    pub column: Option<String>,
    /// Why it could not be decoded, without the value.
    pub reason: String,
    /// The remedy for this case, if there is a better one than fixing the row.
    pub remedy: Option<Cow<'static, str>>,
    /// The row as staged: CSV text, or a Parquet row as JSON. Written to the quarantine only.
    pub content: String,
}
