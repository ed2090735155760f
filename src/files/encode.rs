//! Encodes row groups column by column on all cores.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use arrow::array::ArrayRef;
use arrow::datatypes::{Field, SchemaRef};
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves};

use crate::error::{Error, ErrorKind, Result};
use crate::files::dictionary;

/// Rows whose columns can be read independently.
pub(crate) trait Columns: Send + Sync + 'static {
    /// Passes the arrays of a column to `sink`, in order.
    fn read(&self, column: usize, sink: &mut dyn FnMut(&ArrayRef) -> Result<()>) -> Result<()>;
}

/// The two ways to encode the values of one column in one row group.
pub(super) struct ChunkWriters {
    pub(super) with_dictionary: ArrowColumnWriter,
    pub(super) plain: ArrowColumnWriter,
}

/// One column of the row groups that are being encoded.
struct ColumnJob {
    column: usize,
    /// One entry for each row group.
    writers: Vec<ChunkWriters>,
}

/// Encodes rows into row groups of `group_rows` rows each; the last may have fewer. `writers`
/// contains the column writers of each row group, and the result the column chunks of each row
/// group.
pub(super) async fn encode(
    schema: &SchemaRef,
    writers: Vec<Vec<ChunkWriters>>,
    columns: Arc<dyn Columns>,
    group_rows: usize,
    rows: usize,
) -> Result<Vec<Vec<ArrowColumnChunk>>> {
    let group_count = writers.len();
    let jobs = Arc::new(Mutex::new(jobs(schema.fields().len(), writers).into_iter()));
    let worker_count =
        available_parallelism().map_or(1, usize::from).min(schema.fields().len()).max(1);
    let work = || {
        let (schema, jobs, columns) = (Arc::clone(schema), Arc::clone(&jobs), Arc::clone(&columns));
        tokio::task::spawn_blocking(move || {
            let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
            let mut done = Vec::new();
            while let Some(job) = next() {
                let column = job.column;
                let field = schema.field(column);
                done.push((column, encode_column(field, job, &*columns, group_rows, rows)?));
            }
            Ok(done)
        })
    };
    let workers: Vec<_> = (0..worker_count).map(|_| work()).collect();
    let mut by_column: Vec<(usize, Vec<ArrowColumnChunk>)> = Vec::new();
    for worker in workers {
        let done: Result<Vec<_>> = worker.await?;
        by_column.extend(done?);
    }
    by_column.sort_unstable_by_key(|(column, _)| *column);
    let mut groups: Vec<Vec<ArrowColumnChunk>> = Vec::new();
    groups.resize_with(group_count, Vec::new);
    for (_, chunks) in by_column {
        for (group, chunk) in groups.iter_mut().zip(chunks) {
            group.push(chunk);
        }
    }
    Ok(groups)
}

/// Regroups the writers from row groups to columns.
fn jobs(column_count: usize, writers: Vec<Vec<ChunkWriters>>) -> Vec<ColumnJob> {
    let mut jobs: Vec<ColumnJob> =
        (0..column_count).map(|column| ColumnJob { column, writers: Vec::new() }).collect();
    for group in writers {
        for (job, writer) in jobs.iter_mut().zip(group) {
            job.writers.push(writer);
        }
    }
    jobs
}

fn encode_column(
    field: &Field,
    job: ColumnJob,
    columns: &dyn Columns,
    group_rows: usize,
    rows: usize,
) -> Result<Vec<ArrowColumnChunk>> {
    let mut writers = job.writers.into_iter();
    let mut open: Option<ArrowColumnWriter> = None;
    let mut chunks = Vec::with_capacity(writers.len());
    let mut written = 0;
    columns.read(job.column, &mut |array| {
        if array.null_count() > 0 && !field.is_nullable() {
            return Err(Error::new(ErrorKind::TableCorrupt, "a required column contains a null")
                .with("column", field.name()));
        }
        let mut offset = 0;
        while offset < array.len() {
            let room = group_rows - written % group_rows;
            let values = array.slice(offset, room.min(array.len() - offset));
            let writer = match &mut open {
                Some(writer) => writer,
                none => {
                    let ChunkWriters { with_dictionary, plain } =
                        writers.next().ok_or_else(|| miscounted(field))?;
                    none.insert(if dictionary::pays(&values) { with_dictionary } else { plain })
                }
            };
            for leaf in compute_leaves(field, &values).map_err(unwritable)? {
                writer.write(&leaf).map_err(unwritable)?;
            }
            offset += values.len();
            written += values.len();
            if written.is_multiple_of(group_rows) {
                chunks.extend(close(open.take())?);
            }
        }
        Ok(())
    })?;
    chunks.extend(close(open)?);
    if written != rows || writers.next().is_some() {
        return Err(miscounted(field));
    }
    Ok(chunks)
}

fn close(writer: Option<ArrowColumnWriter>) -> Result<Option<ArrowColumnChunk>> {
    writer.map(ArrowColumnWriter::close).transpose().map_err(unwritable)
}

fn miscounted(field: &Field) -> Error {
    Error::new(
        ErrorKind::TableCorrupt,
        "a column of a data file has a different row count than the file",
    )
    .with("column", field.name())
}

/// Encoding only uses memory, so a failure is a bug.
pub(super) fn unwritable(error: parquet::errors::ParquetError) -> Error {
    Error::new(ErrorKind::Internal, "rows could not be encoded as Parquet").because(error)
}
