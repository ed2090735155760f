//! Applies the rules of the DMS task to a table: other names and types for its own columns, and
//! further columns after them.

mod add;

use super::proposal::{Column, Keys, Proposal};
use crate::config::TableName;
use crate::dms::TableMappings;
use crate::dms::table_mappings::{Action, Level, Rule};

/// What a rule adds after a table's own columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// A column.
    Column(Column),
    /// Before images of unknown columns, and so of unknown number.
    BeforeImages,
}

impl Added {
    /// The column, if it is known.
    pub(super) fn column(&self) -> Option<&Column> {
        match self {
            Self::Column(column) => Some(column),
            Self::BeforeImages => None,
        }
    }

    /// The column, if it is known.
    pub(super) fn into_column(self) -> Option<Column> {
        match self {
            Self::Column(column) => Some(column),
            Self::BeforeImages => None,
        }
    }
}

/// What is known about a table's columns, in addition to the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sight {
    /// Whether the source declares them: then the proposal has them.
    pub(super) is_declared: bool,
    /// Whether it is known which table of the source it is.
    pub(super) is_named: bool,
    /// Whether a staged object shows them, as they are after the rules.
    pub(super) is_shown: bool,
}

/// Applies the rules to the source's columns in a proposal, and returns the columns that they add,
/// in their order. Anything unclear becomes a remark that names the rule.
pub(super) fn apply(
    proposal: &mut Proposal,
    source: &TableName,
    mappings: &TableMappings,
    sight: Sight,
) -> Vec<Added> {
    let rules: Vec<&Rule> = mappings.of_table(&source.schema, &source.table).collect();
    let columns = std::mem::take(&mut proposal.columns);
    let mut table = Ruled {
        own: columns.into_iter().map(|column| Own::new(column, &proposal.keys)).collect(),
        added: Vec::new(),
        remarks: Vec::new(),
        mappings,
        sight,
    };
    for rule in &rules {
        table.change(rule);
    }
    for rule in &rules {
        table.add(rule);
    }
    for rule in &rules {
        table.doubt(rule);
    }
    proposal.keys = table.keys(&proposal.keys);
    proposal.remarks.append(&mut table.remarks);
    proposal.columns = table.own.into_iter().map(|own| own.column).collect();
    table.added
}

/// How before images are named by a rule that adds those of key columns only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyImages {
    /// The rule's id.
    pub(super) id: String,
    /// The prefix of the column's name.
    pub(super) prefix: String,
    /// The suffix of the column's name.
    pub(super) suffix: String,
}

/// The rule that adds before images of the key to a table, if no rule adds those of other columns.
pub(super) fn key_images(source: &TableName, mappings: &TableMappings) -> Option<KeyImages> {
    let mut found = None;
    for rule in mappings.of_table(&source.schema, &source.table) {
        let Action::AddBeforeImages(images) = &rule.action else { continue };
        if !images.keys_only {
            return None;
        }
        found.get_or_insert_with(|| KeyImages {
            id: rule.id.clone(),
            prefix: images.prefix.clone(),
            suffix: images.suffix.clone(),
        });
    }
    found
}

/// A column of the source.
struct Own {
    source_name: String,
    is_key: bool,
    column: Column,
}

impl Own {
    fn new(column: Column, keys: &Keys) -> Self {
        let is_key = matches!(keys, Keys::Known(names) if names.contains(&column.name));
        Self { source_name: column.name.clone(), is_key, column }
    }
}

/// A table to which rules are applied.
struct Ruled<'a> {
    own: Vec<Own>,
    added: Vec<Added>,
    remarks: Vec<String>,
    mappings: &'a TableMappings,
    sight: Sight,
}

impl Ruled<'_> {
    fn remark(&mut self, rule: &Rule, sentence: impl std::fmt::Display) {
        self.remarks.push(format!("rule {} {sentence}", rule.id));
    }

    /// Applies what the rule changes about the table and its own columns.
    fn change(&mut self, rule: &Rule) {
        match &rule.action {
            Action::Include { is_filtered: true } => {
                self.remark(rule, "has filters: the table will hold only the rows that pass them");
            }
            Action::Other(what) => {
                self.remark(rule, format!("({what}): check against an object what it changes"));
            }
            Action::Rename { level: Level::Schema | Level::Table, .. } => {
                if !self.sight.is_named {
                    self.remark(
                        rule,
                        "renames folders: rules apply to a table by its name at the source, which \
                         --mysql finds out",
                    );
                }
            }
            Action::Rename { level: Level::Column, .. }
            | Action::RemoveColumn
            | Action::ChangeType(_) => {
                if self.sight.is_declared {
                    self.change_columns(rule);
                } else if !self.sight.is_shown {
                    self.remark(rule, "changes columns: fill in the changed ones");
                }
            }
            Action::Include { is_filtered: false }
            | Action::Exclude
            | Action::Load
            | Action::AddColumn(_)
            | Action::AddBeforeImages(_) => {}
        }
    }

    fn change_columns(&mut self, rule: &Rule) {
        let is_meant = |own: &Own| rule.locator.column.matches(&own.source_name);
        match &rule.action {
            Action::RemoveColumn => {
                if self.own.iter().any(|own| own.is_key && is_meant(own)) {
                    self.remark(rule, "removes a column of the primary key");
                }
                self.own.retain(|own| !is_meant(own));
            }
            Action::Rename { renaming, .. } => {
                for own in self.own.iter_mut().filter(|own| is_meant(own)) {
                    own.column.name = renaming.apply(&own.column.name);
                }
            }
            Action::ChangeType(data_type) => {
                let Some(mysql_type) = data_type.mysql_type() else {
                    let name = &data_type.name;
                    self.remark(
                        rule,
                        format_args!(
                            "changes columns to {name}, which corresponds to no known MySQL type: \
                             give one that reads them"
                        ),
                    );
                    return;
                };
                for own in self.own.iter_mut().filter(|own| is_meant(own)) {
                    let declared = own.column.mysql_type.replace(mysql_type.clone());
                    let declared = declared.unwrap_or_default();
                    own.column.remark = Some(format!("{declared} before rule {}", rule.id));
                }
            }
            _ => {}
        }
    }

    /// Notes a rule about columns that may also apply to added ones: DMS does not document that.
    fn doubt(&mut self, rule: &Rule) {
        let is_changed = |name: &str| match &rule.action {
            Action::Rename { level: Level::Column, renaming } => renaming.apply(name) != name,
            Action::RemoveColumn | Action::ChangeType(_) => true,
            _ => false,
        };
        let is_meant = |column: &&Column| {
            rule.locator.column.matches(&column.name) && is_changed(&column.name)
        };
        let name = self.added.iter().filter_map(Added::column).find(is_meant);
        if let Some(name) = name.map(|column| column.name.clone()) {
            self.remark(
                rule,
                format!(
                    "may apply to {name} too, which another rule adds: check against an object"
                ),
            );
        }
    }

    /// The keys under their new names; unknown if a rule removed one.
    fn keys(&self, keys: &Keys) -> Keys {
        let Keys::Known(names) = keys else { return keys.clone() };
        let renamed = names.iter().map(|key| {
            let own = self.own.iter().find(|own| own.source_name == *key)?;
            Some(own.column.name.clone())
        });
        renamed.collect::<Option<Vec<String>>>().map_or(Keys::Unknown, Keys::Known)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn rule(id: u8, action: &str, column: &str, members: Json) -> Json {
        let locator = json!({ "schema-name": "shop", "table-name": "%", "column-name": column });
        let mut rule = json!({
            "rule-type": "transformation", "rule-id": id, "rule-action": action,
            "rule-target": "column", "object-locator": locator,
        });
        let (Some(all), Json::Object(more)) = (rule.as_object_mut(), members) else {
            panic!("objects")
        };
        all.extend(more);
        rule
    }

    fn before(id: u8, prefix: &str, filter: &str) -> Json {
        let definition = json!({ "column-prefix": prefix, "column-filter": filter });
        rule(id, "add-before-image-columns", "%", json!({ "before-image-def": definition }))
    }

    /// `shop.orders` with the key `id`, under these rules: all its columns, and what to check.
    fn orders_under(rules: &[Json]) -> (Proposal, Vec<String>) {
        let mut all = vec![json!({ "rule-type": "selection", "rule-action": "include" })];
        all.extend_from_slice(rules);
        let mappings = TableMappings::parse(&json!({ "rules": all }).to_string());
        let source = TableName { schema: "shop".into(), table: "orders".into() };
        let mut proposal = Proposal::blank(source.clone(), String::new());
        proposal.keys = Keys::Known(vec!["id".into()]);
        for (name, mysql_type) in [("note", "longtext"), ("id", "bigint"), ("total", "text")] {
            let (name, mysql_type) = (name.to_owned(), Some(mysql_type.to_owned()));
            proposal.columns.push(Column { name, mysql_type, remark: None, is_set_apart: false });
        }
        let sight = Sight { is_declared: true, is_named: true, is_shown: false };
        let added = apply(&mut proposal, &source, &mappings.expect("valid rules"), sight);
        let columns = proposal.columns.iter().chain(added.iter().filter_map(Added::column));
        let columns = columns
            .map(|column| {
                let mysql_type = column.mysql_type.as_deref().unwrap_or_default();
                let mark = if column.is_set_apart { "-" } else { "" };
                format!("{mark}{} {mysql_type}", column.name)
            })
            .collect();
        (proposal, columns)
    }

    #[test]
    fn before_images_are_those_of_the_filter() {
        let own = ["note longtext", "id bigint", "total text"];
        for (filter, added) in [
            ("pk-only", vec!["-BI_id bigint"]),
            ("non-lob", vec!["-BI_id bigint", "-BI_total text"]),
            ("all", vec!["-BI_id bigint", "-BI_total text"]),
        ] {
            let (proposal, columns) = orders_under(&[before(1, "BI_", filter)]);
            assert_eq!(columns, [&own[..], &added].concat(), "{filter}");
            assert!(proposal.remarks.is_empty(), "{filter}: {proposal:?}");
        }
    }

    #[test]
    fn own_columns_change_before_others_are_added() {
        let (proposal, columns) = orders_under(&[
            before(1, "BI_", "all"),
            rule(2, "convert-uppercase", "id", json!({})),
            rule(3, "change-data-type", "total", json!({ "data-type": { "type": "int8" } })),
            rule(4, "remove-column", "n%", json!({})),
        ]);
        assert_eq!(columns, ["ID bigint", "total bigint", "-BI_ID bigint", "-BI_total bigint"]);
        assert_eq!(proposal.keys, Keys::Known(vec!["ID".into()]));
        let [remark] = proposal.remarks.as_slice() else { panic!("one in {proposal:?}") };
        assert!(remark.starts_with("rule 1 adds a before image of id, which another"), "{remark}");
    }

    #[test]
    fn what_a_configuration_cannot_say_is_told() {
        let sequence = |id, name| {
            rule(id, "add-column", "%", json!({ "value": name, "expression": "$AR_H_CHANGE_SEQ" }))
        };
        let (proposal, columns) = orders_under(&[
            before(1, "BI_", "pk-only"),
            before(2, "OLD_", "pk-only"),
            sequence(3, "seq"),
            sequence(4, "other"),
            rule(5, "add-column", "%", json!({ "value": "total", "expression": "1" })),
            rule(6, "remove-column", "id", json!({})),
        ]);
        assert_eq!(
            columns,
            ["note longtext", "total text", "-seq varchar(35)", "other varchar(35)"]
        );
        assert_eq!(proposal.keys, Keys::Unknown);
        for told in [
            "rule 2 names before images OLD_…",
            "rule 4 names the change sequence other, another rule seq",
            "rule 5 gives total no known type",
            "rule 5 adds total, which exists already",
            "rule 6 removes a column of the primary key",
        ] {
            let is_told = proposal.remarks.iter().any(|remark| remark.starts_with(told));
            assert!(is_told, "{told} in {proposal:?}");
        }
    }
}
