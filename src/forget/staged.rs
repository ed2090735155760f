//! Staged objects that hold changes of the keys.

use arrow::array::ArrayRef;
use serde::Serialize;

use crate::config::TableSpec;
use crate::decode::{BEFORE, DecodeContext, open_at_once};
use crate::error::{ErrorKind, Result};
use crate::merge::KeyFinder;
use crate::pipeline::Pipeline;
use crate::progress::pending;
use crate::staging::{Identify, StagedObject, list_everything};
use crate::storage::Location;
use crate::table::LakeTable;

const MEMORY: usize = 256 << 20;

/// What staging holds of the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StagedRows {
    /// Objects that were decoded.
    pub objects_read: u64,
    /// Rows of the keys in them.
    pub rows: u64,
    /// Objects with such rows, as they are named in the store.
    pub objects: Vec<String>,
    /// Those of them that are not applied yet, or of which that is not known.
    pub pending: Vec<String>,
    /// Objects that cannot be decoded as a whole: whether they hold the keys is not known.
    pub unread: Vec<String>,
}

/// Decodes all staged objects of a table and looks for the keys.
///
/// # Errors
/// `Unavailable` if staging cannot be read.
pub(super) async fn staged_rows(
    pipeline: &Pipeline,
    spec: &TableSpec,
    (table, finder): (&LakeTable, &KeyFinder),
    names: &[String],
) -> Result<StagedRows> {
    let location = pipeline.staging_folder(&spec.source)?;
    let listing = list_everything(&location, true).await?;
    let waiting = pending(table.ledger(), &listing, &Identify::at(&location)).await?;
    let waits = |object: &StagedObject| {
        let mut all = waiting.objects.iter().chain(&waiting.late);
        waiting.hold.is_some() || all.any(|other| other.relative == object.relative)
    };
    let mut found = StagedRows::default();
    for object in &listing.objects {
        let search = Search { pipeline, spec, table, finder, names, location: &location };
        let shown = location.shown(&object.relative);
        match Box::pin(search.rows(object)).await {
            Ok((rows, is_whole)) => {
                found.objects_read += 1;
                found.rows += rows;
                if rows > 0 {
                    found.objects.push(shown.clone());
                    found.pending.extend(waits(object).then(|| shown.clone()));
                }
                if !is_whole {
                    found.unread.push(shown);
                }
            }
            Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
            Err(error) => {
                tracing::debug!(object = object.relative, "{}", error.chain());
                found.unread.push(shown);
            }
        }
    }
    Ok(found)
}

struct Search<'a> {
    pipeline: &'a Pipeline,
    spec: &'a TableSpec,
    table: &'a LakeTable,
    finder: &'a KeyFinder,
    names: &'a [String],
    location: &'a Location,
}

impl Search<'_> {
    /// The rows of the keys in an object, also those that took a key away from a row; and whether all
    /// of its rows could be decoded.
    async fn rows(&self, object: &StagedObject) -> Result<(u64, bool)> {
        let dms = &self.pipeline.settings().dms;
        let schema = self.table.schema();
        let context = DecodeContext::one_by_one(self.spec, dms, self.location, schema, MEMORY);
        let mut reader = open_at_once(&context, object, 0).await?;
        let (mut rows, mut is_whole) = (0, true);
        while let Some(batch) = reader.next().await? {
            is_whole &= batch.bad_rows.is_empty();
            let mut has = vec![false; batch.changes.num_rows()];
            let columns = |prefix: &str| -> Option<Vec<ArrayRef>> {
                let column = |key: &String| batch.changes.column_by_name(&format!("{prefix}{key}"));
                self.names.iter().map(|key| column(key).cloned()).collect()
            };
            for columns in [columns(""), columns(BEFORE)].into_iter().flatten() {
                self.finder.probe(&columns, |row| has[row] = true)?;
            }
            rows += has.into_iter().filter(|has| *has).count() as u64;
        }
        Ok((rows, is_whole))
    }
}
