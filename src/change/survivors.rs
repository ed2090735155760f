//! Which change of each key is the last.

use arrow::array::AsArray;
use arrow::buffer::{BooleanBuffer, MutableBuffer};
use arrow::compute::sum;
use arrow::datatypes::{Int64Type, UInt64Type};
use arrow::util::bit_util::{ceil, set_bit};
use datafusion::functions_aggregate::expr_fn::{count, max};
use datafusion::logical_expr::{ident, lit};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;

use super::changes::{Changes, POSITION};
use super::dense;
use super::key::strictly_ascending;
use crate::error::{Error, ErrorKind, Result};

const LAST: &str = "last change";
const SUPERSEDED: &str = "superseded changes";

/// The last change of each key of a slice.
#[derive(Clone, Debug)]
pub(super) struct Survivors {
    /// By position.
    pub(super) mask: BooleanBuffer,
    /// The other changes.
    pub(super) superseded: u64,
}

impl Survivors {
    /// Finds them by a plan that aggregates positions by key: only keys and positions pass
    /// through it, and the rows are then taken by position. Joining the rows with the
    /// aggregate instead needs over 1.6 times as long and loses their order. Without keys,
    /// or where keys rise throughout, as in a full load in key order, every change survives
    /// and there is no plan; nor is there one where a bitmap of the keys does.
    pub(super) async fn of(changes: &Changes, session: &SessionContext) -> Result<Self> {
        let change_count = usize::try_from(changes.len()).expect("a slice is in memory");
        if changes.keys().is_empty() || in_key_order(changes)? {
            return Ok(Self { mask: BooleanBuffer::new_set(change_count), superseded: 0 });
        }
        if let Some(mask) = dense::last_changes(changes) {
            let superseded = changes.len() - mask.count_set_bits() as u64;
            return Ok(Self { mask, superseded });
        }
        let key_columns =
            changes.keys().iter().map(|&key| ident(changes.table().field(key).name()));
        let aggregates =
            vec![max(ident(POSITION)).alias(LAST), count(lit(1_i64)).alias(SUPERSEDED)];
        let last_changes = changes
            .data_frame(session)?
            .aggregate(key_columns.collect(), aggregates)?
            .select([ident(LAST), (ident(SUPERSEDED) - lit(1_i64)).alias(SUPERSEDED)])?;

        let mut mask = MutableBuffer::from_len_zeroed(ceil(change_count, 8));
        let mut superseded = 0_i64;
        let mut stream = last_changes.execute_stream().await?;
        while let Some(batch) = stream.try_next().await? {
            for &position in batch.column(0).as_primitive::<UInt64Type>().values() {
                set_bit(&mut mask, usize::try_from(position).expect("a slice is in memory"));
            }
            superseded += sum(batch.column(1).as_primitive::<Int64Type>()).unwrap_or(0);
        }
        let mask = BooleanBuffer::new(mask.into(), 0, change_count);
        let superseded = u64::try_from(superseded)
            .ok()
            .filter(|&superseded| mask.count_set_bits() as u64 + superseded == changes.len());
        let superseded = superseded.ok_or_else(|| {
            Error::new(ErrorKind::Internal, "the net changes do not account for every change")
        })?;
        Ok(Self { mask, superseded })
    }
}

fn in_key_order(changes: &Changes) -> Result<bool> {
    let key_columns: Vec<_> =
        changes.batches().iter().map(|batch| batch.key_columns(changes.keys())).collect();
    strictly_ascending(key_columns.iter().map(Vec::as_slice))
}
