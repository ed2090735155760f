//! Finds the physical rows of a snapshot that carry the changed keys. Only key columns are read,
//! and only where statistics do not rule out all keys.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use datafusion::common::runtime::SpawnedTask;
use deltalake::kernel::{Add, DeletionVectorDescriptor, LogicalFileView};
use deltalake::logstore::ObjectStoreRef;
use futures::{FutureExt, StreamExt, TryStreamExt};
use parquet::file::metadata::ParquetMetaData;

use crate::error::{Error, ErrorKind, Result};
use crate::files::bytes::unreadable;
use crate::files::{Match, PartitionValues, SnapshotFiles, TouchedFile, column_batches, typed};
use crate::merge::bloom::Asked;
use crate::merge::bounds::SortedKeys;
use crate::merge::keys::KeySet;
use crate::merge::prune;
use crate::table::LakeTable;

/// Files scanned concurrently: enough to hide the latency of a store.
const FILES_AT_ONCE: usize = 16;

/// What a search for keys found.
#[derive(Debug, Default)]
pub(super) struct Located {
    /// Files that contain a key, in the order of the log.
    pub(super) touched: Vec<TouchedFile>,
    /// Files that statistics do not rule out.
    pub(super) searched: u64,
}

/// Finds the rows of a snapshot that carry these keys, by file, in the order of the log.
///
/// # Errors
/// `Unavailable` if the table cannot be read, `TableCorrupt` if a key is in it twice.
pub(super) async fn locate(table: &LakeTable, keys: KeySet, known: Known) -> Result<Located> {
    let count = keys.len();
    let names = keys.names();
    let located = find(table, keys, known).await?;
    if has_twice(&located.touched, count) {
        return Err(
            Error::new(ErrorKind::TableCorrupt, "a key is in the table twice").with("keys", names)
        );
    }
    Ok(located)
}

/// Finds the rows that carry these keys, where several rows may carry the same key.
///
/// # Errors
/// `Unavailable` if the table cannot be read.
pub(super) async fn find(table: &LakeTable, keys: KeySet, known: Known) -> Result<Located> {
    let views = table.delta().snapshot()?.log_data().iter().collect();
    find_among(table, views, keys, known).await
}

/// As [`find`], in these files of the snapshot alone.
pub(super) async fn find_among(
    table: &LakeTable,
    views: Vec<LogicalFileView>,
    keys: KeySet,
    mut known: Known,
) -> Result<Located> {
    let sorted = SortedKeys::of(&keys)?;
    let candidates = prune::files(views, &keys, &sorted)?;
    let searched = candidates.len() as u64;
    let scan = Arc::new(Scan::of(table.files(), keys, sorted));
    let scans = candidates.into_iter().map(|view| {
        let scan = Arc::clone(&scan);
        #[allow(deprecated, reason = "the only way to an entry that can be committed again")]
        let add = view.add_action();
        if known.has(&add) {
            return futures::future::ready(Ok(known.take(add))).left_future();
        }
        // A separate task, so that files are decoded on all cores.
        let scanned = SpawnedTask::spawn(async move { scan.file(add).await });
        async move { scanned.join().await? }.right_future()
    });
    // Tasks start when they are created, so they are created only as capacity becomes free.
    let touched: Vec<Option<TouchedFile>> =
        futures::stream::iter(scans).buffered(FILES_AT_ONCE).try_collect().await?;
    Ok(Located { touched: touched.into_iter().flatten().collect(), searched })
}

/// Whether more than one row carries the same key.
fn has_twice(touched: &[TouchedFile], keys: usize) -> bool {
    let mut seen = vec![false; keys];
    let mut found = touched.iter().flat_map(|file| &file.matches);
    found.any(|found| std::mem::replace(&mut seen[found.change as usize], true))
}

/// What an older snapshot showed about the same keys. A file that is in both snapshots with the
/// same deletion vector has the keys in the same rows.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Files of the older snapshot, by path.
    files: HashMap<String, Option<DeletionVectorDescriptor>>,
    touched: HashMap<String, TouchedFile>,
}

impl Known {
    /// The files of a snapshot, and those of them that contain the keys.
    pub(super) fn of(table: &LakeTable, touched: &[TouchedFile]) -> Result<Self> {
        let snapshot = table.delta().snapshot()?;
        let file =
            |view: LogicalFileView| (view.path().into_owned(), view.deletion_vector_descriptor());
        let touched = touched.iter().map(|file| (file.add.path.clone(), file.clone()));
        Ok(Self {
            files: snapshot.log_data().iter().map(file).collect(),
            touched: touched.collect(),
        })
    }

    /// Whether it is known which rows of a file carry the keys.
    fn has(&self, add: &Add) -> bool {
        self.files.get(&add.path) == Some(&add.deletion_vector)
    }

    /// The rows that carry the keys, for a file for which they are known.
    fn take(&mut self, add: Add) -> Option<TouchedFile> {
        self.touched.remove(&add.path).map(|touched| TouchedFile { add, ..touched })
    }
}

/// A search for keys in data files.
pub(super) struct Scan {
    files: SnapshotFiles,
    store: ObjectStoreRef,
    pub(super) keys: KeySet,
    pub(super) sorted: SortedKeys,
}

impl Scan {
    pub(super) fn of(files: &SnapshotFiles, keys: KeySet, sorted: SortedKeys) -> Self {
        Self { store: files.store(), files: files.clone(), keys, sorted }
    }

    async fn file(&self, add: Add) -> Result<Option<TouchedFile>> {
        let Some((footer, mut matches)) = self.matches(&add).await? else { return Ok(None) };
        let masked = self.files.masked(&add).await?;
        matches.retain(|found| masked.binary_search(&found.position).is_err());
        let found = !matches.is_empty();
        Ok(found.then_some(TouchedFile { add, footer, matches, masked }))
    }

    /// The rows of a file that carry a key, masked or not, with its footer; none if there is none.
    pub(super) async fn matches(
        &self,
        add: &Add,
    ) -> Result<Option<(Arc<ParquetMetaData>, Vec<Match>)>> {
        let footer = self.files.footer(add).await?;
        let metadata = typed::metadata(Arc::clone(&footer))?;
        let selected = prune::rows(&metadata, &self.keys, &self.sorted)?;
        let asked = Asked { file: &metadata, keys: &self.keys, sorted: &self.sorted };
        let selected = asked
            .without_absent(selected, &self.store, add, self.files.footers().filters())
            .await?;
        if selected.is_empty() {
            return Ok(None);
        }
        let partition = PartitionValues::of(add, self.keys.schema())?;
        let mut places = Places::of(selected.physical_rows());
        let mut matches = Vec::new();
        let key_fields = self.keys.schema().fields();
        let mut batches =
            column_batches(&self.store, add, metadata, self.keys.schema(), &selected)?;
        while let Some(batch) = batches.try_next().await.map_err(|error| unreadable(error, add))? {
            let columns = key_fields.iter().map(|field| partition.column(&batch, field));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            self.keys.probe(&columns, |row, change| {
                matches.push(Match { position: places.position(row as u64), change });
            })?;
            places.advance(batch.num_rows() as u64);
        }
        Ok((!matches.is_empty()).then_some((footer, matches)))
    }
}

/// Maps the rows that a reader returns, in order, to physical rows.
struct Places<I> {
    ranges: I,
    current: Range<u64>,
    /// Rows returned before the current range.
    before: u64,
    /// Rows returned in earlier batches.
    batch: u64,
}

impl<I: Iterator<Item = Range<u64>>> Places<I> {
    fn of(ranges: I) -> Self {
        Self { ranges, current: 0..0, before: 0, batch: 0 }
    }

    /// The physical row of a row of the batch. Must be called with ascending rows.
    fn position(&mut self, row: u64) -> u64 {
        let row = self.batch + row;
        while row - self.before >= self.current.end - self.current.start {
            self.before += self.current.end - self.current.start;
            let Some(next) = self.ranges.next() else { break };
            self.current = next;
        }
        self.current.start + (row - self.before)
    }

    fn advance(&mut self, rows: u64) {
        self.batch += rows;
    }
}
