//! A commit that puts files in the place of others and changes no row.

use std::collections::HashMap;
use std::time::Instant;

use deltalake::kernel::{Action, Add, DeletionVectorDescriptor, LogicalFileView};
use deltalake::protocol::DeltaOperation;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::files::removal;
use crate::maintenance::live_file::LiveFile;
use crate::maintenance::policy::MOST_RACES;
use crate::maintenance::retention::must_be_within_retention;
use crate::maintenance::run::Maintenance;
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
    /// Those whose files nobody has changed first.
    Committed(Box<LakeTable>, Vec<Replacement>),
    /// Other commits changed files of all of them first, or another table took the place.
    Lost(Box<LakeTable>),
}

/// Commits replacements, which were begun to be written then, together. Where others commit first and
/// leave files of some alone, these are tried again on top of theirs, since their rows are still the
/// live rows of these files, unless what others did holds the table.
///
/// # Errors
/// `Conflict` if others are first every time, `TableCorrupt` if the table lost rows, `TableRefused` if
/// writing took too long.
pub(super) async fn replace(
    job: &Maintenance<'_>,
    mut table: LakeTable,
    mut replacements: Vec<Replacement>,
    begun: Instant,
) -> Result<Replaced> {
    let Maintenance { spec, location, clock, .. } = *job;
    let target_size = table.delta().snapshot()?.table_config().target_file_size;
    let operation = DeltaOperation::Optimize {
        predicate: None,
        target_size: target_size.map_or(0, |size| i64::try_from(size.get()).unwrap_or(i64::MAX)),
    };
    let mut last = None;
    for _ in 0..MOST_RACES {
        must_be_within_retention(&table, begun, clock.as_ref())?;
        let actions = actions(&replacements, clock.as_ref());
        let transaction = Transaction::carrying_on(&table, clock);
        let metrics = Some(metrics(&replacements));
        last = Some(match transaction.commit(actions, operation.clone(), metrics).await? {
            CommitOutcome::Committed(table) | CommitOutcome::BelowOthers { newer: table, .. } => {
                return Ok(Replaced::Committed(table, replacements));
            }
            CommitOutcome::Conflicted { newer, error } => {
                let files = FilesAsTheyAre::of(&newer)?;
                replacements.retain(|replacement| files.have(&replacement.removed));
                // Nor does it hide what holds the table.
                if replacements.is_empty() || refuse_foreign(spec, &newer).is_err() {
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
pub(super) fn actions(replacements: &[Replacement], clock: &dyn Clock) -> Vec<Action> {
    let removed = replacements.iter().flat_map(|it| &it.removed).map(|file| {
        let add = Add { data_change: false, ..file.add.clone() };
        removal(add, clock.now())
    });
    let added = replacements.iter().flat_map(|it| &it.added);
    let added = added.map(|add| Action::Add(Add { data_change: false, ..add.clone() }));
    removed.chain(added).collect()
}

/// Under Spark's names for the metrics of OPTIMIZE.
pub(super) fn metrics(replacements: &[Replacement]) -> Value {
    let removed = || replacements.iter().flat_map(|it| &it.removed);
    let added = || replacements.iter().flat_map(|it| &it.added);
    let bytes = |added: &Add| added.size.unsigned_abs();
    let vectors = removed().filter(|file| file.masked > 0).count();
    json!({
        "numRemovedFiles": removed().count().to_string(),
        "numRemovedBytes": removed().map(|file| file.bytes).sum::<u64>().to_string(),
        "numAddedFiles": added().count().to_string(),
        "numAddedBytes": added().map(bytes).sum::<u64>().to_string(),
        "numDeletionVectorsRemoved": vectors.to_string(),
    })
}

/// The data files of a snapshot and their deletion vectors.
pub(super) struct FilesAsTheyAre(HashMap<String, Option<DeletionVectorDescriptor>>);

impl FilesAsTheyAre {
    /// # Errors
    /// `Internal`, never expected.
    pub(super) fn of(table: &LakeTable) -> Result<Self> {
        let views: Vec<_> = table.delta().snapshot()?.log_data().iter().collect();
        let file =
            |view: &LogicalFileView| (view.path().into_owned(), view.deletion_vector_descriptor());
        Ok(Self(views.iter().map(file).collect()))
    }

    /// Whether these files are among them as they were read, deletion vectors included.
    pub(super) fn have(&self, files: &[LiveFile]) -> bool {
        files.iter().all(|file| self.0.get(&file.add.path) == Some(&file.add.deletion_vector))
    }
}
