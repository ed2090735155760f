//! Reads `[[table]]` and `[defaults]`, and overrides what is more general with what is less so.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Value;

use crate::config::column_fields::{column, layout};
use crate::config::fields::{DAY, Fields, MINUTE, Place};
use crate::config::{
    ChosenName, ColumnSpec, Guard, Layout, MaxBadRows, MaxChangeFraction, MergeMode, OnBadRow,
    OnColumnAdded, OnColumnGone, OnForeignCommit, OnObjectsVanished, OnReload, Retention,
    SourcePattern, TableName, TablePattern, TableSpec, retention,
};

const SOURCE: &str = "\"schema.table\", or { schema = \"…\", table = \"…\" } where the schema's \
                      name contains a dot";
const EXCEPT: &str = "a list of sources such as [\"shop.audit_*\"]";
const NAME: &str = "\"table\" or \"database.table\", of lower-case letters, digits and _";
const FRESHNESS: &str = "\"0s\", or from \"1m\" to \"24h\"";
const MERGE: &str = "\"copy-on-write\", \"deletion-vectors\", \"auto\"";
const VANISHED: &str = "\"hold\", \"truncate\", \"ignore\"";

/// The keys of one section; `None` if a key is not set.
#[derive(Clone, Debug, Default)]
pub(super) struct Section {
    pub(super) keys: Option<Vec<String>>,
    append_only: Option<bool>,
    cdc_only: Option<bool>,
    freshness: Option<Duration>,
    retention: Option<Retention>,
    pub(super) columns: Option<Vec<ColumnSpec>>,
    layouts: Option<Vec<Layout>>,
    pub(super) rename: Option<BTreeMap<String, String>>,
    pub(super) renamed: Option<BTreeMap<String, String>>,
    store: Option<Vec<String>>,
    on_bad_row: Option<OnBadRow>,
    max_bad_rows: Option<MaxBadRows>,
    max_change_fraction: Option<MaxChangeFraction>,
    on_foreign_commit: Option<OnForeignCommit>,
    on_reload: Option<OnReload>,
    guard: Option<Guard>,
    tombstone_retention_days: Option<u32>,
    on_column_gone: Option<OnColumnGone>,
    on_column_added: Option<OnColumnAdded>,
    on_objects_vanished: Option<OnObjectsVanished>,
    merge: Option<MergeMode>,
    redshift_manifest: Option<bool>,
}

/// Reads `[defaults]`.
pub(super) fn defaults(mut fields: Fields<'_>) -> Section {
    fields.belongs_elsewhere("source", "a source belongs to one [[table]]");
    fields.belongs_elsewhere("name", "a name belongs to one [[table]]");
    fields.belongs_elsewhere("except", "an exception belongs to the [[table]] with the pattern");
    section(fields)
}

/// A `[[table]]`: about one table, or about all that a pattern matches.
#[derive(Debug)]
pub(super) struct TableSection {
    /// Where it is in the file.
    pub(super) place: Place,
    /// Which tables it is about, before exceptions.
    pub(super) source: SourcePattern,
    pattern: Option<TablePattern>,
    /// The name in catalogues of its one table.
    pub(super) name: Option<ChosenName>,
    /// The keys that it sets.
    pub(super) own: Section,
}

impl TableSection {
    /// Whether it may be about several tables.
    pub(super) fn is_pattern(&self) -> bool {
        self.pattern.is_some()
    }

    /// The pattern, if it has one.
    pub(super) fn pattern(&self) -> Option<&TablePattern> {
        self.pattern.as_ref()
    }
}

/// Reads a `[[table]]`.
pub(super) fn table(mut fields: Fields<'_>) -> TableSection {
    let source = source(&mut fields);
    if let Some(name) = &source {
        fields.about(name);
    }
    let place = fields.place().clone();
    let source = SourcePattern::new(
        source.unwrap_or_else(|| TableName { schema: String::new(), table: String::new() }),
    );
    let except = fields.read("except", EXCEPT, |value| {
        let names: Option<Vec<TableName>> = value.as_array()?.iter().map(table_name).collect();
        Some(names?.into_iter().map(SourcePattern::new).collect::<Vec<SourcePattern>>())
    });
    let name = fields.read("name", NAME, |value| ChosenName::parse(value.as_str()?));
    let is_pattern = source.is_pattern();
    if is_pattern && name.is_some() {
        fields.refuse(
            "name",
            "belongs to one table, and source is a pattern; give the table a \
                      [[table]] of its own",
        );
    }
    if !is_pattern && except.is_some() {
        fields.refuse(
            "except",
            "belongs to a pattern, and source names one table; allowed: only \
                      where source has a *",
        );
    }
    let own = section(fields);
    let pattern = is_pattern
        .then(|| TablePattern { source: source.clone(), except: except.unwrap_or_default() });
    TableSection { place, source, pattern, name, own }
}

impl Section {
    /// Nothing but key columns.
    pub(super) fn of_keys(keys: Option<Vec<String>>) -> Self {
        Self { keys, ..Self::default() }
    }

    /// Guarded by change sequences unless it says otherwise.
    pub(super) fn guarded(self) -> Self {
        Self { guard: self.guard.or(Some(Guard::Sequence)), ..self }
    }

    /// These keys, and those of a more general section where they are not set.
    pub(super) fn over(self, lower: Self) -> Self {
        // `keys` and `append_only` answer the same question: an answer overrides both.
        let (keys, append_only) = match (self.keys, self.append_only) {
            (None, Some(true)) => (Some(Vec::new()), Some(true)),
            (Some(keys), None) if !keys.is_empty() => (Some(keys), Some(false)),
            (keys, append_only) => (keys.or(lower.keys), append_only.or(lower.append_only)),
        };
        Self {
            keys,
            append_only,
            cdc_only: self.cdc_only.or(lower.cdc_only),
            freshness: self.freshness.or(lower.freshness),
            retention: self.retention.or(lower.retention),
            columns: self.columns.or(lower.columns),
            layouts: self.layouts.or(lower.layouts),
            rename: self.rename.or(lower.rename),
            renamed: self.renamed.or(lower.renamed),
            store: self.store.or(lower.store),
            on_bad_row: self.on_bad_row.or(lower.on_bad_row),
            max_bad_rows: self.max_bad_rows.or(lower.max_bad_rows),
            max_change_fraction: self.max_change_fraction.or(lower.max_change_fraction),
            on_foreign_commit: self.on_foreign_commit.or(lower.on_foreign_commit),
            on_reload: self.on_reload.or(lower.on_reload),
            guard: self.guard.or(lower.guard),
            tombstone_retention_days: self
                .tombstone_retention_days
                .or(lower.tombstone_retention_days),
            on_column_gone: self.on_column_gone.or(lower.on_column_gone),
            on_column_added: self.on_column_added.or(lower.on_column_added),
            on_objects_vanished: self.on_objects_vanished.or(lower.on_objects_vanished),
            merge: self.merge.or(lower.merge),
            redshift_manifest: self.redshift_manifest.or(lower.redshift_manifest),
        }
    }

    /// The table with these keys.
    pub(super) fn into_spec(self, source: TableName) -> TableSpec {
        TableSpec {
            source,
            name: None,
            keys: self.keys.unwrap_or_default(),
            append_only: self.append_only.unwrap_or_default(),
            cdc_only: self.cdc_only.unwrap_or_default(),
            freshness: self.freshness.unwrap_or_default(),
            retention: self.retention,
            columns: self.columns.unwrap_or_default(),
            layouts: self.layouts.unwrap_or_default(),
            rename: self.rename.unwrap_or_default(),
            renamed: self.renamed.unwrap_or_default(),
            store: self.store.unwrap_or_default(),
            on_bad_row: self.on_bad_row.unwrap_or_default(),
            max_bad_rows: self.max_bad_rows.unwrap_or_default(),
            max_change_fraction: self.max_change_fraction.unwrap_or_default(),
            on_foreign_commit: self.on_foreign_commit.unwrap_or_default(),
            on_reload: self.on_reload.unwrap_or_default(),
            guard: self.guard.unwrap_or_default(),
            tombstone_retention_days: self
                .tombstone_retention_days
                .unwrap_or(TableSpec::TOMBSTONE_RETENTION_DAYS),
            on_column_gone: self.on_column_gone.unwrap_or_default(),
            on_column_added: self.on_column_added.unwrap_or_default(),
            on_objects_vanished: self.on_objects_vanished.unwrap_or_default(),
            merge: self.merge.unwrap_or_default(),
            redshift_manifest: self.redshift_manifest.unwrap_or_default(),
        }
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
        freshness: fields.duration("freshness", FRESHNESS, |wait| {
            wait.is_zero() || (MINUTE..=DAY).contains(&wait)
        }),
        retention: retention::read(&mut fields),
        columns: columns.map(|columns| columns.into_iter().filter_map(column).collect()),
        layouts: layouts.map(|layouts| layouts.into_iter().filter_map(layout).collect()),
        rename: fields.text_table("rename").map(|names| names.into_iter().collect()),
        renamed: fields.text_table("renamed").map(|names| names.into_iter().collect()),
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
        guard: fields.read("guard", "\"sequence\", \"off\"", |value| match value.as_str()? {
            "sequence" => Some(Guard::Sequence),
            "off" => Some(Guard::Off),
            _ => None,
        }),
        tombstone_retention_days: fields.read(
            "tombstone_retention_days",
            "1 to 365, a year",
            |value| {
                let days = value.as_integer().and_then(|days| u32::try_from(days).ok());
                days.filter(|days| (1..=365).contains(days))
            },
        ),
        on_column_gone: fields.read("on_column_gone", "\"keep\", \"drop\", \"hold\"", |value| {
            match value.as_str()? {
                "keep" => Some(OnColumnGone::Keep),
                "drop" => Some(OnColumnGone::Drop),
                "hold" => Some(OnColumnGone::Hold),
                _ => None,
            }
        }),
        on_column_added: fields.read("on_column_added", "\"add\", \"hold\"", |value| {
            match value.as_str()? {
                "add" => Some(OnColumnAdded::Add),
                "hold" => Some(OnColumnAdded::Hold),
                _ => None,
            }
        }),
        on_objects_vanished: fields.read("on_objects_vanished", VANISHED, |value| {
            match value.as_str()? {
                "hold" => Some(OnObjectsVanished::Hold),
                "truncate" => Some(OnObjectsVanished::Truncate),
                "ignore" => Some(OnObjectsVanished::Ignore),
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
    fields.required("source", SOURCE, table_name)
}

fn table_name(value: &Value) -> Option<TableName> {
    let name = |schema: &str, table: &str| {
        let is_folder = |name: &str| !["", ".", ".."].contains(&name);
        let name = TableName { schema: schema.to_owned(), table: table.to_owned() };
        (is_folder(schema) && is_folder(table)).then_some(name)
    };
    match value {
        Value::String(text) => text.split_once('.').and_then(|(schema, table)| name(schema, table)),
        Value::Table(parts) if parts.len() == 2 => {
            let part = |key: &str| parts.get(key).and_then(Value::as_str);
            name(part("schema")?, part("table")?)
        }
        _ => None,
    }
}
