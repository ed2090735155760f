//! A table of the lake at one version.

use std::collections::HashSet;
use std::sync::Arc;

use deltalake::DeltaTable;
use deltalake::kernel::{Add, LogicalFileView, Version};
use deltalake::logstore::LogStoreRef;
use object_store::path::Path;
use uuid::Uuid;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::files::SnapshotFiles;
use crate::files::bytes::path_of;
use crate::files::footers::Footers;
use crate::progress::{CommitRecord, Ledger};
use crate::schema::TableSchema;
use crate::storage::{Location, shown_url};
use crate::table::features::{refuse_unwritable, unread};
use crate::table::freshness::{Freshness, gone};
use crate::table::history::ForeignCommit;
use crate::table::log::{commit_at, goes_on_above};
use crate::table::open::{count_rows, open, read_once, read_progress};
use crate::table::schema::from_delta;

/// Our newest commit to a table, whose record holds the progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnCommit {
    /// Its version.
    pub version: Version,
    /// The attempt that wrote it.
    pub attempt: Uuid,
    /// The version of its `txn`.
    pub transaction: i64,
}

/// A table of the lake at one version.
#[derive(Clone, Debug)]
pub struct LakeTable {
    /// Its snapshot, and what was read of its data files.
    files: SnapshotFiles,
    schema: TableSchema,
    ledger: Ledger,
    rows: u64,
    /// None of a table that keeps no progress.
    newest: Option<OwnCommit>,
    /// What others did to its rows since.
    foreign: Vec<ForeignCommit>,
}

impl LakeTable {
    /// A table with this progress: that of our newest commit, if it keeps any. What others have
    /// committed since is not in it, so its rows are not checked.
    ///
    /// # Errors
    /// `TableCorrupt` if the log does not count its rows.
    pub(super) fn new(
        delta: DeltaTable,
        footers: Arc<Footers>,
        ledger: Ledger,
        newest: Option<OwnCommit>,
        foreign: Vec<ForeignCommit>,
    ) -> Result<Self> {
        let rows = count_rows(&delta)?;
        let schema = from_delta(&delta.snapshot()?.schema())?;
        let files = SnapshotFiles::new(delta, schema.arrow(), footers);
        Ok(Self { files, schema, ledger, rows, newest, foreign })
    }

    /// A table that keeps no progress: nothing that commits to it says what it has taken in.
    ///
    /// # Errors
    /// `TableCorrupt` if the log does not count its rows, `TableRefused` if it asks of its writers
    /// what dmslake does not do.
    pub fn without_progress(delta: DeltaTable) -> Result<Self> {
        refuse_unwritable(&delta)?;
        Self::new(delta, Arc::default(), Ledger::default(), None, Vec::new())
    }

    /// The table whose newest commit is ours and wrote this record.
    ///
    /// # Errors
    /// `TableCorrupt` if the log counts other rows than the ledger.
    pub(super) fn counted(
        delta: DeltaTable,
        record: CommitRecord,
        transaction: i64,
        footers: Arc<Footers>,
    ) -> Result<Self> {
        let version = delta.version().unwrap_or_default();
        let newest = OwnCommit { version, attempt: record.attempt, transaction };
        let table = Self::new(delta, footers, record.ledger, Some(newest), Vec::new())?;
        if table.ledger.rows != table.rows {
            return Err(Error::new(
                ErrorKind::TableCorrupt,
                "the table's rows differ from what its newest commit counted",
            )
            .with("table", shown_url(table.delta().table_url()))
            .with("version", version)
            .with("counted", table.ledger.rows)
            .with("found", table.rows)
            .with_remedy(
                "dmslake forget TABLE with the same keys, if it was interrupted: it goes on; else \
                 restore the log from a backup, or dmslake rebuild TABLE while everything since the \
                 load is staged",
            ));
        }
        Ok(table)
    }

    /// The same table with the progress that it begins with, where it has none yet.
    #[must_use]
    pub(crate) fn beginning_with(self, progress: &Ledger) -> Self {
        Self { ledger: Ledger { rows: self.rows, ..progress.clone() }, ..self }
    }

    /// The snapshot.
    #[must_use]
    pub fn delta(&self) -> &DeltaTable {
        self.files.delta()
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.delta().version().unwrap_or_default()
    }

    /// Its columns.
    #[must_use]
    pub fn schema(&self) -> &TableSchema {
        &self.schema
    }

    /// Those of these columns that it has.
    #[must_use]
    pub(crate) fn columns_among(&self, mut names: Vec<String>) -> Vec<String> {
        names.retain(|name| self.schema.column(name).is_some());
        names
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
        self.delta()
            .snapshot()
            .is_ok_and(|snapshot| snapshot.table_config().enable_deletion_vectors == Some(true))
    }

    /// Whether deletion vectors could be read back: outside of file systems the kernel takes the
    /// URL of a vector for its path, and misses it where the URL is encoded.
    #[must_use]
    pub fn can_read_vectors(&self) -> bool {
        let url = self.delta().table_url();
        url.scheme() == "file" || !url.path().contains('%')
    }

    /// Our newest commit; none of a table that keeps no progress.
    #[must_use]
    pub fn newest(&self) -> Option<OwnCommit> {
        self.newest
    }

    /// Whether the log still ends where this snapshot does: a listing and a small read at once.
    ///
    /// # Errors
    /// `Unavailable` if the log cannot be read.
    pub(crate) async fn freshness(&self) -> Result<Freshness> {
        let log_store = self.files.log_store();
        let above = goes_on_above(&log_store, self.version());
        let (is_there, is_behind) = futures::try_join!(self.is_in(&log_store), above)?;
        if !is_there {
            return Ok(Freshness::Gone);
        }
        Ok(if is_behind { Freshness::Behind } else { Freshness::Newest })
    }

    /// To be asked before anything is deleted.
    ///
    /// # Errors
    /// `Conflict` if the log no longer is the one that was read, `Unavailable` if it cannot be
    /// read.
    pub(crate) async fn must_be_there(&self) -> Result<()> {
        match self.freshness().await? {
            Freshness::Newest | Freshness::Behind => Ok(()),
            Freshness::Gone => Err(gone()),
        }
    }

    /// Whether the log holds the commit that this snapshot knows: ours is told by its attempt;
    /// of a table that keeps no progress, any commit of that version is.
    async fn is_in(&self, log_store: &LogStoreRef) -> Result<bool> {
        let Some(newest) = self.newest else {
            return Ok(log_store.read_commit_entry(self.version()).await?.is_some());
        };
        let known = commit_at(log_store, newest.version).await?;
        Ok(known.is_some_and(|known| known.record.attempt == newest.attempt))
    }

    /// The same table at its newest version; none if the log no longer is the one that it knows.
    pub(super) async fn refreshed(self) -> Result<Option<Self>> {
        match self.freshness().await? {
            Freshness::Newest => Ok(Some(self)),
            Freshness::Behind => {
                let (mut delta, footers) = self.files.into_parts();
                let reads = read_once(&delta.log_store())?;
                let mut refreshing = DeltaTable::new(Arc::clone(&reads));
                refreshing.state = delta.state.take();
                let refreshed = refreshing.update_state().await;
                refreshed.map_err(|error| unread(error, reads.root_url()))?;
                delta.state = refreshing.state.take();
                read_progress(delta, &reads, footers).await.map(Some)
            }
            Freshness::Gone => Ok(None),
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
    pub fn files(&self) -> &SnapshotFiles {
        &self.files
    }

    /// Paths, below the table's root, of its data files.
    ///
    /// # Errors
    /// `TableCorrupt` if the snapshot is not loaded.
    pub(crate) fn file_paths(&self) -> Result<HashSet<Path>> {
        Ok(self.live_files()?.iter().map(path_of).collect())
    }

    /// The entries of its live files, in the order of the log, as ones that change rows.
    ///
    /// # Errors
    /// `TableCorrupt` if the snapshot is not loaded.
    pub(crate) fn live_files(&self) -> Result<Vec<Add>> {
        let snapshot = self.delta().snapshot()?;
        #[allow(deprecated, reason = "the only way to an entry that can be committed again")]
        let add = |view: LogicalFileView| view.add_action();
        Ok(snapshot.log_data().iter().map(add).collect())
    }

    /// The record of a next commit that takes in no object and leaves the rows as they are,
    /// whoever wrote them.
    #[must_use]
    pub fn record_without_objects(&self, clock: &dyn Clock) -> CommitRecord {
        CommitRecord::without_objects(clock.attempt_id(), self.ledger.clone(), self.rows)
    }

    /// Classifies an error that was met while files of this snapshot were read. Where the log no
    /// longer ends with it, somebody may have removed them with every right (a vacuum, a folder
    /// that is moved away): then the table is to be looked at again.
    pub(crate) async fn judge(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::TableCorrupt {
            return error;
        }
        let freshness = self.freshness().await;
        match freshness.and_then(Freshness::allows_commit) {
            Ok(()) => error,
            Err(outdated) => outdated.because(error),
        }
    }
}
