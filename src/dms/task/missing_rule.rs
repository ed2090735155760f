//! Rules without which a task's changes cannot be placed exactly.

use serde_json::{Value as Json, json};

use super::Flaw;
use crate::dms::table_mappings::{Action, TableMappings};

/// The prefix of before images, as DMS has it by default.
const PREFIX: &str = "BI_";
/// The column for change sequences.
const SEQUENCE: &str = "cdc_seq";

/// A rule that a task lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingRule {
    /// Before images of the columns of the key.
    KeyBeforeImages,
    /// A column with `$AR_H_CHANGE_SEQ`.
    ChangeSequence,
}

impl MissingRule {
    /// Those that these rules lack.
    pub fn of(mappings: &TableMappings) -> impl Iterator<Item = Self> {
        let has_images =
            mappings.rules().iter().any(|rule| matches!(rule.action, Action::AddBeforeImages(_)));
        let has_sequence = mappings.change_seq_column().is_some();
        let lacking = [(has_images, Self::KeyBeforeImages), (has_sequence, Self::ChangeSequence)];
        lacking.into_iter().filter_map(|(is_there, rule)| (!is_there).then_some(rule))
    }

    /// What follows without it.
    #[must_use]
    pub fn flaw(self) -> Flaw {
        let (setting, harm) = match self {
            Self::KeyBeforeImages => (
                "no rule add-before-image-columns",
                "an update of a key names only the new row, and the old one stays",
            ),
            Self::ChangeSequence => (
                "no rule add-column with $AR_H_CHANGE_SEQ",
                "a change that comes late or again cannot be placed by itself, and holds its table",
            ),
        };
        Flaw { setting: setting.to_owned(), harm }
    }

    /// The rule for all tables, under this id.
    pub(super) fn as_json(self, id: u64) -> Json {
        let mut rule = match self {
            Self::KeyBeforeImages => json!({
                "rule-name": "key-before-images",
                "rule-action": "add-before-image-columns",
                "before-image-def":
                    { "column-prefix": PREFIX, "column-suffix": "", "column-filter": "pk-only" },
            }),
            Self::ChangeSequence => json!({
                "rule-name": "change-sequence",
                "rule-action": "add-column",
                "value": SEQUENCE,
                "expression": "$AR_H_CHANGE_SEQ",
                "data-type": { "type": "string", "length": 50 },
            }),
        };
        rule["rule-type"] = "transformation".into();
        rule["rule-target"] = "column".into();
        rule["rule-id"] = id.to_string().into();
        rule["object-locator"] = json!({ "schema-name": "%", "table-name": "%" });
        rule
    }
}
