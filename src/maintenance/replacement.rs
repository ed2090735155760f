//! A commit that puts files in the place of others and changes no row.

use std::collections::HashMap;
use std::sync::Arc;

use deltalake::kernel::{Action, Add, DeletionVectorDescriptor};
use deltalake::protocol::DeltaOperation;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::config::TableSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::files::removal;
use crate::maintenance::live_file::LiveFile;
use crate::maintenance::policy::MOST_RACES;
use crate::storage::Location;
use crate::table::{self, CommitOutcome, LakeTable, Transaction, refuse_foreign};

/// New files with the live rows of old ones.
#[derive(Debug)]
pub(super) struct Replacement {
    pub(super) removed: Vec<LiveFile>,
    pub(super) added: Vec<Add>,
}

/// What became of a replacement, and the table after it.
#[must_use]
pub(super) enum Replaced {
    Committed(Box<LakeTable>),
    /// Another commit changed one of the files first, or another table took the place.
    Lost(Box<LakeTable>),
}

/// Commits a replacement. Where others commit first and leave its files alone it is tried
/// again on top of theirs, since its rows are still the live rows of these files, unless what they
/// did holds the table.
///
/// # Errors
/// `Conflict` if others are first every time, `TableCorrupt` if the table lost rows.
pub(super) async fn replace(
    spec: &TableSpec,
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
        let transaction = Transaction::carrying_on(&table, clock);
        let metrics = Some(metrics(replacement));
        last = Some(match transaction.commit(actions, operation.clone(), metrics).await? {
            CommitOutcome::Committed(table) | CommitOutcome::BelowOthers { newer: table, .. } => {
                return Ok(Replaced::Committed(table));
            }
            CommitOutcome::Conflicted { newer, error } => {
                // Nor does it hide what holds the table.
                let is_held = refuse_foreign(spec, &newer).is_err();
                if is_held || !are_unchanged(&newer, &replacement.removed)? {
                    return Ok(Replaced::Lost(newer));
                }
                table = *newer;
                error
            }
            CommitOutcome::Gone(error) => {
                let successor = table::open(location, None).await?;
                return successor.map(Box::new).map(Replaced::Lost).ok_or(error);
            }
            // If it lands after all, the next attempt sees that its files were already replaced.
            CommitOutcome::Unknown { error, .. } => error,
        });
    }
    let error = Error::new(ErrorKind::Conflict, "other commits came first every time");
    Err(match last {
        Some(cause) => error.because(cause),
        None => error,
    })
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
fn are_unchanged(table: &LakeTable, files: &[LiveFile]) -> Result<bool> {
    let views: Vec<_> = table.delta().snapshot()?.log_data().iter().collect();
    let standing: HashMap<String, Option<DeletionVectorDescriptor>> = views
        .iter()
        .map(|view| (view.path().into_owned(), view.deletion_vector_descriptor()))
        .collect();
    Ok(files.iter().all(|file| standing.get(&file.add.path) == Some(&file.add.deletion_vector)))
}
