//! What a staged object says: from its bytes to decoded changes, Arrow batches in row order, typed
//! as the lake's columns, with the operation and the row number of each change.
//!
//! `csv` and `parquet` read the two formats, `values` turns what they hold into the lake's types.
//! Between them stand what both share: which columns an object has (`columns`, `op_column`), which
//! operations its rows may carry (`rules`), and what becomes of rows that cannot be decoded
//! (`flaw`, `batch`).

mod batch;
mod bounds;
mod columns;
mod csv;
mod flaw;
mod op_column;
mod open;
mod parquet;
mod read_ahead;
mod rules;
mod sequence;
mod values;

#[cfg(feature = "cli")]
pub(crate) use csv::peek::first_records;
pub use open::{DecodeContext, ObjectReader, open};
#[cfg(feature = "cli")]
pub(crate) use parquet::peek::parquet_schema;
pub use read_ahead::{OpenObject, ReadAhead, ReadSettings};
pub use sequence::ChangeSequence;

use arrow::record_batch::RecordBatch;

/// Name of the `UInt8` column that holds [`crate::dms::Operation::code`]. Names with a space
/// cannot collide: no lake column may contain one.
pub const OPERATION: &str = "change operation";
/// Name of the `UInt64` column with the 1-based number of the row in its object.
pub const ROW: &str = "change row";
/// Prefix of before-image columns of key columns (`"before id"`), typed like the key column;
/// NULL where the object gives none.
pub const BEFORE: &str = "before ";
/// Prefix of `Boolean` columns (`"unset note"`) that are true where the object carries the
/// no-supplied-value marker: keep the target's value.
pub const UNSET: &str = "unset ";

/// Some consecutive rows of an object.
#[derive(Clone, Debug)]
pub struct DecodedBatch {
    /// [`OPERATION`], [`ROW`], then [`BEFORE`] and [`UNSET`] columns if any, then the table's
    /// columns that this object brings, under their names in the lake.
    pub changes: RecordBatch,
    /// Rows that could not be decoded; they are not in `changes`.
    pub bad_rows: Vec<BadRow>,
    /// The first and last change sequence of the object's rows that were read, up to here; none
    /// where rows carry none.
    pub sequence: Option<ChangeSequence>,
}

/// A row that could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// 1-based number in its object.
    pub row: u64,
    /// The source column at fault, where one is.
    pub column: Option<String>,
    /// Why, without the value.
    pub reason: String,
    /// What helps in this very case, where that is more than to mend the row.
    pub remedy: Option<&'static str>,
    /// The row as staged: CSV text, or JSON of a Parquet row. Only ever written to quarantine.
    pub content: String,
}
