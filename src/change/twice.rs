//! Refuses keys that are not unique within one full load.

use std::collections::HashMap;

use arrow::array::{ArrayRef, new_null_array};
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;

use super::changes::Changes;
use super::key::row_converter;
use super::survivors::Survivors;
use crate::error::{Error, ErrorKind, Result};

/// Refuses a slice of a full load in which rows with the same key differ. DMS may copy a row twice,
/// but rows that differ are two rows of the source, of which only one would be kept.
///
/// # Errors
/// Those of [`refuse_differing`].
pub(super) fn refuse(changes: &Changes, survivors: &Survivors) -> Result<()> {
    let Some(compared) = changes.compared().filter(|_| survivors.superseded > 0) else {
        return Ok(());
    };
    let table = changes.table();
    let keys: Vec<String> =
        changes.keys().iter().map(|&key| table.field(key).name().clone()).collect();
    let images: Vec<RecordBatch> =
        changes.batches().iter().map(|batch| batch.image.clone()).collect();
    refuse_differing(table, &images, &keys, compared)
}

/// Refuses rows of a full load that have the same key and differ in the columns `compared`. A
/// column that a batch lacks is NULL; `table` has all of them.
///
/// # Errors
/// `TableRefused`, with the names of the keys and the number of rows that would be lost; `Internal`
/// if `table` lacks a column.
pub(crate) fn refuse_differing(
    table: &Schema,
    rows: &[RecordBatch],
    keys: &[String],
    compared: &[String],
) -> Result<()> {
    let types = |names: &[String]| -> Result<Vec<_>> {
        let data_type = |name: &String| Ok(table.field_with_name(name)?.data_type().clone());
        names.iter().map(data_type).collect()
    };
    let (key_types, image_types) = (types(keys)?, types(compared)?);
    let (key_rows, image_rows) = (row_converter(&key_types)?, row_converter(&image_types)?);
    let mut encoded = Vec::with_capacity(rows.len());
    for batch in rows {
        let column = |(name, data_type): (&String, &DataType)| -> ArrayRef {
            let absent = || new_null_array(data_type, batch.num_rows());
            batch.column_by_name(name).cloned().unwrap_or_else(absent)
        };
        let of_keys: Vec<_> = keys.iter().zip(&key_types).map(column).collect();
        let of_image: Vec<_> = compared.iter().zip(&image_types).map(column).collect();
        encoded.push((key_rows.convert_columns(&of_keys)?, image_rows.convert_columns(&of_image)?));
    }
    let mut seen = HashMap::new();
    let mut lost = 0_u64;
    for (keys, images) in &encoded {
        for (key, image) in keys.iter().zip(images) {
            lost += u64::from(*seen.entry(key).or_insert(image) != image);
        }
    }
    if lost == 0 {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::TableRefused,
        "the full load holds different rows with the same key: `keys` does not identify the rows \
         of the source",
    )
    .with("keys", keys.join(", "))
    .with("rows that would be lost", lost)
    .with_remedy(
        "name all columns of a unique key of the source in `keys`, or set append_only = true \
         instead of `keys` if there is none; then apply again, or dmslake rebuild TABLE if it is \
         there already",
    ))
}
