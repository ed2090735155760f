//! The table mappings of a DMS task: which tables it includes, and how its rules change them.
//!
//! They are read once into [`Rule`]s, in the order in which they are written. [`TableMappings`] says
//! what the rules mean for one table; a rule that is not understood is an [`Action::Other`].

mod data_type;
mod migration;
mod origin;
mod pattern;
mod read;
mod rule;

use serde_json::Value as Json;

use crate::error::{Error, ErrorKind, Result};

pub use data_type::{DataType, is_large_object};
pub use migration::Migration;
pub use origin::Origin;
pub use pattern::{Locator, Pattern};
pub use rule::{Action, AddedColumn, BeforeImages, Level, Renaming, Rule};

/// The rules of one task, at least one of which includes tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableMappings {
    rules: Vec<Rule>,
    migration: Option<Migration>,
}

impl TableMappings {
    /// Reads the JSON of the rules themselves, of `aws dms describe-replication-tasks`, or of
    /// `aws dms describe-replication-configs` (serverless).
    ///
    /// ```
    /// use dmslake::dms::TableMappings;
    ///
    /// let mappings = TableMappings::parse(r#"{ "rules": [
    ///     { "rule-type": "selection", "rule-id": "1", "rule-action": "include",
    ///       "object-locator": { "schema-name": "shop", "table-name": "%" } },
    ///     { "rule-type": "transformation", "rule-id": "2", "rule-target": "column",
    ///       "rule-action": "add-column", "value": "cdc_seq", "expression": "$AR_H_CHANGE_SEQ",
    ///       "object-locator": { "schema-name": "%", "table-name": "%" } }
    /// ] }"#)?;
    /// assert!(mappings.selects("shop", "orders") && !mappings.selects("mysql", "user"));
    /// assert_eq!(mappings.change_seq_column(), Some("cdc_seq"));
    /// # Ok::<(), dmslake::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Config` if it is not such JSON, if it does not hold exactly one task, if no rule includes
    /// tables, or if rules lack required members: all of them, one per line.
    pub fn parse(json: &str) -> Result<Self> {
        let root = document(json)?;
        let task = task(&root)?;
        let migration = task.and_then(Migration::of_task);
        let rules = match task.map(mappings_of).transpose()? {
            Some(Json::String(text)) => written(&document(text)?)?.clone(),
            Some(mappings) => written(mappings)?.clone(),
            None => written(&root)?.clone(),
        };
        let (rules, refused): (Vec<_>, Vec<_>) = rules
            .iter()
            .enumerate()
            .map(|(position, rule)| read::rule(position, rule))
            .partition(std::result::Result::is_ok);
        if !refused.is_empty() {
            let lines: Vec<_> = refused.into_iter().filter_map(std::result::Result::err).collect();
            return Err(Error::new(ErrorKind::Config, lines.join("\n")));
        }
        let rules: Vec<Rule> = rules.into_iter().flatten().collect();
        if !rules.iter().any(|rule| matches!(rule.action, Action::Include { .. })) {
            return Err(config("the table mappings have no selection rule that includes tables"));
        }
        Ok(Self { rules, migration })
    }

    /// The kind of the task, if more than its rules is known.
    #[must_use]
    pub fn migration(&self) -> Option<Migration> {
        self.migration
    }

    /// The rules in written order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rules that apply to a table of the source or to its columns, in order.
    pub fn of_table<'a>(
        &'a self,
        schema: &'a str,
        table: &'a str,
    ) -> impl Iterator<Item = &'a Rule> {
        self.rules.iter().filter(move |rule| rule.locator.has_table(schema, table))
    }

    /// Whether the task includes a table: a rule includes it and none excludes it.
    #[must_use]
    pub fn selects(&self, schema: &str, table: &str) -> bool {
        let mut is_included = false;
        for rule in self.of_table(schema, table) {
            match rule.action {
                Action::Include { .. } => is_included = true,
                Action::Exclude => return false,
                _ => {}
            }
        }
        is_included
    }

    /// The names of a table's schema folder and table folder in staging.
    #[must_use]
    pub fn folders(&self, schema: &str, table: &str) -> (String, String) {
        let mut folders = (schema.to_owned(), table.to_owned());
        for rule in self.of_table(schema, table) {
            match &rule.action {
                Action::Rename { level: Level::Schema, renaming } => {
                    folders.0 = renaming.apply(&folders.0);
                }
                Action::Rename { level: Level::Table, renaming } => {
                    folders.1 = renaming.apply(&folders.1);
                }
                _ => {}
            }
        }
        folders
    }

    /// The column that holds the change sequence, named by the first rule that adds one.
    #[must_use]
    pub fn change_seq_column(&self) -> Option<&str> {
        self.rules.iter().find_map(|rule| match &rule.action {
            Action::AddColumn(column) if column.is_change_sequence() => Some(&*column.name),
            _ => None,
        })
    }

    /// The prefix of before images, given by the first rule that adds some with a prefix only.
    #[must_use]
    pub fn before_image_prefix(&self) -> Option<&str> {
        self.rules.iter().find_map(|rule| match &rule.action {
            Action::AddBeforeImages(images) if images.suffix.is_empty() => Some(&*images.prefix),
            _ => None,
        })
    }
}

fn config(sentence: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, sentence)
}

pub(super) fn document(json: &str) -> Result<Json> {
    serde_json::from_str(json)
        .map_err(|error| config("the table mappings are not valid JSON").because(error))
}

/// The only task in the JSON; `None` if it holds the mappings alone.
pub(super) fn task(root: &Json) -> Result<Option<&Json>> {
    if !root.is_object() {
        return Err(config("the table mappings are not a JSON object"));
    }
    for (list, identifier) in [
        ("ReplicationTasks", "ReplicationTaskIdentifier"),
        ("ReplicationConfigs", "ReplicationConfigIdentifier"),
    ] {
        let Some(tasks) = root.get(list).and_then(Json::as_array) else { continue };
        if let [task] = tasks.as_slice() {
            return Ok(Some(task));
        }
        let names = tasks.iter().filter_map(|task| task.get(identifier)?.as_str());
        let names = names.collect::<Vec<_>>().join(", ");
        return Err(config(match tasks.len() {
            0 => format!("{list} holds no task"),
            _ => format!("{list} holds several tasks ({names}); choose one with --filters"),
        }));
    }
    for single in ["ReplicationTask", "ReplicationConfig"] {
        if let Some(task) = root.get(single) {
            return Ok(Some(task));
        }
    }
    Ok(root.get("TableMappings").map(|_| root))
}

fn mappings_of(task: &Json) -> Result<&Json> {
    let without = "the task has no TableMappings; --without-settings leaves them out";
    task.get("TableMappings").ok_or_else(|| config(without))
}

fn written(mappings: &Json) -> Result<&Vec<Json>> {
    let rules = mappings.get("rules").and_then(Json::as_array);
    rules.ok_or_else(|| config("the table mappings have no `rules` list"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(kind: &str, action: &str, schema: &str, table: &str) -> Json {
        let locator = json!({ "schema-name": schema, "table-name": table });
        json!({ "rule-type": kind, "rule-id": 7, "rule-action": action, "object-locator": locator })
    }

    fn with(mut rule: Json, members: Json) -> Json {
        let (Some(all), Json::Object(more)) = (rule.as_object_mut(), members) else {
            panic!("objects")
        };
        all.extend(more);
        rule
    }

    fn everything() -> Json {
        rule("selection", "include", "%", "%")
    }

    fn transformation(action: &str, members: Json) -> Json {
        with(rule("transformation", action, "%", "%"), members)
    }

    fn parse(rules: &[Json]) -> Result<TableMappings> {
        TableMappings::parse(&json!({ "rules": rules }).to_string())
    }

    fn action(rule: Json) -> Action {
        let mappings = parse(&[everything(), rule]).expect("valid rules");
        mappings.rules()[1].action.clone()
    }

    #[test]
    fn rules_are_found_wherever_aws_prints_them() {
        let rules = json!({ "rules": [everything()] });
        let task = json!({ "ReplicationTaskIdentifier": "a", "TableMappings": rules.to_string() });
        for printed in [
            rules.clone(),
            json!({ "ReplicationTasks": [task.clone()] }),
            json!({ "ReplicationConfigs": [{ "TableMappings": rules.to_string() }] }),
            json!({ "ReplicationTask": task.clone() }),
            json!({ "TableMappings": rules }),
        ] {
            let mappings = TableMappings::parse(&printed.to_string()).expect("one task");
            assert_eq!(mappings.rules().len(), 1, "{printed}");
            assert_eq!(mappings.migration(), None, "{printed}");
        }
        let of = |list: &str, kind: &str, spelled: &str| {
            let task = json!({ "TableMappings": rules.to_string(), kind: spelled });
            let printed = json!({ list: [task] }).to_string();
            TableMappings::parse(&printed).expect("one task").migration()
        };
        let of_task = |spelled| of("ReplicationTasks", "MigrationType", spelled);
        assert_eq!(of_task("full-load"), Some(Migration::FullLoad));
        assert_eq!(of_task("cdc"), Some(Migration::Changes));
        assert_eq!(of_task("full-load-and-cdc"), Some(Migration::Both));
        assert_eq!(of_task("new"), None);
        let serverless = of("ReplicationConfigs", "ReplicationType", "cdc");
        assert_eq!(serverless, Some(Migration::Changes));
        for (printed, sentence) in [
            (json!({ "ReplicationTasks": [task.clone(), task] }), "several tasks"),
            (json!({ "ReplicationTasks": [] }), "no task"),
            (json!({ "ReplicationTasks": [{}] }), "no TableMappings"),
            (json!({ "TableMappings": "{" }), "not valid JSON"),
            (json!([]), "not a JSON object"),
            (json!({}), "no `rules` list"),
            (json!({ "rules": [] }), "no selection rule"),
        ] {
            let error = TableMappings::parse(&printed.to_string()).expect_err(sentence);
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().contains(sentence), "{printed}: {error}");
        }
    }

    #[test]
    fn a_table_is_taken_if_it_is_included_and_not_excluded() {
        let views = json!({ "object-locator": { "schema-name": "v", "table-type": "view" } });
        let mappings = parse(&[
            rule("selection", "exclude", "shop", "%_log"),
            rule("selection", "include", "shop%", "%"),
            rule("selection", "explicit", "a%", "b"),
            with(rule("selection", "include", "", ""), views),
        ])
        .expect("valid rules");
        for (schema, table, expected) in [
            ("shop", "orders", true),
            ("shop2", "a_log", true),
            ("shop", "a_log", false),
            ("other", "orders", false),
            ("a%", "b", true),
            ("ab", "b", false),
            ("v", "names", false),
        ] {
            assert_eq!(mappings.selects(schema, table), expected, "{schema}.{table}");
        }
    }

    #[test]
    fn folders_bear_the_new_names() {
        let rename = |target: &str, action: &str, members: Json| {
            with(transformation(action, json!({ "rule-target": target })), members)
        };
        let mappings = parse(&[
            everything(),
            rename("schema", "replace-suffix", json!({ "old-value": "_db", "value": "_lake" })),
            rename("table", "convert-lowercase", json!({})),
            rename("table", "remove-prefix", json!({ "value": "t_" })),
            rename("column", "rename", json!({ "value": "x" })),
        ])
        .expect("valid rules");
        assert_eq!(mappings.folders("shop_db", "T_Orders"), ("shop_lake".into(), "orders".into()));
        assert_eq!(mappings.folders("shop", "Items"), ("shop".into(), "items".into()));
    }

    #[test]
    fn what_is_not_known_is_told_and_what_is_not_whole_is_refused() {
        let other = |rule| matches!(action(rule), Action::Other(_));
        assert!(other(transformation("include-column", json!({ "rule-target": "column" }))));
        assert!(other(transformation("rename", json!({ "rule-target": "table-tablespace" }))));
        assert!(other(rule("object-mapping", "map-record-to-record", "%", "%")));
        let lobs = json!({ "lob-settings": { "mode": "none" } });
        assert!(other(with(rule("table-settings", "", "%", "%"), lobs)));
        assert_eq!(action(json!({ "rule-type": "table-settings", "new": 1 })), Action::Load);

        let error = parse(&[
            everything(),
            transformation("add-column", json!({})),
            transformation("add-before-image-columns", json!({ "before-image-def": {} })),
            transformation("rename", json!({ "rule-target": "table", "value": 3 })),
            json!({ "rule-id": "x" }),
        ])
        .expect_err("four of them");
        let lines: Vec<&str> = error.message().lines().collect();
        assert_eq!(lines.len(), 4, "{error}");
        assert!(lines[0].starts_with("rule 7: value is missing"), "{error}");
        assert!(lines[1].contains("pk-only, non-lob, all"), "{error}");
        assert!(lines[3].starts_with("rule x: missing field `rule-type`"), "{error}");
    }

    #[test]
    fn before_images_have_a_prefix_by_default() {
        let images = |definition: Json| {
            let members = json!({ "before-image-def": definition });
            parse(&[everything(), transformation("add-before-image-columns", members)])
        };
        let mappings = images(json!({ "column-filter": "pk-only" })).expect("valid rules");
        assert_eq!(mappings.before_image_prefix(), Some("BI_"));
        let suffixed = json!({ "column-filter": "all", "column-suffix": "_old" });
        assert_eq!(images(suffixed).expect("valid rules").before_image_prefix(), None);
        images(json!({ "column-filter": "all", "column-prefix": "" })).expect_err("no name");
    }
}
