//! Which data files may have held a key, and when each came and went.

use std::collections::HashMap;
use std::pin::pin;

use deltalake::kernel::{Add, Version};
use deltalake::logstore::LogStoreRef;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;

use crate::error::Result;
use crate::merge::KeyFinder;
use crate::storage::Location;
use crate::table::{Commit, FileChanges, LakeTable, file_changes, open_at};

/// So many commits are read at once.
const AT_ONCE: usize = 32;

/// The versions that are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// The first one. Unless it is 0, what the table held then is its beginning.
    pub(super) from: Version,
    pub(super) to: Version,
}

impl Span {
    /// Of a table, from that version on, but not from before the oldest commit that the log still has
    /// without a gap; and the table as of the first one, unless it begins there.
    pub(super) async fn of(
        location: &Location,
        table: &LakeTable,
        since: Option<Version>,
    ) -> Result<(Self, Option<LakeTable>)> {
        let to = table.version();
        let oldest = oldest(&table.delta().log_store(), to).await?;
        let from = since.map_or(oldest, |since| since.clamp(oldest, to));
        let base = if from == 0 { None } else { Some(open_at(location, from).await?) };
        Ok((Self { from, to }, base))
    }
}

/// The oldest version from which on the log has every commit.
async fn oldest(log_store: &LogStoreRef, newest: Version) -> Result<Version> {
    let store = log_store.object_store(None);
    let mut listed = store.list(Some(&Path::from("_delta_log")));
    let mut versions: Vec<Version> = Vec::new();
    while let Some(entry) = listed.try_next().await? {
        let name = entry.location.filename().and_then(|name| name.strip_suffix(".json"));
        let digits = name.filter(|name| name.len() == 20);
        versions.extend(digits.and_then(|digits| digits.parse::<Version>().ok()));
    }
    versions.sort_unstable();
    let mut oldest = newest;
    for version in versions.into_iter().rev().filter(|version| *version < newest) {
        if version + 1 != oldest {
            break;
        }
        oldest = version;
    }
    Ok(oldest)
}

/// A commit that moved files which may hold the key.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) commit: Commit,
    /// Their entries that ended with it.
    pub(super) ended: Vec<Add>,
    /// Their entries that began with it.
    pub(super) begun: Vec<Add>,
}

impl Step {
    /// Whether the entry began with it.
    pub(super) fn brought(&self, entry: &Add) -> bool {
        let is_it =
            |add: &Add| add.path == entry.path && add.deletion_vector == entry.deletion_vector;
        self.begun.iter().any(is_it)
    }

    /// Whether it gave a file another entry that masks no less: a merge of ours.
    pub(super) fn masks_more(&self, path: &str) -> bool {
        let is_merge =
            self.commit.ours.is_some() && self.commit.operation.as_deref() == Some("MERGE");
        is_merge && self.begun.iter().any(|add| add.path == path)
    }
}

/// What the log tells of a key.
#[derive(Debug)]
pub(super) struct KeyLog {
    /// Oldest first.
    pub(super) steps: Vec<Step>,
    /// The entries of the newest version that may hold the key.
    pub(super) live: Vec<Add>,
    /// Commits that were read.
    pub(super) commits: u64,
}

/// Reads the commits of a span, on top of `base`.
///
/// # Errors
/// `Unavailable` if the log cannot be read, `TableCorrupt` if it is not understood.
pub(super) async fn scan(
    table: &LakeTable,
    span: Span,
    base: Option<LakeTable>,
    finder: &KeyFinder,
) -> Result<KeyLog> {
    let mut live: HashMap<String, Add> = HashMap::new();
    let first = if let Some(base) = base {
        let files = base.live_files()?;
        let held = held(finder, files)?;
        live.extend(held.into_iter().map(|add| (add.path.clone(), add)));
        span.from + 1
    } else {
        span.from
    };
    let log_store = table.delta().log_store();
    let read = |version| file_changes(&log_store, version);
    let mut commits = pin!(stream::iter(first..=span.to).map(read).buffered(AT_ONCE));
    let (mut steps, mut count) = (Vec::new(), 0);
    while let Some(found) = commits.try_next().await? {
        // The newest versions may be in a checkpoint alone; then the span ends before them.
        let Some(FileChanges { commit, added, removed }) = found else { break };
        count += 1;
        let mut ended: Vec<Add> = removed.iter().filter_map(|path| live.remove(path)).collect();
        let begun = held(finder, added)?;
        for add in &begun {
            // An entry may take the place of another one of the same file.
            ended.extend(live.insert(add.path.clone(), add.clone()));
        }
        if !ended.is_empty() || !begun.is_empty() {
            steps.push(Step { commit, ended, begun });
        }
    }
    Ok(KeyLog { steps, live: live.into_values().collect(), commits: count })
}

/// Those entries whose files may hold the key.
fn held(finder: &KeyFinder, adds: Vec<Add>) -> Result<Vec<Add>> {
    let may_hold = finder.may_hold(&adds)?;
    Ok(adds.into_iter().zip(may_hold).filter_map(|(add, may)| may.then_some(add)).collect())
}
