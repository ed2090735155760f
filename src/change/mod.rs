//! Reduces decoded changes to net changes: the last change of each key in a slice.
//!
//! A slice is read in order. Its batches get one set of columns, and key changes become a delete and
//! an upsert ([`Changes`]). For rows that do not carry all their values, the place of the missing
//! values is traced. A bitmap or a DataFusion plan finds the last change of each key. Only the
//! surviving rows are completed and copied; values of superseded rows are never looked up.

mod batch;
mod changes;
mod dense;
mod guard;
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
pub use guard::{Newest, SequenceSpan, without_older};
pub(crate) use twice::refuse_differing;

use crate::error::Result;
use partial::Origins;
use survivors::Survivors;

/// What a slice does to its table. Each key is in at most one row of `upserts` and `deletes`
/// together.
#[derive(Clone, Debug, Default)]
pub struct NetChanges {
    /// Full images with the table's columns, in the order of the changes. All columns except the
    /// keys may be NULL. No batch is empty.
    pub upserts: Vec<RecordBatch>,
    /// The key columns, in key order, of rows to remove, in the order of the changes, followed by
    /// the change sequence if the table keeps it. No batch is empty.
    pub deletes: Vec<RecordBatch>,
    /// The changes taken in, where a key change counts as two: `upserts` + `deletes` +
    /// `superseded`.
    pub changes: u64,
    /// The changes that a later change of the same key superseded.
    pub superseded: u64,
    /// One bit for each row of `upserts`, then of `deletes`: whether the slice assumes that the key
    /// is in the table, because its first change of the key is not an insert. `None` unless
    /// [`Changes::watching_origins`] asked for it.
    pub presumed: Option<BooleanBuffer>,
}

impl NetChanges {
    /// Whether the table does not change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.upserts.is_empty() && self.deletes.is_empty()
    }

    /// Proves what merging relies on: no key is NULL or in two rows. Builds a hash set of all keys
    /// unless they ascend.
    ///
    /// # Errors
    /// `Internal` if that is not so.
    pub fn check_keys(&self, keys: &[String]) -> Result<()> {
        key::check_unique(self.upserts.iter().chain(&self.deletes), keys)
    }
}

/// The rows of the target table before the slice.
#[async_trait]
pub trait CurrentRows: Send + Sync {
    /// The rows with the given `keys` (key columns in key order, no key twice), in any order and any
    /// batches. They have at least the key columns and `columns`, by name and with the types of the
    /// table's schema. A key that the table lacks has no row; a column that the table does not have
    /// yet may be missing.
    ///
    /// # Errors
    /// Those of reading the table.
    async fn rows(&self, keys: RecordBatch, columns: &[String]) -> Result<Vec<RecordBatch>>;
}

/// Reduces a slice to its net changes. `current` is read only if the last change of some key keeps
/// values as they were.
///
/// A kept value is that of the row's latest image: earlier in the slice, otherwise in `current`. For
/// a key change that is the row under the old key or, if there is none because DMS resumed and
/// repeated the change, under the new key. A row that does not exist gives NULL.
///
/// # Errors
/// `TableCorrupt` if the table holds a key twice; `TableRefused` if a load does, in rows that
/// differ ([`Changes::of_load`]); `Internal` if the reduction does not fit into the session's memory
/// pool; errors of `current`.
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
