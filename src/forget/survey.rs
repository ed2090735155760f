//! Which files of a table hold rows of the keys: those that some version names, and those that none
//! does.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use deltalake::kernel::{Add, Version};
use deltalake::logstore::ObjectStoreRef;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt as _};
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result, is_missing};
use crate::files::bytes::path_of;
use crate::forget::log::{FileChange, Log, Named, in_order};
use crate::forget::subject::Subject;
use crate::merge::KeyFinder;
use crate::table::LakeTable;

/// Files that are searched at once.
const AT_ONCE: usize = 16;

/// Where a file of the table stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// In the newest version.
    Current,
    /// In older versions alone.
    Retained,
    /// In the change data feed.
    Changes,
}

/// A file that versions name and that holds rows of the keys.
#[derive(Clone, Debug)]
pub(super) struct HeldFile {
    /// The decoded path.
    pub(super) path: String,
    pub(super) add: Add,
    pub(super) place: Place,
    /// The rows, masked or not, in ascending order.
    pub(super) rows: Vec<u64>,
    /// By the vector: its descriptor, and what it masks; none if that was deleted, so that no reader
    /// opens these versions any more.
    pub(super) vectors: BTreeMap<String, (Option<Value>, Option<Vec<u64>>)>,
    /// The first version that is known to name it.
    pub(super) first: Version,
}

/// A file that no version names.
#[derive(Clone, Debug)]
pub(super) struct Leftover {
    pub(super) meta: ObjectMeta,
    /// Whether it was in the table once, so that nobody is about to name it.
    pub(super) was_removed: bool,
}

/// How files are searched.
#[derive(Debug, Default)]
pub(super) struct Manner {
    /// Whether every file is opened, also those whose statistics in the log rule the keys out.
    pub(super) opens_all: bool,
    /// Files that were replaced, so that nobody is about to name them.
    pub(super) replaced: HashSet<Path>,
}

/// What is where.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) log: Log,
    pub(super) held: Vec<HeldFile>,
    pub(super) leftovers: Vec<Leftover>,
    /// Named files that no longer exist, and whose statistics may tell of the keys.
    pub(super) gone: BTreeSet<String>,
    /// Files that were searched.
    pub(super) searched: u64,
    /// Files of no version that cannot be read.
    pub(super) unreadable: Vec<String>,
    /// Files that the log names outside of the table's folder.
    pub(super) elsewhere: u64,
}

impl HeldFile {
    /// How many rows of the keys an entry with that vector shows; none if nobody can tell.
    pub(super) fn shown(&self, vector: &str) -> Option<u64> {
        let masked = match self.vectors.get(vector) {
            Some((_, masked)) => masked.as_deref()?,
            None => &[],
        };
        Some(self.unmasked(masked).count() as u64)
    }

    /// The rows of the keys that are not among these, given in ascending order.
    pub(super) fn unmasked(&self, masked: &[u64]) -> impl Iterator<Item = u64> {
        self.rows.iter().copied().filter(|row| masked.binary_search(row).is_err())
    }
}

impl Survey {
    /// Searches all files of a table.
    ///
    /// # Errors
    /// `Unavailable` if lake or log cannot be read, `TableCorrupt` if a file is damaged,
    /// `TableRefused` if a checkpoint has its entries in files of their own.
    pub(super) async fn of(
        subject: &Subject<'_>,
        table: &LakeTable,
        manner: &Manner,
    ) -> Result<Self> {
        let store = table.files().store();
        let finder = subject.finder(table)?;
        // The folder first: what comes later is of versions that are read then.
        let folder: HashMap<Path, ObjectMeta> = store
            .list(None)
            .try_filter(|meta| std::future::ready(!is_of_log(&meta.location)))
            .map_ok(|meta| (meta.location.clone(), meta))
            .try_collect()
            .await?;
        let log = Log::read(&store, &subject.texts).await?;
        if log.has_sidecars {
            return Err(in_sidecars());
        }
        let live = live(table, &log)?;
        let mut survey = Self {
            log: Log::default(),
            held: Vec::new(),
            leftovers: Vec::new(),
            gone: BTreeSet::new(),
            searched: 0,
            unreadable: Vec::new(),
            elsewhere: 0,
        };
        let candidates = survey.candidates(&store, &log, &folder, &finder, manner).await?;
        survey.gone.extend(told_by_removals(&log, &finder)?);
        survey.search_named(table, subject, candidates, &live, &finder).await?;
        survey.search_leftovers((table, subject), &log, &folder, &finder, manner).await?;
        survey.log = log;
        Ok(survey)
    }

    /// Whether a version, or the log itself, tells of the keys.
    pub(super) fn is_in_log(&self) -> bool {
        !self.held.is_empty() || !self.gone.is_empty() || self.log.told > 0
    }

    /// The leftovers that may be deleted: nobody who is still at work can be about to name them.
    pub(super) fn deletable(&self, cutoff: DateTime<Utc>) -> impl Iterator<Item = &Leftover> {
        let is_idle = move |it: &&Leftover| it.was_removed || it.meta.last_modified < cutoff;
        self.leftovers.iter().filter(is_idle)
    }

    /// Files of one kind.
    pub(super) fn at(&self, place: Place) -> impl Iterator<Item = &HeldFile> {
        self.held.iter().filter(move |file| file.place == place)
    }

    /// The named files that exist and may hold a key.
    async fn candidates<'l>(
        &mut self,
        store: &ObjectStoreRef,
        log: &'l Log,
        folder: &HashMap<Path, ObjectMeta>,
        finder: &KeyFinder,
        manner: &Manner,
    ) -> Result<Vec<(&'l String, &'l Named)>> {
        let adds: Vec<Add> = log.named.values().map(|named| named.add.clone()).collect();
        let may_hold = finder.may_hold(&adds)?;
        let (mut candidates, mut missing) = (Vec::new(), Vec::new());
        for ((path, named), may_hold) in log.named.iter().zip(may_hold) {
            if path.contains("://") {
                self.elsewhere += 1;
            } else if folder.contains_key(&path_of(&named.add)) {
                if may_hold || manner.opens_all {
                    candidates.push((path, named));
                }
            } else if may_hold {
                missing.push((path, named));
            }
        }
        // A file that was committed since the folder was listed is not gone.
        let heads = missing.into_iter().map(|(path, named)| async move {
            match store.head(&path_of(&named.add)).await {
                Ok(_) => Ok::<_, Error>((path, named, true)),
                Err(object_store::Error::NotFound { .. }) => Ok((path, named, false)),
                Err(error) => Err(error.into()),
            }
        });
        let mut heads = stream::iter(heads).buffered(AT_ONCE);
        while let Some((path, named, is_there)) = heads.try_next().await? {
            if is_there {
                candidates.push((path, named));
            } else if tells_values(&named.add) {
                self.gone.insert(path.clone());
            }
        }
        Ok(candidates)
    }

    async fn search_named(
        &mut self,
        table: &LakeTable,
        subject: &Subject<'_>,
        candidates: Vec<(&String, &Named)>,
        live: &HashSet<String>,
        finder: &KeyFinder,
    ) -> Result<()> {
        self.searched += candidates.len() as u64;
        let searches = candidates.into_iter().map(|(path, named)| async move {
            if let Some(column) = lacking(table, &named.add, subject).await? {
                return Err(other_keys(path, column));
            }
            let rows = finder.positions(&named.add).await?;
            if rows.is_empty() {
                return Ok(None);
            }
            if named.in_sidecar {
                return Err(in_sidecars().with("file", path));
            }
            let mut vectors = BTreeMap::new();
            for (vector, descriptor) in &named.vectors {
                let masked = masked(table, &named.add, descriptor.as_ref()).await?;
                vectors.insert(vector.clone(), (descriptor.clone(), masked));
            }
            let place = match (named.is_changes, live.contains(&named.add.path)) {
                (true, _) => Place::Changes,
                (false, true) => Place::Current,
                (false, false) => Place::Retained,
            };
            let (path, add, first) = (path.clone(), named.add.clone(), named.first);
            Ok(Some(HeldFile { path, add, place, rows, vectors, first }))
        });
        let found: Vec<Option<HeldFile>> =
            stream::iter(searches).buffered(AT_ONCE).try_collect().await?;
        self.held = found.into_iter().flatten().collect();
        Ok(())
    }

    async fn search_leftovers(
        &mut self,
        (table, subject): (&LakeTable, &Subject<'_>),
        log: &Log,
        folder: &HashMap<Path, ObjectMeta>,
        finder: &KeyFinder,
        manner: &Manner,
    ) -> Result<()> {
        let named: HashSet<Path> = log.named.values().map(|it| path_of(&it.add)).collect();
        let mut left: Vec<&ObjectMeta> = folder
            .values()
            .filter(|meta| is_data(&meta.location) && !named.contains(&meta.location))
            .collect();
        left.sort_by(|one, other| one.location.cmp(&other.location));
        self.searched += left.len() as u64;
        let searches = left.into_iter().map(|meta| async move {
            let add = entry_of(meta);
            let found = match lacking(table, &add, subject).await {
                Ok(None) => finder.positions(&add).await.map(Some),
                // It cannot be searched.
                Ok(Some(_)) => Ok(None),
                Err(error) => Err(error),
            };
            (meta, found)
        });
        let mut searches = stream::iter(searches).buffered(AT_ONCE);
        while let Some((meta, found)) = searches.next().await {
            match found {
                Ok(Some(rows)) if rows.is_empty() => {}
                Ok(None) => self.unreadable.push(meta.location.to_string()),
                Ok(Some(_)) => self.leftovers.push(Leftover {
                    meta: meta.clone(),
                    was_removed: log.removed.contains(&meta.location)
                        || manner.replaced.contains(&meta.location),
                }),
                Err(error) if error.kind() == ErrorKind::TableCorrupt => {
                    self.unreadable.push(meta.location.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A key column that a file does not have, and that is not told by its partition.
async fn lacking<'s>(
    table: &LakeTable,
    add: &Add,
    subject: &'s Subject<'_>,
) -> Result<Option<&'s str>> {
    let footer = table.files().footer(add).await?;
    let fields = footer.file_metadata().schema_descr().root_schema().get_fields();
    let has = |name: &str| {
        fields.iter().any(|field| field.name() == name) || add.partition_values.contains_key(name)
    };
    Ok(subject.names.iter().map(String::as_str).find(|name| !has(name)))
}

fn other_keys(path: &str, column: &str) -> Error {
    Error::new(
        ErrorKind::TableRefused,
        "older versions have key columns of other names, so their rows cannot be told by these keys",
    )
    .with("file", path)
    .with("column", column)
    .with_remedy(
        "let dmslake maintain delete what has expired, and try again; until then the rows stay in \
         these versions",
    )
}

/// The paths of the files that are in the newest version of the log: others may have committed since
/// the table was opened.
fn live(table: &LakeTable, log: &Log) -> Result<HashSet<String>> {
    let mut live: HashSet<String> = table.live_files()?.into_iter().map(|add| add.path).collect();
    for (_, changes) in log.commits.range(table.version() + 1..) {
        for change in in_order(changes) {
            match change {
                FileChange::Removed(path) => live.remove(path),
                FileChange::Added(path, ..) => live.insert(path.clone()),
            };
        }
    }
    Ok(live)
}

/// The rows that a vector masks; none if it was deleted with the versions that need it.
async fn masked(
    table: &LakeTable,
    add: &Add,
    descriptor: Option<&Value>,
) -> Result<Option<Vec<u64>>> {
    let vector = descriptor.cloned().map(serde_json::from_value).transpose();
    let vector = vector.map_err(|error| {
        Error::new(ErrorKind::TableCorrupt, "a deletion vector in the log cannot be read")
            .with("file", &add.path)
            .because(error)
    })?;
    match table.files().masked(&Add { deletion_vector: vector, ..add.clone() }).await {
        Ok(masked) => Ok(Some(masked)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_of_log(path: &Path) -> bool {
    path.parts().next().is_some_and(|part| part.as_ref() == "_delta_log")
}

/// Whether a file is of data, and none of the log.
pub(super) fn is_data(path: &Path) -> bool {
    !is_of_log(path) && path.filename().is_some_and(|name| name.ends_with(".parquet"))
}

/// An entry as the log might have it of a data file, with which the file can be read.
pub(super) fn entry_of(meta: &ObjectMeta) -> Add {
    Add {
        path: meta.location.to_string(),
        size: i64::try_from(meta.size).unwrap_or(i64::MAX),
        ..Add::default()
    }
}

/// Removed files that no entry names any more, and whose statistics may tell of the keys.
fn told_by_removals(log: &Log, finder: &KeyFinder) -> Result<Vec<String>> {
    let may_hold = finder.may_hold(&log.removals)?;
    let told = log.removals.iter().zip(may_hold).filter(|(removal, may_hold)| {
        *may_hold && tells_values(removal) && !log.named.contains_key(&removal.path)
    });
    Ok(told.map(|(removal, _)| removal.path.clone()).collect())
}

fn tells_values(add: &Add) -> bool {
    add.stats
        .as_ref()
        .is_some_and(|stats| stats.contains("\"minValues\"") || stats.contains("\"maxValues\""))
}

fn in_sidecars() -> Error {
    Error::new(
        ErrorKind::TableRefused,
        "a checkpoint has its entries in files of their own (sidecars), which are not amended",
    )
    .with_remedy(
        "set delta.checkpointPolicy = classic, let another checkpoint be written, and try again \
         once the old one has expired (delta.logRetentionDuration)",
    )
}
