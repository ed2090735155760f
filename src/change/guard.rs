//! Keeps older images from replacing newer ones: drops changes whose sequence is below that of a
//! change of the same key that came before them, in the slice or in the table.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, StringArray};
use arrow::compute::{filter, filter_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use arrow::row::{OwnedRow, RowConverter, Rows};

use super::CurrentRows;
use super::batch::{ChangeBatch, flag};
use super::changes::Changes;
use super::key::row_converter;
use super::partial::key_columns;
use crate::config::SEQUENCE;
use crate::error::{Error, ErrorKind, Result};

/// The change sequences of a slice in which each change has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceSpan<'a> {
    /// The least.
    pub first: &'a str,
    /// The greatest.
    pub last: &'a str,
    /// Whether no change is below one before it.
    pub ascends: bool,
}

impl Changes {
    /// The change sequences; none if a change has none, or there is no change. Within an object they
    /// do not decrease, so that only the ends of batches are looked at.
    #[must_use]
    pub fn span(&self) -> Option<SequenceSpan<'_>> {
        let mut span: Option<SequenceSpan<'_>> = None;
        let mut before = "";
        for batch in self.batches() {
            let sequences = batch.sequences(self.sequence()?)?;
            if sequences.null_count() > 0 {
                return None;
            }
            let (first, last) = (sequences.value(0), sequences.value(sequences.len() - 1));
            let ascends = before <= first;
            before = last;
            span = Some(match span {
                None => SequenceSpan { first, last, ascends: true },
                Some(span) => SequenceSpan {
                    first: span.first.min(first),
                    last: span.last.max(last),
                    ascends: span.ascends && ascends,
                },
            });
        }
        span
    }

    /// Whether a change keeps values of its row as they are.
    #[must_use]
    pub fn keep_values(&self) -> bool {
        self.batches().iter().any(|batch| batch.unset.iter().any(Option::is_some))
    }
}

/// The keys of a slice's changes, each with the greatest sequence that is known of it.
#[derive(Debug)]
pub struct Newest {
    schema: SchemaRef,
    converter: RowConverter,
    /// The key of each change, batch by batch.
    keys: Vec<Rows>,
    sequences: HashMap<OwnedRow, Option<String>>,
}

impl Newest {
    /// Of these changes, while nothing is known of their keys.
    ///
    /// # Errors
    /// `Internal` if the changes lack a key column.
    pub fn of(changes: &Changes) -> Result<Self> {
        let schema = changes.key_schema()?;
        let converter = row_converter(schema.fields().iter().map(|field| field.data_type()))?;
        let mut keys: Vec<Rows> = Vec::with_capacity(changes.batches().len());
        for batch in changes.batches() {
            keys.push(converter.convert_columns(&batch.key_columns(changes.keys()))?);
        }
        let sequences = keys.iter().flatten().map(|key| (key.owned(), None)).collect();
        Ok(Self { schema, converter, keys, sequences })
    }

    /// The key columns.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Takes in rows or tombstones: batches with the key columns and [`SEQUENCE`]. Those of other
    /// keys tell nothing.
    ///
    /// # Errors
    /// `Internal` if the batch lacks a key column.
    pub fn take_in(&mut self, known: &RecordBatch) -> Result<()> {
        let sequences = known.column_by_name(SEQUENCE).and_then(|it| it.as_string_opt::<i32>());
        // A table that was not guarded so far has none.
        let Some(sequences) = sequences else { return Ok(()) };
        let keys = self.converter.convert_columns(&key_columns(known, &self.schema)?)?;
        for (row, key) in keys.iter().enumerate().filter(|(row, _)| sequences.is_valid(*row)) {
            if let Some(newest) = self.sequences.get_mut(&key.owned()) {
                let found = sequences.value(row);
                if newest.as_deref().is_none_or(|newest| newest < found) {
                    *newest = Some(found.to_owned());
                }
            }
        }
        Ok(())
    }

    /// Each key once.
    fn asked(&self) -> Result<RecordBatch> {
        let columns = self.converter.convert_rows(self.sequences.keys().map(OwnedRow::row))?;
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

/// Drops each change that is older than what is known of its key: by a change before it in the
/// slice, by the stored row or by what `newest`, which is of the changes, has taken in. A change
/// without a sequence stays, and so does one of the same sequence, which is the same change. Returns
/// how many are dropped.
///
/// # Errors
/// Those of `current`; `Internal` if the table does not keep sequences.
pub async fn without_older(
    changes: Changes,
    mut newest: Newest,
    current: &dyn CurrentRows,
) -> Result<(Changes, u64)> {
    let sequence = changes.sequence().ok_or_else(|| {
        Error::new(ErrorKind::Internal, "the table does not keep change sequences")
    })?;
    for stored in current.rows(newest.asked()?, &[SEQUENCE.to_owned()]).await? {
        newest.take_in(&stored)?;
    }
    let Newest { keys: keys_of_batches, mut sequences, .. } = newest;
    let mut masks = Vec::with_capacity(keys_of_batches.len());
    for (batch, keys) in changes.batches().iter().zip(&keys_of_batches) {
        let own_sequences = batch.sequences(sequence);
        let mut keep = Vec::with_capacity(batch.len());
        for (row, key) in keys.iter().enumerate() {
            let own = own_sequences.filter(|it| it.is_valid(row)).map(|it| it.value(row));
            let newest = sequences.get_mut(&key.owned()).filter(|_| own.is_some());
            let is_older = newest.as_deref().is_some_and(|newest| newest.as_deref() > own);
            if let (Some(newest), Some(own), false) = (newest, own, is_older) {
                *newest = Some(own.to_owned());
            }
            keep.push(!is_older);
        }
        masks.push(BooleanArray::from(keep));
    }
    changes.filtered(&masks)
}

impl ChangeBatch {
    fn sequences(&self, place: usize) -> Option<&StringArray> {
        self.image.column(place).as_string_opt::<i32>()
    }

    /// Only these changes. The second half of a key change whose first half goes becomes an upsert
    /// of its own.
    pub(super) fn filtered(&self, keep: &BooleanArray) -> Result<Self> {
        let flags = |flags: &BooleanArray| -> Result<BooleanArray> {
            Ok(filter(flags, keep)?.as_boolean().clone())
        };
        let stays_moved = |row: usize| flag(self.moved.as_ref(), row) && keep.value(row - 1);
        let moved = self.moved.as_ref().map(|moved| {
            BooleanArray::from((0..moved.len()).map(stays_moved).collect::<Vec<bool>>())
        });
        let unset = self.unset.iter();
        Ok(Self {
            operation: filter(&self.operation, keep)?.as_primitive().clone(),
            image: filter_record_batch(&self.image, keep)?,
            unset: unset
                .map(|unset| unset.as_ref().map(flags).transpose())
                .collect::<Result<_>>()?,
            moved: moved.as_ref().map(flags).transpose()?,
        })
    }
}
