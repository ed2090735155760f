//! Puts decoded columns together: bad rows are taken out, the rest becomes one batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt8Array, UInt64Array};
use arrow::compute::filter_record_batch;
use arrow::record_batch::RecordBatch;

use crate::decode::columns::Plan;
use crate::decode::flaw::Flaw;
use crate::decode::newest::NewestTime;
use crate::decode::sequence::SequenceTrack;
use crate::decode::{BadRow, DecodedBatch};
use crate::error::Result;

/// What is wrong with the rows of a batch, by position in the batch. The first finding of a row
/// counts.
#[derive(Debug, Default)]
pub(super) struct Findings {
    rows: BTreeMap<usize, Flaw>,
}

impl Findings {
    /// Notes that a row cannot be decoded.
    pub(super) fn add(&mut self, position: usize, flaw: impl FnOnce() -> Flaw) {
        self.rows.entry(position).or_insert_with(flaw);
    }

    /// Whether something was noted about a row.
    pub(super) fn is_bad(&self, position: usize) -> bool {
        !self.rows.is_empty() && self.rows.contains_key(&position)
    }

    /// The bad rows. `rows` holds the row numbers of the batch.
    pub(super) fn bad_rows(
        self,
        rows: &[u64],
        mut content: impl FnMut(usize) -> String,
    ) -> Vec<BadRow> {
        let bad_row = |(position, flaw): (usize, Flaw)| BadRow {
            row: rows[position],
            column: flaw.column,
            reason: flaw.reason,
            remedy: flaw.remedy,
            content: content(position),
        };
        self.rows.into_iter().map(bad_row).collect()
    }
}

/// The columns of a batch before bad rows are taken out.
pub(super) struct Decoded {
    pub(super) operations: Vec<u8>,
    pub(super) rows: Vec<u64>,
    /// One array for each output of the plan.
    pub(super) outputs: Vec<ArrayRef>,
    /// One array for each markable output.
    pub(super) unset: Vec<ArrayRef>,
}

impl Decoded {
    /// The batch without its bad rows.
    pub(super) fn without(
        self,
        bad_rows: Vec<BadRow>,
        plan: &Plan,
        sequence: &SequenceTrack,
        newest: &NewestTime,
    ) -> Result<DecodedBatch> {
        let keep = (!bad_rows.is_empty()).then(|| {
            let mut bad = bad_rows.iter().map(|bad| bad.row).peekable();
            let is_good = |row: &u64| bad.next_if_eq(row).is_none();
            BooleanArray::from(self.rows.iter().map(is_good).collect::<Vec<bool>>())
        });
        let before = self.outputs.len() - plan.columns_stored();
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt8Array::from(self.operations)),
            Arc::new(UInt64Array::from(self.rows)),
        ];
        let mut outputs = self.outputs.into_iter();
        columns.extend(outputs.by_ref().take(before));
        columns.extend(self.unset);
        columns.extend(outputs);
        let all = RecordBatch::try_new(Arc::clone(&plan.schema), columns)?;
        let changes = match keep {
            Some(keep) => filter_record_batch(&all, &keep)?,
            None => all,
        };
        let (sequence, source_time) = (sequence.seen().cloned(), newest.seen());
        Ok(DecodedBatch { changes, bad_rows, sequence, source_time })
    }
}
