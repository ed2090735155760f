//! Opening a table: its snapshot and, from our newest commit, its progress.

use std::sync::Arc;

use deltalake::DeltaTable;
use deltalake::kernel::Version;
use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use object_store::ObjectStore;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
#[cfg(feature = "cli")]
use crate::files::SnapshotFiles;
use crate::files::footers::Footers;
use crate::progress::APP_ID;
use crate::storage::{Location, ReadOnce, shown_url};
use crate::table::features::{refuse_unwritable, unread};
use crate::table::history::OurCommit;
use crate::table::log::{Newest, newest_commit};
#[cfg(feature = "cli")]
use crate::table::schema::from_delta;
use crate::table::{LakeTable, OwnCommit};

const LOST: &str = "the ledger is lost: the log no longer holds the newest commit of dmslake";

/// The log store of a table's location, over the location's own store.
///
/// # Errors
/// `Config` if the URL's path is not a valid prefix.
pub fn log_store(location: &Location) -> Result<LogStoreRef> {
    log_store_over(location.url(), location.store())
}

fn log_store_over(url: &Url, root: &Arc<dyn ObjectStore>) -> Result<LogStoreRef> {
    let config = StorageConfig::default();
    let folder = config.decorate_store(Arc::clone(root), url).map_err(|error| {
        Error::new(ErrorKind::Config, "there can be no table at this location")
            .with("location", url)
            .because(error)
    })?;
    Ok(default_logstore(Arc::new(folder), Arc::clone(root), url, &config))
}

/// The same log, each object of it read once; for as long as a snapshot is made.
pub(super) fn read_once(log_store: &LogStoreRef) -> Result<LogStoreRef> {
    let store: Arc<dyn ObjectStore> = Arc::new(ReadOnce::log(log_store.root_object_store(None)));
    log_store_over(log_store.root_url(), &store)
}

/// Loads the newest snapshot of the Delta table at a location, whoever made it; none if there is
/// no table.
///
/// # Errors
/// `Unavailable` if the log cannot be read.
pub async fn load(location: &Location) -> Result<Option<DeltaTable>> {
    let log_store = log_store(location)?;
    load_through(&read_once(&log_store)?, log_store).await
}

/// Loads it through `reads`; the table then works on `log_store`.
async fn load_through(reads: &LogStoreRef, log_store: LogStoreRef) -> Result<Option<DeltaTable>> {
    let mut loading = DeltaTable::new(Arc::clone(reads));
    match loading.load().await {
        Ok(()) => {}
        // The library tells an absent table by several errors, so the log itself is asked.
        Err(_) if !loading.verify_deltatable_existence().await? => return Ok(None),
        // It may have been made between the two looks.
        Err(_) => loading.load().await.map_err(|error| unread(error, reads.root_url()))?,
    }
    let mut table = DeltaTable::new(log_store);
    table.state = loading.state.take();
    Ok(Some(table))
}

/// Opens the table at a location, from a warm one if there is one; none if there is no table.
///
/// # Errors
/// `Unavailable` if the log cannot be read; `TableCorrupt` if it holds no record of ours
/// (the ledger is lost, or somebody else made the table) or contradicts it; `TableRefused` if it
/// asks of its writers what dmslake does not do.
pub async fn open(location: &Location, warm: Option<LakeTable>) -> Result<Option<LakeTable>> {
    if let Some(warm) = warm
        && let Some(table) = warm.refreshed().await?
    {
        return Ok(Some(table));
    }
    let log_store = log_store(location)?;
    let reads = read_once(&log_store)?;
    match load_through(&reads, log_store).await? {
        Some(delta) => read_progress(delta, &reads, Arc::default()).await.map(Some),
        None => Ok(None),
    }
}

/// Opens the table as it was at a version, with the progress that it had then.
///
/// # Errors
/// As [`open`]; `TableCorrupt` also where the log no longer holds the version.
pub async fn open_at(location: &Location, version: Version) -> Result<LakeTable> {
    let reads = read_once(&log_store(location)?)?;
    let table = load_version_through(&reads, location, version).await?;
    read_progress(table, &reads, Arc::default()).await
}

/// Loads the snapshot of a version, whoever made it.
///
/// # Errors
/// `Unavailable` if the log cannot be read, `TableCorrupt` where it no longer holds the version.
pub(super) async fn load_version(location: &Location, version: Version) -> Result<DeltaTable> {
    let reads = read_once(&log_store(location)?)?;
    load_version_through(&reads, location, version).await
}

/// The data files of the table as of a version, with the columns that it had then, whoever made it.
///
/// # Errors
/// As [`load_version`]; `TableRefused` if it had columns that dmslake does not read.
#[cfg(feature = "cli")]
pub(crate) async fn files_at(location: &Location, version: Version) -> Result<SnapshotFiles> {
    let delta = load_version(location, version).await?;
    let schema = from_delta(&delta.snapshot()?.schema())?;
    Ok(SnapshotFiles::new(delta, schema.arrow(), Arc::default()))
}

async fn load_version_through(
    reads: &LogStoreRef,
    location: &Location,
    version: Version,
) -> Result<DeltaTable> {
    let mut loading = DeltaTable::new(Arc::clone(reads));
    loading.load_version(version).await?;
    let mut table = DeltaTable::new(log_store(location)?);
    table.state = loading.state.take();
    Ok(table)
}

/// A loaded table with its progress.
///
/// # Errors
/// As [`open`].
#[cfg(feature = "cli")]
pub(super) async fn with_progress(delta: DeltaTable) -> Result<LakeTable> {
    let reads = read_once(&delta.log_store())?;
    read_progress(delta, &reads, Arc::default()).await
}

pub(super) async fn read_progress(
    delta: DeltaTable,
    reads: &LogStoreRef,
    footers: Arc<Footers>,
) -> Result<LakeTable> {
    let snapshot = delta.snapshot()?;
    let version = snapshot.version();
    let corrupt = |message: &str| {
        Error::new(ErrorKind::TableCorrupt, message).with("table", shown_url(delta.table_url()))
    };
    let (found_at, commit, foreign) = match newest_commit(reads, version).await? {
        Newest::Found(found_at, commit, foreign) => (found_at, *commit, foreign),
        Newest::Absent => {
            let transaction = snapshot.transaction_version(reads.as_ref(), APP_ID).await?;
            return Err(match transaction {
                None => corrupt("there is a Delta table that dmslake did not make"),
                Some(_) => corrupt(LOST),
            });
        }
        Newest::Cut(_) => return Err(corrupt(LOST)),
    };
    refuse_unwritable(&delta)?;
    let OurCommit { record, transaction } = commit;
    if found_at == version {
        return LakeTable::counted(delta, record, transaction, footers);
    }
    let newest = OwnCommit { version: found_at, attempt: record.attempt, transaction };
    LakeTable::new(delta, footers, record.ledger, Some(newest), foreign)
}

/// Live rows by the log: record counts less deletion vectors' cardinalities.
pub(super) fn count_rows(delta: &DeltaTable) -> Result<u64> {
    let mut rows = 0;
    for file in delta.snapshot()?.log_data().iter() {
        let records = file.num_records().ok_or_else(|| {
            Error::new(
                ErrorKind::TableCorrupt,
                "the log does not say how many rows a data file has",
            )
            .with("file", file.path())
        })?;
        let masked = file.deletion_vector_descriptor().map_or(0, |vector| vector.cardinality);
        rows += records as u64 - u64::try_from(masked).unwrap_or_default();
    }
    Ok(rows)
}
