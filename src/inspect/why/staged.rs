//! The changes of a key in the staged objects that a commit took in.

use std::collections::{BTreeSet, HashMap};

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{UInt8Type, UInt64Type};

use crate::config::{SEQUENCE, TableSpec};
use crate::decode::{BEFORE, DecodeContext, OPERATION, ROW, open_at_once};
use crate::dms::Operation;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::text::text_of;
use crate::inspect::why::StagedChange;
use crate::inspect::why::life::Touched;
use crate::merge::KeyFinder;
use crate::pipeline::Pipeline;
use crate::progress::CommittedObject;
use crate::staging::{Identify, StagedObject, list_everything};
use crate::storage::Location;
use crate::table::LakeTable;

const MEMORY: usize = 256 << 20;

/// The staged objects of a table, read for one key.
pub(super) struct Staged<'a> {
    pipeline: &'a Pipeline,
    /// The table's settings, with the columns that tell time and sequence kept.
    spec: TableSpec,
    table: &'a LakeTable,
    finder: &'a KeyFinder,
    keys: &'a [String],
    /// What is staged, by path; listed when it is first asked for.
    listed: Option<(Location, HashMap<String, StagedObject>)>,
    gone: BTreeSet<String>,
    unreadable: BTreeSet<String>,
    read: u64,
}

impl<'a> Staged<'a> {
    pub(super) fn of(
        pipeline: &'a Pipeline,
        spec: &TableSpec,
        table: &'a LakeTable,
        finder: &'a KeyFinder,
        keys: &'a [String],
    ) -> Self {
        let mut spec = spec.clone();
        let dms = &pipeline.settings().dms;
        for told in [&dms.timestamp_column_name, &dms.change_seq_column].into_iter().flatten() {
            if !spec.store.contains(told) {
                // Its own name may be none that the lake allows, and no column may be in its way.
                spec.rename.insert(told.clone(), format!("told_of_{}", spec.store.len()));
                spec.store.push(told.clone());
            }
        }
        let (gone, unreadable) = (BTreeSet::new(), BTreeSet::new());
        Self { pipeline, spec, table, finder, keys, listed: None, gone, unreadable, read: 0 }
    }

    /// Objects that were decoded.
    pub(super) fn objects_read(&self) -> u64 {
        self.read
    }

    /// What could not be told.
    pub(super) fn gaps(&self) -> Vec<String> {
        let told = |objects: &BTreeSet<String>, what: &str| {
            let names: Vec<&str> = objects.iter().map(String::as_str).collect();
            (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
        };
        let gone =
            told(&self.gone, "objects that touched the row are no longer staged as they were");
        let unreadable =
            told(&self.unreadable, "objects that may have touched the row cannot be read");
        gone.into_iter().chain(unreadable).collect()
    }

    /// The changes of the key in the objects of a commit, in order.
    ///
    /// # Errors
    /// `Unavailable` if staging cannot be read.
    pub(super) async fn changes(&mut self, touched: &Touched) -> Result<Vec<StagedChange>> {
        let Some(ours) = touched.commit.ours.as_ref().filter(|_| touched.change.is_some()) else {
            return Ok(Vec::new());
        };
        let mut changes = Vec::new();
        for object in &ours.record.objects {
            match self.changes_in(object).await {
                Ok(Some(found)) => changes.extend(found),
                Ok(None) => {
                    self.gone.insert(object.key.clone());
                }
                Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                Err(error) => {
                    tracing::debug!(object = object.key, "{}", error.chain());
                    self.unreadable.insert(object.key.clone());
                }
            }
        }
        if let Some(winner) = self.winner(&changes) {
            changes[winner].won = true;
        }
        Ok(changes)
    }

    /// The change that counts: the last one, or the one with the greatest sequence where the table
    /// places changes by it.
    fn winner(&self, changes: &[StagedChange]) -> Option<usize> {
        let last = changes.len().checked_sub(1)?;
        if !self.spec.is_guarded() {
            return Some(last);
        }
        (0..=last).max_by_key(|at| (changes[*at].change_sequence.clone(), *at))
    }

    /// The changes in the rows of an object that a commit took in; none if it is no longer staged as
    /// it was.
    async fn changes_in(&mut self, object: &CommittedObject) -> Result<Option<Vec<StagedChange>>> {
        let Some(staged) = self.find(object).await? else { return Ok(None) };
        self.read += 1;
        let (location, _) = self.listed.as_ref().ok_or_else(unlisted)?;
        let dms = &self.pipeline.settings().dms;
        let context =
            DecodeContext::one_by_one(&self.spec, dms, location, self.table.schema(), MEMORY);
        let mut reader = open_at_once(&context, &staged, object.from).await?;
        let end = object.from + object.rows;
        let mut changes = Vec::new();
        while let Some(batch) = reader.next().await? {
            let found = self.of_key(&batch.changes, &object.key)?;
            let is_behind = found.last().is_some_and(|change| change.row > end);
            changes.extend(found.into_iter().filter(|change| change.row <= end));
            if is_behind {
                break;
            }
        }
        Ok(Some(changes))
    }

    /// The object as it is staged, if it is the one that was taken in.
    async fn find(&mut self, object: &CommittedObject) -> Result<Option<StagedObject>> {
        if self.listed.is_none() {
            let location = self.pipeline.staging_folder(&self.spec.source)?;
            let listing = list_everything(&location, true).await?;
            let objects = listing.objects.into_iter().map(|it| (it.relative.clone(), it));
            self.listed = Some((location, objects.collect()));
        }
        let (location, objects) = self.listed.as_ref().ok_or_else(unlisted)?;
        let Some(staged) = objects.get(&object.key) else { return Ok(None) };
        let identity = Identify::at(location).identity(staged).await?;
        Ok((identity == object.identity).then(|| staged.clone()))
    }

    /// The changes of the key among decoded rows: also those that took the key away from a row.
    fn of_key(&self, rows: &RecordBatch, object: &str) -> Result<Vec<StagedChange>> {
        let mut found = BTreeSet::new();
        let columns = |prefix: &str| -> Option<Vec<ArrayRef>> {
            let column = |key: &String| rows.column_by_name(&format!("{prefix}{key}")).cloned();
            self.keys.iter().map(column).collect()
        };
        for columns in [columns(""), columns(BEFORE)].into_iter().flatten() {
            self.finder.probe(&columns, |row| {
                found.insert(row);
            })?;
        }
        let operations = rows[OPERATION].as_primitive::<UInt8Type>();
        let numbers = rows[ROW].as_primitive::<UInt64Type>();
        let dms = &self.pipeline.settings().dms;
        let text = |name: Option<&String>, row: usize| -> Option<String> {
            let column = rows.column_by_name(self.spec.lake_name(name?))?;
            text_of(column, row).ok()?
        };
        let kept = SEQUENCE.to_owned();
        let change = |row: usize| StagedChange {
            object: object.to_owned(),
            row: numbers.value(row),
            op: letter(operations.value(row)),
            change_sequence: text(dms.change_seq_column.as_ref(), row)
                .or_else(|| text(Some(&kept), row)),
            source_time: text(dms.timestamp_column_name.as_ref(), row),
            won: false,
        };
        Ok(found.into_iter().map(change).collect())
    }
}

fn letter(code: u8) -> char {
    match Operation::of_code(code) {
        Some(Operation::Insert) => 'I',
        Some(Operation::Update) => 'U',
        Some(Operation::Delete) | None => 'D',
    }
}

fn unlisted() -> Error {
    Error::new(ErrorKind::Internal, "staging was not listed")
}
