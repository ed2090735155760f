//! What keeps merges and readers cheap, beside the path of the changes: no action changes a row.
//!
//! | action | when | what |
//! |---|---|---|
//! | retain | the configuration has another `retention` than the table's properties | they get it |
//! | compact | too many files overlap in their keys, or are small | their live rows become few files in key order |
//! | purge | a deletion vector masks a quarter of a file, or the table is merged by copy-on-write | the file is rewritten without its masked rows |
//! | lower | the table is merged by copy-on-write and no row is masked any more | the protocol that deletion vectors needed goes |
//! | checkpoint | ten commits since the last | opening the table reads it instead of the commits |
//! | clean the log | commits are older than `delta.logRetentionDuration` | they go, but never our newest one, which holds the ledger |
//! | vacuum | files are older than `delta.deletedFileRetentionDuration` and were gone before | they go, deletion vectors like data files |
//!
//! The quarantine of a table is compacted, checkpointed and vacuumed with it (`aside`).
//!
//! Every threshold is in `policy`. A rewrite is one commit of ours on top of exactly the snapshot
//! that it was made from. If another commit comes first and leaves its files alone, it is committed
//! again as it is, else it is written again. So it is safe beside any writer, at any moment, and a
//! crash leaves files that nothing refers to, which vacuum deletes.

mod alteration;
mod aside;
mod checkpoint;
mod compaction;
mod due;
mod live_file;
mod log;
mod lower;
mod part;
mod policy;
mod purge;
mod replacement;
mod report;
mod retain;
mod retention;
mod rewrite;
mod rewriting;
mod run;
#[cfg(feature = "cli")]
mod task;
mod tombstones;
mod vacuum;

pub(crate) use aside::Aside;
pub(crate) use checkpoint::checkpoint_after;
pub use due::DueAction;
pub(crate) use due::due;
#[cfg(feature = "cli")]
pub(crate) use part::RewritePart;
pub(crate) use part::Rewriter;
pub use report::{Action, ActionReport, MaintenanceReport, Outcome};
#[cfg(feature = "cli")]
pub(crate) use retention::must_be_within_retention;
pub(crate) use run::{Maintenance, maintain};
#[cfg(feature = "cli")]
pub(crate) use task::rewrite_part;
