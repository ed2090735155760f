//! Folds small files into the next write, so that there are only a few of them.
//!
//! The small files of a partition, with fewer rows than half a row group, are divided into six
//! tiers by their live rows: less than 8, less than 64, and so on. If a commit's new rows would
//! lead to more than eight files in a tier, all files of the tier are written together with the new
//! rows as one file. This file then belongs to a higher tier, where the same rule applies.
//! Therefore
//!
//! - a commit that writes new rows leaves at most 48 small files in each partition it writes to,
//!   and none of our other commits adds a file;
//! - a row is rewritten at most six times, because its file moves up a tier each time, plus once
//!   for each tier that its file moves down after deletes;
//! - one fold takes in at most one row group. What does not fit waits for the next write; larger
//!   files are left as they are.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use deltalake::kernel::{Add, LogicalFileView};
use futures::{StreamExt, TryStreamExt};

use crate::error::Result;
use crate::files::{
    FileLayout, PartitionKey, ROW_GROUP_BYTES, ROW_GROUP_ROWS, SnapshotFiles, TouchedFile, divide,
    live_rows, rows_without,
};
use crate::memory::memory_size;
use crate::table::LakeTable;
use crate::table::features::is_append_only;

/// The most files in a tier.
const MOST_IN_TIER: usize = 8;
/// The number of tiers. The last one ends where files are no longer small.
const TIERS: usize = 6;
/// From this many rows on, a file is no longer small. Two small files fit into one row group.
const FULL_ROWS: u64 = ROW_GROUP_ROWS as u64 / 2;
/// From this many bytes on, a file is no longer small, unless half of the table's target size is
/// less.
const FULL_BYTES: u64 = 4 << 20;
/// Files read concurrently.
const FILES_AT_ONCE: usize = 16;

/// A file whose rows go into the commit's new files.
#[derive(Debug)]
pub(super) struct Folded {
    /// Its entry in the log.
    pub(super) add: Add,
    /// Its live rows except those that the commit changes, with the table's columns.
    pub(super) rows: Vec<RecordBatch>,
}

/// Reads the files to be written together with these new rows. Touched files may be among them;
/// their updated rows are then written like new rows.
///
/// # Errors
/// As [`live_rows`].
pub(super) async fn take_in(
    table: &LakeTable,
    layout: &FileLayout,
    touched: &[TouchedFile],
    upsert_count: usize,
    new: &[RecordBatch],
) -> Result<Vec<Folded>> {
    let chosen = choose(table, layout, touched, upsert_count, new)?;
    read(table.files(), chosen).await
}

/// A file to fold.
struct Chosen {
    add: Add,
    /// If the commit touches the file, the rows that are masked or change, in ascending order.
    dead: Option<Vec<u64>>,
}

fn choose(
    table: &LakeTable,
    layout: &FileLayout,
    touched: &[TouchedFile],
    upsert_count: usize,
    new: &[RecordBatch],
) -> Result<Vec<Chosen>> {
    let snapshot = table.delta().snapshot()?;
    let new_rows = rows_by_partition(layout, new)?;
    if new_rows.is_empty() || is_append_only(snapshot.metadata()) {
        return Ok(Vec::new());
    }
    let touched: HashMap<&str, &TouchedFile> =
        touched.iter().map(|file| (file.add.path.as_str(), file)).collect();
    let full_bytes = FULL_BYTES.min(layout.target_file_size() / 2);
    let mut small: BTreeMap<PartitionKey, Vec<Small>> = BTreeMap::new();
    for view in snapshot.log_data().iter() {
        let bytes = u64::try_from(view.size()).unwrap_or(u64::MAX);
        if bytes >= full_bytes {
            continue;
        }
        let touched = touched.get(view.path().as_ref()).copied();
        let rows = rows_after(&view, touched, upsert_count);
        // A touched file without remaining rows is removed anyway.
        if rows < FULL_ROWS && (rows > 0 || touched.is_none()) {
            let partition = partition_of(&view, layout);
            small.entry(partition).or_default().push(Small { view, rows, bytes, touched });
        }
    }
    let mut chosen = Vec::new();
    for (partition, rows) in new_rows {
        let files = small.remove(&partition).unwrap_or_default();
        chosen.extend(crowded(rows, files, full_bytes).into_iter().map(Small::chosen));
    }
    Ok(chosen)
}

/// The number of new rows in each partition.
fn rows_by_partition(
    layout: &FileLayout,
    new: &[RecordBatch],
) -> Result<BTreeMap<PartitionKey, u64>> {
    let mut count = BTreeMap::new();
    for batch in new {
        for (partition, rows) in divide(batch, layout.partition_columns())? {
            *count.entry(partition).or_default() += rows.num_rows() as u64;
        }
    }
    count.retain(|_, rows| *rows > 0);
    Ok(count)
}

fn partition_of(view: &LogicalFileView, layout: &FileLayout) -> PartitionKey {
    let columns = layout.partition_columns();
    if columns.is_empty() {
        return PartitionKey::new();
    }
    let mut values = view.partition_values_map();
    columns.iter().map(|column| values.remove(column).flatten()).collect()
}

/// A small file of the snapshot.
struct Small<'a> {
    view: LogicalFileView,
    /// Rows that remain in it after the commit if it is not folded.
    rows: u64,
    bytes: u64,
    touched: Option<&'a TouchedFile>,
}

impl Small<'_> {
    fn chosen(self) -> Chosen {
        #[allow(deprecated, reason = "the only way to an entry that can be committed again")]
        let add = self.view.add_action();
        Chosen { add, dead: self.touched.map(dead_rows) }
    }
}

fn rows_after(view: &LogicalFileView, touched: Option<&TouchedFile>, upsert_count: usize) -> u64 {
    let records = view.num_records().unwrap_or_default() as u64;
    let masked = view.deletion_vector_descriptor().map_or(0, |vector| vector.cardinality);
    let leaves = |file: &TouchedFile| {
        file.matches.iter().filter(|found| found.change as usize >= upsert_count).count() as u64
    };
    let gone = u64::try_from(masked).unwrap_or_default() + touched.map_or(0, leaves);
    records.saturating_sub(gone)
}

/// The small files of a partition that are written together with this many new rows.
fn crowded(new_rows: u64, small: Vec<Small<'_>>, full_bytes: u64) -> Vec<Small<'_>> {
    let mut tiers: [Vec<Small<'_>>; TIERS] = Default::default();
    for file in small {
        tiers[tier(file.rows)].push(file);
    }
    let (mut rows, mut bytes) = (new_rows, 0);
    let mut chosen = Vec::new();
    for (level, mut files) in tiers.into_iter().enumerate() {
        let with_new = files.len() + usize::from(tier(rows) == level);
        if rows >= FULL_ROWS || with_new <= MOST_IN_TIER {
            continue;
        }
        files.sort_by_key(|file| (file.rows, file.bytes));
        for file in files {
            rows += file.rows;
            bytes += file.bytes;
            if rows > ROW_GROUP_ROWS as u64 || bytes > 2 * full_bytes {
                return chosen;
            }
            chosen.push(file);
        }
    }
    chosen
}

/// The tier of a file with this many rows.
fn tier(rows: u64) -> usize {
    (rows.max(1).ilog2() / MOST_IN_TIER.ilog2()) as usize
}

/// The rows of these files. A file is left out if the rows would no longer fit into the memory of
/// one row group.
async fn read(files: &SnapshotFiles, chosen: Vec<Chosen>) -> Result<Vec<Folded>> {
    let memory = Arc::new(AtomicUsize::new(0));
    let reads = chosen.into_iter().map(|file| {
        let (files, memory) = (files.clone(), Arc::clone(&memory));
        // A separate task, so that files are decoded on all cores.
        let read = SpawnedTask::spawn(async move { read_file(&files, file, &memory).await });
        async move { read.join().await? }
    });
    let read: Vec<Option<Folded>> =
        futures::stream::iter(reads).buffered(FILES_AT_ONCE).try_collect().await?;
    Ok(read.into_iter().flatten().collect())
}

async fn read_file(
    files: &SnapshotFiles,
    Chosen { add, dead }: Chosen,
    memory: &AtomicUsize,
) -> Result<Option<Folded>> {
    let mut stream = match dead {
        Some(dead) => rows_without(files, &add, dead).await?,
        None => live_rows(files, &add).await?,
    };
    let (mut rows, mut held) = (Vec::new(), 0);
    while let Some(batch) = stream.try_next().await? {
        let bytes = memory_size(&batch);
        held += bytes;
        if memory.fetch_add(bytes, Ordering::Relaxed) + bytes > ROW_GROUP_BYTES {
            memory.fetch_sub(held, Ordering::Relaxed);
            return Ok(None);
        }
        rows.push(batch);
    }
    Ok(Some(Folded { add, rows }))
}

/// Rows that are masked or change, in ascending order.
fn dead_rows(file: &TouchedFile) -> Vec<u64> {
    let changed = file.matches.iter().map(|found| found.position);
    let mut dead: Vec<u64> = file.masked.iter().copied().chain(changed).collect();
    dead.sort_unstable();
    dead
}
