//! One Delta table and the keys whose rows are to go from it.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;

use crate::clock::Clock;
use crate::config::TableSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::AskedKey;
use crate::merge::KeyFinder;
use crate::pipeline::Pipeline;
use crate::storage::Location;
use crate::table::{self, LakeTable};

/// One Delta table and the keys whose rows are to go from it.
#[derive(Clone)]
pub(super) struct Subject<'a> {
    pub(super) location: &'a Location,
    /// The names of the key columns.
    pub(super) names: Vec<String>,
    /// The keys: these columns, each key once.
    pub(super) keys: RecordBatch,
    /// By key, its values as text, which conditions in the log may quote.
    pub(super) texts: Vec<Vec<String>>,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) pipeline: &'a Pipeline,
    /// The settings of a table that keeps progress; none of a quarantine.
    pub(super) spec: Option<&'a TableSpec>,
}

impl<'a> Subject<'a> {
    /// A table of the lake, and keys of it, of which there is one at least.
    ///
    /// # Errors
    /// `Internal`, never expected.
    pub(super) fn of(
        location: &'a Location,
        spec: &'a TableSpec,
        asked: &[AskedKey],
        pipeline: &'a Pipeline,
    ) -> Result<Self> {
        let mut texts = Vec::new();
        for key in asked {
            texts.push(key.values()?.into_values().flatten().collect());
        }
        let batches: Vec<&RecordBatch> = asked.iter().map(AskedKey::columns).collect();
        let none = || Error::new(ErrorKind::Internal, "no key is to be forgotten");
        let keys = concat_batches(&batches.first().ok_or_else(none)?.schema(), batches)?;
        let (names, clock) = (spec.lake_keys(), pipeline.clock());
        Ok(Self { location, names, keys, texts, clock, pipeline, spec: Some(spec) })
    }

    /// The table as it is now; none if it is not there.
    ///
    /// # Errors
    /// As [`table::open`].
    pub(super) async fn open(&self) -> Result<Option<LakeTable>> {
        match self.spec {
            Some(_) => table::open(self.location, None).await,
            None => table::load(self.location).await?.map(LakeTable::without_progress).transpose(),
        }
    }

    /// Tells readers that need more than the log of the table's newest files.
    ///
    /// # Errors
    /// As [`Pipeline::follow_operator`].
    pub(super) async fn follow(&self, table: &LakeTable) -> Result<()> {
        match self.spec {
            Some(spec) => self.pipeline.follow_operator(spec, table).await,
            None => Ok(()),
        }
    }

    /// What finds the keys in the table's files.
    ///
    /// # Errors
    /// `Internal` if a key is given twice.
    pub(super) fn finder(&self, table: &LakeTable) -> Result<KeyFinder> {
        KeyFinder::new(table.files(), &self.names, &self.keys)
    }
}
