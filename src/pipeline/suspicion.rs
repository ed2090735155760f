//! What a slice would show where its table was begun from less than all of it, or by wrong keys.

use arrow::record_batch::RecordBatch;

use crate::change::{Changes, refuse_differing};
use crate::config::TableSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::merge::{self, MergePlan};
use crate::pipeline::slice::{Portion, Slice};
use crate::progress::Ledger;
use crate::table::LakeTable;

/// What is looked for in one slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Suspicion {
    /// Nothing: the table has its full load, or needs none.
    None,
    /// Rows of the full load with one key that differ, but for these columns, which tell of the
    /// transfer.
    KeysNotUnique {
        /// Control columns that are stored.
        apart: Vec<String>,
    },
    /// Updates and deletes of keys that no change before them inserted: no load was applied.
    LoadNotStaged,
}

impl Suspicion {
    /// What there is to look for in a slice of a table with that progress. An operator may accept
    /// that its load is lost.
    pub(super) fn of(
        spec: &TableSpec,
        progress: &Ledger,
        slice: &Slice,
        accepts_loss: bool,
    ) -> Self {
        if spec.keys.is_empty() {
            return Self::None;
        }
        if slice.is_of_load() {
            return Self::KeysNotUnique { apart: columns_apart(spec) };
        }
        // Empty objects of a load go with the first changes.
        let has_load = slice.portions.iter().any(Portion::is_of_load);
        if !has_load && Self::needs_load(spec, progress, accepts_loss) {
            Self::LoadNotStaged
        } else {
            Self::None
        }
    }

    /// Whether changes are applied to a table that should have begun with a load.
    pub(super) fn needs_load(spec: &TableSpec, progress: &Ledger, accepts_loss: bool) -> bool {
        progress.load.count == 0 && !spec.cdc_only && !accepts_loss
    }

    /// The changes, told what to watch for.
    pub(super) fn watch(&self, changes: Changes) -> Changes {
        match self {
            Self::None => changes,
            Self::KeysNotUnique { apart } => changes.of_load(apart),
            Self::LoadNotStaged => changes.watching_origins(),
        }
    }

    /// Looks at what the slice meets in the table.
    ///
    /// # Errors
    /// `TableRefused` if the suspicion proves right; `Unavailable` if the table cannot be read.
    pub(super) async fn check(
        &self,
        table: &LakeTable,
        keys: &[String],
        plan: &MergePlan,
    ) -> Result<()> {
        match self {
            Self::KeysNotUnique { apart } if plan.updated > 0 => {
                let loaded = plan.updates()?;
                let names: Vec<String> = table
                    .schema()
                    .columns()
                    .iter()
                    .map(|column| column.name.clone())
                    .filter(|name| !apart.contains(name))
                    .collect();
                let asked = loaded.iter().map(|batch| key_columns(batch, keys));
                let asked: Vec<RecordBatch> = asked.collect::<Result<_>>()?;
                let mut rows = merge::rows_of(table, keys, &asked, &names).await?;
                rows.extend(loaded);
                refuse_differing(&table.schema().arrow(), &rows, keys, &names)
            }
            Self::LoadNotStaged if plan.unfounded > 0 => Err(load_not_staged(plan.unfounded)),
            _ => Ok(()),
        }
    }
}

/// Columns of a full load that tell of the transfer: two copies of one row may differ in them.
pub(super) fn columns_apart(spec: &TableSpec) -> Vec<String> {
    spec.store.iter().map(|stored| spec.lake_name(stored).to_owned()).collect()
}

fn key_columns(batch: &RecordBatch, keys: &[String]) -> Result<RecordBatch> {
    let places = keys.iter().map(|key| batch.schema_ref().index_of(key));
    Ok(batch.project(&places.collect::<Result<Vec<_>, _>>()?)?)
}

fn load_not_staged(changes: u64) -> Error {
    Error::new(
        ErrorKind::TableRefused,
        "no full load is staged for the table, and changes update or delete rows that were never \
         inserted: rows of before are missing",
    )
    .with("changes", changes)
    .with_remedy(
        "have DMS load the table, or stage its full load again; where the task only replicates \
         changes, or the table was empty when it was loaded, set cdc_only = true for it",
    )
}
