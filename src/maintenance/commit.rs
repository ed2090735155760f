//! A commit that puts files in the place of others and changes no row.

use std::collections::HashMap;
use std::sync::Arc;

use deltalake::kernel::{Action, Add, DeletionVectorDescriptor};
use deltalake::protocol::DeltaOperation;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::files::removal;
use crate::maintenance::live_file::LiveFile;
use crate::maintenance::policy::MOST_RACES;
use crate::storage::Location;
use crate::table::{LakeTable, commit_properties, commit_where_it_stands, find_attempt, log_store};

/// New files with the live rows of old ones.
#[derive(Debug)]
pub(super) struct Replacement {
    pub(super) removed: Vec<LiveFile>,
    pub(super) added: Vec<Add>,
}

/// What became of a replacement, and the table as it stands then.
#[must_use]
pub(super) enum Replaced {
    Committed(Box<LakeTable>),
    /// Another commit changed one of the files first.
    Lost(Box<LakeTable>),
}

/// Commits a replacement. Where others commit first and leave its files alone it is tried
/// again on top of theirs, since its rows are still the live rows of these files.
///
/// # Errors
/// `Conflict` if others are first every time, `TableCorrupt` if the table lost rows.
pub(super) async fn replace(
    location: &Location,
    mut table: LakeTable,
    replacement: &Replacement,
    clock: &Arc<dyn Clock>,
) -> Result<Replaced> {
    let target_size = table.delta().snapshot()?.table_config().target_file_size;
    let operation = DeltaOperation::Optimize {
        predicate: None,
        target_size: target_size.map_or(0, |size| i64::try_from(size.get()).unwrap_or(i64::MAX)),
    };
    let mut last = None;
    for _ in 0..MOST_RACES {
        let actions = actions(replacement, clock.as_ref());
        let metrics = Some(metrics(replacement));
        match commit(location, table, actions, operation.clone(), metrics, clock).await? {
            Committed::Here(table) => return Ok(Replaced::Committed(table)),
            Committed::Behind(newer, error) => {
                if !still_stand(&newer, &replacement.removed)? {
                    return Ok(Replaced::Lost(newer));
                }
                table = *newer;
                last = Some(error);
            }
        }
    }
    let error = Error::new(ErrorKind::Conflict, "other commits came first every time");
    Err(match last {
        Some(cause) => error.because(cause),
        None => error,
    })
}

/// What became of one commit of maintenance.
#[must_use]
pub(super) enum Committed {
    Here(Box<LakeTable>),
    /// Others have committed: the table as it stands, and what the commit met.
    Behind(Box<LakeTable>, Error),
}

/// Commits actions on top of exactly this snapshot, with a record that carries progress on.
///
/// # Errors
/// `Unavailable` if the table cannot be opened again after a failure, `Conflict` if it is gone.
pub(super) async fn commit(
    location: &Location,
    table: LakeTable,
    actions: Vec<Action>,
    operation: DeltaOperation,
    metrics: Option<Value>,
    clock: &Arc<dyn Clock>,
) -> Result<Committed> {
    let record = table.record_without_objects(clock.as_ref());
    let properties = commit_properties(&record, table.next_transaction(), metrics)?;
    let error = match commit_where_it_stands(&table, actions, operation, properties).await {
        Ok(delta) => return Ok(Committed::Here(Box::new(table.succeeded_by(delta, record)?))),
        Err(error) => error,
    };
    let base = Some(table.version());
    let stands = find_attempt(&log_store(location)?, record.attempt, base).await?.is_some();
    let newer = Box::new(table.at_newest(location).await?);
    Ok(if stands { Committed::Here(newer) } else { Committed::Behind(newer, error) })
}

/// Nothing here changes data, so that readers of changes need not look.
fn actions(replacement: &Replacement, clock: &dyn Clock) -> Vec<Action> {
    let removed = replacement.removed.iter().map(|file| {
        let add = Add { data_change: false, ..file.add.clone() };
        removal(add, clock.now())
    });
    let added = replacement.added.iter();
    let added = added.map(|add| Action::Add(Add { data_change: false, ..add.clone() }));
    removed.chain(added).collect()
}

/// Under Spark's names for the metrics of OPTIMIZE.
fn metrics(replacement: &Replacement) -> Value {
    let bytes = |added: &Add| added.size.unsigned_abs();
    let vectors = replacement.removed.iter().filter(|file| file.masked > 0).count();
    json!({
        "numRemovedFiles": replacement.removed.len().to_string(),
        "numRemovedBytes": replacement.removed.iter().map(|file| file.bytes).sum::<u64>().to_string(),
        "numAddedFiles": replacement.added.len().to_string(),
        "numAddedBytes": replacement.added.iter().map(bytes).sum::<u64>().to_string(),
        "numDeletionVectorsRemoved": vectors.to_string(),
    })
}

/// Whether a snapshot has these files as they were read, deletion vectors included.
fn still_stand(table: &LakeTable, files: &[LiveFile]) -> Result<bool> {
    let views: Vec<_> = table.delta().snapshot()?.log_data().iter().collect();
    let standing: HashMap<String, Option<DeletionVectorDescriptor>> = views
        .iter()
        .map(|view| (view.path().into_owned(), view.deletion_vector_descriptor()))
        .collect();
    Ok(files.iter().all(|file| standing.get(&file.add.path) == Some(&file.add.deletion_vector)))
}
