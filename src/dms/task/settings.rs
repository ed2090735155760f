//! The settings of a task that lose or hide changes of an S3 target, and what they should be: one
//! table. Sources: AWS's chapters on task settings, error handling, DDL handling and LOBs.

use serde_json::Value as Json;

/// A setting, and where it does harm.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) section: &'static str,
    pub(super) member: &'static str,
    /// Its value if it is not set.
    default: Value,
    /// The values that do harm.
    harmful: &'static [Value],
    wanted: Value,
    /// What follows from those.
    pub(super) harm: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Value {
    Flag(bool),
    Text(&'static str),
}

impl Value {
    fn as_json(self) -> Json {
        match self {
            Self::Flag(flag) => flag.into(),
            Self::Text(text) => text.into(),
        }
    }
}

impl Setting {
    pub(super) fn value_in(&self, settings: &Json) -> Json {
        let found = settings.get(self.section).and_then(|section| section.get(self.member));
        found.filter(|value| !value.is_null()).cloned().unwrap_or_else(|| self.default.as_json())
    }

    pub(super) fn is_flaw(&self, settings: &Json) -> bool {
        let value = self.value_in(settings);
        self.harmful.iter().any(|harmful| harmful.as_json() == value)
    }

    pub(super) fn wanted(&self) -> Json {
        self.wanted.as_json()
    }
}

const ON: Value = Value::Flag(true);
const OFF: Value = Value::Flag(false);
const STOP: Value = Value::Text("STOP_TASK");
const LOG: Value = Value::Text("LOG_ERROR");
const SUSPEND: Value = Value::Text("SUSPEND_TABLE");
const IGNORE: Value = Value::Text("IGNORE_RECORD");
const DO_NOTHING: Value = Value::Text("DO_NOTHING");
const DROP: Value = Value::Text("DROP_AND_CREATE");

const METADATA: &str = "TargetMetadata";
const DDL: &str = "ChangeProcessingDdlHandlingPolicy";
const ERRORS: &str = "ErrorBehavior";

pub(super) const SETTINGS: [Setting; 10] = [
    Setting {
        section: METADATA,
        member: "BatchApplyEnabled",
        default: OFF,
        harmful: &[ON],
        wanted: OFF,
        harm: "with an S3 target it may lose changes",
    },
    Setting {
        section: METADATA,
        member: "SupportLobs",
        default: ON,
        harmful: &[OFF],
        wanted: ON,
        harm: "columns of large types (text, blob, json) are left out",
    },
    Setting {
        section: METADATA,
        member: "FullLobMode",
        default: OFF,
        harmful: &[ON],
        wanted: OFF,
        harm: "S3 targets know the limited mode only",
    },
    Setting {
        section: "FullLoadSettings",
        member: "TargetTablePrepMode",
        default: DROP,
        harmful: &[DO_NOTHING],
        wanted: DROP,
        harm: "a reload leaves objects of the load before it, and two loads are mixed",
    },
    Setting {
        section: DDL,
        member: "HandleSourceTableTruncated",
        default: ON,
        harmful: &[ON],
        wanted: OFF,
        harm: "at a TRUNCATE DMS deletes staged objects, also those that are not applied yet",
    },
    Setting {
        section: DDL,
        member: "HandleSourceTableDropped",
        default: ON,
        harmful: &[ON],
        wanted: OFF,
        harm: "at a DROP DMS deletes staged objects, also those that are not applied yet",
    },
    Setting {
        section: DDL,
        member: "HandleSourceTableAltered",
        default: ON,
        harmful: &[OFF],
        wanted: ON,
        harm: "columns that are added at the source do not arrive",
    },
    Setting {
        section: ERRORS,
        member: "DataErrorPolicy",
        default: LOG,
        harmful: &[LOG, IGNORE],
        wanted: STOP,
        harm: "rows that DMS cannot handle are left out, and only its log tells",
    },
    Setting {
        section: ERRORS,
        member: "DataTruncationErrorPolicy",
        default: LOG,
        harmful: &[LOG, IGNORE],
        wanted: STOP,
        harm: "values that DMS cuts off arrive as if they were whole, and only its log tells",
    },
    Setting {
        section: ERRORS,
        member: "TableErrorPolicy",
        default: SUSPEND,
        harmful: &[SUSPEND],
        wanted: STOP,
        harm: "a table with an error gets no more changes, while the task seems to run",
    },
];
