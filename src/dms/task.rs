//! A DMS task as AWS describes it: which of its settings lose changes, and what they should be.

mod missing_rule;
mod settings;

use serde_json::Value as Json;

use super::table_mappings::{TableMappings, document, task};
use crate::error::Result;
pub use missing_rule::MissingRule;
use settings::{SETTINGS, Setting};

/// A task, or a serverless replication.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its ARN; none if the description lacks it.
    pub arn: Option<String>,
    /// Its identifier, likewise.
    pub identifier: Option<String>,
    /// Whether it is serverless.
    pub is_serverless: bool,
    /// Its settings; none if the description leaves them out.
    settings: Option<Json>,
    /// Its table mappings, as JSON.
    mappings: Json,
}

/// A setting of a task that loses or hides changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The setting, as DMS names it.
    pub setting: String,
    /// What follows from it, in a sentence.
    pub harm: &'static str,
}

impl Task {
    /// Reads the JSON of `aws dms describe-replication-tasks` or `describe-replication-configs`; none
    /// if it is the JSON of the rules alone.
    ///
    /// # Errors
    /// As [`TableMappings::parse`].
    pub fn parse(json: &str) -> Result<Option<Self>> {
        let root = document(json)?;
        let Some(task) = task(&root)? else { return Ok(None) };
        let text = |names: [&str; 2]| {
            names.iter().find_map(|name| task.get(*name)?.as_str()).map(str::to_owned)
        };
        let nested = |names: [&str; 2]| {
            let value = names.iter().find_map(|name| task.get(*name))?;
            match value.as_str() {
                Some(text) => serde_json::from_str(text).ok(),
                None => Some(value.clone()),
            }
        };
        Ok(Some(Self {
            arn: text(["ReplicationTaskArn", "ReplicationConfigArn"]),
            identifier: text(["ReplicationTaskIdentifier", "ReplicationConfigIdentifier"]),
            is_serverless: task.get("ReplicationConfigArn").is_some(),
            settings: nested(["ReplicationTaskSettings", "ReplicationSettings"])
                .filter(Json::is_object),
            mappings: nested(["TableMappings"; 2]).unwrap_or_default(),
        }))
    }

    /// Its settings that lose or hide changes.
    pub fn flaws(&self) -> impl Iterator<Item = Flaw> {
        self.flawed().map(|(it, all)| Flaw {
            setting: format!("{}.{} = {}", it.section, it.member, it.value_in(all)),
            harm: it.harm,
        })
    }

    fn flawed(&self) -> impl Iterator<Item = (&'static Setting, &Json)> {
        let all = self.settings.iter();
        all.flat_map(|all| SETTINGS.iter().map(move |it| (it, all)))
            .filter(|(it, all)| it.is_flaw(all))
    }

    /// How many kilobytes of a value of a large type arrive: what is longer is cut off, and nothing in
    /// an object shows it. None if that is not known.
    #[must_use]
    pub fn longest_large_object(&self) -> Option<u64> {
        self.settings.as_ref()?.get("TargetMetadata")?.get("LobMaxSize")?.as_u64()
    }

    /// Its settings without flaws; none if there is none to mend.
    #[must_use]
    pub fn mended_settings(&self) -> Option<Json> {
        let mut mended = self.settings.clone()?;
        for (it, _) in self.flawed() {
            mended[it.section][it.member] = it.wanted();
        }
        (Some(&mended) != self.settings.as_ref()).then_some(mended)
    }

    /// The table mappings with the rules that they lack; none if they lack none.
    #[must_use]
    pub fn mended_mappings(&self, mappings: &TableMappings) -> Option<Json> {
        let mut all = self.mappings.clone();
        let rules = all.get_mut("rules")?.as_array_mut()?;
        let ids = rules.iter().filter_map(|rule| match rule.get("rule-id")? {
            Json::String(id) => id.parse().ok(),
            id => id.as_u64(),
        });
        let next = ids.max().unwrap_or_default() + 1;
        let missing: Vec<MissingRule> = MissingRule::of(mappings).collect();
        rules.extend((next..).zip(&missing).map(|(id, rule)| rule.as_json(id)));
        (!missing.is_empty()).then_some(all)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(settings: &Json, rules: &[Json]) -> (Task, TableMappings) {
        let include = json!({ "rule-type": "selection", "rule-id": "7", "rule-action": "include",
            "object-locator": { "schema-name": "shop", "table-name": "%" } });
        let rules: Vec<&Json> = std::iter::once(&include).chain(rules).collect();
        let printed = json!({ "ReplicationTasks": [{
            "ReplicationTaskArn": "arn:aws:dms:eu-west-1:123456789012:task:SHOP",
            "ReplicationTaskIdentifier": "shop",
            "ReplicationTaskSettings": settings.to_string(),
            "TableMappings": json!({ "rules": rules }).to_string(),
        }] });
        let text = printed.to_string();
        let task = Task::parse(&text).expect("JSON").expect("a task");
        (task, TableMappings::parse(&text).expect("rules"))
    }

    #[test]
    fn what_loses_changes_is_told_and_mended_and_the_rest_stays() {
        let (task, mappings) = task(
            &json!({
                "TargetMetadata": { "BatchApplyEnabled": true, "LobMaxSize": 64, "TargetSchema": "" },
                "ErrorBehavior": { "DataErrorPolicy": "STOP_TASK" },
            }),
            &[],
        );
        let flaws: Vec<String> = task.flaws().map(|flaw| flaw.setting).collect();
        assert_eq!(
            flaws,
            [
                "TargetMetadata.BatchApplyEnabled = true",
                "ChangeProcessingDdlHandlingPolicy.HandleSourceTableTruncated = true",
                "ChangeProcessingDdlHandlingPolicy.HandleSourceTableDropped = true",
                "ErrorBehavior.DataTruncationErrorPolicy = \"LOG_ERROR\"",
                "ErrorBehavior.TableErrorPolicy = \"SUSPEND_TABLE\"",
            ]
        );
        assert_eq!(task.longest_large_object(), Some(64));
        let mended = task.mended_settings().expect("flaws");
        let metadata = json!({ "BatchApplyEnabled": false, "LobMaxSize": 64, "TargetSchema": "" });
        assert_eq!(mended["TargetMetadata"], metadata);
        assert_eq!(mended["ErrorBehavior"]["TableErrorPolicy"], "STOP_TASK");
        let (mended, _) = self::task(&mended, &[]);
        assert_eq!((mended.flaws().next(), mended.mended_settings()), (None, None));

        let rules = task.mended_mappings(&mappings).expect("it lacks two");
        assert_eq!(rules["rules"][1]["rule-id"], "8");
        let mended = TableMappings::parse(&rules.to_string()).expect("rules");
        assert_eq!(mended.change_seq_column(), Some("cdc_seq"));
        assert_eq!(mended.before_image_prefix(), Some("BI_"));
        assert_eq!(task.mended_mappings(&mended), None);
    }

    #[test]
    fn rules_alone_are_no_task_and_a_task_may_lack_its_settings() {
        let rules = json!({ "rules": [] });
        assert!(Task::parse(&rules.to_string()).expect("JSON").is_none());
        let serverless = json!({ "ReplicationConfigs": [{
            "ReplicationConfigArn": "arn:aws:dms:eu-west-1:123456789012:replication-config:S",
            "TableMappings": rules.to_string(),
        }] });
        let task = Task::parse(&serverless.to_string()).expect("JSON").expect("a task");
        assert!(task.is_serverless);
        assert_eq!((task.flaws().next(), task.mended_settings()), (None, None));
    }
}
