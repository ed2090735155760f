//! Cuts pending objects into slices that fit the memory budget, the ledger and the time left.

use std::collections::VecDeque;
use std::mem::discriminant;
use std::time::Instant;

use object_store::ObjectStoreExt;

use crate::change::memory_size;
use crate::clock::Clock;
use crate::config::{OnBadRow, TableSpec};
use crate::dms::S3Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::slice::{Portion, Slice};
use crate::pipeline::{Observer, Step};
use crate::progress::Partial;
use crate::schema::TableSchema;
use crate::schema::evolve::extended;
use crate::source::{
    BadRow, DecodeContext, DecodedBatch, Identify, ObjectReader, StagedObject, open,
};
use crate::storage::{Location, StoreKind};

/// Rows of one decoded batch.
const BATCH_ROWS: usize = 8192;
/// Bytes of one decoded batch at most, and its share of the memory budget.
const BATCH_BYTES: usize = 16 << 20;
const BATCH_SHARE: usize = 8;
/// Bytes that the list of objects may take in one commit's record, which is bounded as a whole.
const RECORD_BYTES: usize = 7 * 1024;
/// Bytes of a record's entry beside the object's path and identity.
const ENTRY_BYTES: usize = 150;

/// What all slices of one application share.
pub(super) struct Cut<'a> {
    pub(super) table: &'a TableSpec,
    pub(super) dms: &'a S3Settings,
    pub(super) staging: &'a Location,
    pub(super) clock: &'a dyn Clock,
    pub(super) observer: &'a dyn Observer,
    pub(super) memory_budget: usize,
}

/// Reads pending objects in order, slice by slice.
pub(super) struct Slicer<'a> {
    cut: Cut<'a>,
    identify: Identify,
    queue: VecDeque<StagedObject>,
    /// Rows of the first object that are applied already.
    skip_rows: u64,
    /// The object being read, with what is read of it for the next slice.
    reading: Option<Reading>,
    /// The table's columns after all slices so far.
    schema: TableSchema,
    /// What ended reading, told once everything before it has been handed out.
    failed: Option<Error>,
}

struct Reading {
    reader: ObjectReader,
    portion: Portion,
    /// The batch behind the portion, which tells whether the object goes on; none at its end.
    ahead: Option<DecodedBatch>,
}

impl<'a> Slicer<'a> {
    pub(super) fn new(
        cut: Cut<'a>,
        objects: Vec<StagedObject>,
        partial: Option<&Partial>,
        schema: TableSchema,
    ) -> Self {
        let identify = Identify::at(cut.staging);
        let skip_rows = partial.map_or(0, |partial| partial.rows);
        Self {
            cut,
            identify,
            queue: objects.into(),
            skip_rows,
            reading: None,
            schema,
            failed: None,
        }
    }

    /// The next slice, read until `until`; none at the end. A slice always takes in some
    /// rows or finishes an object.
    ///
    /// # Errors
    /// What reading met, after the slice before it has been handed out.
    pub(super) async fn next(&mut self, until: Option<Instant>) -> Result<Option<Slice>> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut slice = Slice { portions: Vec::new(), schema: self.schema.clone() };
        match self.fill(&mut slice, until).await {
            Ok(()) => {}
            Err(error) if slice.portions.is_empty() => return Err(error),
            Err(error) => self.failed = Some(error),
        }
        // Objects behind the slice may have widened the schema that reading goes on with.
        Ok((!slice.portions.is_empty()).then_some(slice))
    }

    async fn fill(&mut self, slice: &mut Slice, until: Option<Instant>) -> Result<()> {
        let mut bytes = 0;
        let mut record_bytes = 0;
        loop {
            let Some(mut reading) = self.take_reading().await? else { return Ok(()) };
            let starts_other_phase = slice.portions.last().is_some_and(|last| {
                discriminant(&last.object.name.phase)
                    != discriminant(&reading.portion.object.name.phase)
            });
            record_bytes += ENTRY_BYTES + reading.portion.object.relative.len();
            if starts_other_phase || (record_bytes > RECORD_BYTES && !slice.portions.is_empty()) {
                self.reading = Some(reading);
                return Ok(());
            }
            let (clock, budget) = (self.cut.clock, self.cut.memory_budget);
            let is_full = |held: usize| {
                bytes + held >= budget || until.is_some_and(|until| clock.instant() >= until)
            };
            if !slice.portions.is_empty() && is_full(reading.portion.bytes) {
                self.reading = Some(reading);
                return Ok(());
            }
            while let Some(batch) = reading.ahead.take() {
                if reading.portion.rows > 0 && is_full(reading.portion.bytes) {
                    reading.ahead = Some(batch);
                    break;
                }
                self.take_batch(&mut reading, batch)?;
                reading.ahead = reading.reader.next().await?;
            }
            if reading.ahead.is_none() {
                self.check_unchanged(&reading.portion.object).await?;
                bytes += reading.portion.bytes;
                reading.portion.is_done = true;
                slice.schema = self.schema.clone();
                slice.portions.push(reading.portion);
                continue;
            }
            if slice.portions.is_empty() {
                // This object alone is too much: its rows so far are the slice.
                slice.schema = self.schema.clone();
                slice.portions.push(self.split(reading));
            } else {
                self.reading = Some(reading);
            }
            return Ok(());
        }
    }

    /// Hands out what is read of an object and goes on reading behind it later.
    fn split(&mut self, reading: Reading) -> Portion {
        let Reading { reader, portion, ahead } = reading;
        let rest = Portion::at(
            portion.object.clone(),
            portion.identity.clone(),
            portion.from + portion.rows,
        );
        self.reading = Some(Reading { reader, portion: rest, ahead });
        portion
    }

    async fn take_reading(&mut self) -> Result<Option<Reading>> {
        if let Some(reading) = self.reading.take() {
            return Ok(Some(reading));
        }
        let Some(object) = self.queue.pop_front() else { return Ok(None) };
        let from = std::mem::take(&mut self.skip_rows);
        let identity = self.identify.identity(&object).await?;
        let context = DecodeContext {
            table: self.cut.table,
            dms: self.cut.dms,
            lake: (!self.schema.columns().is_empty()).then_some(&self.schema),
            store: self.cut.staging.store(),
            kind: self.cut.staging.kind(),
            batch_rows: BATCH_ROWS,
            batch_bytes: (self.cut.memory_budget / BATCH_SHARE).min(BATCH_BYTES),
        };
        let mut reader = open(&context, &object, from).await?;
        let ahead = reader.next().await?;
        if let Some(wider) = extended(&self.schema, reader.columns()) {
            self.schema = wider;
        }
        let portion = Portion::at(object, identity, from);
        Ok(Some(Reading { reader, portion, ahead }))
    }

    /// Takes a batch of rows into the portion.
    fn take_batch(&self, reading: &mut Reading, batch: DecodedBatch) -> Result<()> {
        if let Some(sequence) = reading.reader.sequence() {
            // The reader tells of the whole object; only at its start can a resume show.
            let starts_here = reading.portion.from == 0;
            let first = if starts_here { &sequence.first } else { &sequence.last }.clone();
            reading.portion.sequence = Some((first, sequence.last.clone()));
        }
        if let (OnBadRow::Stop, Some(bad)) = (self.cut.table.on_bad_row, batch.bad_rows.first()) {
            return Err(refused(&reading.portion.object, bad));
        }
        let rows = (batch.changes.num_rows() + batch.bad_rows.len()) as u64;
        self.cut.observer.step(Step::Decoded { rows });
        reading.portion.rows += rows;
        reading.portion.bytes += memory_size(&batch.changes);
        reading.portion.bytes += batch.bad_rows.iter().map(|bad| bad.content.len()).sum::<usize>();
        if batch.changes.num_rows() > 0 {
            reading.portion.batches.push(batch.changes);
        }
        reading.portion.bad_rows.extend(batch.bad_rows);
        Ok(())
    }

    /// On a file system nothing pins an object while it is read; on S3 each read is conditional.
    async fn check_unchanged(&mut self, object: &StagedObject) -> Result<()> {
        if self.cut.staging.kind() == StoreKind::S3 {
            return Ok(());
        }
        let now = self.cut.staging.store().head(&object.location).await?;
        if now.size == object.size && now.last_modified == object.last_modified {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Conflict, "an object changed while it was read")
            .with("object", &object.relative))
    }
}

fn refused(object: &StagedObject, bad: &BadRow) -> Error {
    let error =
        Error::new(ErrorKind::MalformedObject, format!("a row cannot be decoded: {}", bad.reason))
            .with("object", &object.relative)
            .with("row", bad.row);
    match &bad.column {
        Some(column) => error.with("column", column),
        None => error,
    }
}
