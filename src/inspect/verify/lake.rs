//! The rows of a table in the lake, encoded.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use deltalake::kernel::Add;
use futures::stream::{self, Stream};
use futures::{StreamExt as _, TryStreamExt as _};

use crate::error::Result;
use crate::files::{SnapshotFiles, live_rows, typed};
use crate::inspect::verify::encode::{Digest, Encoder, Key};
use crate::inspect::verify::observer::{Observer, Step};
use crate::inspect::verify::parts::{Parts, Tally};
use crate::merge::rows_with;
use crate::table::LakeTable;

/// The live rows of a table with these columns, file by file. One that the table lacks is NULL.
pub(super) fn rows(
    table: &LakeTable,
    schema: &SchemaRef,
) -> Result<impl Stream<Item = Result<RecordBatch>> + use<>> {
    let files = table.files().with_columns(Arc::clone(schema));
    let adds = table.live_files()?;
    let of_file = move |add: Add| {
        let files = files.clone();
        async move { live_rows(&files, &add).await }
    };
    Ok(stream::iter(adds).then(of_file).try_flatten())
}

/// What a scan keeps of each row.
trait Take: Send + 'static {
    fn take(&mut self, key: &[u8], digest: Digest);
}

/// Counts and sums by part.
struct Tallies {
    parts: Arc<Parts>,
    tallies: Vec<Tally>,
}

impl Take for Tallies {
    fn take(&mut self, key: &[u8], digest: Digest) {
        self.tallies[self.parts.of(key)].add(digest);
    }
}

/// The rows of some parts.
struct Chosen {
    parts: Arc<Parts>,
    wanted: Arc<HashSet<usize>>,
    rows: Vec<(Key, Digest)>,
}

impl Take for Chosen {
    fn take(&mut self, key: &[u8], digest: Digest) {
        if self.wanted.contains(&self.parts.of(key)) {
            self.rows.push((key.into(), digest));
        }
    }
}

/// Counts the live rows of a table by part, and adds up their digests.
///
/// # Errors
/// `Unavailable` if the table cannot be read, `TableCorrupt` if a file does not match its log.
pub(super) async fn tallies(
    table: &LakeTable,
    encoder: &Arc<Encoder>,
    parts: &Arc<Parts>,
    observer: &dyn Observer,
) -> Result<Vec<Tally>> {
    let none =
        || Tallies { parts: Arc::clone(parts), tallies: vec![Tally::default(); parts.len()] };
    let mut sums = none().tallies;
    for Tallies { tallies, .. } in scan(table, encoder, none, observer).await? {
        sums.iter_mut().zip(tallies).for_each(|(sum, tally)| sum.merge(tally));
    }
    Ok(sums)
}

/// The keys of the live rows in some parts, each with its digest, in no order.
///
/// # Errors
/// As [`tallies`].
pub(super) async fn rows_of_parts(
    table: &LakeTable,
    encoder: &Arc<Encoder>,
    parts: &Arc<Parts>,
    wanted: &Arc<HashSet<usize>>,
    observer: &dyn Observer,
) -> Result<Vec<(Key, Digest)>> {
    let none = || Chosen { parts: Arc::clone(parts), wanted: Arc::clone(wanted), rows: Vec::new() };
    let found = scan(table, encoder, none, observer).await?;
    Ok(found.into_iter().flat_map(|it| it.rows).collect())
}

/// Reads several files at once, each by one of `none`.
async fn scan<T: Take>(
    table: &LakeTable,
    encoder: &Arc<Encoder>,
    none: impl Fn() -> T,
    observer: &dyn Observer,
) -> Result<Vec<T>> {
    let files = table.files().with_columns(Arc::clone(encoder.schema()));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // A file is begun only when there is a core for it.
    let read = |add: Add| {
        let (files, encoder, taken) = (files.clone(), Arc::clone(encoder), none());
        async move { SpawnedTask::spawn(file(files, add, encoder, taken)).join_unwind().await }
    };
    let adds: Vec<Add> = table.live_files()?;
    let mut reads = stream::iter(adds).map(read).buffer_unordered(cores.max(2));
    let mut found = Vec::new();
    while let Some(read) = reads.next().await {
        let (taken, rows) = match read? {
            Ok(read) => read,
            Err(error) => return Err(table.judge(error).await),
        };
        observer.step(Step::Lake { rows });
        found.push(taken);
    }
    Ok(found)
}

async fn file<T: Take>(
    files: SnapshotFiles,
    add: Add,
    encoder: Arc<Encoder>,
    mut taken: T,
) -> Result<(T, u64)> {
    let mut batches = live_rows(&files, &add).await?;
    let mut rows = 0;
    while let Some(batch) = batches.try_next().await? {
        let in_bytes = encoder.encode(&batch)?;
        (0..in_bytes.len()).for_each(|row| {
            taken.take(in_bytes.key(row), in_bytes.digest(row, &encoder));
        });
        rows += in_bytes.len() as u64;
    }
    Ok((taken, rows))
}

/// The live rows with these keys, each key once in `keys`.
///
/// # Errors
/// As [`tallies`].
pub(super) async fn by_keys(
    table: &LakeTable,
    encoder: &Encoder,
    keys: &RecordBatch,
) -> Result<Vec<RecordBatch>> {
    let schema = encoder.schema();
    let by: Vec<String> = keys.schema().fields().iter().map(|field| field.name().clone()).collect();
    let columns: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let found = rows_with(table, &by, keys, &columns).await?;
    let arranged = found.iter().map(|rows| {
        let columns = schema.fields().iter().map(|field| typed::column(rows, field));
        let columns = columns.collect::<Result<_>>()?;
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    });
    arranged.collect()
}
