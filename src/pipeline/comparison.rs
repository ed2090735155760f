//! Whether it pays to compare a rebuilt table with the one whose place it takes: an estimate
//! beforehand, a deadline meanwhile, and a last look at the plan.

use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::merge::MergePlan;
use crate::pipeline::Limits;
use crate::table::LakeTable;
use crate::table::features::is_append_only;

/// Of the rows of the larger table, so many may differ: one in.
const DIFFERING_SHARE: u64 = 4;
/// Of the table's bytes, so many may be written again: one in.
const REWRITTEN_SHARE: u64 = 2;
/// Of the time that is left, so much may be taken: one in. Writing and a commit are to follow, or
/// the swap.
const TIME_SHARE: u32 = 3;
/// Bytes of data files, of both tables, that are compared in a second by a slow machine.
pub(super) const BYTES_PER_SECOND: u64 = 16 << 20;
/// Bytes that a row takes while it is sorted, besides its key.
const SORTED_BYTES: u64 = 48;
/// The same for a key of text.
const TEXT_BYTES: u64 = 40;
/// How often an application is asked whether it is to stop.
const PAUSE: Duration = Duration::from_millis(50);

/// What a comparison may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparison {
    pub(super) memory_budget: usize,
    /// On the temporary disk.
    pub(super) free_bytes: u64,
    /// Until the deadline, if there is one.
    pub(super) time_left: Option<Duration>,
}

impl Comparison {
    /// Why it is not even begun.
    pub(super) fn refusal(
        &self,
        replaced: &LakeTable,
        built: &LakeTable,
        keys: &[String],
    ) -> Option<&'static str> {
        let are_keys = |table: &LakeTable| table.ledger().keys.as_deref() == Some(keys);
        if keys.is_empty() || !are_keys(replaced) || !are_keys(built) {
            return Some("the table has other keys now");
        }
        if !are_columns_known(replaced, built) {
            return Some("columns were added or have other types now");
        }
        if replaced.delta().snapshot().is_ok_and(|it| is_append_only(it.metadata())) {
            return Some("rows of the table must not be changed");
        }
        let (before, after) = (replaced.rows(), built.rows());
        if before == 0 || after == 0 || before.abs_diff(after) > most_differing(replaced, built) {
            return Some("many rows differ");
        }
        let sorted = (before + after).saturating_mul(SORTED_BYTES + key_bytes(replaced, keys));
        // What is spilled may be merged once more.
        if sorted > self.memory_budget as u64 && sorted.saturating_mul(2) > self.free_bytes {
            return Some("the temporary disk is too small to compare the rows");
        }
        let expected = reading_takes(bytes(replaced) + bytes(built));
        let has_time = self.time_left.is_none_or(|left| expected <= left / TIME_SHARE);
        (!has_time).then_some("there is too little time to compare the rows")
    }

    /// Waits until a comparison that is under way must be given up, and tells why.
    pub(super) async fn is_over(&self, limits: &Limits, clock: &dyn Clock) -> &'static str {
        let end: Option<Instant> = self.time_left.map(|left| clock.instant() + left / TIME_SHARE);
        loop {
            if limits.stop.is_requested() {
                return "somebody asked to stop while the rows were compared";
            }
            if end.is_some_and(|end| clock.instant() >= end) {
                return "there was too little time to compare the rows";
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// How long it takes at most, about, to read so many bytes of staged objects or of data files, and to
/// do what is to be done with them.
pub(super) fn reading_takes(bytes: u64) -> Duration {
    Duration::from_micros(bytes / (BYTES_PER_SECOND >> 20))
}

/// Rows that may differ.
pub(super) fn most_differing(replaced: &LakeTable, built: &LakeTable) -> u64 {
    replaced.rows().max(built.rows()) / DIFFERING_SHARE
}

/// Why all files are better swapped than changed by this plan.
pub(super) fn swaps_rather(replaced: &LakeTable, plan: &MergePlan) -> Option<&'static str> {
    let most = bytes(replaced) / REWRITTEN_SHARE;
    (plan.bytes_rewritten(replaced) > most).then_some("most files would have been written again")
}

/// Whether the table has all columns of what is built, of the same types.
fn are_columns_known(replaced: &LakeTable, built: &LakeTable) -> bool {
    built.schema().columns().iter().all(|column| {
        let known = replaced.schema().column(&column.name);
        known.is_some_and(|known| known.column_type == column.column_type)
    })
}

/// Bytes of a key, about.
fn key_bytes(table: &LakeTable, keys: &[String]) -> u64 {
    let schema = table.schema().arrow();
    let width = |key: &String| {
        let field = schema.field_with_name(key).ok();
        field
            .and_then(|field| field.data_type().primitive_width())
            .map_or(TEXT_BYTES, |it| it as u64)
    };
    keys.iter().map(width).sum()
}

/// Bytes of a table's data files.
pub(super) fn bytes(table: &LakeTable) -> u64 {
    let Ok(snapshot) = table.delta().snapshot() else { return 0 };
    snapshot.log_data().iter().map(|file| u64::try_from(file.size()).unwrap_or_default()).sum()
}
