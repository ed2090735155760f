//! What the fields of an object are to its table: control columns, keys, before images, data.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::config::{ColumnSpec, TableSpec, refused_column_name};
use crate::decode::values::reading::{Reading, Refusal};
use crate::decode::{BEFORE, OPERATION, ROW, UNSET};
use crate::dms::S3Settings;
use crate::error::{Error, Result};
use crate::schema::{Column, ColumnType, TableSchema};
use crate::staging::object_context::ObjectContext;

/// The name of the column that holds I, U or D.
pub(super) const OP: &str = "Op";

/// The fields of an object as it names them, or as a layout does.
#[derive(Debug)]
pub(super) struct Fields {
    pub(super) names: Vec<String>,
    /// The Arrow types that Parquet's annotations stand for, one a field; empty for CSV.
    pub(super) physical: Vec<DataType>,
    /// Where the operation stands, if the object has it.
    pub(super) operation: Option<usize>,
}

impl Fields {
    /// Whether the names are names. Those of a CSV object may be the values of its first row,
    /// which was taken for a header; no message may repeat them.
    fn are_certain(&self) -> bool {
        !self.physical.is_empty()
    }
}

/// What decides how fields are read.
pub(super) struct Expected<'a> {
    pub(super) table: &'a TableSpec,
    pub(super) dms: &'a S3Settings,
    pub(super) lake: Option<&'a TableSchema>,
    /// The columns configured from this object on.
    pub(super) layout: &'a [ColumnSpec],
    /// The key columns' names at the source from this object on.
    pub(super) keys: &'a [String],
}

/// What a field that is decoded is to its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Part of the key: there in every change, never NULL.
    Key,
    /// An ordinary column of an after image.
    Value { nullable: bool },
    /// A stored control column or before image: empty text is NULL.
    Added,
    /// The before image of a key column: empty text is NULL; looked at in every change.
    Before,
}

/// One field that is decoded.
#[derive(Clone, Debug)]
pub(super) struct Output {
    /// Its position in the object.
    pub(super) field: usize,
    /// Its name at the source, for messages.
    pub(super) source: String,
    /// Its name in decoded batches.
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) reading: Reading,
}

/// What becomes of an object's fields.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Fields in the object.
    pub(super) width: usize,
    pub(super) operation: Option<usize>,
    pub(super) sequence: Option<usize>,
    /// Before images first, then the lake's columns in the object's order.
    pub(super) outputs: Vec<Output>,
    /// The outputs that may carry the no-supplied-value marker.
    pub(super) markable: Vec<usize>,
    /// The schema of decoded batches.
    pub(super) schema: SchemaRef,
}

impl Plan {
    /// Finds out what every field is. With `marks`, decoded batches have unset columns.
    ///
    /// # Errors
    /// `SchemaRefused` if a type is not known or does not fit, a name is not allowed or not
    /// unique, or a key column is missing.
    pub(super) fn new(
        fields: &Fields,
        expected: &Expected<'_>,
        marks: bool,
        subject: &ObjectContext,
    ) -> Result<Self> {
        let controls = Controls::find(fields, expected, subject)?;
        check_keys(fields, expected, subject)?;
        let mut outputs = Vec::new();
        let mut untyped = Vec::new();
        for (field, name) in fields.names.iter().map(String::as_str).enumerate() {
            let control = controls.is_control(field);
            let before = controls.before.get(&field).copied();
            let stored = expected.table.store.iter().any(|stored| stored == name);
            let key_before = before.filter(|of| expected.is_key(&fields.names[*of]));
            if let Some(of) = key_before {
                match resolve(fields, of, of, expected, subject)? {
                    Some(reading) => outputs.push(Output {
                        field,
                        source: name.to_owned(),
                        name: format!("{BEFORE}{}", expected.table.lake_name(&fields.names[of])),
                        role: Role::Before,
                        reading,
                    }),
                    // The column itself is reported.
                    None => continue,
                }
            }
            if (control || before.is_some()) && !stored {
                continue;
            }
            let reading = if controls.timestamp == Some(field) {
                Some(Reading::timestamp())
            } else if control {
                Some(Reading::text())
            } else {
                resolve(fields, before.unwrap_or(field), field, expected, subject)?
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
                source: name.to_owned(),
                name: name_in_lake,
                role,
                reading,
            });
        }
        if !untyped.is_empty() {
            return Err(refused_untyped(&untyped, fields, expected, subject));
        }
        outputs.sort_by_key(|output| output.role != Role::Before);
        check_names(&outputs, expected.lake, subject)?;
        let is_value = |output: &Output| matches!(output.role, Role::Value { .. });
        let markable: Vec<usize> =
            (0..outputs.len()).filter(|index| marks && is_value(&outputs[*index])).collect();
        Ok(Self {
            width: fields.names.len(),
            operation: fields.operation,
            sequence: controls.sequence,
            schema: schema(&outputs, &markable),
            outputs,
            markable,
        })
    }

    /// How many outputs are columns of the lake; the others, before them, are before images.
    pub(super) fn columns_stored(&self) -> usize {
        self.outputs.iter().filter(|output| output.role != Role::Before).count()
    }

    /// The lake's columns that the object brings.
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
    /// What is configured about a column: in the layout in force, else in any.
    pub(super) fn spec(&self, name: &str) -> Option<&ColumnSpec> {
        let in_force = self.layout.iter().find(|column| column.name == name);
        in_force.or_else(|| self.table.column(name))
    }

    /// The type in the lake of the column that a source column goes into, if it is there.
    pub(super) fn lake_type(&self, name: &str) -> Option<ColumnType> {
        let column = self.lake?.column(self.table.lake_name(name))?;
        Some(column.column_type)
    }

    /// A configured column whose name differs from that one by letter case only.
    fn other_spelling(&self, name: &str) -> Option<&str> {
        let folded = name.to_lowercase();
        let later = self.table.layouts.iter().flat_map(|layout| &layout.columns);
        let mut names = self.table.columns.iter().chain(later).map(|column| column.name.as_str());
        names.find(|other| *other != name && other.to_lowercase() == folded)
    }

    fn is_key(&self, name: &str) -> bool {
        self.keys.iter().any(|key| key == name)
    }
}

/// Where the control columns stand.
struct Controls {
    operation: Option<usize>,
    timestamp: Option<usize>,
    sequence: Option<usize>,
    /// Field of a before image → field of the column whose image it is.
    before: HashMap<usize, usize>,
}

impl Controls {
    fn find(fields: &Fields, expected: &Expected<'_>, subject: &ObjectContext) -> Result<Self> {
        let dms = expected.dms;
        let mut positions: HashMap<&str, usize> = HashMap::new();
        for (field, name) in fields.names.iter().map(String::as_str).enumerate() {
            if Some(field) == fields.operation {
                continue;
            }
            if let Some(other) = positions.insert(name, field) {
                return Err(if fields.are_certain() || expected.spec(name).is_some() {
                    subject.refused(format!("two columns are named `{name}`"))
                } else {
                    let (first, second) = (other + 1, field + 1);
                    subject.refused(format!("fields {first} and {second} have one name"))
                });
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

/// How the field `field` is read, if it is typed as the column of another field (or its own).
fn resolve(
    fields: &Fields,
    typed_as: usize,
    field: usize,
    expected: &Expected<'_>,
    subject: &ObjectContext,
) -> Result<Option<Reading>> {
    let name = &fields.names[typed_as];
    let lake_type = expected.lake_type(name);
    let physical = fields.physical.get(typed_as);
    let padded = expected.dms.add_trailing_padding_character;
    match Reading::resolve(expected.spec(name), lake_type, physical, padded) {
        Ok(reading) => Ok(Some(reading)),
        Err(Refusal::Untyped) => Ok(None),
        Err(Refusal::Unfit { from, to }) => {
            Err(refused_type(subject, &fields.names[field], &from, to))
        }
    }
}

/// The error for a column whose values cannot be read into the lake's.
pub(super) fn refused_type(
    subject: &ObjectContext,
    column: &str,
    from: &str,
    to: ColumnType,
) -> Error {
    subject
        .refused(format!("{from} cannot be read into the column, which is {to}"))
        .with("column", column)
        .with_remedy(
            "if the column's type was changed at the source: name its new type in `columns`, move \
             the table folder away and apply again, while everything since the load is staged; \
             where older objects cannot be read as that type, reload the table in DMS first",
        )
}

/// The error for fields of which nothing tells a type.
fn refused_untyped(
    untyped: &[usize],
    fields: &Fields,
    expected: &Expected<'_>,
    subject: &ObjectContext,
) -> Error {
    let names: Vec<&str> = untyped.iter().map(|field| fields.names[*field].as_str()).collect();
    let respelled = names.iter().find_map(|name| Some((*name, expected.other_spelling(name)?)));
    if let Some((name, other)) = respelled {
        return subject
            .refused(format!("the object spells `{name}` what is `{other}` in `columns`"))
            .with_remedy(format!(
                "spell it {name:?} in `columns`, as the objects do; or, where earlier objects \
                 spell it the other way and the table has it, add rename = {{ {name:?} = \"{}\" }}",
                expected.table.lake_name(other),
            ));
    }
    if fields.are_certain() {
        return subject.refused(format!(
            "no type is configured for {}: name them in `columns`",
            listed(&names)
        ));
    }
    let positions: Vec<String> = untyped.iter().map(|field| (field + 1).to_string()).collect();
    let message =
        format!("no type is configured for the header's names of fields {}", positions.join(", "));
    subject.refused(message).with_remedy(
        "name every column of the object in `columns`, as its header spells them; if it has no \
         header, set add_column_name = false",
    )
}

fn check_names(
    outputs: &[Output],
    lake: Option<&TableSchema>,
    subject: &ObjectContext,
) -> Result<()> {
    let mut folded: HashMap<String, &str> = HashMap::new();
    for column in lake.map_or(&[][..], TableSchema::columns) {
        folded.insert(column.name.to_lowercase(), &column.name);
    }
    let mut brought = HashSet::new();
    for output in outputs.iter().filter(|output| output.role != Role::Before) {
        let name = output.name.as_str();
        if let Some(reason) = refused_column_name(name) {
            return Err(subject.refused(reason));
        }
        if !brought.insert(name) {
            return Err(subject.refused(format!(
                "two columns would be named `{name}`: give one another name in `rename`"
            )));
        }
        let other = folded.insert(name.to_lowercase(), name);
        if let Some(other) = other.filter(|other| *other != name) {
            let source = &output.source;
            let as_one = if brought.contains(other) {
                String::new()
            } else {
                format!("to go on as one column, add rename = {{ {source:?} = {other:?} }}; ")
            };
            return Err(subject
                .refused(format!("the columns `{other}` and `{name}` differ only by letter case"))
                .with_remedy(format!(
                    "{as_one}to be another column, add rename = {{ {source:?} = \"{name}_2\" }}"
                )));
        }
    }
    Ok(())
}

fn check_keys(fields: &Fields, expected: &Expected<'_>, subject: &ObjectContext) -> Result<()> {
    let has = |key: &String| fields.names.contains(key);
    let missing: Vec<&str> =
        expected.keys.iter().filter(|key| !has(key)).map(String::as_str).collect();
    let Some(first) = missing.first() else { return Ok(()) };
    let from = &subject.from;
    let lake_name = expected.table.lake_name(first);
    let folded = first.to_lowercase();
    let respelled = fields.names.iter().find(|name| name.to_lowercase() == folded);
    let remedy = match respelled {
        Some(name) => format!(
            "the object spells it {name:?}: if all objects do, spell it so in `keys` and \
             `columns`; if earlier ones do not, add rename = {{ {name:?} = {lake_name:?} }} and a \
             [[table.layout]] with from = {from:?} and `keys` that spell it so"
        ),
        None => format!(
            "if it was renamed at the source, add rename = {{ \"its new name\" = {lake_name:?} }} \
             and a [[table.layout]] with from = {from:?} and `keys` that hold its new name"
        ),
    };
    Err(subject
        .refused(format!("the object lacks the key column {}", listed(&missing)))
        .with_remedy(remedy))
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

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
