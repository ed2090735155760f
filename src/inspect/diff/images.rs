//! Joined rows of two versions as changes with their images.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, ListBuilder, RecordBatch, StringArray, StringBuilder,
    StructArray,
};
use arrow::buffer::NullBuffer;
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::kernels::zip::zip;
use arrow::compute::{filter_record_batch, is_not_null};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};

use super::{AFTER, BEFORE, THERE};
use crate::config::TableSpec;
use crate::error::Result;

/// What happened to a key between two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Only the later version has it.
    Inserted,
    /// Both have it, with different values.
    Updated,
    /// Only the earlier version has it.
    Deleted,
}

impl Change {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inserted => "inserted",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }
}

/// The columns that are compared, and how changes are written.
#[derive(Clone, Debug)]
pub(super) struct Images {
    table: String,
    schema: SchemaRef,
    keys: Vec<usize>,
    /// The columns of a key, and of an image.
    fields: (Fields, Fields),
    /// The columns of changes.
    changes: SchemaRef,
}

impl Images {
    /// For rows with these columns.
    pub(super) fn of(spec: &TableSpec, schema: &SchemaRef, keys: &[String]) -> Result<Self> {
        let keys = keys.iter().map(|key| schema.index_of(key)).collect::<Result<Vec<_>, _>>()?;
        let nullable = |field: &Arc<Field>| Arc::new(field.as_ref().clone().with_nullable(true));
        let all: Fields = schema.fields().iter().map(nullable).collect();
        let key: Fields = keys.iter().map(|at| Arc::clone(&all[*at])).collect();
        let name = Arc::new(Field::new_list_field(DataType::Utf8, true));
        let text = |name| Field::new(name, DataType::Utf8, false);
        let changes = Schema::new(vec![
            text("schema"),
            text("table"),
            // NULL of rows that did not change, until these are left out.
            Field::new("change", DataType::Utf8, true),
            Field::new("key", DataType::Struct(key.clone()), false),
            Field::new("columns", DataType::List(name), false),
            Field::new("before", DataType::Struct(all.clone()), true),
            Field::new("after", DataType::Struct(all.clone()), true),
        ]);
        let (table, schema) = (spec.source.to_string(), Arc::clone(schema));
        Ok(Self { table, schema, keys, fields: (key, all), changes: Arc::new(changes) })
    }

    /// The columns that are compared.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The changes among joined rows.
    pub(super) fn changes(&self, joined: &RecordBatch) -> Result<RecordBatch> {
        let side = |side: &str| Side::of(joined, side, &self.schema);
        let (before, after) = (side(BEFORE)?, side(AFTER)?);
        let rows = joined.num_rows();
        let differs: Vec<BooleanArray> = before
            .columns
            .iter()
            .zip(&after.columns)
            .map(|(before, after)| distinct(before, after))
            .collect::<Result<_, _>>()?;
        let mut kinds: Vec<Option<&str>> = Vec::with_capacity(rows);
        let mut names = ListBuilder::new(StringBuilder::new());
        for row in 0..rows {
            let change = match (before.is_there(row), after.is_there(row)) {
                (false, _) => Some(Change::Inserted),
                (_, false) => Some(Change::Deleted),
                _ => differs.iter().any(|it| it.value(row)).then_some(Change::Updated),
            };
            if change == Some(Change::Updated) {
                for (field, differs) in self.schema.fields().iter().zip(&differs) {
                    if differs.value(row) {
                        names.values().append_value(field.name());
                    }
                }
            }
            names.append(true);
            kinds.push(change.map(Change::as_str));
        }
        let kinds = StringArray::from(kinds);
        let is_changed = is_not_null(&kinds)?;
        let constant = |text: &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows)))
        };
        let keys =
            self.keys.iter().map(|at| zip(&after.there, &after.columns[*at], &before.columns[*at]));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let (key, all) = &self.fields;
        let columns: Vec<ArrayRef> = vec![
            constant("diff/1"),
            constant(&self.table),
            Arc::new(kinds),
            Arc::new(StructArray::try_new(key.clone(), keys, None)?),
            Arc::new(names.finish()),
            Arc::new(before.image(all)?),
            Arc::new(after.image(all)?),
        ];
        let rows = RecordBatch::try_new(Arc::clone(&self.changes), columns)?;
        Ok(filter_record_batch(&rows, &is_changed)?)
    }
}

/// One side of joined rows.
struct Side {
    columns: Vec<ArrayRef>,
    there: BooleanArray,
}

impl Side {
    fn of(joined: &RecordBatch, side: &str, schema: &Schema) -> Result<Self> {
        let column = |name: &str| {
            let at = joined.schema().index_of(&format!("{side}{name}"))?;
            Ok::<_, arrow::error::ArrowError>(Arc::clone(joined.column(at)))
        };
        let columns = schema.fields().iter().map(|field| column(field.name()));
        let there = is_not_null(column(THERE)?.as_boolean())?;
        Ok(Self { columns: columns.collect::<Result<_, _>>()?, there })
    }

    fn is_there(&self, row: usize) -> bool {
        self.there.value(row)
    }

    /// The rows as structs, NULL where the side has none.
    fn image(&self, fields: &Fields) -> Result<StructArray> {
        let there = NullBuffer::new(self.there.values().clone());
        Ok(StructArray::try_new(fields.clone(), self.columns.clone(), Some(there))?)
    }
}
