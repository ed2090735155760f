//! What a task does with its tables.

use serde_json::Value as Json;

/// The kind of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migration {
    /// `full-load`: it copies the tables once.
    FullLoad,
    /// `cdc`: it copies nothing, and writes what changes.
    Changes,
    /// `full-load-and-cdc`
    Both,
}

impl Migration {
    /// As AWS tells it of a task, or of a serverless replication.
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
