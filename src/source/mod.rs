//! From a staged object to decoded changes: Arrow batches in row order, typed as the lake's
//! columns, with the operation and the row number of each change.

mod ahead;
mod appender;
mod batch;
mod bounds;
mod cast;
mod cast_decimal;
mod cast_time;
mod columns;
mod content;
mod csv_decode;
mod csv_dialect;
mod csv_header;
mod csv_read;
mod csv_scan;
mod csv_shape;
mod delta;
mod faults;
mod feed;
mod fetch;
mod flaw;
mod identify;
mod listing;
mod object;
mod op_column;
mod open;
mod parquet_footer;
mod parquet_pages;
mod parquet_read;
mod parquet_rows;
mod parquet_schema;
mod parquet_shapes;
mod passage;
#[cfg(feature = "cli")]
mod peek;
mod reading;
mod room;
mod row_groups;
mod rules;
mod scope;
mod sequence;
mod subject;
mod survey;
mod table_folder;
mod text;
mod thrift;

pub use ahead::{OpenObject, ReadAhead, ReadSettings};
pub use identify::Identify;
pub use listing::{Listing, list_everything, list_window};
pub use object::{Identity, StagedObject};
pub use open::{DecodeContext, ObjectReader, open};
#[cfg(feature = "cli")]
pub(crate) use peek::{first_records, parquet_schema};
pub use scope::Scope;
pub use sequence::ChangeSequence;
pub use survey::{Survey, refused_order, survey};
pub(crate) use table_folder::{TableFolder, is_of_a_table};

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
