//! Data files of a Delta table: reading, writing and replacing them. `merge` and `maintenance`
//! decide what is read or written.
//!
//! Files are written so that the next merge can rule out, skip or copy single row groups, with
//! exact statistics in the log. Footers and bloom filters are cached.

mod append;
pub(crate) mod bytes;
mod cache;
pub(crate) mod damage;
mod data_file;
mod dictionary;
mod encode;
pub(crate) mod external_sort;
pub(crate) mod filters;
pub(crate) mod footers;
mod layout;
mod live_rows;
mod partition_key;
mod partition_values;
mod places;
mod properties;
mod removal;
mod reshape;
mod rewrite;
mod selected;
mod snapshot_files;
mod sort;
mod statistics;
mod touched;
pub(crate) mod typed;
pub(crate) mod vectors;
mod writer;

#[cfg(feature = "cli")]
pub(crate) use append::NewFiles;
pub(crate) use append::append;
#[cfg(feature = "cli")]
pub(crate) use data_file::empty_file;
pub use layout::FileLayout;
#[cfg(feature = "cli")]
pub(crate) use live_rows::rows_at;
pub(crate) use live_rows::{live_rows, rows_without};
pub(crate) use partition_key::{PartitionKey, divide};
pub(crate) use partition_values::PartitionValues;
pub(crate) use places::{paths_of, vector_path};
pub(crate) use properties::{ROW_GROUP_BYTES, ROW_GROUP_ROWS};
pub(crate) use removal::removal;
pub(crate) use reshape::reshaped;
pub use rewrite::{Rewritten, rewrite};
pub(crate) use selected::{Selected, column_batches, in_memory};
pub use snapshot_files::SnapshotFiles;
pub(crate) use sort::in_key_order;
pub(crate) use statistics::{has_bounds, row_count};
pub use touched::{Match, TouchedFile};
pub use writer::DataFileWriter;
