//! The plain path: staged objects, decoded one after another into a map. Nothing of slices, net
//! changes or merges is in it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::is_not_null;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::{SchemaRef, UInt8Type, UInt64Type};
use arrow::row::Rows;

use crate::config::SEQUENCE;
use crate::decode::{BEFORE, DecodeContext, OPERATION, ROW, UNSET, open_at_once};
use crate::dms::Operation;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::verify::compare::ValuedRow;
use crate::inspect::verify::encode::{Encoded, Encoder, Key};
use crate::inspect::verify::observer::{Observer, Step};
use crate::limits::Stop;
use crate::progress::TakenIn;

/// A row of the replay.
#[derive(Clone, Debug)]
pub(super) struct Replayed {
    /// Its digest, and its values where they are kept.
    pub(super) row: ValuedRow,
    /// How many rows there are of this key; more than one only where there are no keys.
    pub(super) count: u32,
}

/// What a replay does.
pub(super) struct Replay<'a> {
    pub(super) context: DecodeContext<'a>,
    pub(super) encoder: &'a Encoder,
    /// Whether rows have no keys.
    pub(super) is_append_only: bool,
    /// Whether older images do not replace newer ones.
    pub(super) is_guarded: bool,
    /// Whether values are kept one by one.
    pub(super) keeps_values: bool,
    /// Only these keys; none for all.
    pub(super) only: Option<&'a HashSet<Key>>,
    pub(super) observer: &'a dyn Observer,
}

/// The rows that come of a replay.
#[derive(Debug, Default)]
pub(super) struct ReplayedTable {
    pub(super) rows: HashMap<Key, Replayed>,
    /// The greatest change sequence of each key, in a guarded table.
    newest: HashMap<Key, String>,
    /// Changes that were replayed.
    pub(super) changes: u64,
    /// Rows that could not be decoded.
    pub(super) bad_rows: u64,
}

impl Replay<'_> {
    /// Replays these objects; none if somebody asked to stop.
    ///
    /// # Errors
    /// As [`open`].
    pub(super) async fn run(
        &self,
        objects: &[TakenIn],
        stop: &Stop,
    ) -> Result<Option<ReplayedTable>> {
        let mut table = ReplayedTable::default();
        for TakenIn { object, rows } in objects {
            let mut reader = open_at_once(&self.context, object, 0).await?;
            'object: while let Some(batch) = reader.next().await? {
                if stop.is_requested() {
                    return Ok(None);
                }
                let most = rows.unwrap_or(u64::MAX);
                table.bad_rows +=
                    batch.bad_rows.iter().filter(|bad| bad.row <= most).count() as u64;
                let changes = Changes::of(&batch.changes, self.encoder)?;
                self.observer.step(Step::Source { rows: batch.changes.num_rows() as u64 });
                for row in 0..changes.in_bytes.len() {
                    if changes.numbers.get(row).is_some_and(|number| *number > most) {
                        break 'object;
                    }
                    self.apply(&changes, row, &mut table);
                }
            }
        }
        Ok(Some(table))
    }

    fn apply(&self, changes: &Changes, row: usize, table: &mut ReplayedTable) {
        table.changes += 1;
        let key = Key::from(changes.in_bytes.key(row));
        if self.is_append_only {
            let image = || changes.image(row, None, self);
            let entry = table.rows.entry(key);
            entry
                .and_modify(|replayed| replayed.count += 1)
                .or_insert_with(|| Replayed { row: image(), count: 1 });
            return;
        }
        if changes.operations[row] == Operation::Delete.code() {
            if !self.is_older(&key, changes, row, table) {
                table.rows.remove(&key);
            }
            return;
        }
        let old = changes.old_key(row).filter(|old| *old != key);
        let moved = match old {
            Some(old) if !self.is_older(&old, changes, row, table) => table.rows.remove(&old),
            _ => None,
        };
        if self.is_older(&key, changes, row, table) || !self.is_wanted(&key) {
            return;
        }
        let earlier = moved.as_ref().or_else(|| table.rows.get(&key));
        let image = changes.image(row, earlier.map(|it| &it.row), self);
        table.rows.insert(key, Replayed { row: image, count: 1 });
    }

    fn is_wanted(&self, key: &Key) -> bool {
        self.only.is_none_or(|only| only.contains(key))
    }

    /// Whether the guard drops the change of a key; else its sequence is taken in.
    fn is_older(
        &self,
        key: &Key,
        changes: &Changes,
        row: usize,
        table: &mut ReplayedTable,
    ) -> bool {
        let Some(sequence) = changes.sequence(row).filter(|_| self.is_guarded) else {
            return false;
        };
        match table.newest.get_mut(key) {
            Some(newest) if newest.as_str() > sequence => true,
            Some(newest) => {
                sequence.clone_into(newest);
                false
            }
            None => {
                table.newest.insert(key.clone(), sequence.to_owned());
                false
            }
        }
    }
}

/// A decoded batch, encoded.
struct Changes {
    operations: Vec<u8>,
    numbers: Vec<u64>,
    in_bytes: Encoded,
    each: Vec<Rows>,
    /// The keys before updates, where the object tells them.
    old: Option<Encoded>,
    /// For each value: where the object does not supply it.
    unset: Vec<Option<BooleanArray>>,
    sequences: Option<ArrayRef>,
}

impl Changes {
    fn of(batch: &RecordBatch, encoder: &Encoder) -> Result<Self> {
        let lacks = |what| {
            Error::new(ErrorKind::Internal, "a decoded batch lacks a column").with("column", what)
        };
        let column = |name: &'static str| batch.column_by_name(name).ok_or_else(|| lacks(name));
        let operations = column(OPERATION)?.as_primitive::<UInt8Type>().values().to_vec();
        let numbers = column(ROW)?.as_primitive::<UInt64Type>().values().to_vec();
        let schema = encoder.schema();
        let images = images(batch, schema)?;
        let in_bytes = encoder.encode(&images)?;
        let each = encoder.each_value(&images)?;
        let old = old_keys(batch, &images)?.map(|images| encoder.encode(&images)).transpose()?;
        let flags = |name: &str| {
            let column = batch.column_by_name(&format!("{UNSET}{name}"))?;
            column.as_boolean_opt().filter(|flags| flags.has_true()).cloned()
        };
        let unset = encoder.value_names().map(flags).collect();
        let sequences = batch.column_by_name(SEQUENCE).cloned();
        Ok(Self { operations, numbers, in_bytes, each, old, unset, sequences })
    }

    fn sequence(&self, row: usize) -> Option<&str> {
        let texts = self.sequences.as_ref()?.as_string_opt::<i32>()?;
        texts.is_valid(row).then(|| texts.value(row))
    }

    /// The key that an update has changed, if the object tells it.
    fn old_key(&self, row: usize) -> Option<Key> {
        let old = self.old.as_ref().filter(|_| self.operations[row] == Operation::Update.code())?;
        Some(old.key(row).into())
    }

    /// The row that a change leaves behind. What it does not supply is that of the row before, or
    /// NULL.
    fn image(&self, row: usize, earlier: Option<&ValuedRow>, replay: &Replay<'_>) -> ValuedRow {
        let is_unset = |at: usize| {
            self.unset[at].as_ref().is_some_and(|flags| flags.is_valid(row) && flags.value(row))
        };
        let encoder = replay.encoder;
        if !replay.keeps_values {
            let digest = self.in_bytes.digest(row, encoder);
            return ValuedRow { digest, values: Vec::new() };
        }
        let value = |at: usize| -> Box<[u8]> {
            match earlier.and_then(|earlier| earlier.values.get(at)).filter(|_| is_unset(at)) {
                Some(kept) => kept.clone(),
                // Where nothing is kept, decoding has put NULL.
                None => self.each[at].row(row).data().into(),
            }
        };
        let values: Vec<Box<[u8]>> = (0..self.each.len()).map(value).collect();
        let digest = encoder.digest(self.in_bytes.key(row), &values.concat());
        ValuedRow { digest, values }
    }
}

/// The images of a batch, with all columns of the table.
fn images(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let column = |name: &str| batch.column_by_name(name).cloned();
    let columns = schema.fields().iter().map(|field| {
        let found = column(field.name());
        found.unwrap_or_else(|| new_null_array(field.data_type(), batch.num_rows()))
    });
    Ok(RecordBatch::try_new(Arc::clone(schema), columns.collect())?)
}

/// The same with the keys before the changes; none if the batch does not tell them.
fn old_keys(batch: &RecordBatch, images: &RecordBatch) -> Result<Option<RecordBatch>> {
    let mut columns = images.columns().to_vec();
    let mut is_told = false;
    for (field, column) in images.schema().fields().iter().zip(&mut columns) {
        if let Some(before) = batch.column_by_name(&format!("{BEFORE}{}", field.name())) {
            *column = zip(&is_not_null(before)?, before, column)?;
            is_told = true;
        }
    }
    Ok(if is_told { Some(RecordBatch::try_new(images.schema(), columns)?) } else { None })
}
