//! Reads `[[table]]` and `[defaults]`, and overrides the defaults with a table's own keys.

use std::collections::BTreeMap;

use toml::Value;

use crate::config::fields::{Fields, Place};
use crate::config::{
    ChosenName, ColumnSpec, Layout, MaxBadRows, MaxChangeFraction, MergeMode, OnBadRow,
    OnForeignCommit, OnReload, TableName, TableSpec,
};
use crate::dms::{MySqlType, Phase};

const SOURCE: &str = "\"schema.table\", or { schema = \"…\", table = \"…\" } where the schema's \
                      name contains a dot";
const NAME: &str = "\"table\" or \"database.table\", of lower-case letters, digits and _";
const MERGE: &str = "\"copy-on-write\", \"deletion-vectors\", \"auto\"";
const FROM: &str = "an object's base name such as \"LOAD00000001\" or \"20221024-175902985\"";

/// The keys of one section; `None` if a key is not set.
#[derive(Debug, Default)]
pub(super) struct Section {
    keys: Option<Vec<String>>,
    append_only: Option<bool>,
    cdc_only: Option<bool>,
    columns: Option<Vec<ColumnSpec>>,
    layouts: Option<Vec<Layout>>,
    rename: Option<BTreeMap<String, String>>,
    store: Option<Vec<String>>,
    on_bad_row: Option<OnBadRow>,
    max_bad_rows: Option<MaxBadRows>,
    max_change_fraction: Option<MaxChangeFraction>,
    on_foreign_commit: Option<OnForeignCommit>,
    on_reload: Option<OnReload>,
    merge: Option<MergeMode>,
    redshift_manifest: Option<bool>,
}

/// Reads `[defaults]`.
pub(super) fn defaults(mut fields: Fields<'_>) -> Section {
    fields.belongs_elsewhere("source", "a source belongs to one [[table]]");
    fields.belongs_elsewhere("name", "a name belongs to one [[table]]");
    section(fields)
}

/// Reads a `[[table]]`; keys that are not set are taken from the defaults.
pub(super) fn table(mut fields: Fields<'_>, defaults: &Section) -> (Place, TableSpec) {
    let source = source(&mut fields);
    if let Some(name) = &source {
        fields.about(name);
    }
    let place = fields.place().clone();
    let name = fields.read("name", NAME, |value| ChosenName::parse(value.as_str()?));
    let own = section(fields);
    let source =
        source.unwrap_or_else(|| TableName { schema: String::new(), table: String::new() });
    (place, TableSpec { name, ..over(own, source, defaults) })
}

fn over(own: Section, source: TableName, defaults: &Section) -> TableSpec {
    // `keys` and `append_only` answer the same question: a table's own answer overrides both of
    // the defaults.
    let (keys, append_only) = match (own.keys, own.append_only) {
        (None, Some(true)) => (Vec::new(), true),
        (Some(keys), None) if !keys.is_empty() => (keys, false),
        (keys, append_only) => (
            keys.or_else(|| defaults.keys.clone()).unwrap_or_default(),
            append_only.or(defaults.append_only).unwrap_or_default(),
        ),
    };
    TableSpec {
        source,
        name: None,
        keys,
        append_only,
        cdc_only: own.cdc_only.or(defaults.cdc_only).unwrap_or_default(),
        columns: own.columns.or_else(|| defaults.columns.clone()).unwrap_or_default(),
        layouts: own.layouts.or_else(|| defaults.layouts.clone()).unwrap_or_default(),
        rename: own.rename.or_else(|| defaults.rename.clone()).unwrap_or_default(),
        store: own.store.or_else(|| defaults.store.clone()).unwrap_or_default(),
        on_bad_row: own.on_bad_row.or(defaults.on_bad_row).unwrap_or_default(),
        max_bad_rows: own.max_bad_rows.or(defaults.max_bad_rows).unwrap_or_default(),
        max_change_fraction: own
            .max_change_fraction
            .or(defaults.max_change_fraction)
            .unwrap_or_default(),
        on_foreign_commit: own.on_foreign_commit.or(defaults.on_foreign_commit).unwrap_or_default(),
        on_reload: own.on_reload.or(defaults.on_reload).unwrap_or_default(),
        merge: own.merge.or(defaults.merge).unwrap_or_default(),
        redshift_manifest: own.redshift_manifest.or(defaults.redshift_manifest).unwrap_or_default(),
    }
}

fn section(mut fields: Fields<'_>) -> Section {
    let columns = fields.tables("columns");
    let layouts = fields.tables("layout");
    let max_bad_rows =
        fields.has("max_bad_rows").then(|| max_bad_rows(fields.table("max_bad_rows")));
    let max_change_fraction = fields
        .has("max_change_fraction")
        .then(|| max_change_fraction(fields.table("max_change_fraction")));
    let section = Section {
        keys: fields.texts("keys"),
        append_only: fields.flag("append_only"),
        cdc_only: fields.flag("cdc_only"),
        columns: columns.map(|columns| columns.into_iter().filter_map(column).collect()),
        layouts: layouts.map(|layouts| layouts.into_iter().filter_map(layout).collect()),
        rename: fields.text_table("rename").map(|names| names.into_iter().collect()),
        store: fields.texts("store"),
        on_bad_row: fields.read("on_bad_row", "\"stop\", \"quarantine\"", |value| {
            match value.as_str()? {
                "stop" => Some(OnBadRow::Stop),
                "quarantine" => Some(OnBadRow::Quarantine),
                _ => None,
            }
        }),
        max_bad_rows,
        max_change_fraction,
        on_foreign_commit: fields.read("on_foreign_commit", "\"report\", \"hold\"", |value| {
            match value.as_str()? {
                "report" => Some(OnForeignCommit::Report),
                "hold" => Some(OnForeignCommit::Hold),
                _ => None,
            }
        }),
        on_reload: fields.read("on_reload", "\"apply\", \"hold\"", |value| {
            match value.as_str()? {
                "apply" => Some(OnReload::Apply),
                "hold" => Some(OnReload::Hold),
                _ => None,
            }
        }),
        merge: fields.read("merge", MERGE, |value| match value.as_str()? {
            "copy-on-write" => Some(MergeMode::CopyOnWrite),
            "deletion-vectors" => Some(MergeMode::DeletionVectors),
            "auto" => Some(MergeMode::Auto),
            _ => None,
        }),
        redshift_manifest: fields.flag("redshift_manifest"),
    };
    fields.finish();
    section
}

fn max_bad_rows(mut fields: Fields<'_>) -> MaxBadRows {
    let default = MaxBadRows::default();
    let count = count(&mut fields, "count");
    let share = share(&mut fields, "share");
    fields.finish();
    MaxBadRows { count: count.unwrap_or(default.count), share: share.unwrap_or(default.share) }
}

fn max_change_fraction(mut fields: Fields<'_>) -> MaxChangeFraction {
    let deleted = share(&mut fields, "deleted");
    let updated = share(&mut fields, "updated");
    let min_rows = count(&mut fields, "min_rows");
    fields.finish();
    let min_rows = min_rows.unwrap_or(MaxChangeFraction::default().min_rows);
    MaxChangeFraction { deleted, updated, min_rows }
}

fn count(fields: &mut Fields<'_>, name: &'static str) -> Option<u64> {
    fields.read(name, "a whole number", |value| {
        value.as_integer().and_then(|count| u64::try_from(count).ok())
    })
}

fn share(fields: &mut Fields<'_>, name: &'static str) -> Option<f64> {
    fields.read(name, "a number from 0 to 1", |value| {
        let share = match value {
            Value::Integer(0) => Some(0.0),
            Value::Integer(1) => Some(1.0),
            other => other.as_float(),
        };
        share.filter(|share| (0.0..=1.0).contains(share))
    })
}

fn source(fields: &mut Fields<'_>) -> Option<TableName> {
    let name = |schema: &str, table: &str| {
        let is_folder = |name: &str| !["", ".", ".."].contains(&name);
        let name = TableName { schema: schema.to_owned(), table: table.to_owned() };
        (is_folder(schema) && is_folder(table)).then_some(name)
    };
    fields.required("source", SOURCE, |value| match value {
        Value::String(text) => text.split_once('.').and_then(|(schema, table)| name(schema, table)),
        Value::Table(parts) if parts.len() == 2 => {
            let part = |key: &str| parts.get(key).and_then(Value::as_str);
            name(part("schema")?, part("table")?)
        }
        _ => None,
    })
}

fn column(mut fields: Fields<'_>) -> Option<ColumnSpec> {
    let name = fields.required("name", "the column's name at the source", |value| {
        value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    });
    let spelling =
        fields.required("type", "a MySQL column type such as \"bigint unsigned\"", |value| {
            value.as_str().map(str::to_owned)
        });
    let parsed = spelling.as_deref().map(MySqlType::parse);
    if let Some(Err(why)) = &parsed {
        fields.refuse("type", why);
    }
    let mysql_type = parsed.and_then(Result::ok);
    let nullable = fields.flag("nullable").unwrap_or(true);
    let boolean = fields.flag("boolean").unwrap_or_default();
    let hex = fields.flag("hex").unwrap_or_default();
    if let Some(mysql_type) = mysql_type {
        if boolean && !matches!(mysql_type, MySqlType::TinyInt { .. }) {
            fields.refuse("boolean", "true is not allowed; allowed: true only for tinyint");
        }
        if hex && !matches!(mysql_type, MySqlType::Bytes | MySqlType::Bit { width: 64 }) {
            let allowed = "true only for binary, varbinary, blob and spatial types and bit(64)";
            fields.refuse("hex", format!("true is not allowed; allowed: {allowed}"));
        }
    }
    fields.finish();
    // A column whose type is refused is kept for the checks of names.
    let mysql_type = mysql_type.unwrap_or(MySqlType::Text);
    Some(ColumnSpec { name: name?, mysql_type, nullable, boolean, hex })
}

fn layout(mut fields: Fields<'_>) -> Option<Layout> {
    let from = fields.required("from", FROM, |value| {
        let text = value.as_str()?;
        let plain = text.strip_suffix(".gz").unwrap_or(text);
        let base = plain.strip_suffix(".csv").or_else(|| plain.strip_suffix(".parquet"));
        Phase::parse(base.unwrap_or(plain))
    });
    let keys = fields.texts("keys");
    let columns = fields.tables("columns");
    let is_empty = columns.as_ref().is_none_or(Vec::is_empty);
    let columns: Vec<_> = columns.unwrap_or_default().into_iter().filter_map(column).collect();
    if is_empty && keys.is_none() && !fields.violations().has(&fields.place().field("columns")) {
        let allowed = "all columns of the layout in file order, or keys alone where objects name \
                       their columns";
        fields.refuse("columns", format!("is missing; allowed: {allowed}"));
    }
    fields.finish();
    Some(Layout { from: from?, columns, keys })
}
