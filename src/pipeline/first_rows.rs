//! An application that ends within an object: of some objects, only the first rows are taken in.

use std::collections::BTreeMap;

#[cfg(feature = "cli")]
use crate::config::TableSpec;
use crate::decode::{DecodedBatch, OpenObject};
use crate::error::Result;
#[cfg(feature = "cli")]
use crate::pipeline::application::{self, Manner};
#[cfg(feature = "cli")]
use crate::pipeline::{Limits, Observer, Pipeline, Scope, TableReport};

/// Objects, by their paths below the table's folder, of which only so many first rows are taken in,
/// those of earlier commits included. What is taken in of them is not the end of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirstRows(BTreeMap<String, u64>);

impl FirstRows {
    /// Of this object, so many.
    #[must_use]
    pub fn of(object: String, rows: u64) -> Self {
        Self(BTreeMap::from([(object, rows)]))
    }

    /// The same, and so many of another object too.
    #[must_use]
    pub fn and(mut self, object: String, rows: u64) -> Self {
        self.0.insert(object, rows);
        self
    }

    /// How many rows of an object may be taken in; none if all of it may.
    #[must_use]
    pub fn of_object(&self, object: &str) -> Option<u64> {
        self.0.get(object).copied()
    }
}

/// What comes next of an object.
pub(super) enum Ahead {
    /// These rows.
    Rows(DecodedBatch),
    /// Nothing: it ends.
    End,
    /// More, which is not to be taken in.
    Cut,
}

/// The last row that is taken in of an object that is being read, where that is not its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastRow {
    row: Option<u64>,
    /// Whether rows behind it were met.
    is_passed: bool,
}

impl LastRow {
    /// That row; none if the object is taken in to its end.
    pub(super) fn of(row: Option<u64>) -> Self {
        Self { row, is_passed: false }
    }

    /// Reads on in the object.
    pub(super) async fn read_on(&mut self, object: &mut OpenObject) -> Result<Ahead> {
        if self.is_passed {
            return Ok(Ahead::Cut);
        }
        let Some(batch) = object.next().await? else { return Ok(Ahead::End) };
        let Some(last) = self.row else { return Ok(Ahead::Rows(batch)) };
        let rows = |batch: &DecodedBatch| batch.changes.num_rows() + batch.bad_rows.len();
        let before = rows(&batch);
        let kept = batch.up_to(last)?;
        self.is_passed = rows(&kept) < before;
        Ok(if self.is_passed && rows(&kept) == 0 { Ahead::Cut } else { Ahead::Rows(kept) })
    }
}

#[cfg(feature = "cli")]
impl Pipeline {
    /// Applies as [`Self::apply`] does, but of some objects only their first rows. A later
    /// application goes on behind these.
    pub async fn apply_first_rows(
        &self,
        table: &TableSpec,
        first_rows: &FirstRows,
        limits: &Limits,
        observer: &dyn Observer,
    ) -> TableReport {
        let manner = Manner { first_rows: Some(first_rows), ..Manner::default() };
        // As in `apply`.
        Box::pin(application::run(self, table, &Scope::Everything, limits, observer, manner)).await
    }
}
