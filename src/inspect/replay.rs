//! Applies again what is staged for a table, into a folder of its own, by the code that applies
//! tables everywhere. The table and what is staged are only read.

mod compare;
mod extent;
mod fork;
mod settings;
mod until;

use std::collections::HashSet;
use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use serde::Serialize;

pub use compare::Comparison;
pub(super) use extent::{Extent, newest_of};
pub(super) use fork::fork;
pub(super) use settings::settings_of_replay;
pub use until::Until;

use crate::config::TableSpec;
use crate::disposition::Status;
use crate::error::Result;
use crate::inspect::replay::compare::compare;
use crate::pipeline::{Limits, Observer, Pipeline};
use crate::progress::{Counts, Ledger};
use crate::staging::StagedObject;
use crate::storage::{Location, Overlay, Shows};
use crate::table;

/// What came of a replay.
#[derive(Clone, Debug, Serialize)]
pub struct Replayed {
    /// The name and the version of this schema: `replay/1`.
    pub schema: &'static str,
    /// `schema.table`
    pub table: String,
    /// Whether all of it was applied.
    pub done: bool,
    /// Why not.
    pub reason: Option<String>,
    /// What a person does about it.
    pub remedy: Option<String>,
    /// What the replay would have needed and is not staged any more.
    pub missing: Vec<String>,
    /// What became of the table and does not show in what is staged, a sentence for each.
    pub remarks: Vec<String>,
    /// The version of the table up to which was replayed, where the bound is one or a time.
    pub until_version: Option<u64>,
    /// The last object that was applied, in whole or in part.
    pub last_object: Option<String>,
    /// How many of its rows were, if not all.
    pub last_rows: Option<u64>,
    /// Objects that were applied completely.
    pub objects: u64,
    /// What became of the changes.
    pub changes: Counts,
    /// Where the new table is.
    pub location: String,
    /// Its version.
    pub version: Option<u64>,
    /// Its rows.
    pub rows: u64,
    /// How it compares with the table itself; none where no version of that has taken in the same.
    pub compared: Option<Comparison>,
}

impl Replayed {
    /// Whether all was applied, and equals the table where it can be compared.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.done && self.compared.as_ref().is_none_or(|compared| compared.equal)
    }
}

/// Applies what is staged for a table up to a bound into the lake `into`, which holds nothing of the
/// table yet, and compares the result with the table where a version of it has taken in the same.
///
/// What holds the new table, or is no longer staged, is part of the result.
///
/// # Errors
/// `Config` if nothing is there that the bound names; what keeps the table or what is staged from
/// being seen.
pub async fn replay(
    pipeline: &Pipeline,
    spec: &TableSpec,
    into: &Location,
    until: &Until,
    limits: &Limits,
    observer: &dyn Observer,
) -> Result<Replayed> {
    let extent = Extent::until(pipeline, spec, until).await?;
    let mut replayed = Replayed {
        schema: "replay/1",
        table: spec.source.to_string(),
        done: false,
        reason: None,
        remedy: None,
        missing: extent.missing.clone(),
        remarks: extent.remarks.clone(),
        until_version: extent.version,
        last_object: extent.objects.last().map(|last| last.relative.clone()),
        last_rows: extent.objects.last().and_then(|last| extent.rows_of(&last.relative)),
        objects: 0,
        changes: Counts::default(),
        location: String::new(),
        version: None,
        rows: 0,
        compared: None,
    };
    if !extent.missing.is_empty() {
        replayed.reason = Some(format!(
            "what is staged does not come to that version any more: {}",
            extent.missing.join("; ")
        ));
        replayed.remedy = Some("stage the objects again, or choose another bound".to_owned());
        return Ok(replayed);
    }
    let again = extent.pipeline(pipeline, spec, into.clone());
    let [spec_again] = &again.settings().tables[..] else { return Ok(replayed) };
    let report = again.apply_first_rows(spec_again, &extent.first_rows, limits, observer).await;
    let location = again.lake_folder(&spec.source)?;
    replayed.location = location.shown("");
    (replayed.objects, replayed.changes) = (report.objects, report.counts);
    let new = table::open(&location, None).await?;
    replayed.version = new.as_ref().map(table::LakeTable::version);
    replayed.rows = new.as_ref().map_or(0, table::LakeTable::rows);
    let is_stopped = limits.stop.is_requested();
    replayed.done = report.status == Status::Ok && !is_stopped;
    replayed.reason = report.error.or_else(|| is_stopped.then(|| "it was stopped".to_owned()));
    replayed.remedy = report.remedy;
    if let (true, Some(new)) = (replayed.done, new) {
        replayed.compared = compare(pipeline, spec, &new, extent.version).await?;
    }
    Ok(replayed)
}

/// A view of staging that shows these objects alone.
pub(super) fn only(staging: &Location, objects: &[StagedObject]) -> Location {
    let paths: HashSet<Path> = objects.iter().map(|object| object.location.clone()).collect();
    let shows: Shows = Arc::new(move |path: &Path| paths.contains(path));
    // Nothing is ever written there.
    let above = Arc::new(InMemory::new());
    staging.clone().map_store(|below| Arc::new(Overlay::new(below, above, shows)))
}

/// Whether two tables have taken in the same objects, and the same rows of the last one.
pub(super) fn is_same_progress(one: &Ledger, other: &Ledger) -> bool {
    let part =
        |ledger: &Ledger| ledger.partial.as_ref().map(|part| (part.object.clone(), part.rows));
    one.load.count == other.load.count
        && one.load.digest == other.load.digest
        && one.cdc.watermark == other.cdc.watermark
        && one.cdc.applied == other.cdc.applied
        && part(one) == part(other)
}
