//! What one table differs from another in, as net changes to it.
//!
//! Every live row of both becomes its key and a digest of its other values. These are joined by
//! key: hash-partitioned, sorted and spilled to disk by DataFusion within a memory pool, so that
//! tables of any size are compared in bounded memory. Only the rows that differ are read whole, and
//! they have to fit into memory.

mod digests;
mod pool;

pub(crate) use pool::Halves;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{filter, sum};
use arrow::datatypes::{SchemaRef, UInt32Type};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::JoinType;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::SessionConfig;
use futures::TryStreamExt;

use crate::change::NetChanges;
use crate::clock::Clock;
use crate::error::Result;
use crate::files::typed;
use crate::merge::difference::digests::{Damaged, Digests, Encoder, Side};
use crate::merge::read::rows_of;
use crate::session::session;
use crate::table::LakeTable;

/// What a comparison may take, and what may come of it.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes in memory: of what is compared at once, and of the rows that differ.
    pub memory_budget: usize,
    /// Rows that may differ.
    pub most_rows: u64,
}

/// The result of a comparison.
#[derive(Clone, Debug)]
pub enum Compared {
    /// So little differs.
    Little(Difference),
    /// More differs than may, or the tables cannot be compared: why, to end a sentence.
    Unsuited(&'static str),
}

/// The changes that make one table equal to another.
#[derive(Clone, Debug, Default)]
pub struct Difference {
    /// The changes, each key once.
    pub net: NetChanges,
    /// Rows that only the other table has.
    pub inserted: u64,
    /// Rows that have other values there.
    pub updated: u64,
    /// Rows that only this table has.
    pub deleted: u64,
}

impl Difference {
    /// The number of rows that differ.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }
}

/// Compares two tables row by row. Rows are equal if all columns of `old` are: NULL equals NULL,
/// floating-point numbers are compared by their bits, and a column that `new` lacks counts as
/// NULL. Columns of `new` that `old` lacks are not compared.
///
/// # Errors
/// `Unavailable` if a table cannot be read, `TableCorrupt` if a file does not match its log.
pub async fn difference(
    old: &LakeTable,
    new: &LakeTable,
    keys: &[String],
    bounds: Bounds,
    clock: &dyn Clock,
) -> Result<Compared> {
    let schema = Arc::clone(old.files().schema());
    // Nobody can choose values whose digests are equal.
    let seed = *blake3::hash(clock.attempt_id().as_bytes()).as_bytes();
    let encoder = Arc::new(Encoder::new(&schema, keys, seed)?);
    let (mut found, damaged) = (Found::default(), Damaged::default());
    let joined = async {
        let mut rows = join(old, new, &encoder, &damaged, bounds.memory_budget).await?;
        while let Some(batch) = rows.try_next().await? {
            found.take(&batch)?;
            if found.is_beyond(&bounds) {
                break;
            }
        }
        Ok::<_, DataFusionError>(())
    };
    match joined.await {
        Err(error) if is_lack_of_room(&error) => {
            tracing::debug!(memory_budget = bounds.memory_budget, "rows are not compared: {error}");
            return Ok(Compared::Unsuited("memory or temporary disk are too small to compare"));
        }
        // That may be why the table is built anew.
        Err(_) if damaged.is_noticed() => {
            return Ok(Compared::Unsuited("the rows before cannot all be read"));
        }
        joined => joined?,
    }
    if found.is_beyond(&bounds) {
        return Ok(Compared::Unsuited("many rows differ"));
    }
    if !found.is_one_to_one(old.rows(), new.rows()) {
        return Ok(Compared::Unsuited("keys are not unique"));
    }
    let changed = found.upserts.iter().map(|keys| encoder.keys_of(keys));
    let changed = changed.collect::<Result<Vec<_>>>()?;
    let deletes = found.deletes.iter().map(|keys| encoder.keys_of(keys));
    let deletes = deletes.collect::<Result<Vec<_>>>()?;
    let columns: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let upserts = rows_of(new, keys, &changed, &columns).await?;
    let upserts = upserts.iter().map(|rows| with_columns(rows, &schema)).collect::<Result<_>>()?;
    let net = NetChanges { upserts, deletes, changes: found.rows(), ..NetChanges::default() };
    if net.check_keys(keys).is_err() {
        return Ok(Compared::Unsuited("keys are not unique"));
    }
    let Found { inserted, updated, deleted, .. } = found;
    Ok(Compared::Little(Difference { net, inserted, updated, deleted }))
}

/// Both tables' keys with their digests, one row for each key of either.
async fn join(
    old: &LakeTable,
    new: &LakeTable,
    encoder: &Arc<Encoder>,
    damaged: &Damaged,
    memory_budget: usize,
) -> Result<SendableRecordBatchStream, DataFusionError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // With one partition alone there would be a join by a hash table, which is not spilled.
    let partitions = cores.clamp(2, MOST_PARTITIONS);
    // Each partition of both tables is sorted.
    let pool = Halves::of(memory_budget, 2 * partitions);
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool)).build_arc()?;
    let batch_rows = (memory_budget / BUDGET_OF_ROW).clamp(LEAST_BATCH_ROWS, MOST_BATCH_ROWS);
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(batch_rows)
        .with_sort_spill_reservation_bytes(memory_budget / (8 * partitions));
    config.options_mut().optimizer.prefer_hash_join = false;
    let session = session(config, runtime);
    let rows = |side: Side, table| -> Result<DataFrame, DataFusionError> {
        let digests = Digests::of(side, table, encoder, partitions, batch_rows, damaged)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let digests = digests.into_iter().map(|part| Arc::new(part) as Arc<dyn PartitionStream>);
        session.read_table(Arc::new(StreamingTable::try_new(side.schema(), digests.collect())?))
    };
    let (old, new) = (rows(Side::Old, old)?, rows(Side::New, new)?);
    let (left, right) = (Side::Old.columns(), Side::New.columns());
    let joined = old.join(new, JoinType::Full, &left[..1], &right[..1], None)?;
    joined.execute_stream().await
}

/// More partitions would each have little memory.
const MOST_PARTITIONS: usize = 8;
/// Several batches of each partition and side are in memory at once.
const BUDGET_OF_ROW: usize = 16 << 10;
const LEAST_BATCH_ROWS: usize = 256;
const MOST_BATCH_ROWS: usize = 8 << 10;

/// Whether it was not the tables that could not be read, but memory or disk that was too small.
fn is_lack_of_room(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) | DataFusionError::IoError(_) => true,
        DataFusionError::ArrowError(error, _) => {
            matches!(**error, arrow::error::ArrowError::IoError(..))
        }
        _ => false,
    }
}

/// The keys that differ.
#[derive(Debug, Default)]
struct Found {
    /// Keys whose row in the new table is to be taken, encoded.
    upserts: Vec<ArrayRef>,
    /// Keys whose row is to go.
    deletes: Vec<ArrayRef>,
    inserted: u64,
    updated: u64,
    deleted: u64,
    /// Rows that have the same key.
    pairs: u64,
    bytes: u64,
}

impl Found {
    /// Takes in joined rows: key and digest of the old row, then of the new one with its size.
    fn take(&mut self, joined: &RecordBatch) -> Result<(), DataFusionError> {
        let [old_key, old_digest, _, new_key, new_digest, new_bytes] = joined.columns() else {
            return Err(DataFusionError::Internal("a join has other columns".to_owned()));
        };
        let (inserted, deleted) = (old_key.null_count() as u64, new_key.null_count() as u64);
        let differing = distinct(old_digest, new_digest)?;
        let differing_rows = differing.true_count() as u64;
        self.inserted += inserted;
        self.deleted += deleted;
        self.updated += differing_rows - inserted - deleted;
        self.pairs += joined.num_rows() as u64 - inserted - deleted;
        if differing_rows == 0 {
            return Ok(());
        }
        let is_old_alone: BooleanArray =
            (0..joined.num_rows()).map(|row| Some(new_key.is_null(row))).collect();
        let gone = arrow::compute::and(&differing, &is_old_alone)?;
        let taken = arrow::compute::and_not(&differing, &is_old_alone)?;
        let (gone, taken_keys) = (filter(old_key, &gone)?, filter(new_key, &taken)?);
        let taken_bytes = filter(new_bytes, &taken)?;
        self.bytes += sum(taken_bytes.as_primitive::<UInt32Type>()).map_or(0, u64::from);
        for (keys, list) in [(taken_keys, &mut self.upserts), (gone, &mut self.deletes)] {
            if !keys.is_empty() {
                self.bytes += keys.get_array_memory_size() as u64;
                list.push(keys);
            }
        }
        Ok(())
    }

    fn rows(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }

    fn is_beyond(&self, bounds: &Bounds) -> bool {
        self.rows() > bounds.most_rows || self.bytes > bounds.memory_budget as u64
    }

    /// Whether every row was met once: in a table that holds a key twice, rows meet several.
    fn is_one_to_one(&self, old_rows: u64, new_rows: u64) -> bool {
        self.pairs + self.deleted == old_rows && self.pairs + self.inserted == new_rows
    }
}

/// Rows with exactly these columns; one that they lack is NULL.
fn with_columns(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = schema.fields().iter().map(|field| typed::column(rows, field));
    Ok(RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_>>()?)?)
}
