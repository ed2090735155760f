//! Reads a [`Rule`] from its JSON.

use serde::Deserialize;
use serde_json::Value as Json;

use super::data_type::DataType;
use super::pattern::{Locator, Pattern};
use super::rule::{Action, AddedColumn, BeforeImages, Level, Renaming, Rule};

const DEFAULT_PREFIX: &str = "BI_";

/// Reads the rule at a position.
///
/// # Errors
/// A sentence that names the rule and the member that is missing or not allowed.
pub(super) fn rule(position: usize, json: &Json) -> Result<Rule, String> {
    let id = match json.get("rule-id") {
        Some(Json::String(id)) => id.clone(),
        Some(Json::Number(id)) => id.to_string(),
        _ => format!("at position {}", position + 1),
    };
    let refused = |sentence: String| format!("rule {id}: {sentence}");
    let members = Members::deserialize(json).map_err(|error| refused(error.to_string()))?;
    let is_exact = members.rule_action.as_deref() == Some("explicit");
    let locator = members.object_locator.as_ref();
    let locator = locator.map_or_else(Locator::any, |members| members.read(is_exact));
    let action = members.action().map_err(refused)?;
    Ok(Rule { id, locator, action })
}

/// The members of a rule that are read, under DMS's names.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Members {
    rule_type: String,
    rule_action: Option<String>,
    rule_target: Option<String>,
    object_locator: Option<LocatorMembers>,
    value: Option<String>,
    old_value: Option<String>,
    expression: Option<String>,
    data_type: Option<DataType>,
    before_image_def: Option<BeforeImageMembers>,
    filters: Option<Vec<Json>>,
    lob_settings: Option<LobMembers>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct LocatorMembers {
    schema_name: Option<String>,
    table_name: Option<String>,
    column_name: Option<String>,
    table_type: Option<String>,
}

#[derive(Deserialize)]
struct BeforeImageMembers {
    #[serde(rename = "column-prefix")]
    prefix: Option<String>,
    #[serde(rename = "column-suffix")]
    suffix: Option<String>,
    #[serde(rename = "column-filter")]
    filter: Option<String>,
}

#[derive(Deserialize)]
struct LobMembers {
    mode: Option<String>,
}

impl LocatorMembers {
    fn read(&self, is_exact: bool) -> Locator {
        let pattern = |name: &Option<String>| match name.as_deref() {
            Some(name) if is_exact => Pattern::exact(name),
            Some(name) => Pattern::parse(name),
            None => Pattern::any(),
        };
        Locator {
            schema: pattern(&self.schema_name),
            table: pattern(&self.table_name),
            column: pattern(&self.column_name),
            takes_tables: self.table_type.as_deref() != Some("view"),
        }
    }
}

impl Members {
    fn action(self) -> Result<Action, String> {
        match self.rule_type.as_str() {
            "selection" => self.selection(),
            "transformation" => self.transformation(),
            "table-settings" => {
                let lob_mode = self.lob_settings.and_then(|settings| settings.mode);
                Ok(match lob_mode.as_deref() {
                    Some("none") => Action::Other("lob-settings with mode none".to_owned()),
                    _ => Action::Load,
                })
            }
            other => Ok(Action::Other(other.to_owned())),
        }
    }

    fn named_action(&self) -> Result<&str, String> {
        let action = self.rule_action.as_deref();
        action.ok_or_else(|| format!("rule-action is missing in a {} rule", self.rule_type))
    }

    fn selection(self) -> Result<Action, String> {
        let is_filtered = self.filters.as_ref().is_some_and(|filters| !filters.is_empty());
        Ok(match self.named_action()? {
            "include" | "explicit" => Action::Include { is_filtered },
            "exclude" => Action::Exclude,
            other => {
                return Err(format!(
                    "rule-action: {other:?} is not allowed; allowed: include, exclude, explicit"
                ));
            }
        })
    }

    fn transformation(self) -> Result<Action, String> {
        let action = self.named_action()?.to_owned();
        match action.as_str() {
            "add-column" => {
                let name = filled(self.value.as_deref(), "value", "the name of the added column")?;
                let expression = self.expression.unwrap_or_default();
                Ok(Action::AddColumn(AddedColumn { name, expression, data_type: self.data_type }))
            }
            "add-before-image-columns" => before_images(self.before_image_def),
            "remove-column" => Ok(Action::RemoveColumn),
            "change-data-type" => match self.data_type {
                Some(data_type) => Ok(Action::ChangeType(data_type)),
                None => Err("data-type is missing; allowed: the new type".to_owned()),
            },
            _ => self.renaming(&action),
        }
    }

    /// A rule that changes names, or an unknown one.
    fn renaming(self, action: &str) -> Result<Action, String> {
        let level = match self.rule_target.as_deref() {
            Some("schema") => Level::Schema,
            Some("table") => Level::Table,
            Some("column") => Level::Column,
            Some(other) => return Ok(Action::Other(format!("{action} of a {other}"))),
            None => return Ok(Action::Other(action.to_owned())),
        };
        if action == "rename" && self.value.is_none() && self.expression.is_some() {
            return Ok(Action::Other("rename by an expression".to_owned()));
        }
        let value = || filled(self.value.as_deref(), "value", "a text");
        let old_value = || filled(self.old_value.as_deref(), "old-value", "a text");
        let nothing = String::new;
        let renaming = match action {
            "rename" => Renaming::To(value()?),
            "convert-lowercase" => Renaming::Lowercase,
            "convert-uppercase" => Renaming::Uppercase,
            "add-prefix" => Renaming::Prefix { old: nothing(), new: value()? },
            "remove-prefix" => Renaming::Prefix { old: value()?, new: nothing() },
            "replace-prefix" => Renaming::Prefix { old: old_value()?, new: value()? },
            "add-suffix" => Renaming::Suffix { old: nothing(), new: value()? },
            "remove-suffix" => Renaming::Suffix { old: value()?, new: nothing() },
            "replace-suffix" => Renaming::Suffix { old: old_value()?, new: value()? },
            _ => return Ok(Action::Other(action.to_owned())),
        };
        Ok(Action::Rename { level, renaming })
    }
}

fn filled(text: Option<&str>, member: &str, allowed: &str) -> Result<String, String> {
    match text {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(format!("{member} is missing; allowed: {allowed}")),
    }
}

fn before_images(members: Option<BeforeImageMembers>) -> Result<Action, String> {
    let members = members.ok_or("before-image-def is missing")?;
    let keys_only = match members.filter.as_deref() {
        Some("pk-only") => true,
        Some("non-lob" | "all") => false,
        _ => {
            return Err("before-image-def.column-filter: allowed: pk-only, non-lob, all".to_owned());
        }
    };
    let prefix = members.prefix.unwrap_or_else(|| DEFAULT_PREFIX.to_owned());
    let suffix = members.suffix.unwrap_or_default();
    if prefix.is_empty() && suffix.is_empty() {
        return Err(
            "before-image-def: column-prefix and column-suffix are both empty, so a before \
                    image would have its column's name"
                .to_owned(),
        );
    }
    Ok(Action::AddBeforeImages(BeforeImages { prefix, suffix, keys_only }))
}
