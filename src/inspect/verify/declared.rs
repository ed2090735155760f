//! What MySQL declares of a table, and which of its columns can be compared with the lake's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

use crate::config::{ColumnSpec, SEQUENCE, StatedIn, TableName, TableSpec};
use crate::decode::SourceText;
use crate::dms::MySqlType;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::verify::verification::NotCompared;
use crate::schema::Column;
use crate::table::LakeTable;

/// A column's name, its type as declared, and whether it is computed.
type DeclaredColumn = (String, String, bool);

/// A table as the source declares it.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    /// Its columns, in its order.
    columns: Vec<DeclaredColumn>,
    /// The columns of each unique index.
    unique: Vec<BTreeSet<String>>,
    /// About how many rows it has.
    pub(super) rows: u64,
}

/// Reads what the source declares of a table; none if it has no such table.
pub(super) async fn declared(
    connection: &mut Conn,
    table: &TableName,
) -> Result<Option<Declared>, mysql_async::Error> {
    let TableName { schema, table } = table;
    let columns: Vec<(String, String, String)> = connection
        .exec(
            "SELECT column_name, column_type, extra FROM information_schema.columns \
             WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position",
            (schema, table),
        )
        .await?;
    let indexes: Vec<(String, String)> = connection
        .exec(
            "SELECT index_name, column_name FROM information_schema.statistics \
             WHERE table_schema = ? AND table_name = ? AND non_unique = 0 AND sub_part IS NULL",
            (schema, table),
        )
        .await?;
    let rows: Option<Option<u64>> = connection
        .exec_first(
            "SELECT table_rows FROM information_schema.tables \
             WHERE table_schema = ? AND table_name = ?",
            (schema, table),
        )
        .await?;
    if columns.is_empty() {
        return Ok(None);
    }
    let mut unique: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (index, column) in indexes {
        unique.entry(index).or_default().insert(column.to_lowercase());
    }
    let column = |(name, declared, extra): (String, String, String)| {
        let extra = extra.to_ascii_uppercase();
        let is_computed = extra.contains("GENERATED") && !extra.contains("DEFAULT_GENERATED");
        (name, declared, is_computed)
    };
    Ok(Some(Declared {
        columns: columns.into_iter().map(column).collect(),
        unique: unique.into_values().collect(),
        rows: rows.flatten().unwrap_or(0),
    }))
}

/// A column that is compared.
#[derive(Clone, Debug)]
pub(super) struct ComparedColumn {
    /// Its name at the source.
    pub(super) source: String,
    /// How its values are read.
    pub(super) spec: ColumnSpec,
}

/// The columns that are compared, those of the key first, and those that are not.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    /// Those of the lake, in the order of `compared`.
    pub(super) schema: SchemaRef,
    pub(super) compared: Vec<ComparedColumn>,
    /// How many of them are the key.
    pub(super) keys: usize,
    pub(super) not_compared: Vec<NotCompared>,
}

impl Columns {
    /// The columns that are compared with the precision of a single float.
    pub(super) fn singles(&self) -> Vec<usize> {
        let is_single = |at: &usize| self.compared[*at].spec.mysql_type == MySqlType::Float;
        (0..self.compared.len()).filter(is_single).collect()
    }

    /// Finds out which columns of lake and source can be compared.
    ///
    /// # Errors
    /// `TableRefused` if the key is not one at the source, or cannot be compared.
    pub(super) fn of(spec: &TableSpec, table: &LakeTable, declared: &Declared) -> Result<Self> {
        let in_lake = table.schema().columns();
        let mut by_lake: BTreeMap<&str, ComparedColumn> = BTreeMap::new();
        let mut not_compared = Vec::new();
        for of_source in &declared.columns {
            let name = &of_source.0;
            let lake_name = spec.lake_name(&spelled(spec, name)).to_owned();
            let column = in_lake.iter().find(|it| it.name.eq_ignore_ascii_case(&lake_name));
            let (shown, found) = match column {
                None => (name, Err("the lake has no such column".to_owned())),
                Some(column) => (&column.name, comparable(spec, of_source, column)),
            };
            match found {
                Ok(found) => drop(by_lake.insert(shown, found)),
                Err(because) => not_compared.push(NotCompared { column: shown.clone(), because }),
            }
        }
        let names: Vec<&str> = declared.columns.iter().map(|it| it.0.as_str()).collect();
        let field = |name: &str| in_lake.iter().find(|it| it.name == name);
        let keys = spec.lake_keys();
        let mut fields: Vec<Field> = Vec::new();
        let mut compared = Vec::new();
        for key in &keys {
            let (Some(column), Some(found)) = (field(key), by_lake.remove(key.as_str())) else {
                return Err(no_key(spec, key, &names));
            };
            if found.spec.mysql_type == MySqlType::Float {
                return Err(unordered(spec, key));
            }
            fields.push(Field::new(key, column.column_type.arrow(), true));
            compared.push(found);
        }
        must_be_unique(spec, declared, &compared)?;
        for column in in_lake {
            if let Some(found) = by_lake.remove(column.name.as_str()) {
                fields.push(Field::new(&column.name, column.column_type.arrow(), true));
                compared.push(found);
            }
        }
        for column in in_lake {
            let is_known = fields.iter().any(|field| *field.name() == column.name)
                || not_compared.iter().any(|it| it.column == column.name);
            if !is_known {
                let because = why_only_in_lake(spec, &column.name).to_owned();
                not_compared.push(NotCompared { column: column.name.clone(), because });
            }
        }
        let schema = Arc::new(Schema::new(fields));
        Ok(Self { schema, compared, keys: keys.len(), not_compared })
    }
}

/// The name of a source column as the configuration spells it, where MySQL spells it in other
/// letter case.
fn spelled(spec: &TableSpec, name: &str) -> String {
    let known = spec.rename.keys().chain(spec.renamed.keys()).chain(&spec.keys);
    let same = known.into_iter().find(|it| it.eq_ignore_ascii_case(name));
    same.map_or_else(|| name.to_owned(), Clone::clone)
}

/// A column of the source beside that of the lake; else why their values cannot be compared.
fn comparable(
    spec: &TableSpec,
    (name, declared, is_computed): &DeclaredColumn,
    column: &Column,
) -> Result<ComparedColumn, String> {
    if *is_computed {
        return Err("the source computes it, so that its changes are not captured".to_owned());
    }
    let read = reading(spec, name, declared)?;
    if let Err(other) = SourceText::new(&read, column.column_type, 0) {
        let lake = column.column_type;
        return Err(format!("its type in the lake is {lake}, the source's {other}"));
    }
    Ok(ComparedColumn { source: name.clone(), spec: read })
}

/// How values of a source column are read: as configured, but by the type that the source has now.
fn reading(spec: &TableSpec, name: &str, declared: &str) -> Result<ColumnSpec, String> {
    let mysql_type = MySqlType::parse(declared)
        .map_err(|_| format!("the source's type {declared} is none that is read"))?;
    let configured = spec.column(&spelled(spec, name));
    if mysql_type == MySqlType::Time && configured.is_none() {
        return Err("it is not in columns, so that its text is spelled as DMS does".to_owned());
    }
    Ok(ColumnSpec {
        name: name.to_owned(),
        mysql_type,
        nullable: true,
        boolean: configured.is_some_and(|it| it.boolean)
            && matches!(mysql_type, MySqlType::TinyInt { .. }),
        // The text that is asked for is always hexadecimal for bytes, and never for bits.
        hex: matches!(mysql_type, MySqlType::Bytes | MySqlType::Bit { width: 64.. }),
        stated_in: StatedIn::Configuration,
    })
}

fn why_only_in_lake(spec: &TableSpec, name: &str) -> &'static str {
    if name == SEQUENCE {
        "dmslake keeps change sequences in it"
    } else if spec.store.iter().any(|stored| spec.lake_name(stored) == name) {
        "DMS adds it"
    } else {
        "the source has no such column"
    }
}

fn no_key(spec: &TableSpec, key: &str, names: &[&str]) -> Error {
    Error::new(ErrorKind::TableRefused, "a key column cannot be found at the source in the lake's type")
        .with("table", &spec.source)
        .with("column", key)
        .with("columns at the source", names.join(", "))
        .with_remedy("set keys and rename of the table as the source has them now; or verify against staging, without --mysql")
}

fn unordered(spec: &TableSpec, key: &str) -> Error {
    Error::new(ErrorKind::TableRefused, "a key column is a float, by which no row can be looked up")
        .with("table", &spec.source)
        .with("column", key)
        .with_remedy("verify against staging, without --mysql")
}

fn must_be_unique(spec: &TableSpec, declared: &Declared, keys: &[ComparedColumn]) -> Result<()> {
    let names: BTreeSet<String> = keys.iter().map(|key| key.source.to_lowercase()).collect();
    if declared.unique.iter().any(|index| index.is_subset(&names)) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::TableRefused, "the configured key has no unique index at the source")
        .with("table", &spec.source)
        .with("keys", spec.keys.join(", "))
        .with_remedy(
            "name all columns of a unique key in keys; or verify against staging, without --mysql",
        ))
}
