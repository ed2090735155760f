//! Whether a task loads tables, replicates changes, or both.

use serde_json::Value as Json;

/// The kind of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migration {
    /// `full-load`: copies the tables once.
    FullLoad,
    /// `cdc`: copies nothing, replicates changes only.
    Changes,
    /// `full-load-and-cdc`
    Both,
}

impl Migration {
    /// Reads AWS's description of a task or of a serverless replication.
    pub(super) fn of_task(task: &Json) -> Option<Self> {
        let kind = task.get("MigrationType").or_else(|| task.get("ReplicationType"))?;
        match kind.as_str()? {
            "full-load" => Some(Self::FullLoad),
            "cdc" => Some(Self::Changes),
            "full-load-and-cdc" => Some(Self::Both),
            _ => None,
        }
    }
}
