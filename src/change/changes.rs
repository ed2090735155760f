//! The changes of a slice, in order and with one set of columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::datasource::MemTable;
use datafusion::prelude::{DataFrame, SessionContext};

use super::batch::ChangeBatch;
use super::key;
use crate::config::SEQUENCE;
use crate::decode::OPERATION;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::TableSchema;

/// Name of the `UInt64` column with a change's position in its slice, from 0 without gaps.
pub const POSITION: &str = "change position";

/// The changes of one slice in order. Every change is an upsert or a delete of one key. A key
/// change is two of them, the delete of the old key first. All batches have all columns of the
/// table; columns that an object lacks are NULL.
#[derive(Clone, Debug)]
pub struct Changes {
    table: SchemaRef,
    keys: Vec<usize>,
    /// The place of the change sequence, if the table keeps it.
    sequence: Option<usize>,
    batches: Vec<ChangeBatch>,
    len: u32,
    watches_origins: bool,
    /// For a full load: the columns in which two rows of one key must not differ.
    compared: Option<Vec<String>>,
}

impl Changes {
    /// Takes in the decoded batches of a slice, in order: [`crate::decode::DecodedBatch`]'s
    /// `changes`. `schema` is the table's schema including the slice's new columns. `keys` are the
    /// key columns' names in the lake; empty for an append-only table. Copies rows only of batches
    /// in which a key changes.
    ///
    /// # Errors
    /// `Internal` if a batch is not what decoding promises: a column or type that the table
    /// lacks, a NULL key, an operation other than insert where there is no key.
    pub fn new(
        decoded: impl IntoIterator<Item = RecordBatch>,
        schema: &TableSchema,
        keys: &[String],
    ) -> Result<Self> {
        let table = schema.arrow_nullable();
        let keys = keys
            .iter()
            .map(|name| {
                table.index_of(name).map_err(|_| {
                    Error::new(ErrorKind::Internal, "the table lacks a key column")
                        .with("column", name)
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let sequence = table.index_of(SEQUENCE).ok().filter(|_| !keys.is_empty());
        let mut batches = Vec::new();
        let mut len = 0_u32;
        for batch in decoded {
            let (batch, before) = ChangeBatch::parse(&batch, &table, &keys)?;
            let batch = key::expand(batch, &before, &keys, sequence)?;
            len = u32::try_from(batch.len())
                .ok()
                .and_then(|count| len.checked_add(count))
                .ok_or_else(|| Error::new(ErrorKind::Internal, "a slice has too many changes"))?;
            if batch.len() > 0 {
                batches.push(batch);
            }
        }
        Ok(Self { table, keys, sequence, batches, len, watches_origins: false, compared: None })
    }

    /// Asks [`super::net_changes`] to report which keys the slice assumes to be in the table.
    #[must_use]
    pub fn watching_origins(self) -> Self {
        Self { watches_origins: true, ..self }
    }

    /// Marks the slice as part of one full load: each key must be in one row, or in rows that differ
    /// only in the columns `apart`.
    #[must_use]
    pub fn of_load(self, apart: &[String]) -> Self {
        let names = self.table.fields().iter().map(|field| field.name().clone());
        Self { compared: Some(names.filter(|name| !apart.contains(name)).collect()), ..self }
    }

    /// The number of changes in the slice; a key change counts as two.
    #[must_use]
    pub fn len(&self) -> u64 {
        u64::from(self.len)
    }

    /// Whether there is no change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The slice for queries: [`OPERATION`], [`POSITION`] and the table's columns, in as many
    /// partitions as the session wants. The rows are shared, not copied.
    ///
    /// # Errors
    /// `Internal`, never expected.
    pub fn data_frame(&self, session: &SessionContext) -> Result<DataFrame> {
        let mut fields = vec![
            Arc::new(Field::new(OPERATION, DataType::UInt8, false)),
            Arc::new(Field::new(POSITION, DataType::UInt64, false)),
        ];
        fields.extend(self.table.fields().iter().cloned());
        let schema = Arc::new(Schema::new(fields));
        let mut batches = Vec::with_capacity(self.batches.len());
        for (start, batch) in self.placed() {
            let positions = start as u64..(start + batch.len()) as u64;
            let mut columns: Vec<ArrayRef> = vec![
                Arc::new(batch.operation.clone()),
                Arc::new(UInt64Array::from_iter_values(positions)),
            ];
            columns.extend(batch.image.columns().iter().cloned());
            batches.push(RecordBatch::try_new(Arc::clone(&schema), columns)?);
        }
        let wanted = session.copied_config().target_partitions().max(1);
        let each = batches.len().div_ceil(wanted).max(1);
        let mut partitions: Vec<_> = batches.chunks(each).map(<[_]>::to_vec).collect();
        if partitions.is_empty() {
            partitions.push(Vec::new());
        }
        Ok(session.read_table(Arc::new(MemTable::try_new(schema, partitions)?))?)
    }

    pub(super) fn watches_origins(&self) -> bool {
        self.watches_origins
    }

    pub(super) fn compared(&self) -> Option<&[String]> {
        self.compared.as_deref()
    }

    pub(super) fn table(&self) -> &SchemaRef {
        &self.table
    }

    pub(super) fn keys(&self) -> &[usize] {
        &self.keys
    }

    pub(super) fn sequence(&self) -> Option<usize> {
        self.sequence
    }

    /// Only the changes that the masks select, one for each batch; and how many are gone.
    pub(super) fn filtered(mut self, keep: &[BooleanArray]) -> Result<(Self, u64)> {
        let before = self.len;
        let batches = self.batches.iter().zip(keep).map(|(batch, keep)| batch.filtered(keep));
        self.batches = batches.collect::<Result<_>>()?;
        self.batches.retain(|batch| batch.len() > 0);
        let kept: usize = self.batches.iter().map(ChangeBatch::len).sum();
        self.len = u32::try_from(kept).unwrap_or(before);
        let gone = u64::from(before - self.len);
        Ok((self, gone))
    }

    pub(super) fn batches(&self) -> &[ChangeBatch] {
        &self.batches
    }

    pub(super) fn into_batches(self) -> Vec<ChangeBatch> {
        self.batches
    }

    /// The batches, each with the position of its first change.
    pub(super) fn placed(&self) -> impl Iterator<Item = (usize, &ChangeBatch)> {
        self.batches.iter().scan(0, |next, batch| {
            let start = *next;
            *next += batch.len();
            Some((start, batch))
        })
    }

    /// The key columns, in key order.
    ///
    /// # Errors
    /// `Internal`, never expected.
    pub fn key_schema(&self) -> Result<SchemaRef> {
        Ok(Arc::new(self.table.project(&self.keys)?))
    }
}
