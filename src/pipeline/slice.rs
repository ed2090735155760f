//! What one commit takes in.

use std::time::Instant;

use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};

use crate::decode::BadRow;
use crate::progress::{CommittedObject, NewestChange};
use crate::schema::TableSchema;
use crate::staging::{Identity, StagedObject};

/// Consecutive rows of one object.
#[derive(Debug)]
pub(super) struct Portion {
    pub(super) object: StagedObject,
    pub(super) identity: Identity,
    /// Rows of the object before these.
    pub(super) from: u64,
    /// Rows, bad ones included.
    pub(super) rows: u64,
    /// Whether the object ends here.
    pub(super) is_done: bool,
    /// Decoded rows.
    pub(super) batches: Vec<RecordBatch>,
    /// Rows that could not be decoded.
    pub(super) bad_rows: Vec<BadRow>,
    /// First and last change sequence, where the source gives one.
    pub(super) sequence: Option<(String, String)>,
    /// The newest commit time at the source among its changes, where the source gives one.
    pub(super) source_time: Option<DateTime<Utc>>,
    /// Memory that the decoded rows take.
    pub(super) bytes: usize,
}

impl Portion {
    /// No rows yet, behind the first `from` of an object.
    pub(super) fn at(object: StagedObject, identity: Identity, from: u64) -> Self {
        Self {
            object,
            identity,
            from,
            rows: 0,
            is_done: false,
            batches: Vec::new(),
            bad_rows: Vec::new(),
            sequence: None,
            source_time: None,
            bytes: 0,
        }
    }

    pub(super) fn is_of_load(&self) -> bool {
        self.object.name.phase.is_full_load()
    }

    pub(super) fn record(&self) -> CommittedObject {
        CommittedObject::new(&self.object, &self.identity, self.from, self.rows, self.is_done)
    }
}

/// Portions of consecutive objects of one phase, and the table's columns after them.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) portions: Vec<Portion>,
    pub(super) schema: TableSchema,
    /// Why it may be applied now.
    pub(super) turn: Turn,
    /// When it began to be read.
    pub(super) begun: Instant,
}

/// Why a slice may be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is next in the order of objects.
    Due,
    /// It is one late object, or part of one, if the guard of the table can place it.
    Late,
    /// The same, because an operator asked for it.
    Asked,
}

impl Slice {
    /// Whether it is of the full load. Empty objects of the load may go with the first changes.
    pub(super) fn is_of_load(&self) -> bool {
        self.portions.last().is_some_and(Portion::is_of_load)
    }

    /// The slice with portions before its own, which hold no rows.
    pub(super) fn after(mut self, mut before: Vec<Portion>) -> Self {
        before.append(&mut self.portions);
        self.portions = before;
        self
    }

    /// The decoded rows, in order, which the slice then no longer holds.
    pub(super) fn take_batches(&mut self) -> Vec<RecordBatch> {
        let portions = self.portions.iter_mut();
        portions.flat_map(|portion| std::mem::take(&mut portion.batches)).collect()
    }

    /// The newest of its changes.
    pub(super) fn newest(&self) -> NewestChange {
        let mut newest = NewestChange::default();
        for Portion { source_time, sequence, .. } in &self.portions {
            newest.raise(*source_time, sequence.as_ref().map(|(_, last)| last.as_str()));
        }
        newest
    }

    pub(super) fn bad_rows(&self) -> u64 {
        self.portions.iter().map(|portion| portion.bad_rows.len() as u64).sum()
    }

    pub(super) fn finished_objects(&self) -> u64 {
        self.finished().count() as u64
    }

    /// Bytes of the objects that end in it, as staged.
    pub(super) fn finished_bytes(&self) -> u64 {
        self.finished().map(|portion| portion.object.size).sum()
    }

    fn finished(&self) -> impl Iterator<Item = &Portion> {
        self.portions.iter().filter(|portion| portion.is_done)
    }
}
