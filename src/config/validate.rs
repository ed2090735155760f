//! Checks of whole tables. All violations are reported, not only the first.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::fields::{Place, Violations};
use crate::config::names::{refused_beside, refused_column_name};
use crate::config::{
    ColumnSpec, FRESHNESS_LEEWAY, LAKE_FOLDERS, Layout, SEQUENCE, TableName, TableSpec,
};
use crate::dms::S3Settings;

/// The folder of a Delta table's log.
const LOG_FOLDER: &str = "_delta_log";

/// Checks every table by itself and against the others.
pub(super) fn tables(tables: &[(Place, TableSpec)], dms: &S3Settings, violations: &Violations) {
    let mut seen: BTreeMap<&TableName, String> = BTreeMap::new();
    for (place, spec) in tables {
        let field = place.field("source");
        // A source that could not be read has a violation of its own and no name.
        if !spec.source.schema.is_empty() {
            if let Some(first) = seen.get(&spec.source) {
                violations.add(&field, format!("is the same as {first}; list each table once"));
            }
            seen.entry(&spec.source).or_insert(field);
        }
        Check { place, spec, dms, violations }.all();
    }
}

/// Checks that schedules come often enough for the freshness of every table.
pub(super) fn freshness(
    tables: &[(Place, TableSpec)],
    look_every: Option<Duration>,
    violations: &Violations,
) {
    for (place, spec) in tables.iter().filter(|(_, spec)| !spec.freshness.is_zero()) {
        let latest = spec.freshness + FRESHNESS_LEEWAY;
        if look_every.is_none_or(|every| every > latest) {
            let latest = humantime::format_duration(latest);
            violations.add(
                place.field("freshness"),
                format!(
                    "cannot be kept: a doorbell may be lost, so look_every has to be {latest} or \
                     less, as often as the schedule sends {{\"sweep\": \"due\"}}"
                ),
            );
        }
    }
}

/// One table under check.
struct Check<'a> {
    place: &'a Place,
    spec: &'a TableSpec,
    dms: &'a S3Settings,
    violations: &'a Violations,
}

impl Check<'_> {
    fn all(&self) {
        self.source();
        self.keys();
        self.columns("columns", &self.spec.columns);
        for (position, layout) in self.spec.layouts.iter().enumerate() {
            self.columns(&format!("layout[{position}].columns"), &layout.columns);
        }
        self.layout_order();
        self.letter_case();
        self.rename();
        self.renamed();
        self.store();
        self.guard();
    }

    fn refuse(&self, name: &str, sentence: impl std::fmt::Display) {
        self.violations.add(self.place.field(name), sentence);
    }

    /// Refuses schemas and tables whose folders mean something else in the lake.
    fn source(&self) {
        let TableName { schema, table } = &self.spec.source;
        if LAKE_FOLDERS.contains(&schema.as_str()) {
            self.refuse(
                "source",
                format!(
                    "{schema} is a folder of the lake itself, not a schema; rename the schema with \
                     a rule of the task"
                ),
            );
        }
        if [schema, table].into_iter().any(|name| name == LOG_FOLDER) {
            self.refuse(
                "source",
                format!(
                    "readers take a folder with {LOG_FOLDER} in it for a Delta table; rename it \
                     with a rule of the task"
                ),
            );
        }
    }

    fn keys(&self) {
        let keys = &self.spec.keys;
        if keys.is_empty() && !self.spec.append_only {
            if !self.violations.has(&self.place.field("keys")) {
                let allowed =
                    "the key columns' names, or append_only = true for a table without a key";
                self.refuse("keys", format!("is missing; allowed: {allowed}"));
            }
            return;
        }
        if self.spec.append_only && !keys.is_empty() {
            self.refuse("keys", "contradicts append_only = true; allowed: one of the two");
            return;
        }
        self.key_list("keys", keys, &self.columns_until(self.spec.layouts.iter()));
        let lake_keys = self.spec.lake_keys();
        for (position, layout) in self.spec.layouts.iter().enumerate() {
            let Some(keys) = &layout.keys else { continue };
            let field = format!("layout[{position}].keys");
            if self.spec.append_only {
                self.refuse(&field, "contradicts append_only = true; allowed: one of the two");
                continue;
            }
            let mut columns = self.columns_until(self.spec.layouts[position + 1..].iter());
            columns[0] = self.columns_at(position);
            self.key_list(&field, keys, &columns);
            let mut names: Vec<&str> = keys.iter().map(|key| self.spec.lake_name(key)).collect();
            let mut expected: Vec<&str> = lake_keys.iter().map(String::as_str).collect();
            names.sort_unstable();
            expected.sort_unstable();
            if names != expected {
                let (names, expected) = (names.join(", "), expected.join(", "));
                self.refuse(
                    &field,
                    format!(
                        "would be {names} in the lake, but the keys there are {expected}; map each \
                         new name to the old one: rename = {{ new = \"old\" }}"
                    ),
                );
            }
        }
    }

    /// The columns that apply at a layout.
    fn columns_at(&self, position: usize) -> &[ColumnSpec] {
        let mut until = self.spec.layouts[..=position].iter().rev();
        let latest = until.find(|layout| !layout.columns.is_empty());
        latest.map_or(&self.spec.columns, |layout| &layout.columns)
    }

    /// The columns of the table, and those of layouts until one has keys of its own.
    fn columns_until<'b>(
        &'b self,
        layouts: impl Iterator<Item = &'b Layout>,
    ) -> Vec<&'b [ColumnSpec]> {
        let same_keys = layouts.take_while(|layout| layout.keys.is_none());
        let columns = same_keys.map(|layout| layout.columns.as_slice());
        [self.spec.columns.as_slice()].into_iter().chain(columns).collect()
    }

    /// Checks one list of keys against the lists of columns that apply with it.
    fn key_list(&self, list: &str, keys: &[String], columns: &[&[ColumnSpec]]) {
        for (position, key) in keys.iter().enumerate() {
            let field = format!("{list}[{position}]");
            let lake_name = self.spec.lake_name(key);
            let mut earlier = keys[..position].iter();
            if earlier.any(|other| same(other, key) || same(self.spec.lake_name(other), lake_name))
            {
                self.refuse(&field, format!("\"{key}\" is already in keys"));
            } else if self.is_control(key) {
                self.refuse(
                    &field,
                    format!("\"{key}\" is a control column, not one of the source"),
                );
            } else {
                self.key_column(&field, key, columns);
            }
        }
    }

    /// Checks that a key is spelled as in the columns, and that every layout has it. Without
    /// layouts, the columns need not be complete.
    fn key_column(&self, field: &str, key: &str, lists: &[&[ColumnSpec]]) {
        let has_layouts = self.spec.layouts.iter().any(|layout| !layout.columns.is_empty());
        for columns in lists.iter().rev() {
            if columns.iter().any(|column| column.name == key) {
                continue;
            }
            let other_spelling = |column: &&ColumnSpec| {
                let is_renamed = self.spec.lake_name(&column.name) == self.spec.lake_name(key);
                same(&column.name, key) && !is_renamed
            };
            if let Some(column) = columns.iter().find(other_spelling) {
                let spelled = &column.name;
                self.refuse(field, format!("\"{key}\" is spelled \"{spelled}\" in columns"));
                return;
            }
            if has_layouts && !columns.is_empty() {
                self.refuse(field, format!("\"{key}\" is missing from columns or from a layout"));
                return;
            }
        }
        let is_configured = self.spec.column(key).is_some();
        if let (false, Some(why)) = (is_configured, self.refused_lake_name(key)) {
            self.refuse(field, why);
        }
    }

    /// Checks that names in one list of columns are unique, at the source and in the lake.
    fn columns(&self, list: &str, columns: &[ColumnSpec]) {
        for (position, column) in columns.iter().enumerate() {
            let field = format!("{list}[{position}].name");
            let name = &column.name;
            if columns[..position].iter().any(|earlier| earlier.name == *name) {
                self.refuse(&field, format!("\"{name}\" is already in {list}"));
                continue;
            }
            if !self.is_stored(name, columns) {
                continue;
            }
            let lake_name = self.spec.lake_name(name);
            let others =
                columns[..position].iter().filter(|other| self.is_stored(&other.name, columns));
            for other in others.map(|other| other.name.as_str()) {
                if same(self.spec.lake_name(other), lake_name) {
                    self.refuse(
                        &field,
                        format!(
                            "\"{name}\" and \"{other}\" would both be \"{lake_name}\" in the lake; \
                             give one another name: rename = {{ {name:?} = \"{lake_name}_2\" }}"
                        ),
                    );
                }
            }
            if let Some(why) = self.refused_lake_name(name) {
                self.refuse(&field, why);
            }
        }
    }

    fn layout_order(&self) {
        let layouts = self.spec.layouts.iter().enumerate();
        for ((_, earlier), (position, later)) in layouts.clone().zip(layouts.skip(1)) {
            if later.from <= earlier.from {
                let field = format!("layout[{position}].from");
                self.refuse(
                    &field,
                    "is not after that of the previous layout; sort layouts by from",
                );
            }
        }
    }

    /// Checks that layouts do not spell one column of the lake in two ways: to readers it is one.
    fn letter_case(&self) {
        let layouts = self.spec.layouts.iter().map(|layout| layout.columns.as_slice());
        let mut spelled: BTreeMap<String, &str> = BTreeMap::new();
        for columns in [self.spec.columns.as_slice()].into_iter().chain(layouts) {
            for column in columns.iter().filter(|column| self.is_stored(&column.name, columns)) {
                let name = self.spec.lake_name(&column.name);
                let first = *spelled.entry(name.to_lowercase()).or_insert(name);
                if first != name && !columns.iter().any(|c| self.spec.lake_name(&c.name) == first) {
                    let remedy = format!("rename = {{ {name:?} = {first:?} }}");
                    self.refuse(
                        "layout",
                        format!(
                            "\"{first}\" and \"{name}\" would be one column of the lake; {remedy}"
                        ),
                    );
                }
            }
        }
    }

    /// Checks the new names. Several columns may be renamed to one if no object has two of them: a
    /// column that was renamed more than once at the source, or is spelled in several ways.
    fn rename(&self) {
        let mut taken: BTreeMap<String, (&str, &str)> = BTreeMap::new();
        for (source, lake_name) in &self.spec.rename {
            let field = format!("rename.{source}");
            if let Some(why) = refused_column_name(lake_name) {
                self.refuse(&field, why);
            }
            let first = *taken.entry(lake_name.to_lowercase()).or_insert((source, lake_name));
            if first.1 != lake_name {
                self.refuse(
                    &field,
                    format!(
                        "\"{lake_name}\" and \"{}\", the new name of \"{}\", would be one column \
                         of the lake; spell both alike",
                        first.1, first.0
                    ),
                );
            }
        }
    }

    /// Checks that every column moves on to another name, and none back to its own.
    fn renamed(&self) {
        let renamed = &self.spec.renamed;
        for (old, new) in renamed {
            let field = format!("renamed.{old}");
            let mut names = std::iter::successors(Some(new), |name| renamed.get(*name));
            if names.by_ref().take(renamed.len()).any(|name| name == old) {
                self.refuse(&field, format!("\"{old}\" would get its own name again"));
            } else if let Some(why) = refused_column_name(self.spec.lake_name(old)) {
                self.refuse(&field, why);
            }
        }
    }

    /// Checks that `store` names only columns that are not stored anyway.
    fn store(&self) {
        let prefix = self.dms.before_image_prefix.as_deref();
        for (position, name) in self.spec.store.iter().enumerate() {
            let field = format!("store[{position}]");
            let is_before_image = prefix.is_some_and(|prefix| name.starts_with(prefix));
            if self.spec.store[..position].contains(name) {
                self.refuse(&field, format!("\"{name}\" is already in store"));
            } else if name != "Op" && !self.is_control(name) && !is_before_image {
                let columns = [&self.dms.timestamp_column_name, &self.dms.change_seq_column];
                let mut allowed = vec!["Op".to_owned()];
                allowed.extend(columns.into_iter().flatten().cloned());
                allowed.extend(prefix.map(|prefix| format!("names that begin with {prefix}")));
                let allowed = allowed.join(", ");
                self.refuse(&field, format!("\"{name}\" is not allowed; allowed: {allowed}"));
            } else if let Some(why) = self.refused_lake_name(name) {
                self.refuse(&field, why);
            }
        }
    }

    /// Checks that a guarded table has sequences, and a name free for them.
    fn guard(&self) {
        if !self.spec.is_guarded() {
            return;
        }
        let Some(sequence) = &self.dms.change_seq_column else {
            let why = "\"sequence\" needs change_seq_column in [dms]; allowed: \"off\" without it";
            return self.refuse("guard", why);
        };
        let later = self.spec.layouts.iter().flat_map(|layout| &layout.columns);
        let columns = self.spec.columns.iter().chain(later).map(|column| column.name.as_str());
        let names = columns.chain(self.spec.rename.keys().map(String::as_str));
        let mut others = names.filter(|name| *name != sequence.as_str());
        if let Some(name) = others.find(|name| same(self.spec.lake_name(name), SEQUENCE)) {
            let why = format!(
                "\"sequence\" keeps the change sequence as {SEQUENCE}, the name of \"{name}\" in the \
                 lake; give that another name in `rename`, or allowed: \"off\""
            );
            self.refuse("guard", why);
        }
    }

    /// Whether a column is the timestamp or the change-sequence column.
    fn is_control(&self, name: &str) -> bool {
        let columns = [&self.dms.timestamp_column_name, &self.dms.change_seq_column];
        columns.into_iter().flatten().any(|column| column == name)
    }

    /// Whether a column in a list of columns is stored in the lake.
    fn is_stored(&self, name: &str, columns: &[ColumnSpec]) -> bool {
        let prefix = self.dms.before_image_prefix.as_deref();
        let described = prefix.and_then(|prefix| name.strip_prefix(prefix));
        let is_before_image = described
            .is_some_and(|described| columns.iter().any(|column| column.name == described));
        let is_set_apart = self.is_control(name) || is_before_image;
        !is_set_apart || self.spec.store.iter().any(|stored| stored == name)
    }

    /// Why a column cannot be stored under its own name. New names are checked in `rename`.
    fn refused_lake_name(&self, source_column: &str) -> Option<String> {
        if self.spec.rename.contains_key(source_column) {
            return None;
        }
        let later = self.spec.layouts.iter().flat_map(|layout| &layout.columns);
        let columns = self.spec.columns.iter().chain(later);
        let mut taken: Vec<&str> =
            columns.map(|column| self.spec.lake_name(&column.name)).collect();
        taken.extend(self.spec.keys.iter().map(|key| self.spec.lake_name(key)));
        taken.extend(self.spec.rename.values().map(String::as_str));
        refused_beside(source_column, |name| taken.iter().any(|other| same(other, name)))
    }
}

/// Whether readers of the lake take two names for one: letter case does not matter to them.
fn same(left: &str, right: &str) -> bool {
    left.to_lowercase() == right.to_lowercase()
}
