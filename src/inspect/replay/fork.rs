//! A table that goes on from an older version of another one, of which it copies nothing.

use std::sync::Arc;

use deltalake::kernel::Version;
use object_store::ObjectStore;
use object_store::path::Path;

use crate::config::TableSpec;
use crate::error::Result;
use crate::inspect::replay::settings_of_replay;
use crate::pipeline::Pipeline;
use crate::progress::Ledger;
use crate::storage::{Location, Overlay, Shows};
use crate::table::TableState;

const LOG: &str = "_delta_log";

/// A pipeline to which a table is as it was at a version, with the progress that `ledger` tells of,
/// and for which `staging` is what is staged. What it writes goes to `above`; of the table and its
/// tombstones, it reads what was there at that version. What is known of the table beside its log
/// is not known to it.
///
/// # Errors
/// `Config` if the table's name is not allowed in a path; `Unavailable` if `above` cannot be written.
pub(in crate::inspect) async fn fork(
    pipeline: &Pipeline,
    spec: &TableSpec,
    (version, ledger): (Version, &Ledger),
    staging: Location,
    above: Arc<dyn ObjectStore>,
) -> Result<Pipeline> {
    let table = pipeline.lake_folder(&spec.source)?.prefix().clone();
    let tombstones = pipeline.tombstones_folder(&spec.source)?.prefix().clone();
    let log = table.clone().join(LOG);
    let shows: Shows = Arc::new(move |path: &Path| {
        if path.prefix_matches(&log) {
            return is_of_log_up_to(path, version);
        }
        path.prefix_matches(&table) || path.prefix_matches(&tombstones)
    });
    let over = |below| Arc::new(Overlay::new(below, above, shows)) as Arc<dyn ObjectStore>;
    let lake = pipeline.lake().clone().map_store(over);
    let settings = settings_of_replay(pipeline.settings(), spec, Some(ledger));
    let forked = Pipeline::new(Arc::new(settings), staging, lake, Arc::clone(pipeline.clock()));
    if !ledger.is_untouched() {
        // Where none is, one is missed.
        let new = || TableState::new(&spec.source, spec.lake_keys());
        let begun = |state: &mut TableState| state.begun = true;
        forked.state_object(&spec.source)?.update(new, begun).await?;
    }
    Ok(forked)
}

/// Whether an object of a log is needed to read that version. The hint to the newest checkpoint is
/// not: it may be of a later one.
fn is_of_log_up_to(path: &Path, version: Version) -> bool {
    let Some(name) = path.filename() else { return false };
    let digits = name.get(..20).and_then(|digits| digits.parse::<Version>().ok());
    match digits {
        Some(of) => of <= version,
        None => name != "_last_checkpoint",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_after_the_version_is_hidden() {
        let is_shown = |name: &str| is_of_log_up_to(&Path::from(format!("t/_delta_log/{name}")), 7);
        for name in ["00000000000000000007.json", "00000000000000000006.checkpoint.parquet"] {
            assert!(is_shown(name), "{name}");
        }
        for name in [
            "00000000000000000008.json",
            "00000000000000000010.checkpoint.parquet",
            "_last_checkpoint",
        ] {
            assert!(!is_shown(name), "{name}");
        }
    }
}
