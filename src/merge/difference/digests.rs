//! The live rows of a table, each as its key and a digest of its values.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, AsArray, FixedSizeBinaryArray, RecordBatch, UInt32Array};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::row::{RowConverter, SortField};
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use deltalake::kernel::Add;
use futures::{StreamExt, TryStreamExt};

use crate::error::{Error, ErrorKind, Result};
use crate::files::{SnapshotFiles, live_rows};
use crate::table::LakeTable;

/// Bytes of a digest: two rows of one key that differ have the same one once in 2¹²⁸.
const DIGEST_BYTES: usize = 16;

/// Which of the two tables a row is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Old,
    New,
}

impl Side {
    /// Key, digest, and the bytes that the row takes, about.
    pub(super) fn columns(self) -> [&'static str; 3] {
        match self {
            Self::Old => ["old_key", "old_digest", "old_bytes"],
            Self::New => ["new_key", "new_digest", "new_bytes"],
        }
    }

    pub(super) fn schema(self) -> SchemaRef {
        let digest = DataType::FixedSizeBinary(i32::try_from(DIGEST_BYTES).unwrap_or_default());
        let types = [DataType::Binary, digest, DataType::UInt32];
        let fields = self.columns().into_iter().zip(types);
        let fields = fields.map(|(name, data_type)| Field::new(name, data_type, false));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

/// Encodes rows of both tables in the same way.
#[derive(Debug)]
pub(super) struct Encoder {
    /// The columns of the rows.
    schema: SchemaRef,
    keys: RowConverter,
    key_fields: Vec<usize>,
    values: RowConverter,
    value_fields: Vec<usize>,
    seed: [u8; 32],
}

impl Encoder {
    /// For rows with these columns.
    pub(super) fn new(schema: &SchemaRef, keys: &[String], seed: [u8; 32]) -> Result<Self> {
        let key_fields: Vec<usize> =
            keys.iter().map(|key| schema.index_of(key)).collect::<Result<_, _>>()?;
        let is_value = |at: &usize| !keys.contains(schema.field(*at).name());
        let value_fields: Vec<usize> = (0..schema.fields().len()).filter(is_value).collect();
        let converter = |fields: &[usize]| {
            let types = fields.iter().map(|at| schema.field(*at).data_type().clone());
            RowConverter::new(types.map(SortField::new).collect())
        };
        let (of_keys, of_values) = (converter(&key_fields)?, converter(&value_fields)?);
        let schema = Arc::clone(schema);
        Ok(Self { schema, keys: of_keys, key_fields, values: of_values, value_fields, seed })
    }

    /// Key, digest and bytes of these rows.
    fn encode(&self, rows: &RecordBatch, into: &SchemaRef) -> Result<RecordBatch> {
        let columns = |fields: &[usize]| -> Vec<ArrayRef> {
            fields.iter().map(|at| Arc::clone(rows.column(*at))).collect()
        };
        let keys = self.keys.convert_columns(&columns(&self.key_fields))?;
        let mut digests = Vec::with_capacity(rows.num_rows() * DIGEST_BYTES);
        let mut bytes: Vec<u32> = Vec::with_capacity(rows.num_rows());
        let mut digest = |key: &[u8], values: &[u8]| {
            let digest = blake3::keyed_hash(&self.seed, values);
            digests.extend_from_slice(&digest.as_bytes()[..DIGEST_BYTES]);
            bytes.push(u32::try_from(key.len() + values.len()).unwrap_or(u32::MAX));
        };
        if self.value_fields.is_empty() {
            keys.iter().for_each(|key| digest(key.data(), &[]));
        } else {
            let values = self.values.convert_columns(&columns(&self.value_fields))?;
            keys.iter().zip(&values).for_each(|(key, row)| digest(key.data(), row.data()));
        }
        let width = i32::try_from(DIGEST_BYTES).unwrap_or_default();
        let digests = FixedSizeBinaryArray::try_new(width, Buffer::from_vec(digests), None)?;
        let keys = keys.try_into_binary()?;
        let columns: [ArrayRef; 3] =
            [Arc::new(keys), Arc::new(digests), Arc::new(UInt32Array::from(bytes))];
        Ok(RecordBatch::try_new(Arc::clone(into), columns.to_vec())?)
    }

    /// The key columns, in key order, of encoded keys.
    pub(super) fn keys_of(&self, encoded: &ArrayRef) -> Result<RecordBatch> {
        let rows = self.keys.from_binary(encoded.as_binary::<i32>().clone());
        let columns = self.keys.convert_rows(&rows)?;
        let schema = Arc::new(self.schema.project(&self.key_fields)?);
        // A key of another writer may be NULL in a column that must not be.
        let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(RecordBatch::try_new(schema, columns)?)
    }
}

/// The rows of some files of a table, as [`Side::columns`].
pub(super) struct Digests {
    side: Side,
    files: SnapshotFiles,
    adds: Vec<Add>,
    encoder: Arc<Encoder>,
    schema: SchemaRef,
    /// Rows that are encoded at once.
    batch_rows: usize,
    damaged: Damaged,
}

/// Whether a file of the old table cannot be read because it is damaged.
#[derive(Clone, Debug, Default)]
pub(super) struct Damaged(Arc<AtomicBool>);

impl Damaged {
    pub(super) fn is_noticed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn notice(&self, side: Side, error: &Error) {
        if side == Side::Old && error.kind() == ErrorKind::TableCorrupt {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

impl Digests {
    /// The rows of a table, in so many parts of about the same size, so many rows at once.
    ///
    /// # Errors
    /// `TableCorrupt` if the snapshot is not loaded.
    pub(super) fn of(
        side: Side,
        table: &LakeTable,
        encoder: &Arc<Encoder>,
        parts: usize,
        batch_rows: usize,
        damaged: &Damaged,
    ) -> Result<Vec<Self>> {
        // What the table lacks is NULL in what is read.
        let files = table.files().with_columns(Arc::clone(&encoder.schema));
        let part = |_| Self {
            side,
            files: files.clone(),
            adds: Vec::new(),
            encoder: Arc::clone(encoder),
            schema: side.schema(),
            batch_rows,
            damaged: damaged.clone(),
        };
        let mut parts: Vec<Self> = (0..parts).map(part).collect();
        let mut sizes = vec![0; parts.len()];
        let snapshot = table.delta().snapshot()?;
        for view in snapshot.log_data().iter() {
            let least = (0..parts.len()).min_by_key(|at| sizes[*at]).unwrap_or_default();
            sizes[least] += view.size();
            #[allow(deprecated, reason = "the only way to an entry that names the file")]
            parts[least].adds.push(view.add_action());
        }
        Ok(parts)
    }
}

impl fmt::Debug for Digests {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { side, adds, .. } = self;
        formatter
            .debug_struct("Digests")
            .field("side", side)
            .field("files", &adds.len())
            .finish_non_exhaustive()
    }
}

impl PartitionStream for Digests {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let files = self.files.clone();
        let (encoder, schema) = (Arc::clone(&self.encoder), Arc::clone(&self.schema));
        let (side, batch_rows, damaged) = (self.side, self.batch_rows, self.damaged.clone());
        let rows = futures::stream::iter(self.adds.clone())
            .then(move |add| {
                let files = files.clone();
                async move { live_rows(&files, &add).await }
            })
            .try_flatten()
            .map_ok(move |rows| futures::stream::iter(in_slices(&rows, batch_rows)).map(Ok))
            .try_flatten()
            .and_then(move |rows| std::future::ready(encoder.encode(&rows, &schema)))
            .map_err(move |error| {
                damaged.notice(side, &error);
                DataFusionError::External(Box::new(error))
            });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}

/// The rows, so many at once.
fn in_slices(rows: &RecordBatch, most: usize) -> Vec<RecordBatch> {
    let begins = (0..rows.num_rows()).step_by(most);
    begins.map(|begin| rows.slice(begin, most.min(rows.num_rows() - begin))).collect()
}
