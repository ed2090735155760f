//! Tombstones of a guarded table: keys of deleted rows, each with the sequence of its delete.
//!
//! They are small Parquet objects beside the tables, `<lake>/_dmslake/tombstones/<schema>/<table>`.
//! One is written before the commit that deletes the rows, and the ledger of that commit names it:
//! so both are there or neither. What no ledger names, maintenance deletes.

use std::sync::Arc;

use arrow::array::{AsArray, StringArray};
use arrow::compute::kernels::cmp::gt_eq;
use arrow::compute::{cast, concat_batches, filter_record_batch, is_not_null, max_string};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt;
use object_store::{Error as StoreError, ObjectMeta, ObjectStoreExt as _, PutPayload};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use uuid::Uuid;

use crate::config::SEQUENCE;
use crate::error::{Error, ErrorKind, Result};
use crate::progress::{GuardProgress, TombstoneObject, WhyUntraced};
use crate::storage::{Location, delete_all};

/// An object is merged with the one before it that has at most so many times its tombstones. So
/// there are few, and each tombstone is written anew only a few times.
const GROWTH: u64 = 4;
/// What is merged is at most this part of the retention apart, so that it can expire.
const SHARE_OF_RETENTION: i32 = 8;
/// The most objects; beyond, they are merged whatever their age, or the oldest is given up.
const MOST: usize = 48;
/// The most tombstones of an object, which is in memory while it is written; some 50 MB.
const MOST_ROWS: u64 = 1 << 20;

/// Where the tombstones of a table are, and how long they are kept.
#[derive(Clone, Debug)]
pub struct Tombstones {
    folder: Location,
    retention: TimeDelta,
}

impl Tombstones {
    /// In that folder.
    #[must_use]
    pub fn new(folder: Location, retention: TimeDelta) -> Self {
        Self { folder, retention }
    }

    /// Shows the tombstones from that sequence on, object by object, as batches of the columns `keys`
    /// and [`SEQUENCE`]. Where an object is gone, the guard has lost track of what it had.
    ///
    /// # Errors
    /// `Unavailable` if the lake does not answer, `TableCorrupt` if an object cannot be read; those
    /// of `each`.
    pub async fn since(
        &self,
        first: &str,
        progress: &mut GuardProgress,
        keys: &SchemaRef,
        mut each: impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let schema = with_sequence(keys);
        for object in progress.tombstones.clone().iter().filter(|object| &*object.last >= first) {
            let Some(batch) = self.read(object, &schema).await? else {
                forget(progress, object);
                continue;
            };
            let sequences = batch.column(batch.num_columns() - 1);
            let is_since = gt_eq(sequences, &StringArray::new_scalar(first))?;
            each(&filter_record_batch(&batch, &is_since)?)?;
        }
        Ok(())
    }

    /// Leaves tombstones of deleted rows: batches of the key columns and [`SEQUENCE`], where a delete
    /// without a sequence leaves none. Tombstones past the retention are dropped.
    ///
    /// # Errors
    /// As [`Self::since`].
    pub async fn leave(
        &self,
        deletes: &[RecordBatch],
        progress: &mut GuardProgress,
        name: Uuid,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let expired = (now - self.retention).timestamp_millis();
        for object in progress.tombstones.clone().iter().filter(|object| object.until < expired) {
            forget(progress, object);
        }
        let mut left = Vec::with_capacity(deletes.len());
        for batch in deletes {
            let sequences = batch.column(batch.num_columns() - 1);
            let batch = filter_record_batch(batch, &is_not_null(sequences)?)?;
            if batch.num_rows() > 0 {
                left.push(batch);
            }
        }
        let Some(schema) = left.first().map(RecordBatch::schema) else { return Ok(()) };
        let mut since = now.timestamp_millis();
        let young = (now - self.retention / SHARE_OF_RETENTION).timestamp_millis();
        let mut rows = left.iter().map(|batch| batch.num_rows() as u64).sum::<u64>();
        let is_crowded = progress.tombstones.len() >= MOST;
        while let Some(before) = progress.tombstones.last().cloned() {
            let is_alike = before.rows <= GROWTH * rows && before.since >= young;
            if rows + before.rows > MOST_ROWS || !(is_alike || is_crowded) {
                break;
            }
            match self.read(&before, &schema).await? {
                Some(batch) => {
                    progress.tombstones.pop();
                    since = since.min(before.since);
                    rows += before.rows;
                    left.push(batch);
                }
                None => forget(progress, &before),
            }
        }
        while progress.tombstones.len() >= MOST {
            let oldest = progress.tombstones[0].clone();
            forget(progress, &oldest);
        }
        let all = concat_batches(&schema, &left)?;
        let last = max_string(all.column(all.num_columns() - 1).as_string::<i32>());
        let object = TombstoneObject {
            name: format!("{name}.parquet"),
            rows,
            since,
            until: now.timestamp_millis(),
            last: last.unwrap_or_default().to_owned(),
        };
        let path = self.folder.prefix().clone().join(object.name.as_str());
        self.folder.store().put(&path, PutPayload::from(encoded(&all)?)).await?;
        progress.tombstones.push(object);
        Ok(())
    }

    /// Deletes what none of these names, and was written before `cutoff`. Returns how many objects
    /// and bytes.
    ///
    /// # Errors
    /// `Unavailable` if the lake does not let them be listed or deleted.
    pub async fn sweep(
        &self,
        named: &[&TombstoneObject],
        cutoff: DateTime<Utc>,
    ) -> Result<(u64, u64)> {
        let is_named = |meta: &ObjectMeta| {
            let name = meta.location.filename();
            named.iter().any(|object| Some(object.name.as_str()) == name)
        };
        let listed = self.folder.store().list(Some(self.folder.prefix()));
        let all: Vec<ObjectMeta> = listed.try_collect().await?;
        let old = all.into_iter().filter(|meta| meta.last_modified < cutoff && !is_named(meta));
        let old: Vec<ObjectMeta> = old.collect();
        let (count, bytes) = (old.len() as u64, old.iter().map(|meta| meta.size).sum());
        delete_all(self.folder.store(), old.into_iter().map(|meta| meta.location)).await?;
        Ok((count, bytes))
    }

    /// The tombstones of an object in that schema; none if it is gone.
    async fn read(
        &self,
        object: &TombstoneObject,
        schema: &SchemaRef,
    ) -> Result<Option<RecordBatch>> {
        let path = self.folder.prefix().clone().join(object.name.as_str());
        let bytes = match self.folder.store().get(&path).await {
            Ok(found) => found.bytes().await?,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let shown = self.folder.shown(&object.name);
        let unreadable = || {
            Error::new(ErrorKind::TableCorrupt, "tombstones cannot be read").with("object", &shown)
        };
        let decode = || -> Result<RecordBatch> {
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
                .and_then(ParquetRecordBatchReaderBuilder::build)
                .map_err(|error| unreadable().because(error))?;
            let batches: Vec<RecordBatch> = reader
                .collect::<Result<_, _>>()
                .map_err(|error: ArrowError| unreadable().because(error))?;
            let batches = batches.iter().map(|batch| as_schema(batch, schema));
            Ok(concat_batches(schema, &batches.collect::<Result<Vec<_>>>()?)?)
        };
        let batch = decode()?;
        if batch.num_rows() as u64 == object.rows { Ok(Some(batch)) } else { Err(unreadable()) }
    }
}

/// Takes in that the tombstones of an object are no longer kept.
fn forget(progress: &mut GuardProgress, object: &TombstoneObject) {
    progress.tombstones.retain(|known| known != object);
    progress.lost_track_up_to(&object.last, WhyUntraced::Expired);
}

fn with_sequence(keys: &SchemaRef) -> SchemaRef {
    let sequence = Arc::new(Field::new(SEQUENCE, DataType::Utf8, true));
    let fields = keys.fields().iter().cloned().chain([sequence]);
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The columns of the schema, in its types: keys may have been widened since, or renamed. Then they
/// are in the same order.
fn as_schema(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let fields = schema.fields();
    let are_named = fields.iter().all(|field| batch.column_by_name(field.name()).is_some());
    let columns = fields.iter().enumerate().map(|(at, field)| {
        let in_place = || batch.columns().get(at).filter(|_| batch.num_columns() == fields.len());
        let named = batch.column_by_name(field.name()).filter(|_| are_named);
        let column = named.or_else(in_place).ok_or_else(|| {
            Error::new(ErrorKind::TableCorrupt, "tombstones lack a column")
                .with("column", field.name())
        })?;
        Ok(cast(column, field.data_type())?)
    });
    Ok(RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<Vec<_>>>()?)?)
}

/// Encoding only uses memory, so that a failure is a bug.
fn encoded(batch: &RecordBatch) -> Result<Bytes> {
    let unwritable = |error: ParquetError| {
        Error::new(ErrorKind::Internal, "tombstones could not be encoded").because(error)
    };
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer =
        ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).map_err(unwritable)?;
    writer.write(batch).map_err(unwritable)?;
    Ok(writer.into_inner().map_err(unwritable)?.into())
}
