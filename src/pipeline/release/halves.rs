//! The changes that rows make, each of one key: a change of a key is a delete and an upsert.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt8Array};
use arrow::compute::concat;
use arrow::datatypes::{Field, Schema, UInt8Type};
use arrow::row::{OwnedRow, RowConverter, SortField};

use crate::decode::{BEFORE, OPERATION, UNSET};
use crate::dms::Operation;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::release::reading::Readable;

/// A change of one key.
#[derive(Clone, Debug)]
pub(super) struct Half {
    /// The row that makes it, by its position among the readable ones.
    pub(super) row: usize,
    /// Its key, by its position among all keys.
    pub(super) key: usize,
    /// The change alone, as decoding would make it.
    pub(super) change: RecordBatch,
}

/// The changes of rows, in order, and their keys, each once; no keys of a table that has none.
#[derive(Debug)]
pub(super) struct Halves {
    pub(super) halves: Vec<Half>,
    pub(super) keys: Option<RecordBatch>,
}

impl Halves {
    /// # Errors
    /// `Internal` if a decoded change lacks a key column.
    pub(super) fn of(rows: &[Readable], keys: &[String]) -> Result<Self> {
        let mut halves = Vec::with_capacity(rows.len());
        if keys.is_empty() {
            for (row, readable) in rows.iter().enumerate() {
                halves.push(Half { row, key: 0, change: readable.change.clone() });
            }
            return Ok(Self { halves, keys: None });
        }
        let mut distinct: HashMap<OwnedRow, usize> = HashMap::new();
        let mut columns: Vec<Vec<ArrayRef>> = Vec::new();
        let Some(first) = rows.first() else { return Ok(Self { halves, keys: None }) };
        let types = after(&first.change, keys)?;
        let sort = types.iter().map(|column| SortField::new(column.data_type().clone()));
        let converter = RowConverter::new(sort.collect())?;
        let mut position = |key: Vec<ArrayRef>| -> Result<usize> {
            let row = converter.convert_columns(&key)?.row(0).owned();
            let next = columns.len();
            let at = *distinct.entry(row).or_insert(next);
            if at == next {
                columns.push(key);
            }
            Ok(at)
        };
        for (row, readable) in rows.iter().enumerate() {
            let change = &readable.change;
            let new = position(after(change, keys)?)?;
            let code = change[OPERATION].as_primitive::<UInt8Type>().value(0);
            if code == Operation::Update.code() {
                let before = before(change, keys)?;
                let old = position(before.clone())?;
                if old != new {
                    halves.push(Half { row, key: old, change: delete(change, keys, &before)? });
                }
            }
            halves.push(Half { row, key: new, change: without(change, &[BEFORE])? });
        }
        let fields = keys.iter().zip(&types);
        let fields: Vec<Field> = fields
            .map(|(name, column)| Field::new(name, column.data_type().clone(), true))
            .collect();
        let whole = |at: usize| {
            let parts: Vec<&dyn Array> = columns.iter().map(|key| key[at].as_ref()).collect();
            concat(&parts)
        };
        let whole = (0..keys.len()).map(whole).collect::<std::result::Result<Vec<_>, _>>()?;
        let keys = RecordBatch::try_new(Arc::new(Schema::new(fields)), whole)?;
        Ok(Self { halves, keys: Some(keys) })
    }
}

fn after(change: &RecordBatch, keys: &[String]) -> Result<Vec<ArrayRef>> {
    let column = |key: &String| {
        change.column_by_name(key).cloned().ok_or_else(|| {
            Error::new(ErrorKind::Internal, "a decoded change lacks a key column")
                .with("column", key)
        })
    };
    keys.iter().map(column).collect()
}

fn before(change: &RecordBatch, keys: &[String]) -> Result<Vec<ArrayRef>> {
    let mut columns = after(change, keys)?;
    for (key, column) in keys.iter().zip(&mut columns) {
        let image = change.column_by_name(&format!("{BEFORE}{key}"));
        if let Some(image) = image.filter(|image| image.is_valid(0)) {
            *column = Arc::clone(image);
        }
    }
    Ok(columns)
}

fn delete(change: &RecordBatch, keys: &[String], old: &[ArrayRef]) -> Result<RecordBatch> {
    let plain = without(change, &[BEFORE, UNSET])?;
    let schema = plain.schema();
    let column = |(field, column): (&Arc<Field>, &ArrayRef)| -> ArrayRef {
        if field.name() == OPERATION {
            return Arc::new(UInt8Array::from(vec![Operation::Delete.code()]));
        }
        let key = keys.iter().position(|key| key == field.name());
        key.map_or_else(|| Arc::clone(column), |at| Arc::clone(&old[at]))
    };
    let columns = schema.fields().iter().zip(plain.columns()).map(column).collect();
    Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
}

fn without(change: &RecordBatch, prefixes: &[&str]) -> Result<RecordBatch> {
    let schema = change.schema();
    let is_kept = |at: &usize| !prefixes.iter().any(|it| schema.field(*at).name().starts_with(it));
    let kept: Vec<usize> = (0..change.num_columns()).filter(is_kept).collect();
    Ok(change.project(&kept)?)
}
