//! Rows of the keys in a table's quarantine, in every version of it that is kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use futures::TryStreamExt as _;

use crate::config::TableSpec;
use crate::decode::SourceRow;
use crate::error::{ErrorKind, Result};
use crate::files::rows_without;
use crate::forget::subject::Subject;
use crate::forget::survey::{entry_of, is_data};
use crate::inspect::AskedKey;
use crate::pipeline::{ChosenRows, Pipeline};
use crate::quarantine::{KEYS, QuarantinedRow, rows_of};
use crate::storage::Location;
use crate::table::{self, LakeTable};

/// What a table's quarantine holds of the keys, or did.
#[derive(Debug, Default)]
pub(super) struct Quarantined {
    /// The rows, those among them that have left it by now.
    pub(super) rows: Vec<QuarantinedRow>,
    /// Rows whose key cannot be told.
    pub(super) untold: u64,
}

/// Searches all files of the quarantine.
///
/// # Errors
/// `Unavailable` if lake or staging cannot be read.
pub(super) async fn quarantined(
    pipeline: &Pipeline,
    spec: &TableSpec,
    table: &LakeTable,
    keys: &[AskedKey],
) -> Result<Quarantined> {
    let location = pipeline.quarantine_folder(&spec.source)?;
    let Some(quarantine) = table::load(&location).await? else { return Ok(Quarantined::default()) };
    let quarantine = LakeTable::without_progress(quarantine)?;
    let rows = all_rows(&quarantine).await?;
    let fields = pipeline.source_rows(spec, table, &rows).await?;
    let prefix = pipeline.settings().dms.before_image_prefix.as_deref();
    let mut found = Quarantined::default();
    for (row, fields) in rows.into_iter().zip(fields) {
        match fields {
            None => found.untold += 1,
            Some(fields) => {
                if is_of(spec, &fields, prefix, keys) {
                    found.rows.push(row);
                }
            }
        }
    }
    Ok(found)
}

/// The rows of every file that is there, each once.
async fn all_rows(quarantine: &LakeTable) -> Result<Vec<QuarantinedRow>> {
    let store = quarantine.files().store();
    let mut rows = Vec::new();
    let mut known = BTreeSet::new();
    let listed = store.list(None).try_collect::<Vec<_>>().await?;
    for meta in listed.iter().filter(|meta| is_data(&meta.location)) {
        let add = entry_of(meta);
        let mut batches = match rows_without(quarantine.files(), &add, Vec::new()).await {
            Ok(batches) => batches,
            // What a crash left of a file holds nothing that could be read.
            Err(error) if error.kind() == ErrorKind::TableCorrupt => continue,
            Err(error) => return Err(error),
        };
        while let Some(batch) = batches.try_next().await? {
            for row in rows_of(&batch)? {
                if known.insert((row.identity.clone(), row.row)) {
                    rows.push(row);
                }
            }
        }
    }
    Ok(rows)
}

/// Whether a row has one of the keys, as the source wrote it, or had it before: `prefix` begins the
/// names of fields with what was there before.
fn is_of(spec: &TableSpec, fields: &SourceRow, prefix: Option<&str>, keys: &[AskedKey]) -> bool {
    let now: Vec<Option<&str>> = spec.keys.iter().map(|name| fields.text(name)).collect();
    let then = |name: &String| fields.text(&format!("{}{name}", prefix?));
    let before: Vec<Option<&str>> =
        spec.keys.iter().zip(&now).map(|(name, now)| then(name).or(*now)).collect();
    keys.iter().any(|key| key.is_written(&now) || key.is_written(&before))
}

/// Gives up those of the rows that stand in the quarantine, so that the table counts them no more.
///
/// # Errors
/// As [`Pipeline::discard_quarantined`].
pub(super) async fn discard(
    pipeline: &Pipeline,
    spec: &TableSpec,
    rows: &[QuarantinedRow],
) -> Result<()> {
    let chosen = rows.iter().map(|row| (row.identity.clone(), row.row)).collect();
    Box::pin(pipeline.discard_quarantined(spec, &ChosenRows::These(chosen))).await?;
    Ok(())
}

/// The quarantine as a table of its own, and the rows as its keys.
///
/// # Errors
/// `Internal`, never expected.
pub(super) fn subject<'a>(
    pipeline: &'a Pipeline,
    location: &'a Location,
    rows: &[QuarantinedRow],
) -> Result<Subject<'a>> {
    let identities = StringArray::from_iter_values(rows.iter().map(|row| &row.identity));
    let numbers: Int64Array =
        rows.iter().map(|row| i64::try_from(row.row).unwrap_or(i64::MAX)).collect();
    let keys = RecordBatch::try_from_iter([
        (KEYS[0], Arc::new(identities) as _),
        (KEYS[1], Arc::new(numbers) as _),
    ])?;
    Ok(Subject {
        location,
        names: KEYS.map(str::to_owned).to_vec(),
        keys,
        texts: Vec::new(),
        clock: pipeline.clock(),
        pipeline,
        spec: None,
    })
}
