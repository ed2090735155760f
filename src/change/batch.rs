//! Parses one decoded batch: its operations, its image with all columns of the table, its unset
//! values and its before images.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt8Array, new_null_array};
use arrow::compute::nullif;
use arrow::datatypes::{SchemaRef, UInt8Type};
use arrow::record_batch::RecordBatch;

use crate::decode::{BEFORE, OPERATION, ROW, UNSET};
use crate::dms::Operation;
use crate::error::{Error, ErrorKind, Result};

/// Consecutive changes, each an upsert or a delete of one key.
#[derive(Clone, Debug)]
pub(super) struct ChangeBatch {
    /// [`Operation::code`] of each change.
    pub(super) operation: UInt8Array,
    /// The image: all columns of the table. For a delete only the key columns matter.
    pub(super) image: RecordBatch,
    /// For each column of the table: which changes keep the value, if any do.
    pub(super) unset: Vec<Option<BooleanArray>>,
    /// Which changes are the second half of a key change, if any are. The change before each, in
    /// this batch, deletes the old key.
    pub(super) moved: Option<BooleanArray>,
}

impl ChangeBatch {
    /// The batch, and its before images by key column. `table` has the table's columns; `keys` are
    /// the positions of its key columns among them.
    pub(super) fn parse(
        decoded: &RecordBatch,
        table: &SchemaRef,
        keys: &[usize],
    ) -> Result<(Self, Vec<Option<ArrayRef>>)> {
        let row_count = decoded.num_rows();
        let mut operation = None;
        let mut image: Vec<Option<ArrayRef>> = vec![None; table.fields().len()];
        let mut unset: Vec<Option<BooleanArray>> = vec![None; table.fields().len()];
        let mut before: Vec<Option<ArrayRef>> = vec![None; keys.len()];
        for (field, column) in decoded.schema_ref().fields().iter().zip(decoded.columns()) {
            let name = field.name().as_str();
            if name == OPERATION {
                operation = column.as_primitive_opt::<UInt8Type>();
            } else if let Some(name) = name.strip_prefix(BEFORE) {
                let place = place_of(table, name)?;
                let key = keys.iter().position(|&key| key == place).ok_or_else(|| {
                    refused("a before image belongs to no key column").with("column", name)
                })?;
                before[key] = Some(typed(column, table, place)?);
            } else if let Some(name) = name.strip_prefix(UNSET) {
                let flags = column.as_boolean_opt().ok_or_else(|| {
                    refused("the flags of unset values are not boolean").with("column", name)
                })?;
                unset[place_of(table, name)?] = flags.has_true().then(|| flags.clone());
            } else if name != ROW {
                let place = place_of(table, name)?;
                image[place] = Some(typed(column, table, place)?);
            }
        }
        let operation = operation
            .filter(|codes| codes.null_count() == 0)
            .ok_or_else(|| refused("a decoded batch lacks operations"))?;
        check_keys(table, keys, &image, &unset)?;
        check_operations(operation, keys)?;

        let absent = |place: usize| new_null_array(table.field(place).data_type(), row_count);
        let mut columns: Vec<ArrayRef> = image
            .into_iter()
            .enumerate()
            .map(|(place, column)| column.unwrap_or_else(|| absent(place)))
            .collect();
        if keys.is_empty() {
            // Without keys there is no row whose value could be kept.
            for (column, flags) in columns.iter_mut().zip(&mut unset) {
                if let Some(flags) = flags.take() {
                    *column = nullif(column, &flags)?;
                }
            }
        }
        let batch = Self {
            operation: operation.clone(),
            image: RecordBatch::try_new(Arc::clone(table), columns)?,
            unset,
            moved: None,
        };
        Ok((batch, before))
    }

    pub(super) fn len(&self) -> usize {
        self.operation.len()
    }

    /// Whether a change assumes that its key is in the table.
    pub(super) fn presumes(&self, row: usize) -> bool {
        let is_insert = self.operation.value(row) == Operation::Insert.code();
        !is_insert && !flag(self.moved.as_ref(), row)
    }

    pub(super) fn key_columns(&self, keys: &[usize]) -> Vec<ArrayRef> {
        keys.iter().map(|&key| Arc::clone(self.image.column(key))).collect()
    }
}

/// Whether a flag is set. A missing column and NULL count as not set.
pub(super) fn flag(flags: Option<&BooleanArray>, row: usize) -> bool {
    flags.is_some_and(|flags| flags.is_valid(row) && flags.value(row))
}

fn place_of(table: &SchemaRef, name: &str) -> Result<usize> {
    table.index_of(name).map_err(|_| {
        refused("a decoded batch has a column that the table lacks").with("column", name)
    })
}

fn typed(column: &ArrayRef, table: &SchemaRef, place: usize) -> Result<ArrayRef> {
    let field = table.field(place);
    if column.data_type() == field.data_type() {
        return Ok(Arc::clone(column));
    }
    Err(refused("a decoded column has another type than the table's")
        .with("column", field.name())
        .with("decoded type", column.data_type())
        .with("table type", field.data_type()))
}

fn check_keys(
    table: &SchemaRef,
    keys: &[usize],
    image: &[Option<ArrayRef>],
    unset: &[Option<BooleanArray>],
) -> Result<()> {
    for &key in keys {
        let complete = image[key].as_ref().is_some_and(|column| column.null_count() == 0);
        if !complete || unset[key].is_some() {
            return Err(refused("a decoded change lacks a value of its key")
                .with("column", table.field(key).name()));
        }
    }
    Ok(())
}

fn check_operations(operation: &UInt8Array, keys: &[usize]) -> Result<()> {
    let last_allowed = if keys.is_empty() { Operation::Insert } else { Operation::Delete };
    match operation.values().iter().max() {
        Some(&code) if code > last_allowed.code() && keys.is_empty() => {
            Err(refused("a table without keys was given an update or a delete"))
        }
        Some(&code) if code > last_allowed.code() => {
            Err(refused("a decoded change has an unknown operation"))
        }
        _ => Ok(()),
    }
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::Internal, message)
}
