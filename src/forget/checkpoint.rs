//! The entries of a checkpoint that is a Parquet file, read and changed in place.
//!
//! Only the members of entries that change are written anew; every other column of every row stays as
//! it is, whatever its type.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StructArray, UInt32Array};
use arrow::compute::{cast, interleave, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::json::{ReaderBuilder, WriterBuilder, writer::LineDelimited};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::files::row_count;
use crate::forget::edit::{Edits, decoded as decoded_path, records};

/// The members of an entry by which it is known.
const TOLD: [&str; 7] = [
    "path",
    "partitionValues",
    "size",
    "modificationTime",
    "dataChange",
    "stats",
    "deletionVector",
];
/// Those of them that change, and what else tells of values.
const CHANGED: [&str; 5] = ["path", "size", "stats", "deletionVector", "stats_parsed"];

/// The entries of a checkpoint and its removals, each as an action, and whether others are in files of
/// their own; members that do not matter here are left out.
///
/// # Errors
/// `TableCorrupt` if it is no checkpoint.
pub(super) fn entries(bytes: &Bytes) -> Result<Vec<Value>> {
    let mut actions = Vec::new();
    for batch in batches(bytes)? {
        for (name, members) in [("add", &TOLD[..]), ("remove", &["path"])] {
            let Some(column) = structs(&batch, name) else { continue };
            let rows = (0..column.len())
                .filter(|row| column.is_valid(*row))
                .map(number)
                .collect::<Vec<_>>();
            for mut entry in texts(column, members, &rows)? {
                if name == "remove" {
                    entry["dataChange"] = json!(false);
                }
                actions.push(json!({ name: entry }));
            }
        }
        let sidecars = structs(&batch, "sidecar");
        if sidecars.is_some_and(|column| column.null_count() < column.len()) {
            actions.push(json!({ "sidecar": {} }));
        }
    }
    Ok(actions)
}

/// The checkpoint as it is to be; none if it stays.
///
/// # Errors
/// `TableCorrupt` if it is no checkpoint, `Internal` if it cannot be written.
pub(super) fn edited(bytes: &Bytes, edits: &Edits) -> Result<Option<Vec<u8>>> {
    let mut changed = false;
    let mut written = Vec::new();
    for batch in batches(bytes)? {
        let edited = edited_batch(&batch, edits)?;
        changed |= edited.is_some();
        written.push(edited.unwrap_or(batch));
    }
    if !changed {
        return Ok(None);
    }
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let options =
        ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut out, written[0].schema(), options)?;
    for batch in &written {
        writer.write(batch)?;
    }
    writer.close()?;
    Ok(Some(out))
}

fn edited_batch(batch: &RecordBatch, edits: &Edits) -> Result<Option<RecordBatch>> {
    let Some(adds) = structs(batch, "add") else { return Ok(None) };
    let Some(paths) = adds.column_by_name("path") else { return Ok(None) };
    let paths = cast(paths, &DataType::Utf8)?;
    let paths = paths.as_string::<i32>();
    let is_meant = |row: &usize| {
        let path =
            (adds.is_valid(*row) && paths.is_valid(*row)).then(|| decoded_path(paths.value(*row)));
        path.is_some_and(|it| edits.replaced.contains_key(&*it) || edits.gone.contains(&*it))
    };
    let rows: Vec<u32> = (0..batch.num_rows()).filter(is_meant).map(number).collect();
    let (mut kept, mut entries) = (Vec::new(), Vec::new());
    for (row, mut entry) in rows.iter().zip(texts(adds, &TOLD, &rows)?) {
        if edits.entry(&mut entry)? {
            // Without bounds the entry is never ruled out, which is always right.
            let rows = entry.get("stats").and_then(Value::as_str).and_then(row_count);
            entry["stats_parsed"] = json!({ "numRecords": rows });
            kept.push(*row as usize);
            entries.push(entry);
        }
    }
    if entries.is_empty() {
        return Ok(None);
    }
    let (fields, columns, nulls) = adds.clone().into_parts();
    let is_changed = |field: &Arc<Field>| CHANGED.contains(&field.name().as_str());
    let changed: Vec<_> = fields.iter().filter(|field| is_changed(field)).cloned().collect();
    let new = decoded(&entries, &Schema::new(changed))?;
    let mut places: Vec<(usize, usize)> = (0..batch.num_rows()).map(|row| (0, row)).collect();
    for (at, row) in kept.iter().enumerate() {
        places[*row] = (1, at);
    }
    let columns =
        fields.iter().zip(columns).map(|(field, old)| match new.column_by_name(field.name()) {
            Some(new) => Ok(interleave(&[old.as_ref(), new.as_ref()], &places)?),
            None => Ok(old),
        });
    let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
    let adds: ArrayRef = Arc::new(StructArray::try_new(fields, columns, nulls)?);
    let place = batch.schema().index_of("add")?;
    let mut columns = batch.columns().to_vec();
    columns[place] = adds;
    Ok(Some(RecordBatch::try_new(batch.schema(), columns)?))
}

/// Entries in the columns of a checkpoint.
fn decoded(entries: &[Value], schema: &Schema) -> Result<RecordBatch> {
    let schema = Arc::new(Schema::new(
        schema
            .fields()
            .iter()
            .map(|it| it.as_ref().clone().with_nullable(true))
            .collect::<Vec<_>>(),
    ));
    let mut decoder =
        ReaderBuilder::new(Arc::clone(&schema)).with_batch_size(entries.len()).build_decoder()?;
    decoder.serialize(entries)?;
    decoder.flush()?.ok_or_else(|| {
        Error::new(ErrorKind::Internal, "the entries of a checkpoint are not written")
    })
}

/// These members of some rows, as JSON.
fn texts(column: &StructArray, members: &[&str], rows: &[u32]) -> Result<Vec<Value>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, values) in column.fields().iter().zip(column.columns()) {
        if members.contains(&field.name().as_str()) {
            fields.push(field.as_ref().clone().with_nullable(true));
            columns.push(Arc::clone(values));
        }
    }
    let all = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    let some = take_record_batch(&all, &UInt32Array::from(rows.to_vec()))?;
    let mut written = Vec::new();
    let builder = WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, LineDelimited>(&mut written);
    writer.write(&some)?;
    writer.finish()?;
    records(&written)
}

fn structs<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StructArray> {
    batch.column_by_name(name)?.as_struct_opt()
}

fn batches(bytes: &Bytes) -> Result<Vec<RecordBatch>> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader =
        ParquetRecordBatchReaderBuilder::try_new_with_options(bytes.clone(), options)?.build()?;
    Ok(reader.collect::<Result<Vec<_>, _>>()?)
}

fn number(row: usize) -> u32 {
    u32::try_from(row).expect("a batch has fewer rows")
}
