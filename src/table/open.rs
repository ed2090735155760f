//! Opening a table: its snapshot and, from our newest commit, its progress.

use std::sync::Arc;

use deltalake::DeltaTable;
use deltalake::kernel::Version;
use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use object_store::ObjectStore;
use url::Url;
use uuid::Uuid;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::files::SnapshotFiles;
use crate::files::footers::Footers;
use crate::progress::{APP_ID, CommitRecord, Ledger};
use crate::schema::TableSchema;
use crate::storage::{Location, shown_url};
use crate::table::features::{refuse_unwritable, unread};
use crate::table::log::{
    ForeignCommit, Newest, OurCommit, commit_at, goes_on_above, newest_commit,
};
use crate::table::read_once::ReadOnce;
use crate::table::schema::from_delta;
use crate::table::standing::{Standing, gone};

const LOST: &str = "the ledger is lost: the log no longer holds the newest commit of dmslake";

/// A table of the lake at one version.
#[derive(Clone, Debug)]
pub struct LakeTable {
    delta: DeltaTable,
    schema: TableSchema,
    ledger: Ledger,
    rows: u64,
    transaction: i64,
    /// Our newest commit: its version and the attempt that wrote it.
    newest: (Version, Uuid),
    /// What others did to its rows since.
    foreign: Vec<ForeignCommit>,
    /// Footers of its data files, as far as they were read.
    footers: Arc<Footers>,
}

impl LakeTable {
    /// The table that its creating commit made.
    ///
    /// # Errors
    /// `TableCorrupt` as for [`Self::succeeded_by`].
    pub fn first(delta: DeltaTable, record: CommitRecord) -> Result<Self> {
        Self::counted(delta, record, 1, Arc::default())
    }

    /// A table that keeps no progress: nothing that commits to it says what it has taken in.
    ///
    /// # Errors
    /// `TableCorrupt` if the log does not count its rows, `TableRefused` if it asks of its writers
    /// what dmslake does not do.
    pub fn without_progress(delta: DeltaTable) -> Result<Self> {
        refuse_unwritable(&delta)?;
        let rows = count_rows(&delta)?;
        let schema = from_delta(&delta.snapshot()?.schema())?;
        let newest = (delta.version().unwrap_or_default(), Uuid::nil());
        let ledger = Ledger { rows, ..Ledger::default() };
        let (foreign, footers) = (Vec::new(), Arc::default());
        Ok(Self { delta, schema, ledger, rows, transaction: 0, newest, foreign, footers })
    }

    /// The table after one more commit of ours, which wrote this record.
    ///
    /// # Errors
    /// `TableCorrupt` if the log counts other rows than the ledger.
    pub fn succeeded_by(self, delta: DeltaTable, record: CommitRecord) -> Result<Self> {
        let transaction = self.next_transaction();
        Self::counted(delta, record, transaction, self.footers)
    }

    fn counted(
        delta: DeltaTable,
        record: CommitRecord,
        transaction: i64,
        footers: Arc<Footers>,
    ) -> Result<Self> {
        let CommitRecord { attempt, ledger, .. } = record;
        let rows = count_rows(&delta)?;
        if ledger.rows != rows {
            return Err(Error::new(
                ErrorKind::TableCorrupt,
                "the table's rows differ from what its newest commit counted",
            )
            .with("table", shown_url(delta.table_url()))
            .with("version", delta.version().unwrap_or_default())
            .with("counted", ledger.rows)
            .with("found", rows));
        }
        let schema = from_delta(&delta.snapshot()?.schema())?;
        let newest = (delta.version().unwrap_or_default(), attempt);
        let foreign = Vec::new();
        Ok(Self { delta, schema, ledger, rows, transaction, newest, foreign, footers })
    }

    /// The same table with the progress that it begins with, where it has none yet.
    #[must_use]
    pub(crate) fn beginning_with(self, progress: &Ledger) -> Self {
        Self { ledger: Ledger { rows: self.rows, ..progress.clone() }, ..self }
    }

    /// The snapshot.
    #[must_use]
    pub fn delta(&self) -> &DeltaTable {
        &self.delta
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.delta.version().unwrap_or_default()
    }

    /// Its columns.
    #[must_use]
    pub fn schema(&self) -> &TableSchema {
        &self.schema
    }

    /// Its progress.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Its rows, from the log's record counts.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether its protocol and properties let rows be masked by deletion vectors.
    #[must_use]
    pub fn may_mask(&self) -> bool {
        self.delta
            .snapshot()
            .is_ok_and(|snapshot| snapshot.table_config().enable_deletion_vectors == Some(true))
    }

    /// Whether deletion vectors could be read back: outside of file systems the kernel takes the
    /// URL of a vector for its path, and misses it where the URL is encoded.
    #[must_use]
    pub fn can_read_vectors(&self) -> bool {
        let url = self.delta.table_url();
        url.scheme() == "file" || !url.path().contains('%')
    }

    /// Our newest commit, whose record holds the ledger: its version, and the attempt that wrote
    /// it.
    pub(crate) fn newest(&self) -> (Version, Uuid) {
        self.newest
    }

    /// Whether the log still ends where this snapshot does: a listing and a small read at once.
    ///
    /// # Errors
    /// `Unavailable` if the log cannot be read.
    pub(crate) async fn standing(&self) -> Result<Standing> {
        let log_store = self.delta.log_store();
        let above = goes_on_above(&log_store, self.version());
        let (is_there, is_behind) = futures::try_join!(self.is_in(&log_store), above)?;
        if !is_there {
            return Ok(Standing::Gone);
        }
        Ok(if is_behind { Standing::Behind } else { Standing::Newest })
    }

    /// To be asked before a commit: the commit call itself sees that its version is taken, but not
    /// that the log below it is another one, or none.
    ///
    /// # Errors
    /// `Conflict` unless the log still ends where this snapshot does, `Unavailable` if it cannot
    /// be read.
    pub(crate) async fn must_be_newest(&self) -> Result<()> {
        self.standing().await?.allows_commit()
    }

    /// To be asked before anything is deleted.
    ///
    /// # Errors
    /// `Conflict` if the log no longer is the one that was read, `Unavailable` if it cannot be
    /// read.
    pub(crate) async fn must_be_there(&self) -> Result<()> {
        match self.standing().await? {
            Standing::Newest | Standing::Behind => Ok(()),
            Standing::Gone => Err(gone()),
        }
    }

    /// Whether the log holds the commit that this snapshot knows: ours is told by its attempt;
    /// of a table that keeps no progress, any commit of that version is.
    async fn is_in(&self, log_store: &LogStoreRef) -> Result<bool> {
        let (version, attempt) = self.newest;
        if attempt.is_nil() {
            return Ok(log_store.read_commit_entry(version).await?.is_some());
        }
        let known = commit_at(log_store, version).await?;
        Ok(known.is_some_and(|known| known.record.attempt == attempt))
    }

    /// The same table at its newest version; none if the log no longer is the one that it knows.
    async fn refreshed(mut self) -> Result<Option<Self>> {
        match self.standing().await? {
            Standing::Newest => Ok(Some(self)),
            Standing::Behind => {
                let reads = read_once(&self.delta.log_store())?;
                let mut refreshing = DeltaTable::new(Arc::clone(&reads));
                refreshing.state = self.delta.state.take();
                let refreshed = refreshing.update_state().await;
                refreshed.map_err(|error| unread(error, reads.root_url()))?;
                self.delta.state = refreshing.state.take();
                read_progress(self.delta, &reads, self.footers).await.map(Some)
            }
            Standing::Gone => Ok(None),
        }
    }

    /// The table as its log ends now, whichever table that is.
    ///
    /// # Errors
    /// As [`open`]; `Conflict` if there is no table any more.
    pub(crate) async fn at_newest(self, location: &Location) -> Result<Self> {
        let newest = open(location, Some(self)).await?;
        newest.ok_or_else(|| gone().with("table", shown_url(location.url())))
    }

    /// Commits of others that changed rows since our newest one, in order.
    #[must_use]
    pub fn foreign(&self) -> &[ForeignCommit] {
        &self.foreign
    }

    /// Its data files.
    #[must_use]
    pub fn files(&self) -> SnapshotFiles {
        let footers = Arc::clone(&self.footers);
        SnapshotFiles::new(self.delta.clone(), self.schema.arrow(), footers)
    }

    /// The record of a next commit that takes in no object and leaves the rows as they are,
    /// whoever wrote them.
    #[must_use]
    pub fn record_without_objects(&self, clock: &dyn Clock) -> CommitRecord {
        CommitRecord::without_objects(clock.attempt_id(), self.ledger.clone(), self.rows)
    }

    /// The `txn` version of the next commit.
    #[must_use]
    pub fn next_transaction(&self) -> i64 {
        self.transaction + 1
    }
}

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
        Error::new(ErrorKind::Config, "no table can stand there")
            .with("location", url)
            .because(error)
    })?;
    Ok(default_logstore(Arc::new(folder), Arc::clone(root), url, &config))
}

/// The same log, each object of it read once; for as long as a snapshot is made.
fn read_once(log_store: &LogStoreRef) -> Result<LogStoreRef> {
    let store: Arc<dyn ObjectStore> = Arc::new(ReadOnce::over(log_store.root_object_store(None)));
    log_store_over(log_store.root_url(), &store)
}

/// Loads the newest snapshot of whatever Delta table stands at a location; none if there is none.
///
/// # Errors
/// `Unavailable` if the log cannot be read.
pub async fn load(location: &Location) -> Result<Option<DeltaTable>> {
    let log_store = log_store(location)?;
    load_through(&read_once(&log_store)?, log_store).await
}

/// The same; what is read comes through `reads`, the table then stands on `log_store`.
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

async fn read_progress(
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
                None => corrupt("a Delta table that dmslake did not make stands there"),
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
    // Others have committed since; what they did to the rows is theirs to answer for.
    let rows = count_rows(&delta)?;
    let schema = from_delta(&snapshot.schema())?;
    let newest = (found_at, record.attempt);
    let ledger = record.ledger;
    Ok(LakeTable { delta, schema, ledger, rows, transaction, newest, foreign, footers })
}

/// Live rows by the log: record counts less deletion vectors' cardinalities.
fn count_rows(delta: &DeltaTable) -> Result<u64> {
    let mut rows = 0;
    for file in delta.snapshot()?.log_data().iter() {
        let records = file.num_records().ok_or_else(|| {
            Error::new(
                ErrorKind::TableCorrupt,
                "a data file stands in the log without its record count",
            )
            .with("file", file.path())
        })?;
        let masked = file.deletion_vector_descriptor().map_or(0, |vector| vector.cardinality);
        rows += records as u64 - u64::try_from(masked).unwrap_or_default();
    }
    Ok(rows)
}
