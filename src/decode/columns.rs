//! What each field of an object is: a control column, part of the key, a before image or data.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::config::{ColumnSpec, SEQUENCE, TableSpec};
use crate::decode::column_checks::{
    check_keys, check_names, refused_duplicate, refused_type, refused_untyped,
};
use crate::decode::names::known_fields;
use crate::decode::values::reading::{Reading, Refusal};
use crate::decode::{BEFORE, OPERATION, ROW, UNSET};
use crate::dms::S3Settings;
use crate::error::Result;
use crate::schema::{Column, ColumnChange, ColumnType, TableSchema};
use crate::staging::object_context::ObjectContext;

/// The name of the column that holds I, U or D.
pub(super) const OP: &str = "Op";

/// The fields of an object, named by the object itself or by a layout.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    pub(super) names: Vec<String>,
    /// The Arrow types of Parquet's annotations, one for each field; empty for CSV.
    pub(super) physical: Vec<DataType>,
    /// The field of the operation, if the object has one.
    pub(super) operation: Option<usize>,
    /// Fields whose own types count, since values exceed the types that are configured.
    pub(super) outgrown: Vec<usize>,
}

impl Fields {
    /// Whether the names are surely names. Those of a CSV object may be the values of a first row
    /// that was taken for a header, so no message may repeat them.
    pub(super) fn are_certain(&self) -> bool {
        !self.physical.is_empty()
    }
}

/// What decides how fields are read.
pub(super) struct Expected<'a> {
    pub(super) table: &'a TableSpec,
    pub(super) dms: &'a S3Settings,
    pub(super) lake: Option<&'a TableSchema>,
    /// How the table's columns will have changed when the object is applied.
    pub(super) changes: &'a [ColumnChange],
    /// The configured columns that apply to this object.
    pub(super) layout: &'a [ColumnSpec],
    /// The key columns' names at the source that apply to this object.
    pub(super) keys: &'a [String],
    /// Whether the table keeps the change sequences of this object.
    pub(super) is_guarded: bool,
}

/// The role of a decoded field in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Part of the key: present in every change, never NULL.
    Key,
    /// An ordinary column of an after image.
    Value { nullable: bool },
    /// A stored control column or before image: empty text is NULL.
    Added,
    /// The before image of a key column: empty text is NULL; read in every change.
    Before,
    /// The change sequence as a guarded table keeps it: empty text is NULL; read in every change.
    Sequence,
}

/// A field that is decoded.
#[derive(Clone, Debug)]
pub(super) struct Output {
    /// Its position in the object.
    pub(super) field: usize,
    /// The position of the field that it has the type of: that of a before image is its column's.
    pub(super) typed_as: usize,
    /// The name of that at the source.
    pub(super) typed_name: String,
    /// Its name at the source, for messages.
    pub(super) source: String,
    /// Its name in decoded batches.
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) reading: Reading,
}

/// How an object's fields are decoded.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The number of fields in the object.
    pub(super) width: usize,
    /// Their names.
    #[cfg(feature = "cli")]
    pub(super) names: Vec<String>,
    pub(super) operation: Option<usize>,
    pub(super) sequence: Option<usize>,
    pub(super) timestamp: Option<usize>,
    /// Before images first, then the lake's columns, in the object's order.
    pub(super) outputs: Vec<Output>,
    /// The outputs that may carry the no-supplied-value marker.
    pub(super) markable: Vec<usize>,
    /// The schema of decoded batches.
    pub(super) schema: SchemaRef,
}

impl Plan {
    /// Determines the role of every field. With `marks`, decoded batches have unset columns.
    ///
    /// # Errors
    /// `SchemaRefused` if a type is unknown or does not fit, a name is not allowed or not unique,
    /// or a key column is missing.
    pub(super) fn new(
        fields: &Fields,
        expected: &Expected<'_>,
        marks: bool,
        context: &ObjectContext,
    ) -> Result<Self> {
        let fields = &known_fields(fields, expected, context)?;
        let controls = Controls::find(fields, expected, context)?;
        check_keys(fields, expected, context)?;
        let mut outputs = Vec::new();
        let mut untyped = Vec::new();
        for (field, name) in fields.names.iter().map(String::as_str).enumerate() {
            let control = controls.is_control(field);
            let before = controls.before.get(&field).copied();
            let stored = expected.table.store.iter().any(|stored| stored == name);
            let key_before = before.filter(|of| expected.is_key(&fields.names[*of]));
            if let Some(of) = key_before {
                match resolve(fields, of, of, expected, context)? {
                    Some(reading) => outputs.push(Output {
                        field,
                        typed_as: of,
                        typed_name: fields.names[of].clone(),
                        source: name.to_owned(),
                        name: format!("{BEFORE}{}", expected.table.lake_name(&fields.names[of])),
                        role: Role::Before,
                        reading,
                    }),
                    // The error about the column itself is enough.
                    None => continue,
                }
            }
            if ((control || before.is_some()) && !stored) || expected.drops(name) {
                continue;
            }
            let reading = if controls.timestamp == Some(field) {
                Some(Reading::timestamp())
            } else if control {
                Some(Reading::text())
            } else {
                resolve(fields, before.unwrap_or(field), field, expected, context)?
            };
            let Some(reading) = reading else {
                untyped.push(field);
                continue;
            };
            let role = if control || before.is_some() {
                Role::Added
            } else if expected.is_key(name) {
                Role::Key
            } else {
                Role::Value { nullable: expected.spec(name).is_none_or(|spec| spec.nullable) }
            };
            let name_in_lake = expected.table.lake_name(name).to_owned();
            outputs.push(Output {
                field,
                typed_as: before.unwrap_or(field),
                typed_name: fields.names[before.unwrap_or(field)].clone(),
                source: name.to_owned(),
                name: name_in_lake,
                role,
                reading,
            });
        }
        let is_kept = |output: &Output| output.name == SEQUENCE && output.role == Role::Added;
        if let Some(field) = controls.sequence.filter(|_| expected.is_guarded) {
            // It may be stored under that name anyway.
            outputs.retain(|output| !is_kept(output) || output.field != field);
            outputs.push(Output {
                field,
                typed_as: field,
                typed_name: fields.names[field].clone(),
                source: fields.names[field].clone(),
                name: SEQUENCE.to_owned(),
                role: Role::Sequence,
                reading: Reading::text(),
            });
        }
        if !untyped.is_empty() {
            return Err(refused_untyped(&untyped, fields, context));
        }
        outputs.sort_by_key(|output| output.role != Role::Before);
        check_names(&outputs, expected.lake, context)?;
        let is_value = |output: &Output| matches!(output.role, Role::Value { .. });
        let markable: Vec<usize> =
            (0..outputs.len()).filter(|index| marks && is_value(&outputs[*index])).collect();
        Ok(Self {
            width: fields.names.len(),
            #[cfg(feature = "cli")]
            names: fields.names.clone(),
            operation: fields.operation,
            sequence: controls.sequence,
            timestamp: controls.timestamp,
            schema: schema(&outputs, &markable),
            outputs,
            markable,
        })
    }

    /// How many outputs are columns of the lake. Those before them are before images.
    pub(super) fn columns_stored(&self) -> usize {
        self.outputs.iter().filter(|output| output.role != Role::Before).count()
    }

    /// The columns of the lake that the object has.
    pub(super) fn columns(&self) -> Vec<Column> {
        let stored = self.outputs.iter().filter(|output| output.role != Role::Before);
        let column = |output: &Output| Column {
            name: output.name.clone(),
            column_type: output.reading.target,
            nullable: true,
        };
        stored.map(column).collect()
    }
}

impl Expected<'_> {
    /// A column's configuration: from the layout that applies, otherwise from any other.
    pub(super) fn spec(&self, name: &str) -> Option<&ColumnSpec> {
        let in_force = self.layout.iter().find(|column| self.table.is_same(&column.name, name));
        in_force.or_else(|| self.table.column(name))
    }

    /// The type in the lake of a source column, if the lake has it or will have it.
    pub(super) fn lake_type(&self, name: &str) -> Option<ColumnType> {
        let name = self.table.lake_name(name);
        let widened = self.changes.iter().find_map(|change| match change {
            ColumnChange::Widen { column, to } if column == name => Some(*to),
            _ => None,
        });
        let column = self.lake.and_then(|lake| lake.column(name));
        column.map(|column| column.column_type).or(widened)
    }

    /// Whether the lake no longer has a source column.
    fn drops(&self, name: &str) -> bool {
        let name = self.table.lake_name(name);
        let is_drop = |change: &ColumnChange| matches!(change, ColumnChange::Drop { column } if column == name);
        self.changes.iter().any(is_drop)
    }

    fn is_key(&self, name: &str) -> bool {
        self.keys.iter().any(|key| self.table.is_same(key, name))
    }
}

/// The positions of control columns and before images.
struct Controls {
    operation: Option<usize>,
    timestamp: Option<usize>,
    sequence: Option<usize>,
    /// Field of a before image → field of its column.
    before: HashMap<usize, usize>,
}

impl Controls {
    fn find(fields: &Fields, expected: &Expected<'_>, context: &ObjectContext) -> Result<Self> {
        let dms = expected.dms;
        let mut positions: HashMap<&str, usize> = HashMap::new();
        for (field, name) in fields.names.iter().map(String::as_str).enumerate() {
            if Some(field) == fields.operation {
                continue;
            }
            if let Some(first) = positions.insert(name, field) {
                return Err(refused_duplicate([first, field], fields, expected, context));
            }
        }
        let named = |name: &Option<String>| positions.get(name.as_deref()?).copied();
        let timestamp = named(&dms.timestamp_column_name);
        let sequence = named(&dms.change_seq_column);
        let mut before = HashMap::new();
        if let Some(prefix) = &dms.before_image_prefix {
            for (name, field) in &positions {
                let image_of = name.strip_prefix(prefix.as_str());
                if let Some(of) = image_of.and_then(|name| positions.get(name)) {
                    before.insert(*field, *of);
                }
            }
        }
        Ok(Self { operation: fields.operation, timestamp, sequence, before })
    }

    fn is_control(&self, field: usize) -> bool {
        [self.operation, self.timestamp, self.sequence].contains(&Some(field))
    }
}

/// How `field` is read, with the type of the field `typed_as`, which may be itself; `None` if the
/// type is unknown.
fn resolve(
    fields: &Fields,
    typed_as: usize,
    field: usize,
    expected: &Expected<'_>,
    context: &ObjectContext,
) -> Result<Option<Reading>> {
    let name = &fields.names[typed_as];
    let lake_type = expected.lake_type(name);
    let physical = fields.physical.get(typed_as);
    let padded = expected.dms.add_trailing_padding_character;
    let spec = expected.spec(name);
    let is_outgrown = fields.outgrown.contains(&typed_as);
    let (spec, lake_type) = match spec.filter(|_| is_outgrown) {
        Some(outgrown) => (None, lake_type.or(Some(outgrown.mysql_type.column_type()))),
        None => (spec, lake_type),
    };
    match Reading::resolve(spec, lake_type, physical, padded) {
        Ok(reading) => Ok(Some(reading)),
        Err(Refusal::Untyped) => Ok(None),
        Err(Refusal::Unfit { from, to }) => {
            let message = format!("{from} does not fit the column's type in the lake, {to}");
            Err(refused_type(context, &fields.names[field], message))
        }
    }
}

fn schema(outputs: &[Output], markable: &[usize]) -> SchemaRef {
    let mut fields = vec![
        Field::new(OPERATION, DataType::UInt8, false),
        Field::new(ROW, DataType::UInt64, false),
    ];
    let decoded = |output: &Output| Field::new(&output.name, output.reading.target.arrow(), true);
    let (before, stored): (Vec<&Output>, Vec<&Output>) =
        outputs.iter().partition(|output| output.role == Role::Before);
    fields.extend(before.into_iter().map(decoded));
    for index in markable {
        let name = format!("{UNSET}{}", outputs[*index].name);
        fields.push(Field::new(name, DataType::Boolean, false));
    }
    fields.extend(stored.into_iter().map(decoded));
    Arc::new(Schema::new(fields))
}
