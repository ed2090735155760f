//! What has left a table's quarantine by an operator's decision.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The rows that were released or discarded since the table was last built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// How many.
    pub rows: u64,
    /// The last of the released rows in the order of changes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub up_to: Option<RowPlace>,
    /// The last of those that were repaired, or whose object was no longer staged: decoding what is
    /// staged does not show them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unseen_up_to: Option<RowPlace>,
    /// Rows that count no more, and may stand in the quarantine still.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub leaving: Vec<Leaving>,
    /// The attempt that made them leave.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attempt: Option<Uuid>,
}

/// A row of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowPlace {
    /// The object's path below the table's folder.
    pub object: String,
    /// The row's number, from 1.
    pub row: u64,
}

/// Rows of one object that leave the quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// What identifies the object's content, as the quarantine has it.
    pub identity: String,
    /// Their numbers, ascending.
    pub rows: Vec<u64>,
}
