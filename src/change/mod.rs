//! From decoded changes to net changes: one last change per key of a slice.
//!
//! A slice is read in order: its batches get one set of columns and key changes become a
//! delete and an upsert ([`Changes`]); for rows that do not carry all their values it is
//! traced where those values stand; a bitmap or a DataFusion plan finds the last change of each
//! key; and only what survives is completed and copied. Values of rows that a later change overrides are
//! never looked up.

mod batch;
mod changes;
mod dense;
mod key;
mod net;
mod partial;
mod survivors;
mod twice;

use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::prelude::SessionContext;

pub use changes::{Changes, POSITION};
pub(crate) use twice::refuse_differing;

use crate::error::Result;
use partial::Origins;
use survivors::Survivors;

/// What a slice does to its table: each key stands in one row of one of the two at most.
#[derive(Clone, Debug, Default)]
pub struct NetChanges {
    /// Full images under the table's columns, in the order of the changes; all columns may be
    /// NULL except the keys. No batch is empty.
    pub upserts: Vec<RecordBatch>,
    /// The key columns, in key order, of rows to remove, in the order of the changes. No batch
    /// is empty.
    pub deletes: Vec<RecordBatch>,
    /// Changes taken in, a key change counted as two: `upserts` + `deletes` + `superseded`.
    pub changes: u64,
    /// Changes that a later change of the same key overrode.
    pub superseded: u64,
    /// One bit for each row of `upserts`, then of `deletes`: whether the slice takes it for granted
    /// that the key is in the table, because its first change of it is no insert. None unless
    /// [`Changes::watching_origins`] asked for it.
    pub presumed: Option<BooleanBuffer>,
}

impl NetChanges {
    /// Whether the table stays as it is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.upserts.is_empty() && self.deletes.is_empty()
    }

    /// Proves what merging relies on: no key is NULL and none stands in two rows. Takes a hash
    /// set of all keys unless they rise.
    ///
    /// # Errors
    /// `Internal` if it does not hold.
    pub fn check_keys(&self, keys: &[String]) -> Result<()> {
        key::check_unique(self.upserts.iter().chain(&self.deletes), keys)
    }
}

/// The rows of the target table as they stand before the slice.
#[async_trait]
pub trait CurrentRows: Send + Sync {
    /// The rows whose keys stand in `keys` (key columns in key order, no key twice), in any
    /// order and any batches, with the key columns and `columns` at least, found by name and
    /// typed as in the table's schema. A key that the table lacks has no row; a column that
    /// the table does not have yet may be missing.
    ///
    /// # Errors
    /// Whatever reading the table brings.
    async fn rows(&self, keys: RecordBatch, columns: &[String]) -> Result<Vec<RecordBatch>>;
}

/// Reduces a slice to its net changes. Nothing is asked of `current` unless the last change of
/// some key leaves values as they were.
///
/// Where a row keeps a value, it is that of the latest image of the row: earlier in the slice,
/// else in `current`; for a key change, of the row under its old key, and if there is none, as
/// where DMS resumes and repeats the change, under its new key. A row that does not exist has
/// NULL.
///
/// # Errors
/// `TableCorrupt` if the table holds a key twice; `TableRefused` if a load does, in rows that
/// differ ([`Changes::of_load`]); `Internal` if the reduction does not fit
/// the session's memory pool; whatever `current` gives.
pub async fn net_changes(
    changes: Changes,
    session: &SessionContext,
    current: &dyn CurrentRows,
) -> Result<NetChanges> {
    let origins = Origins::trace(&changes)?;
    let survivors = Survivors::of(&changes, session).await?;
    twice::refuse(&changes, &survivors)?;
    let images = match origins {
        Some(origins) => Some(origins.resolve(&changes, &survivors, current).await?),
        None => None,
    };
    net::split(changes, &survivors, images.as_ref()).await
}
