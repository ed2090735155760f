//! Finds the source table of a staged folder from the rules that rename schemas and tables.

use std::collections::BTreeSet;

use super::{Action, Level, Renaming, Rule, TableMappings};

/// What the rules say about a staged table's source, without asking the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is this table of the source, which the task includes.
    Known {
        /// Its schema there.
        schema: String,
        /// Its name there.
        table: String,
    },
    /// It may be one of several tables that rules rename.
    Untold,
    /// The task includes no table that is staged under this name.
    Nowhere,
}

impl TableMappings {
    /// The source table of these folders in staging.
    #[must_use]
    pub fn origin(&self, schema: &str, table: &str) -> Origin {
        let is_it = |(source_schema, source_table): &(&String, &String)| {
            let folders = self.folders(source_schema, source_table);
            self.selects(source_schema, source_table)
                && (folders.0.as_str(), folders.1.as_str()) == (schema, table)
        };
        let schemas = self.earlier_names(schema, Level::Schema);
        let tables = self.earlier_names(table, Level::Table);
        let pairs =
            schemas.iter().flat_map(|schema| tables.iter().map(move |table| (schema, table)));
        let found: Vec<_> = pairs.filter(is_it).collect();
        match found.as_slice() {
            [(schema, table)] => {
                Origin::Known { schema: (*schema).clone(), table: (*table).clone() }
            }
            [] if !self.may_rename_to(schema, table) => Origin::Nowhere,
            _ => Origin::Untold,
        }
    }

    /// Names at the source that may have been renamed to `name`, and `name` itself.
    fn earlier_names(&self, name: &str, level: Level) -> BTreeSet<String> {
        let of_rule = |rule: &Rule| match level {
            Level::Schema => rule.locator.schema.only_name(),
            _ => rule.locator.table.only_name(),
        };
        let mut names: BTreeSet<String> = self.rules.iter().filter_map(of_rule).collect();
        let mut renamed = BTreeSet::from([name.to_owned()]);
        for rule in self.rules.iter().rev() {
            if let Action::Rename { level: renames, renaming } = &rule.action
                && *renames == level
            {
                let earlier: Vec<String> =
                    renamed.iter().flat_map(|name| before(renaming, name)).collect();
                renamed.extend(earlier);
            }
        }
        names.append(&mut renamed);
        names
    }

    /// Whether a rule with wildcards may rename something to these names.
    fn may_rename_to(&self, schema: &str, table: &str) -> bool {
        self.rules.iter().any(|rule| match &rule.action {
            Action::Rename { level, renaming } => {
                let name = match level {
                    Level::Schema => schema,
                    Level::Table => table,
                    Level::Column => return false,
                };
                match renaming {
                    Renaming::To(new) => new == name,
                    Renaming::Lowercase => name.to_lowercase() == name,
                    Renaming::Uppercase => name.to_uppercase() == name,
                    // These can be reversed, see `before`.
                    Renaming::Prefix { .. } | Renaming::Suffix { .. } => false,
                }
            }
            Action::Other(what) => what.starts_with("rename"),
            _ => false,
        })
    }
}

/// Names that a renaming turns into `name`, if they can be derived from it.
fn before(renaming: &Renaming, name: &str) -> Vec<String> {
    match renaming {
        Renaming::To(_) => Vec::new(),
        Renaming::Prefix { old, new } => {
            name.strip_prefix(new.as_str()).map(|rest| format!("{old}{rest}")).into_iter().collect()
        }
        Renaming::Suffix { old, new } => {
            name.strip_suffix(new.as_str()).map(|rest| format!("{rest}{old}")).into_iter().collect()
        }
        Renaming::Lowercase => vec![name.to_uppercase()],
        Renaming::Uppercase => vec![name.to_lowercase()],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn rule(target: &str, action: &str, schema: &str, table: &str, members: &Json) -> Json {
        let mut rule = json!({
            "rule-type": "transformation", "rule-id": 7, "rule-target": target,
            "rule-action": action,
            "object-locator": { "schema-name": schema, "table-name": table },
        });
        let all = rule.as_object_mut().expect("an object");
        all.extend(members.as_object().expect("an object").clone());
        rule
    }

    /// Under a rule that takes tables of that pattern, and these renamings.
    fn origin(selected: (&str, &str), rules: &[Json], schema: &str, table: &str) -> Origin {
        let locator = json!({ "schema-name": selected.0, "table-name": selected.1 });
        let mut all = vec![json!({
            "rule-type": "selection", "rule-action": "include", "object-locator": locator,
        })];
        all.extend_from_slice(rules);
        let mappings = TableMappings::parse(&json!({ "rules": all }).to_string());
        mappings.expect("valid rules").origin(schema, table)
    }

    fn known(schema: &str, table: &str) -> Origin {
        Origin::Known { schema: schema.to_owned(), table: table.to_owned() }
    }

    #[test]
    fn a_renamed_table_is_found_under_its_new_name() {
        let to =
            |target, schema, new| rule(target, "rename", schema, "%", &json!({ "value": new }));
        let all = ("shop", "%");
        assert_eq!(origin(all, &[to("schema", "shop", "lake")], "lake", "t"), known("shop", "t"));
        // The name is in the rule that includes its tables, not in the one that renames.
        assert_eq!(origin(all, &[to("schema", "%", "lake")], "lake", "t"), known("shop", "t"));
        let prefix = rule("table", "add-prefix", "%", "%", &json!({ "value": "x_" }));
        assert_eq!(origin(all, std::slice::from_ref(&prefix), "shop", "x_t"), known("shop", "t"));
        let both = [to("schema", "shop", "lake"), prefix];
        assert_eq!(origin(all, &both, "lake", "x_t"), known("shop", "t"));
        let lower = rule("schema", "convert-lowercase", "%", "%", &json!({}));
        assert_eq!(origin(("SHOP", "%"), &[lower], "shop", "t"), known("SHOP", "t"));
        let one = rule("table", "rename", "shop", "orders", &json!({ "value": "sales" }));
        assert_eq!(origin(("shop", "orders"), &[one], "shop", "sales"), known("shop", "orders"));
    }

    #[test]
    fn what_the_rules_do_not_tell_is_told_from_what_they_do_not_take() {
        let to = rule("schema", "rename", "%", "%", &json!({ "value": "lake" }));
        assert_eq!(origin(("s%", "%"), std::slice::from_ref(&to), "lake", "t"), Origin::Untold);
        assert_eq!(origin(("s%", "%"), &[to], "other", "t"), Origin::Nowhere);
        assert_eq!(origin(("shop", "%"), &[], "other", "t"), Origin::Nowhere);
        // It may have had this name, or the suffix that was replaced.
        let suffix = json!({ "value": "_v2", "old-value": "_v1" });
        let suffix = [rule("table", "replace-suffix", "%", "%", &suffix)];
        assert_eq!(origin(("shop", "%"), &suffix, "shop", "t_v2"), Origin::Untold);
        assert_eq!(origin(("shop", "t[_]v1"), &suffix, "shop", "t_v2"), known("shop", "t_v1"));
        assert_eq!(origin(("shop", "%"), &[], "shop", "t"), known("shop", "t"));
        // Objects under the old name were staged before the rule was added.
        let away = rule("schema", "rename", "shop", "%", &json!({ "value": "lake" }));
        assert_eq!(origin(("shop", "%"), &[away], "shop", "t"), Origin::Nowhere);
    }
}
