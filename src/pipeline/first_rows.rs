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

impl Ahead {
    /// Reads on in an object up to that row.
    pub(super) async fn of(object: &mut OpenObject, last: Option<u64>) -> Result<Self> {
        let Some(batch) = object.next().await? else { return Ok(Self::End) };
        let Some(last) = last else { return Ok(Self::Rows(batch)) };
        let kept = batch.up_to(last)?;
        let is_empty = kept.changes.num_rows() == 0 && kept.bad_rows.is_empty();
        Ok(if is_empty { Self::Cut } else { Self::Rows(kept) })
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
