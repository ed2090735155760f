//! Partial images: changes that keep some values of their row as they were.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, new_null_array};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow::row::{OwnedRow, Row, RowConverter};

use super::CurrentRows;
use super::batch::{ChangeBatch, flag};
use super::changes::Changes;
use super::key::row_converter;
use super::survivors::Survivors;
use crate::dms::Operation;
use crate::error::{Error, ErrorKind, Result};

/// The most bytes of kept text and binary values in one completed batch: far below what 32-bit
/// offsets can address. Kept values are not part of a decoded batch's size, so batch sizes chosen
/// when decoding do not bound them.
const KEPT_BYTES: usize = 256 << 20;

/// Where a value is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// In the change at this position.
    Change(u32),
    /// In the table's row with this index in [`Origins::needed`].
    Table(u32),
    /// In that row of the table if it exists, otherwise at this index in
    /// [`PartialColumn::alternatives`].
    TableElse(u32, u32),
    /// Nowhere: the row did not exist, and the value is NULL.
    Nowhere,
}

/// Where the values of changes are found, for the columns in which some change keeps its value.
#[derive(Debug)]
pub(super) struct Origins {
    converter: RowConverter,
    /// The keys whose rows may be needed from the table, each once.
    needed: Vec<OwnedRow>,
    columns: Vec<PartialColumn>,
}

#[derive(Debug)]
struct PartialColumn {
    /// Its position in the table.
    place: usize,
    /// Origins by position; never a change that itself keeps the value.
    origins: Vec<Origin>,
    /// Where values are found if their row is missing in the table.
    alternatives: Vec<Origin>,
}

impl PartialColumn {
    /// Where the value of an image is found, which may be in another change.
    fn of_image(&self, image: Origin) -> Origin {
        match image {
            Origin::Change(position) => self.origins[position as usize],
            elsewhere => elsewhere,
        }
    }

    /// Marks the rows of the table that an origin may need.
    fn want(&self, origin: Origin, wanted: &mut [bool]) {
        match origin {
            Origin::Table(number) => wanted[number as usize] = true,
            Origin::TableElse(number, alternative) => {
                wanted[number as usize] = true;
                self.want(self.alternatives[alternative as usize], wanted);
            }
            Origin::Change(_) | Origin::Nowhere => {}
        }
    }

    /// Chooses the alternatives, now that it is known which rows exist.
    fn settle(&mut self, exists: impl Fn(u32) -> bool) {
        for origin in &mut self.origins {
            while let Origin::TableElse(number, alternative) = *origin {
                *origin = if exists(number) {
                    Origin::Table(number)
                } else {
                    self.alternatives[alternative as usize]
                };
            }
        }
    }
}

impl Origins {
    /// Replays the slice and tracks for each key where its latest image is. `None` if no change
    /// keeps a value.
    pub(super) fn trace(changes: &Changes) -> Result<Option<Self>> {
        let is_partial =
            |place: &usize| changes.batches().iter().any(|batch| batch.unset[*place].is_some());
        let own = || (0..).take(positions(changes)).map(Origin::Change).collect();
        let mut columns: Vec<_> = (0..changes.table().fields().len())
            .filter(is_partial)
            .map(|place| PartialColumn { place, origins: own(), alternatives: Vec::new() })
            .collect();
        if columns.is_empty() {
            return Ok(None);
        }
        let key_schema = changes.key_schema()?;
        let converter = row_converter(key_schema.fields().iter().map(|field| field.data_type()))?;
        let mut rows_of_batches = Vec::with_capacity(changes.batches().len());
        for batch in changes.batches() {
            rows_of_batches.push(converter.convert_columns(&batch.key_columns(changes.keys()))?);
        }

        let mut images: HashMap<Row<'_>, Origin> = HashMap::new();
        let mut needed = Vec::new();
        for ((start, batch), keys) in changes.placed().zip(&rows_of_batches) {
            // The key deleted last, and its image.
            let mut removed: Option<(Row<'_>, Option<Origin>)> = None;
            for row in 0..batch.len() {
                let key = keys.row(row);
                if batch.operation.value(row) == Operation::Delete.code() {
                    removed = Some((key, images.insert(key, Origin::Nowhere)));
                    continue;
                }
                if keeps_a_value(batch, &columns, row) {
                    let mut in_table = |key: Row<'_>| {
                        needed.push(key.owned());
                        Origin::Table(index(needed.len() - 1))
                    };
                    // When DMS resumes, it repeats key changes: then the old row is gone, and the
                    // row is already under the new key.
                    let (image, otherwise) = if flag(batch.moved.as_ref(), row) {
                        let (old_key, image) =
                            removed.take().expect("the old key's delete precedes its upsert");
                        let under_new = images.get(&key).copied();
                        match image {
                            Some(Origin::Nowhere) => {
                                (under_new.unwrap_or_else(|| in_table(key)), None)
                            }
                            Some(known) => (known, None),
                            None => (
                                in_table(old_key),
                                Some(under_new.unwrap_or_else(|| in_table(key))),
                            ),
                        }
                    } else {
                        (images.get(&key).copied().unwrap_or_else(|| in_table(key)), None)
                    };
                    for column in &mut columns {
                        if !flag(batch.unset[column.place].as_ref(), row) {
                            continue;
                        }
                        column.origins[start + row] = match (image, otherwise) {
                            (Origin::Table(number), Some(otherwise)) => {
                                column.alternatives.push(column.of_image(otherwise));
                                Origin::TableElse(number, index(column.alternatives.len() - 1))
                            }
                            (image, _) => column.of_image(image),
                        };
                    }
                }
                images.insert(key, Origin::Change(index(start + row)));
            }
        }
        drop(images);
        Ok(Some(Self { converter, needed, columns }))
    }

    /// Reads the values that the survivors keep from the table.
    pub(super) async fn resolve(
        self,
        changes: &Changes,
        survivors: &Survivors,
        current: &dyn CurrentRows,
    ) -> Result<Images> {
        let mut wanted = vec![false; self.needed.len()];
        for position in survivors.mask.set_indices() {
            for column in &self.columns {
                column.want(column.origins[position], &mut wanted);
            }
        }
        let key_schema = changes.key_schema()?;
        let mut found = vec![None; self.needed.len()];
        let mut table_rows = Vec::new();
        if wanted.contains(&true) {
            let asked: Vec<_> = (0..self.needed.len())
                .filter(|&number| wanted[number])
                .map(|number| (self.needed[number].row(), number))
                .collect();
            let keys = self.converter.convert_rows(asked.iter().map(|(key, _)| *key))?;
            let numbers: HashMap<_, _> = asked.into_iter().collect();
            let keys = RecordBatch::try_new(Arc::clone(&key_schema), keys)?;
            let names =
                self.columns.iter().map(|column| changes.table().field(column.place).name());
            let names: Vec<String> = names.cloned().collect();
            table_rows = current.rows(keys, &names).await?;
            for (batch_number, batch) in table_rows.iter().enumerate() {
                let columns = key_columns(batch, &key_schema)?;
                for (row, key) in self.converter.convert_columns(&columns)?.iter().enumerate() {
                    let Some(&number) = numbers.get(&key) else { continue };
                    if found[number].replace((batch_number, row)).is_some() {
                        return Err(Error::new(
                            ErrorKind::TableCorrupt,
                            "the table holds more than one row with the same key",
                        ));
                    }
                }
            }
        }
        let mut columns = Vec::with_capacity(self.columns.len());
        for mut column in self.columns {
            column.settle(|number| found[number as usize].is_some());
            columns.push(image_column(column, changes, &table_rows)?);
        }
        let starts = changes.placed().map(|(start, _)| start).collect();
        Ok(Images { starts, found, columns })
    }
}

fn positions(changes: &Changes) -> usize {
    usize::try_from(changes.len()).expect("a slice is in memory")
}

fn index(number: usize) -> u32 {
    u32::try_from(number).expect("a slice has fewer than 2^32 changes")
}

fn keeps_a_value(batch: &ChangeBatch, columns: &[PartialColumn], row: usize) -> bool {
    columns.iter().any(|column| flag(batch.unset[column.place].as_ref(), row))
}

pub(super) fn key_columns(batch: &RecordBatch, key_schema: &SchemaRef) -> Result<Vec<ArrayRef>> {
    let columns = key_schema.fields().iter().map(|field| {
        let column = batch.column_by_name(field.name());
        let column = column.filter(|column| column.data_type() == field.data_type());
        column.cloned().ok_or_else(|| unreadable(field.name()))
    });
    columns.collect()
}

fn image_column(
    column: PartialColumn,
    changes: &Changes,
    table_rows: &[RecordBatch],
) -> Result<ImageColumn> {
    let field = changes.table().field(column.place);
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for batch in changes.batches() {
        arrays.push(Arc::clone(batch.image.column(column.place)));
    }
    for batch in table_rows {
        arrays.push(match batch.column_by_name(field.name()) {
            Some(array) if array.data_type() == field.data_type() => Arc::clone(array),
            Some(_) => return Err(unreadable(field.name())),
            None => new_null_array(field.data_type(), batch.num_rows()),
        });
    }
    arrays.push(new_null_array(field.data_type(), 1));
    Ok(ImageColumn { place: column.place, origins: column.origins, arrays })
}

fn unreadable(column: &str) -> Error {
    Error::new(ErrorKind::Internal, "the table's current rows do not have its schema")
        .with("column", column)
}

/// The values that changes keep, ready to be inserted into their images.
#[derive(Debug)]
pub(super) struct Images {
    /// The position of the first change of each batch in the slice.
    starts: Vec<usize>,
    /// (batch, row) in the rows read from the table, by index of [`Origin::Table`].
    found: Vec<Option<(usize, usize)>>,
    columns: Vec<ImageColumn>,
}

#[derive(Debug)]
struct ImageColumn {
    place: usize,
    origins: Vec<Origin>,
    /// The column in the slice's batches, in the table's, and a single NULL.
    arrays: Vec<ArrayRef>,
}

impl Images {
    /// Inserts the kept values into the rows with these positions. Splits the batch if they would
    /// make it too large.
    pub(super) fn complete(
        &self,
        rows: &RecordBatch,
        positions: &[usize],
    ) -> Result<Vec<RecordBatch>> {
        let mut kept_bytes = vec![0; positions.len()];
        let mut kept_columns = Vec::new();
        for column in &self.columns {
            let keeps =
                |&position: &usize| column.origins[position] != Origin::Change(index(position));
            if !positions.iter().any(keeps) {
                continue;
            }
            let sources: Vec<_> =
                positions.iter().map(|&position| self.source(column, position)).collect();
            for (bytes, &(array, row)) in kept_bytes.iter_mut().zip(&sources) {
                *bytes += value_bytes(&column.arrays[array], row);
            }
            kept_columns.push((column, sources));
        }
        let mut completed = Vec::new();
        for part in parts(&kept_bytes, KEPT_BYTES) {
            let mut columns = rows.slice(part.start, part.len()).columns().to_vec();
            for (column, sources) in &kept_columns {
                let arrays: Vec<&dyn Array> = column.arrays.iter().map(AsRef::as_ref).collect();
                columns[column.place] = interleave(&arrays, &sources[part.clone()])?;
            }
            completed.push(RecordBatch::try_new(rows.schema(), columns)?);
        }
        Ok(completed)
    }

    /// (array, row) of the value of the change at a position.
    fn source(&self, column: &ImageColumn, position: usize) -> (usize, usize) {
        let found = match column.origins[position] {
            Origin::Change(position) => {
                let position = position as usize;
                let batch = self.starts.partition_point(|&start| start <= position) - 1;
                Some((batch, position - self.starts[batch]))
            }
            Origin::Table(number) => {
                self.found[number as usize].map(|(batch, row)| (self.starts.len() + batch, row))
            }
            Origin::TableElse(..) => {
                unreachable!("alternatives are settled before images are made")
            }
            Origin::Nowhere => None,
        };
        found.unwrap_or((column.arrays.len() - 1, 0))
    }
}

fn value_bytes(array: &ArrayRef, row: usize) -> usize {
    let length = match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value_length(row),
        DataType::Binary => array.as_binary::<i32>().value_length(row),
        _ => 0,
    };
    usize::try_from(length).unwrap_or(0)
}

/// Consecutive parts that cover all rows, each within the limit unless a single row exceeds it.
fn parts(row_bytes: &[usize], limit: usize) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut bytes = 0;
    for (row, &more) in row_bytes.iter().enumerate() {
        if row > start && bytes + more > limit {
            parts.push(start..row);
            start = row;
            bytes = 0;
        }
        bytes += more;
    }
    parts.push(start..row_bytes.len());
    parts
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn parts_stay_within_the_limit_and_cover_every_row() {
        assert_eq!(parts(&[3, 3, 4, 1], 10), [0..3, 3..4]);
        assert_eq!(parts(&[11, 1, 20, 0], 10), [0..1, 1..2, 2..3, 3..4]);
        assert_eq!(parts(&[0, 10, 0, 1], 10), [0..3, 3..4]);
        assert_eq!(parts(&[4], 10).len(), 1);
    }
}
