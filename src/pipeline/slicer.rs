//! Cuts pending objects into slices that fit the memory budget, the ledger and the time left.

use std::collections::BTreeSet;
use std::mem::discriminant;
use std::time::Instant;

use object_store::ObjectStoreExt;

use crate::clock::Clock;
use crate::config::{OnBadRow, TableSpec};
use crate::decode::{BadRow, DecodedBatch, Next, OpenObject, ReadAhead, ReadSettings};
use crate::dms::S3Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::memory_size;
use crate::pipeline::first_rows::{Ahead, FirstRows, LastRow};
use crate::pipeline::slice::{Portion, Slice, Turn};
use crate::pipeline::{Observer, Step};
use crate::progress::{ListLength, Partial};
use crate::schema::{ColumnChange, TableSchema};
use crate::staging::StagedObject;
use crate::storage::{Location, StoreKind};
use crate::table::LakeTable;

/// Bytes that the list of objects may take in one commit's record, which is bounded as a whole.
const LIST_BYTES: usize = 23 * 512;

/// What all slices of one application share.
pub(super) struct Cut<'a> {
    pub(super) table: &'a TableSpec,
    pub(super) dms: &'a S3Settings,
    pub(super) staging: &'a Location,
    pub(super) clock: &'a dyn Clock,
    pub(super) observer: &'a dyn Observer,
    /// How the table's columns will have changed when the objects are applied.
    pub(super) changes: Vec<ColumnChange>,
    pub(super) memory_budget: usize,
    /// Objects that may exceed the limits of the configuration; they share no slice with others.
    pub(super) let_pass: &'a BTreeSet<String>,
    /// Objects of which only the first rows are taken in, if there are any.
    pub(super) first_rows: Option<&'a FirstRows>,
}

impl Cut<'_> {
    /// How the objects are read.
    pub(super) fn read_settings(&self) -> ReadSettings {
        ReadSettings {
            table: self.table.clone(),
            dms: self.dms.clone(),
            staging: self.staging.clone(),
            changes: self.changes.clone(),
            memory_budget: self.memory_budget,
        }
    }
}

/// What comes next when pending objects are cut into slices.
pub(super) enum NextSlice {
    /// A slice, which takes in some rows or finishes an object.
    Slice(Slice),
    /// The table needs these changes of its columns before anything more is applied.
    Reshape(Vec<ColumnChange>),
    /// All is cut.
    End,
}

/// Reads pending objects in order, slice by slice.
pub(super) struct Slicer<'a> {
    cut: Cut<'a>,
    /// Which objects are late, and why they may be applied.
    late: (Vec<String>, Turn),
    /// The objects to come, and the table's columns after those that are being read.
    objects: ReadAhead,
    /// The object being read, with what is read of it for the next slice.
    reading: Option<Reading>,
    /// What the table needs before the objects to come.
    reshape: Vec<ColumnChange>,
    /// What ended reading, told once everything before it has been handed out.
    failed: Option<Error>,
}

struct Reading {
    object: OpenObject,
    portion: Portion,
    /// What is behind the portion, which tells whether the object goes on.
    ahead: Ahead,
    /// How far it is taken in.
    last: LastRow,
}

impl Reading {
    async fn read_on(&mut self) -> Result<()> {
        self.ahead = self.last.read_on(&mut self.object).await?;
        Ok(())
    }
}

impl<'a> Slicer<'a> {
    /// Reads objects for a table as it is now; a slice of a late one takes in no other.
    pub(super) fn new(
        cut: Cut<'a>,
        objects: Vec<StagedObject>,
        late: (Vec<String>, Turn),
        table: Option<&LakeTable>,
    ) -> Self {
        let partial = table.and_then(|table| table.ledger().partial.as_ref());
        let is_first = |partial: &&Partial| {
            objects.first().is_some_and(|first| first.relative == partial.object)
        };
        let partial = partial.filter(is_first);
        let skip_rows = partial.map_or(0, |partial| partial.rows);
        let schema = table.map(|table| table.schema().clone()).unwrap_or_default();
        Self::behind(cut, objects, late, skip_rows, schema)
    }

    /// Reads objects for a table with these columns, the first one behind so many of its rows.
    pub(super) fn behind(
        cut: Cut<'a>,
        objects: Vec<StagedObject>,
        late: (Vec<String>, Turn),
        skip_rows: u64,
        schema: TableSchema,
    ) -> Self {
        let objects = ReadAhead::new(cut.read_settings(), objects, skip_rows, schema);
        Self { cut, late, objects, reading: None, reshape: Vec::new(), failed: None }
    }

    /// Columns of the table that objects read so far lack.
    pub(super) fn gone(&self) -> &BTreeSet<String> {
        self.objects.gone()
    }

    /// The next slice, read until `until`.
    ///
    /// # Errors
    /// What reading met, after the slice before it has been handed out.
    pub(super) async fn next(&mut self, until: Option<Instant>) -> Result<NextSlice> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let schema = self.objects.schema().clone();
        let begun = self.cut.clock.instant();
        let mut slice = Slice { portions: Vec::new(), schema, turn: Turn::Due, begun };
        match self.fill(&mut slice, until).await {
            Ok(()) => {}
            Err(error) if slice.portions.is_empty() => return Err(error),
            Err(error) => self.failed = Some(error),
        }
        if !slice.portions.is_empty() {
            return Ok(NextSlice::Slice(slice));
        }
        let changes = std::mem::take(&mut self.reshape);
        Ok(if changes.is_empty() { NextSlice::End } else { NextSlice::Reshape(changes) })
    }

    async fn fill(&mut self, slice: &mut Slice, until: Option<Instant>) -> Result<()> {
        let mut bytes = 0;
        let mut list = ListLength::default();
        loop {
            if !slice.portions.is_empty() && self.is_full(bytes, until) {
                return Ok(());
            }
            let Some(mut reading) = self.take_reading().await? else { return Ok(()) };
            let turn = self.turn_of(&reading.portion.object);
            let stands_alone = turn != Turn::Due || slice.turn != Turn::Due;
            let is_apart = |before: &Portion| {
                let (before, next) = (&before.object, &reading.portion.object);
                discriminant(&before.name.phase) != discriminant(&next.name.phase)
                    || self.may_pass(before) != self.may_pass(next)
                    || stands_alone
            };
            let is_apart = slice.portions.last().is_some_and(is_apart);
            list.add(&reading.portion.object, &reading.portion.identity);
            let is_list_full = list.bytes() > LIST_BYTES;
            let is_full = self.is_full(bytes + reading.portion.bytes, until);
            if !slice.portions.is_empty() && (is_apart || is_list_full || is_full) {
                self.reading = Some(reading);
                return Ok(());
            }
            slice.turn = turn;
            while let Ahead::Rows(_) = reading.ahead {
                let held = bytes + reading.portion.bytes;
                if reading.portion.rows > 0 && self.is_full(held, until) {
                    break;
                }
                if let Ahead::Rows(batch) = std::mem::replace(&mut reading.ahead, Ahead::End) {
                    self.take_batch(&mut reading.portion, batch)?;
                }
                reading.read_on().await?;
            }
            let is_cut = matches!(reading.ahead, Ahead::Cut);
            if is_cut && reading.portion.rows == 0 {
                continue;
            }
            if !matches!(reading.ahead, Ahead::Rows(_)) {
                self.check_bad_rows(&reading.portion)?;
                self.check_unchanged(&reading.portion.object).await?;
                bytes += reading.portion.bytes;
                reading.portion.is_done = !is_cut;
                slice.schema = self.objects.schema().clone();
                slice.portions.push(reading.portion);
                if is_cut {
                    return Ok(());
                }
                continue;
            }
            if slice.portions.is_empty() {
                // This object alone is too much: its rows so far are the slice.
                slice.schema = self.objects.schema().clone();
                self.check_bad_rows(&reading.portion)?;
                slice.portions.push(self.split(reading));
            } else {
                self.reading = Some(reading);
            }
            return Ok(());
        }
    }

    fn may_pass(&self, object: &StagedObject) -> bool {
        self.cut.let_pass.contains(&object.relative)
    }

    fn turn_of(&self, object: &StagedObject) -> Turn {
        let (late, turn) = &self.late;
        if late.contains(&object.relative) { *turn } else { Turn::Due }
    }

    /// Whether nothing more may be read beside so many bytes of rows and what is read ahead.
    fn is_full(&self, held: usize, until: Option<Instant>) -> bool {
        held + self.objects.charged() >= self.cut.memory_budget
            || until.is_some_and(|until| self.cut.clock.instant() >= until)
    }

    /// Hands out what is read of an object and goes on reading behind it later.
    fn split(&mut self, reading: Reading) -> Portion {
        let Reading { object, portion, ahead, last } = reading;
        let rest = Portion::at(
            portion.object.clone(),
            portion.identity.clone(),
            portion.from + portion.rows,
        );
        self.reading = Some(Reading { object, portion: rest, ahead, last });
        portion
    }

    async fn take_reading(&mut self) -> Result<Option<Reading>> {
        if let Some(reading) = self.reading.take() {
            return Ok(Some(reading));
        }
        if !self.reshape.is_empty() {
            return Ok(None);
        }
        let object = match self.objects.next().await? {
            Next::Object(object) => *object,
            Next::Reshape(changes) => {
                self.reshape = changes;
                return Ok(None);
            }
            Next::End => return Ok(None),
        };
        let (staged, identity) = (object.object.clone(), object.identity.clone());
        let last = self.cut.first_rows.and_then(|first| first.of_object(&staged.relative));
        let portion = Portion::at(staged, identity, object.skip_rows);
        let last = LastRow::of(last);
        let mut reading = Reading { object, portion, ahead: Ahead::End, last };
        reading.read_on().await?;
        Ok(Some(reading))
    }

    /// Takes a batch of rows into the portion.
    fn take_batch(&self, portion: &mut Portion, batch: DecodedBatch) -> Result<()> {
        if let Some(sequence) = batch.sequence {
            // It tells of the whole object; only at its start can a resume show.
            let first = if portion.from == 0 { sequence.first } else { sequence.last.clone() };
            portion.sequence = Some((first, sequence.last));
        }
        // In a full load it is when the row was read.
        portion.source_time = batch.source_time.filter(|_| !portion.is_of_load());
        if let (OnBadRow::Stop, Some(bad)) = (self.cut.table.on_bad_row, batch.bad_rows.first()) {
            return Err(refused(&portion.object, bad));
        }
        let rows = (batch.changes.num_rows() + batch.bad_rows.len()) as u64;
        self.cut.observer.step(Step::Decoded { rows });
        portion.rows += rows;
        portion.bytes += memory_size(&batch.changes);
        portion.bytes += batch.bad_rows.iter().map(|bad| bad.content.len()).sum::<usize>();
        if batch.changes.num_rows() > 0 {
            portion.batches.push(batch.changes);
        }
        portion.bad_rows.extend(batch.bad_rows);
        Ok(())
    }

    /// Whether the object is read as what it is: where most of its rows are bad, it hardly is.
    fn check_bad_rows(&self, portion: &Portion) -> Result<()> {
        let bad = portion.bad_rows.len() as u64;
        let Some(first) = portion.bad_rows.first() else { return Ok(()) };
        if !self.cut.table.max_bad_rows.are_exceeded_by(bad, portion.rows)
            || self.may_pass(&portion.object)
        {
            return Ok(());
        }
        let why = format!(
            "{bad} of {} rows cannot be decoded, more than max_bad_rows allows; the first of them: \
             {}",
            portion.rows, first.reason
        );
        let remedy = "bring columns, layouts and [dms] in line with the object; if so many rows \
                      are bad indeed, dmslake resume TABLE lets the object pass once";
        let own = first.remedy.as_ref().map(|own| format!("; or, {own}")).unwrap_or_default();
        Err(at_row(why, &portion.object, first)
            .with_passable(vec![portion.object.relative.clone()])
            .with_remedy(format!("{remedy}{own}")))
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
    let error = at_row(format!("a row cannot be decoded: {}", bad.reason), object, bad);
    match &bad.remedy {
        Some(remedy) => error.with_remedy(remedy.as_ref()),
        None => error,
    }
}

fn at_row(why: String, object: &StagedObject, bad: &BadRow) -> Error {
    let error = Error::new(ErrorKind::MalformedObject, why)
        .with("object", &object.relative)
        .with("row", bad.row);
    match &bad.column {
        Some(column) => error.with("column", column),
        None => error,
    }
}
