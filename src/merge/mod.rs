//! Merges net changes into a snapshot of the table, with exact counts.
//!
//! | change \ key in the table | present | absent |
//! |---|---|---|
//! | upsert | updated | inserted |
//! | delete | deleted | ignored |
//!
//! A net change carries the whole image of its row, so a merge only needs to know which physical
//! rows carry the changed keys. [`plan`] finds them: statistics rule out files, row groups and
//! pages (`prune`), bloom filters rule out more row groups (`bloom`), and only the key columns of
//! the rest are read (`locate`). Each change then falls into one cell of the table above, and the
//! counts are exact before anything is written. [`commit`] writes the changed files and one Delta
//! commit with the rows, the `txn` and the record.

mod bloom;
mod bounds;
mod difference;
mod execute;
#[cfg(feature = "cli")]
mod finder;
mod fold;
mod forecast;
mod key_range;
mod keys;
mod layouts;
mod locate;
mod metrics;
mod mode;
#[cfg(feature = "cli")]
mod part;
mod prune;
mod read;
mod written;

#[cfg(feature = "cli")]
pub(crate) use difference::Halves;
pub use difference::{Bounds, Compared, Difference, difference};
pub use execute::{Merged, Written, commit, write_files};
#[cfg(feature = "cli")]
pub(crate) use execute::{files_of, operation};
#[cfg(feature = "cli")]
pub(crate) use finder::KeyFinder;
#[cfg(feature = "cli")]
pub(crate) use key_range::{KeyInterval, key_intervals};
pub(crate) use key_range::{KeyRange, key_ranges};
pub use metrics::FileCounts;
#[cfg(feature = "cli")]
pub(crate) use metrics::Metrics;
#[cfg(feature = "cli")]
pub(crate) use part::{Part, add_rows, find_in, new_files};
pub use read::{rows_of, rows_with};
pub use written::WrittenFiles;

use std::time::Instant;

use arrow::array::{BooleanArray, BooleanBufferBuilder};
use arrow::compute::filter_record_batch;
use arrow::record_batch::RecordBatch;

use crate::change::NetChanges;
use crate::config::MergeMode;
use crate::error::Result;
use crate::files::TouchedFile;
use crate::table::LakeTable;
use keys::KeySet;
use locate::{Known, Located};
use mode::is_masked;

/// Net changes with their outcomes in one snapshot of the table.
#[derive(Clone, Debug, Default)]
pub struct MergePlan {
    /// Full images of rows to insert or replace.
    upserts: Vec<RecordBatch>,
    /// Files that contain changed keys.
    touched: Vec<TouchedFile>,
    /// Names of the key columns.
    keys: Vec<String>,
    mode: MergeMode,
    /// Whether files without changed keys stay as they are, however small they are.
    spares_others: bool,
    /// Since when its changes are read.
    begun: Option<Instant>,
    /// Files that an earlier plan of the same changes left in the store.
    written: WrittenFiles,
    /// Files of the table that may contain changed keys, as far as statistics tell.
    searched: u64,
    /// Upserts of keys that are not in the table.
    pub inserted: u64,
    /// Upserts of keys that are in the table.
    pub updated: u64,
    /// Deletes of keys that are in the table.
    pub deleted: u64,
    /// Deletes of keys that are not in the table.
    pub ignored: u64,
    /// Inserted or ignored changes whose keys the slice presumes to be in the table
    /// ([`NetChanges::presumed`]).
    pub unfounded: u64,
}

impl MergePlan {
    fn changes_rows(&self) -> bool {
        self.inserted + self.updated + self.deleted > 0
    }

    fn only_inserts(&self) -> bool {
        self.touched.is_empty()
    }

    /// The same plan in this mode, if the table's protocol allows it.
    #[must_use]
    pub fn with_mode(self, mode: MergeMode) -> Self {
        Self { mode, ..self }
    }

    /// The same plan without folding small files into the new ones: files without changed keys stay
    /// as they are.
    #[must_use]
    pub fn sparing_others(self) -> Self {
        Self { spares_others: true, ..self }
    }

    /// The same plan, whose metrics count the time from when its changes began to be read.
    #[must_use]
    pub fn begun_at(self, begun: Instant) -> Self {
        Self { begun: Some(begun), ..self }
    }

    /// Bytes of the files that are written again, because they are not masked.
    #[must_use]
    pub fn bytes_rewritten(&self, table: &LakeTable) -> u64 {
        let mode = self.mode_in(table);
        let rewritten = self.touched.iter().filter(|file| !is_masked(mode, file));
        rewritten.map(|file| file.add.size.unsigned_abs()).sum()
    }

    fn mode_in(&self, table: &LakeTable) -> MergeMode {
        if table.may_mask() { self.mode } else { MergeMode::CopyOnWrite }
    }

    /// Turns updates in the files that `moves` selects into deletes there, with the new images
    /// inserted elsewhere.
    fn move_updates(&mut self, moves: impl Fn(&TouchedFile) -> bool) {
        let beyond = u32::try_from(row_count(&self.upserts)).expect("a slice has fewer changes");
        for file in self.touched.iter_mut().filter(|file| moves(file)) {
            for found in &mut file.matches {
                found.change = found.change.max(beyond);
            }
        }
    }

    /// The upserts that replace no row of a touched file, in the order of the changes.
    fn inserts(&self) -> Result<Vec<RecordBatch>> {
        if self.only_inserts() {
            return Ok(self.upserts.clone());
        }
        self.upserts_that(false)
    }

    /// The upserts of keys that are in the table, in the order of the changes.
    ///
    /// # Errors
    /// `Internal`, never expected.
    pub fn updates(&self) -> Result<Vec<RecordBatch>> {
        self.upserts_that(true)
    }

    /// The upserts that match a row of a touched file, or those that do not.
    fn upserts_that(&self, match_rows: bool) -> Result<Vec<RecordBatch>> {
        let count = row_count(&self.upserts);
        let mut chosen = BooleanBufferBuilder::new(count);
        chosen.append_n(count, !match_rows);
        for found in self.touched.iter().flat_map(|file| &file.matches) {
            let change = found.change as usize;
            if change < count {
                chosen.set_bit(change, match_rows);
            }
        }
        let chosen = BooleanArray::new(chosen.finish(), None);
        let mut offset = 0;
        let mut rows = Vec::new();
        for batch in &self.upserts {
            let part = filter_record_batch(batch, &chosen.slice(offset, batch.num_rows()))?;
            offset += batch.num_rows();
            if part.num_rows() > 0 {
                rows.push(part);
            }
        }
        Ok(rows)
    }
}

fn row_count(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

/// Determines the outcome of every net change in one snapshot. Without keys, every upsert is an
/// insert.
///
/// # Errors
/// `Unavailable` if the table cannot be read, `TableCorrupt` if a key is in it twice.
pub async fn plan(table: &LakeTable, keys: &[String], net: NetChanges) -> Result<MergePlan> {
    plan_knowing(table, keys, net, Known::default()).await
}

/// Plans again for a newer snapshot, after the commit of a plan of the same net changes lost a
/// race. Files that are in both snapshots with the same deletion vector are not scanned again, and
/// their replacements in `written` are reused. The columns of both snapshots must be the same.
///
/// # Errors
/// As [`plan`].
pub async fn replan(
    table: &LakeTable,
    net: NetChanges,
    older: &LakeTable,
    plan: &MergePlan,
    written: WrittenFiles,
) -> Result<MergePlan> {
    let known = Known::of(older, &plan.touched)?;
    let newer = plan_knowing(table, &plan.keys, net, known).await?;
    let MergePlan { mode, spares_others, begun, .. } = *plan;
    Ok(MergePlan { mode, spares_others, begun, written, ..newer })
}

async fn plan_knowing(
    table: &LakeTable,
    keys: &[String],
    net: NetChanges,
    known: Known,
) -> Result<MergePlan> {
    let (upserted, removed) = (row_count(&net.upserts), row_count(&net.deletes));
    let Located { touched, searched } =
        if keys.is_empty() || table.rows() == 0 || upserted + removed == 0 {
            Located::default()
        } else {
            let changed = KeySet::new(keys, net.upserts.iter().chain(&net.deletes))?;
            match locate::locate(table, changed, known).await {
                Ok(located) => located,
                Err(error) => return Err(table.judge(error).await),
            }
        };
    let matches = touched.iter().flat_map(|file| &file.matches);
    let updated = matches.clone().filter(|found| (found.change as usize) < upserted).count();
    let deleted = matches.clone().count() - updated;
    let unfounded = net.presumed.as_ref().map_or(0, |presumed| {
        let founded = matches.filter(|found| presumed.value(found.change as usize)).count();
        presumed.count_set_bits() - founded
    });
    Ok(MergePlan {
        upserts: net.upserts,
        touched,
        keys: keys.to_vec(),
        mode: MergeMode::default(),
        spares_others: false,
        begun: None,
        written: WrittenFiles::default(),
        searched,
        inserted: (upserted - updated) as u64,
        updated: updated as u64,
        deleted: deleted as u64,
        ignored: (removed - deleted) as u64,
        unfounded: unfounded as u64,
    })
}
