//! Rows as bytes: the key, which orders and tells rows apart, and the values, which are compared.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Schema, SchemaRef};
use arrow::row::{RowConverter, Rows, SortField};

use crate::error::Result;

/// Stands for a row's key and values: two rows that differ have the same one once in 2¹²⁸.
pub(super) type Digest = u128;

/// A key, encoded.
pub(super) type Key = Box<[u8]>;

/// Encodes rows of lake and source in the same way.
pub(super) struct Encoder {
    schema: SchemaRef,
    key_columns: usize,
    keys: RowConverter,
    /// All values at once; none if all columns are keys.
    values: Option<RowConverter>,
    /// Value by value.
    each: Vec<RowConverter>,
    /// Columns that are compared with the precision of a single float.
    singles: Vec<usize>,
    seed: [u8; 32],
}

/// Some rows, encoded.
pub(super) struct Encoded {
    keys: Rows,
    values: Option<Rows>,
}

impl Encoder {
    /// For rows of these columns, of which the first so many are the key.
    pub(super) fn new(
        schema: SchemaRef,
        key_columns: usize,
        singles: Vec<usize>,
        seed: [u8; 32],
    ) -> Result<Self> {
        let converter = |from: usize, to: usize| {
            let fields = schema.fields()[from..to].iter();
            RowConverter::new(fields.map(|it| SortField::new(it.data_type().clone())).collect())
        };
        let columns = schema.fields().len();
        let keys = converter(0, key_columns)?;
        let values = match columns - key_columns {
            0 => None,
            _ => Some(converter(key_columns, columns)?),
        };
        let each = (key_columns..columns).map(|at| converter(at, at + 1));
        let each = each.collect::<Result<_, _>>()?;
        Ok(Self { schema, key_columns, keys, values, each, singles, seed })
    }

    /// The columns of the rows: those of the key first.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Whether keys compare as bytes here as their values do in MySQL.
    pub(super) fn keys_agree_in_order(&self) -> bool {
        let key_fields = &self.schema.fields()[..self.key_columns];
        let agrees = |data_type: &DataType| {
            data_type.is_integer()
                || matches!(
                    data_type,
                    DataType::Decimal128(..)
                        | DataType::Date32
                        | DataType::Timestamp(..)
                        | DataType::Boolean
                )
        };
        key_fields.iter().all(|field| agrees(field.data_type()))
    }

    /// The rows, encoded.
    pub(super) fn encode(&self, rows: &RecordBatch) -> Result<Encoded> {
        let columns = self.normal(rows);
        let keys = self.keys.convert_columns(&columns[..self.key_columns])?;
        let values =
            self.values.as_ref().map(|it| it.convert_columns(&columns[self.key_columns..]));
        Ok(Encoded { keys, values: values.transpose()? })
    }

    /// The values of the rows, column by column, encoded so that equal values are equal bytes.
    pub(super) fn each_value(&self, rows: &RecordBatch) -> Result<Vec<Rows>> {
        let columns = self.normal(rows);
        let values = self.each.iter().zip(&columns[self.key_columns..]);
        let in_bytes = values.map(|(it, column)| it.convert_columns(std::slice::from_ref(column)));
        Ok(in_bytes.collect::<Result<_, _>>()?)
    }

    /// The names of the columns that are not keys.
    pub(super) fn value_names(&self) -> impl Iterator<Item = &str> {
        self.schema.fields()[self.key_columns..].iter().map(|field| field.name().as_str())
    }

    /// The digest of a row, from the bytes of its key and of its values.
    pub(super) fn digest(&self, key: &[u8], values: &[u8]) -> Digest {
        let mut hasher = blake3::Hasher::new_keyed(&self.seed);
        hasher.update(key);
        hasher.update(values);
        let mut bytes = [0; 16];
        hasher.finalize_xof().fill(&mut bytes);
        Digest::from_le_bytes(bytes)
    }

    /// The key columns of encoded keys.
    pub(super) fn keys_of<'a>(&self, keys: impl Iterator<Item = &'a Key>) -> Result<RecordBatch> {
        let parser = self.keys.parser();
        let rows = keys.map(|key| parser.parse(key));
        let columns = self.keys.convert_rows(rows)?;
        let positions: Vec<usize> = (0..self.key_columns).collect();
        let fields = self.schema.project(&positions)?;
        let fields = fields.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(RecordBatch::try_new(schema, columns)?)
    }

    /// Each column in the form in which it is compared.
    fn normal(&self, rows: &RecordBatch) -> Vec<ArrayRef> {
        let mut columns = rows.columns().to_vec();
        for at in &self.singles {
            let Some(doubles) = columns[*at].as_primitive_opt::<Float64Type>() else { continue };
            #[expect(clippy::cast_possible_truncation, reason = "the source keeps no more digits")]
            let rounded: Float64Array = doubles.unary(|value| f64::from(value as f32));
            columns[*at] = Arc::new(rounded);
        }
        columns
    }
}

impl Encoded {
    /// How many rows these are.
    pub(super) fn len(&self) -> usize {
        self.keys.num_rows()
    }

    /// The key of a row.
    pub(super) fn key(&self, row: usize) -> &[u8] {
        self.keys.row(row).data()
    }

    /// The digest of a row.
    pub(super) fn digest(&self, row: usize, encoder: &Encoder) -> Digest {
        let values = self.values.as_ref().map(|values| values.row(row));
        encoder.digest(self.key(row), values.as_ref().map_or(&[], |values| values.data()))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn values_one_by_one_are_the_bytes_of_all_of_them() {
        let field = |name: &str, data_type| Field::new(name, data_type, true);
        let schema = Arc::new(Schema::new(vec![
            field("id", DataType::Int64),
            field("note", DataType::Utf8),
            field("size", DataType::Float64),
        ]));
        let columns: [ArrayRef; 3] = [
            Arc::new(Int64Array::from(vec![1, 2, 3])),
            Arc::new(StringArray::from(vec![Some("a"), None, Some("")])),
            Arc::new(Float64Array::from(vec![Some(0.1), Some(-0.0), None])),
        ];
        let rows =
            RecordBatch::try_new(Arc::clone(&schema), columns.to_vec()).expect("as it is built");
        let encoder = Encoder::new(schema, 1, vec![2], [7; 32]).expect("as it is built");
        let (in_bytes, each) = (
            encoder.encode(&rows).expect("as it is built"),
            encoder.each_value(&rows).expect("as it is built"),
        );
        for row in 0..3 {
            let values: Vec<u8> =
                each.iter().flat_map(|column| column.row(row).data().to_vec()).collect();
            let digest = encoder.digest(in_bytes.key(row), &values);
            assert_eq!(digest, in_bytes.digest(row, &encoder), "row {row}");
        }
    }
}
