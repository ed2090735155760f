//! Table snapshot and net changes in, commit outcome and counts out.
//!
//! | change \ key in the table | present | absent |
//! |---|---|---|
//! | upsert | updated | inserted |
//! | delete | deleted | ignored |
//!
//! [`plan`] finds out which cell each net change falls into, so that the counts are exact
//! before anything is written; [`commit`] writes one Delta commit with the rows, the `txn` and
//! the record. What only inserts is appended; the rest goes through `deltalake`'s
//! `MergeBuilder`, which never sees an empty source or a delete that matches nothing.

mod append;
mod data_file;
mod execute;
mod locate;
mod rewrite;
mod touched;

pub use data_file::{DataFileWriter, FileLayout};
pub use execute::{CommitOutcome, commit};
pub use locate::rows_of;
pub use rewrite::{Rewritten, rewrite};
pub use touched::{Match, Touched};

use arrow::record_batch::RecordBatch;

use crate::change::NetChanges;
use crate::error::Result;
use crate::table::LakeTable;

/// Net changes whose fate in one snapshot of the table is known.
#[derive(Clone, Debug, Default)]
pub struct MergePlan {
    /// Full images of rows to insert or replace.
    upserts: Vec<RecordBatch>,
    /// Keys of rows to remove, all of them present.
    deletes: Vec<RecordBatch>,
    /// Names of the key columns.
    keys: Vec<String>,
    /// Upserts of keys that are not there.
    pub inserted: u64,
    /// Upserts of keys that are there.
    pub updated: u64,
    /// Deletes of keys that are there.
    pub deleted: u64,
    /// Deletes of keys that are not.
    pub ignored: u64,
}

impl MergePlan {
    fn changes_rows(&self) -> bool {
        self.inserted + self.updated + self.deleted > 0
    }

    fn only_inserts(&self) -> bool {
        self.updated == 0 && self.deleted == 0
    }
}

/// Decides the fate of every net change against one snapshot. Without keys every upsert is an
/// insert.
///
/// # Errors
/// `Unavailable` if the table cannot be read, `TableCorrupt` if a key stands in it twice.
pub async fn plan(table: &LakeTable, keys: &[String], net: NetChanges) -> Result<MergePlan> {
    let upsert_count: usize = net.upserts.iter().map(RecordBatch::num_rows).sum();
    let delete_count: usize = net.deletes.iter().map(RecordBatch::num_rows).sum();
    if keys.is_empty() || table.rows() == 0 {
        return Ok(MergePlan {
            upserts: net.upserts,
            keys: keys.to_vec(),
            inserted: upsert_count as u64,
            ignored: delete_count as u64,
            ..MergePlan::default()
        });
    }
    let present = locate::presence(table, keys, net.upserts.iter().chain(&net.deletes)).await?;
    let upserts = present.slice(0, upsert_count);
    let deletes = present.slice(upsert_count, delete_count);
    Ok(MergePlan {
        inserted: upserts.false_count() as u64,
        updated: upserts.true_count() as u64,
        deleted: deletes.true_count() as u64,
        ignored: deletes.false_count() as u64,
        deletes: locate::keep(&net.deletes, &deletes)?,
        upserts: net.upserts,
        keys: keys.to_vec(),
    })
}
