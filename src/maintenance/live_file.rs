//! The data files of a snapshot as maintenance weighs them.

use std::collections::BTreeMap;

use deltalake::kernel::{Add, LogicalFileView};

use crate::error::Result;
use crate::merge::{KeyRange, key_ranges};
use crate::table::LakeTable;

/// A live data file: its entry in the log and what that says about it.
#[derive(Clone, Debug)]
pub(super) struct LiveFile {
    pub(super) add: Add,
    /// Bytes of the file.
    pub(super) bytes: u64,
    /// Rows in it, masked ones among them.
    pub(super) rows: u64,
    /// Rows that its deletion vector masks.
    pub(super) masked: u64,
    /// By key column.
    ranges: Vec<KeyRange>,
}

impl LiveFile {
    /// The files of a snapshot, in the order of the log.
    ///
    /// # Errors
    /// `TableCorrupt` if the log's statistics cannot be read.
    pub(super) fn all(table: &LakeTable, keys: &[String]) -> Result<Vec<Self>> {
        let views: Vec<LogicalFileView> = table.delta().snapshot()?.log_data().iter().collect();
        let ranges = key_ranges(&views, &table.schema().arrow(), keys)?;
        let file = |(view, ranges): (&LogicalFileView, _)| {
            #[allow(deprecated, reason = "the only way to an entry that can be committed again")]
            let add = view.add_action();
            let masked = add.deletion_vector.as_ref().map_or(0, |vector| vector.cardinality);
            Self {
                bytes: u64::try_from(add.size).unwrap_or_default(),
                rows: view.num_records().unwrap_or_default() as u64,
                masked: u64::try_from(masked).unwrap_or_default(),
                add,
                ranges,
            }
        };
        Ok(views.iter().zip(ranges).map(file).collect())
    }

    /// Which partition of the table it belongs to.
    pub(super) fn partition(&self) -> BTreeMap<&String, &Option<String>> {
        self.add.partition_values.iter().collect()
    }

    /// Bytes of the rows that are not masked, about.
    pub(super) fn live_bytes(&self) -> u64 {
        let live = u128::from(self.rows.saturating_sub(self.masked));
        let bytes = u128::from(self.bytes) * live / u128::from(self.rows.max(1));
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// Its least first key, for an order along the keys; unknown ones come first.
    pub(super) fn least(&self) -> Option<&[u8]> {
        self.ranges.first()?.as_ref().map(|(low, _)| low.as_ref())
    }

    /// Whether both may hold keys of one range. Where statistics do not tell files apart they do
    /// not count as overlapping: no order of their rows would make anybody skip one.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        // A key of one column is in one file only, though rounded bounds may touch.
        let may_touch = self.ranges.len() == 1;
        for (range, other) in self.ranges.iter().zip(&other.ranges) {
            let (Some((low, high)), Some((other_low, other_high))) = (range, other) else {
                return false;
            };
            let is_apart = high < other_low || other_high < low;
            if is_apart || (may_touch && (high == other_low || other_high == low)) {
                return false;
            }
        }
        !self.ranges.is_empty()
    }
}
