//! The Delta log of a table, every file of it that is there, as text: what names which data files.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bytes::Bytes;
use deltalake::kernel::{Add, Remove, Version};
use deltalake::logstore::ObjectStoreRef;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt as _};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::files::bytes::path_of;
use crate::files::row_count;
use crate::forget::checkpoint;
use crate::forget::edit::{is_of_others, is_told, records, vector_of};

/// So many files of the log are read at once.
const AT_ONCE: usize = 16;

/// What a file of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogKind {
    /// The actions of a version.
    Commit(Version),
    /// A checkpoint, or a part of one, as Parquet.
    Checkpoint(Version),
    /// A checkpoint of the second kind, as JSON.
    CheckpointText(Version),
    /// A part of a checkpoint of the second kind, in a file of its own.
    Sidecar,
    /// Several commits in one; the last of them.
    Compacted(Version),
    /// What a version counts.
    Checksum(Version),
    /// `_last_checkpoint`
    Hint,
    /// What a writer has not finished.
    Unfinished,
    /// Anything else.
    Other,
}

/// A file of the log.
#[derive(Clone, Debug)]
pub(super) struct LogFile {
    pub(super) meta: ObjectMeta,
    pub(super) kind: LogKind,
}

/// A data file that entries of the log name.
#[derive(Clone, Debug)]
pub(super) struct Named {
    /// One of its entries, with statistics if one has them.
    pub(super) add: Add,
    /// Whether it holds changes, for the change data feed.
    pub(super) is_changes: bool,
    /// The deletion vectors that entries give it; none is an entry without one.
    pub(super) vectors: BTreeMap<String, Option<Value>>,
    /// The first version whose commit names it, or that of the first checkpoint that does.
    pub(super) first: Version,
    /// Whether a part of a checkpoint of the second kind names it.
    pub(super) in_sidecar: bool,
}

/// What one version did to the table's files.
#[derive(Clone, Debug)]
pub(super) enum FileChange {
    /// The decoded path, the vector, and the rows that are not masked, if the log tells.
    Added(String, String, Option<u64>),
    /// The decoded path.
    Removed(String),
}

/// The changes of one version in the order in which they count: a file that it removes and adds is
/// there, with the vector that it adds.
pub(super) fn in_order(changes: &[FileChange]) -> impl Iterator<Item = &FileChange> {
    let of = |added: bool| {
        changes.iter().filter(move |change| matches!(change, FileChange::Added(..)) == added)
    };
    of(false).chain(of(true))
}

/// All of the log.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) files: Vec<LogFile>,
    /// By the decoded path.
    pub(super) named: BTreeMap<String, Named>,
    /// Where removed files were, and those that are named.
    pub(super) removed: HashSet<Path>,
    /// By version.
    pub(super) commits: BTreeMap<Version, Vec<FileChange>>,
    /// The files that are in the table at the version of a checkpoint.
    pub(super) checkpoints: BTreeMap<Version, Vec<FileChange>>,
    /// The versions whose columns differ from those before.
    pub(super) columns: BTreeSet<Version>,
    /// Commits whose description names one of the keys.
    pub(super) told: u64,
    /// Commits of other writers with a note of their own.
    pub(super) noted: u64,
    /// Removals with statistics.
    pub(super) removals: Vec<Add>,
    /// Whether a checkpoint has its entries in files of their own.
    pub(super) has_sidecars: bool,
}

impl LogKind {
    fn of(path: &Path) -> Self {
        let Some(name) = path.filename() else { return Self::Other };
        if path.parts().any(|part| part.as_ref() == "_sidecars") {
            return if name.ends_with(".parquet") { Self::Sidecar } else { Self::Other };
        }
        if name == "_last_checkpoint" {
            return Self::Hint;
        }
        if path.extension() == Some("tmp") {
            return Self::Unfinished;
        }
        let version =
            |text: &str| (text.len() == 20).then(|| text.parse::<Version>().ok()).flatten();
        let parts: Vec<&str> = name.split('.').collect();
        let Some(first) = version(parts[0]) else { return Self::Other };
        match &parts[1..] {
            ["json"] => Self::Commit(first),
            ["crc"] => Self::Checksum(first),
            [last, "compacted", "json"] => version(last).map_or(Self::Other, Self::Compacted),
            ["checkpoint", .., "parquet"] => Self::Checkpoint(first),
            ["checkpoint", _, "json"] => Self::CheckpointText(first),
            _ => Self::Other,
        }
    }
}

impl Log {
    /// Reads all of it. `texts` are those of each key, which the description of a commit must not have.
    ///
    /// # Errors
    /// `Unavailable` if the log cannot be read, `TableCorrupt` if it is not understood.
    pub(super) async fn read(store: &ObjectStoreRef, texts: &[Vec<String>]) -> Result<Self> {
        let listed = store.list(Some(&Path::from("_delta_log")));
        let mut files: Vec<LogFile> = listed
            .map_ok(|meta| LogFile { kind: LogKind::of(&meta.location), meta })
            .try_collect()
            .await?;
        files.sort_by(|one, other| one.meta.location.cmp(&other.meta.location));
        let mut log = Self::default();
        let tells = |file: &&LogFile| {
            use LogKind::{Checkpoint, CheckpointText, Commit, Sidecar};
            matches!(file.kind, Commit(_) | Checkpoint(_) | CheckpointText(_) | Sidecar)
        };
        let reads = files.iter().filter(tells).map(|file| async move {
            Ok::<_, Error>((file, read(store, &file.meta.location).await?))
        });
        let mut reads = stream::iter(reads).buffered(AT_ONCE);
        while let Some((file, bytes)) = reads.try_next().await? {
            // It was cleaned up meanwhile.
            let Some(bytes) = bytes else { continue };
            log.take(file, &bytes, texts).map_err(|error| {
                let name = file.meta.location.filename().unwrap_or_default();
                error.with("log file", name)
            })?;
        }
        drop(reads);
        log.files = files;
        Ok(log)
    }

    fn take(&mut self, file: &LogFile, bytes: &Bytes, texts: &[Vec<String>]) -> Result<()> {
        let kind = file.kind;
        let (version, actions) = match kind {
            LogKind::Commit(version) | LogKind::CheckpointText(version) => {
                (version, records(bytes)?)
            }
            LogKind::Checkpoint(version) => (version, checkpoint::entries(bytes)?),
            // Which version it is of is not told by its name.
            _ => (Version::MAX, checkpoint::entries(bytes)?),
        };
        let is_commit = matches!(kind, LogKind::Commit(_));
        let mut changes = Vec::new();
        for action in actions {
            if let Some(add) = action.get("add").filter(|it| !it.is_null()) {
                changes.push(self.name(add, version, kind == LogKind::Sidecar)?);
            }
            if let Some(change) = action.get("cdc").filter(|it| !it.is_null()) {
                self.name_changes(change, version)?;
            }
            if let Some(remove) = action.get("remove").filter(|it| !it.is_null()) {
                let path = Remove::deserialize(remove).map_err(unreadable)?.path;
                changes.push(FileChange::Removed(path.clone()));
                let stats = remove.get("stats").and_then(Value::as_str).map(str::to_owned);
                let removal = Add { path, stats, ..Add::default() };
                self.removed.insert(path_of(&removal));
                self.removals.extend(removal.stats.is_some().then_some(removal));
            }
            self.has_sidecars |= action.get("sidecar").is_some_and(|it| !it.is_null());
            if is_commit && action.get("metaData").is_some_and(|it| !it.is_null()) {
                self.columns.insert(version);
            }
            if let Some(info) = action.get("commitInfo") {
                self.told += u64::from(is_told(info, texts));
                let note = info.get("userMetadata").and_then(Value::as_str);
                let is_noted = is_of_others(info) && note.is_some_and(|note| !note.is_empty());
                self.noted += u64::from(is_noted);
            }
        }
        match kind {
            LogKind::Commit(_) => {
                self.commits.insert(version, changes);
            }
            LogKind::Sidecar => {}
            _ => self.checkpoints.entry(version).or_default().extend(changes),
        }
        Ok(())
    }

    fn name(&mut self, value: &Value, version: Version, in_sidecar: bool) -> Result<FileChange> {
        let add = Add::deserialize(value).map_err(unreadable)?;
        let path = add.path.clone();
        let vector = vector_of(value);
        let rows = live_rows(&add);
        let named = self.named.entry(path.clone()).or_insert_with(|| Named {
            add: add.clone(),
            is_changes: false,
            vectors: BTreeMap::new(),
            first: version,
            in_sidecar: false,
        });
        if named.add.stats.is_none() {
            named.add = add;
        }
        named.first = named.first.min(version);
        named.in_sidecar |= in_sidecar;
        let descriptor = value.get("deletionVector").filter(|it| !it.is_null()).cloned();
        named.vectors.insert(vector.clone(), descriptor);
        Ok(FileChange::Added(path, vector, rows))
    }

    fn name_changes(&mut self, value: &Value, version: Version) -> Result<()> {
        let entry = json!({
            "path": value.get("path"),
            "partitionValues": value.get("partitionValues").filter(|it| it.is_object())
                .unwrap_or(&json!({})),
            "size": value.get("size"),
            "modificationTime": 0,
            "dataChange": false,
        });
        let add = Add::deserialize(&entry).map_err(unreadable)?;
        let named = Named {
            add,
            is_changes: true,
            vectors: BTreeMap::from([(String::new(), None)]),
            first: version,
            in_sidecar: false,
        };
        self.named.insert(named.add.path.clone(), named);
        Ok(())
    }

    /// The newest version whose commit is there.
    pub(super) fn newest(&self) -> Option<Version> {
        self.commits.keys().next_back().copied()
    }

    /// The oldest version that can be opened.
    pub(super) fn oldest(&self) -> Version {
        if self.commits.contains_key(&0) {
            return 0;
        }
        self.checkpoints.keys().next().copied().unwrap_or_default()
    }
}

/// The rows of an entry that its vector does not mask, if its statistics count them.
fn live_rows(add: &Add) -> Option<u64> {
    let rows = row_count(add.stats.as_deref()?)?;
    let masked = add.deletion_vector.as_ref().map_or(0, |vector| vector.cardinality);
    rows.checked_sub(u64::try_from(masked).ok()?)
}

/// The content of a file of the log; none if it is gone.
pub(super) async fn read(store: &ObjectStoreRef, path: &Path) -> Result<Option<Bytes>> {
    match store.get(path).await {
        Ok(found) => Ok(Some(found.bytes().await?)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::TableCorrupt, "an entry of the log cannot be read").because(error)
}
