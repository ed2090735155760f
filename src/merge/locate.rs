//! Which physical rows of a snapshot carry the changed keys: only key columns are read, and
//! only where statistics leave a key possible.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion::common::runtime::SpawnedTask;
use deltalake::kernel::{Add, DeletionVectorDescriptor, LogicalFileView};
use deltalake::logstore::{LogStoreRef, ObjectStoreRef};
use futures::{FutureExt, StreamExt, TryStreamExt};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::async_reader::ParquetRecordBatchStream;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::merge::bloom::Asked;
use crate::merge::bounds::SortedKeys;
use crate::merge::keys::KeySet;
use crate::merge::partition::PartitionValues;
use crate::merge::prune::{self, Selected};
use crate::merge::touched::{Match, Touched};
use crate::merge::typed;
use crate::merge::vectors;
use crate::table::LakeTable;
use crate::table::data_file_bytes::{DataFileBytes, unreadable};
use crate::table::footer::Footers;

/// Files looked into at once: enough to hide the time that a store takes to answer.
const FILES_AT_ONCE: usize = 16;
/// Rows decoded at once.
const BATCH_ROWS: usize = 32 << 10;

/// Finds the rows of a snapshot that carry these keys: by file, in the order of the log.
///
/// # Errors
/// `Unavailable` if the table cannot be read, `TableCorrupt` if a key stands in it twice.
pub(super) async fn locate(table: &LakeTable, keys: KeySet, known: Known) -> Result<Vec<Touched>> {
    let count = keys.len();
    let names = keys.names();
    let touched = find(table, keys, known).await?;
    if has_twice(&touched, count) {
        return Err(Error::new(ErrorKind::TableCorrupt, "a key stands in the table twice")
            .with("keys", names));
    }
    Ok(touched)
}

/// The same where many rows may carry one key.
///
/// # Errors
/// `Unavailable` if the table cannot be read.
pub(super) async fn find(
    table: &LakeTable,
    keys: KeySet,
    mut known: Known,
) -> Result<Vec<Touched>> {
    let sorted = SortedKeys::of(&keys)?;
    let views = table.delta().snapshot()?.log_data().iter().collect();
    let candidates = prune::files(views, &keys, &sorted)?;
    let scan = Arc::new(Scan {
        root: table.delta().table_url().clone(),
        store: table.delta().log_store().object_store(None),
        log_store: table.delta().log_store(),
        footers: Arc::clone(table.footers()),
        keys,
        sorted,
    });
    let scans = candidates.into_iter().map(|view| {
        let scan = Arc::clone(&scan);
        #[allow(deprecated, reason = "the only way to an entry that can be committed again")]
        let add = view.add_action();
        if known.has(&add) {
            return futures::future::ready(Ok(known.take(add))).left_future();
        }
        // A task of its own, so that files are decoded on all cores.
        let scanned = SpawnedTask::spawn(async move { scan.file(add).await });
        async move { scanned.join().await? }.right_future()
    });
    // Tasks begin when they are made, so they are made as places become free.
    let touched: Vec<Option<Touched>> =
        futures::stream::iter(scans).buffered(FILES_AT_ONCE).try_collect().await?;
    Ok(touched.into_iter().flatten().collect())
}

/// Whether two rows carry one of so many keys.
fn has_twice(touched: &[Touched], keys: usize) -> bool {
    let mut seen = vec![false; keys];
    let mut found = touched.iter().flat_map(|file| &file.matches);
    found.any(|found| std::mem::replace(&mut seen[found.change as usize], true))
}

/// What an older snapshot told about the same keys. A file that stands in both with one deletion
/// vector holds them where it held them.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By path of each file of the older snapshot.
    files: HashMap<String, Option<DeletionVectorDescriptor>>,
    touched: HashMap<String, Touched>,
}

impl Known {
    /// The files of a snapshot, and those of them in which the keys stand.
    pub(super) fn of(table: &LakeTable, touched: &[Touched]) -> Result<Self> {
        let snapshot = table.delta().snapshot()?;
        let file =
            |view: LogicalFileView| (view.path().into_owned(), view.deletion_vector_descriptor());
        let touched = touched.iter().map(|file| (file.add.path.clone(), file.clone()));
        Ok(Self {
            files: snapshot.log_data().iter().map(file).collect(),
            touched: touched.collect(),
        })
    }

    /// Whether it is known where the keys stand in a file, if they do.
    fn has(&self, add: &Add) -> bool {
        self.files.get(&add.path) == Some(&add.deletion_vector)
    }

    /// Where they stand in a file of which that is known.
    fn take(&mut self, add: Add) -> Option<Touched> {
        self.touched.remove(&add.path).map(|touched| Touched { add, ..touched })
    }
}

struct Scan {
    root: Url,
    store: ObjectStoreRef,
    log_store: LogStoreRef,
    footers: Arc<Footers>,
    keys: KeySet,
    sorted: SortedKeys,
}

impl Scan {
    async fn file(&self, add: Add) -> Result<Option<Touched>> {
        let footer = self.footers.of(&self.store, &add).await?;
        let metadata = typed::metadata(Arc::clone(&footer))?;
        let selected = prune::rows(&metadata, &self.keys, &self.sorted)?;
        let asked = Asked { file: &metadata, keys: &self.keys, sorted: &self.sorted };
        let selected =
            asked.without_absent(selected, &self.store, &add, self.footers.filters()).await?;
        if selected.is_empty() {
            return Ok(None);
        }
        let partition = PartitionValues::of(&add, self.keys.schema())?;
        let mut places = Places::of(selected.physical_rows());
        let mut matches = Vec::new();
        let key_fields = self.keys.schema().fields();
        let mut batches =
            column_batches(&self.store, &add, metadata, self.keys.schema(), &selected)?;
        while let Some(batch) = batches.try_next().await.map_err(|error| unreadable(error, &add))? {
            let columns = key_fields.iter().map(|field| partition.column(&batch, field));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            self.keys.probe(&columns, |row, change| {
                matches.push(Match { position: places.position(row as u64), change });
            })?;
            places.advance(batch.num_rows() as u64);
        }
        if matches.is_empty() {
            return Ok(None);
        }
        let masked = vectors::masked(&self.log_store, &self.root, &add).await?;
        matches.retain(|found| masked.binary_search(&found.position).is_err());
        let found = !matches.is_empty();
        Ok(found.then_some(Touched { add, footer, matches, masked }))
    }
}

/// The named columns of the selected rows of a file, as far as it has them.
pub(super) fn column_batches(
    store: &ObjectStoreRef,
    add: &Add,
    metadata: ArrowReaderMetadata,
    columns: &Schema,
    selected: &Selected,
) -> Result<ParquetRecordBatchStream<DataFileBytes>> {
    let place = |field: &Arc<Field>| metadata.schema().index_of(field.name()).ok();
    let roots = columns.fields().iter().filter_map(place);
    let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
    ParquetRecordBatchStreamBuilder::new_with_metadata(DataFileBytes::of(store, add)?, metadata)
        .with_projection(mask)
        .with_row_groups(selected.row_groups())
        .with_row_selection(selected.rows())
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|error| unreadable(error, add))
}

/// Physical rows of what a reader hands out, in order.
struct Places<I> {
    ranges: I,
    current: Range<u64>,
    /// Rows handed out up to the current range's start.
    before: u64,
    /// Rows handed out in earlier batches.
    batch: u64,
}

impl<I: Iterator<Item = Range<u64>>> Places<I> {
    fn of(ranges: I) -> Self {
        Self { ranges, current: 0..0, before: 0, batch: 0 }
    }

    /// The physical row of a row of the batch; asked for rising rows.
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
