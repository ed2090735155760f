//! `retention`: for how long a table keeps what no reader of its newest version needs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::fields::Fields;

const ALLOWED: &str =
    "from \"1 hour\" to \"3650 days\", or { files = \"7 days\", log = \"30 days\" }";
const LEAST: Duration = Duration::from_hours(1);
const MOST: Duration = Duration::from_hours(24 * 3650);

/// For how long a table keeps what no reader of its newest version needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Files that were removed from it: `delta.deletedFileRetentionDuration`.
    pub files: Duration,
    /// Commits of its log: `delta.logRetentionDuration`.
    pub log: Duration,
}

/// Reads a duration for both, or one for each.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<Retention> {
    let is_allowed = |duration: Duration| (LEAST..=MOST).contains(&duration);
    if !fields.is_table("retention") {
        let both = fields.duration("retention", ALLOWED, is_allowed)?;
        return Some(Retention { files: both, log: both });
    }
    let mut parts = fields.table("retention");
    let mut part = |name| {
        if !parts.has(name) {
            parts.refuse(name, format!("is missing; allowed: {ALLOWED}"));
        }
        parts.duration(name, ALLOWED, is_allowed)
    };
    let (files, log) = (part("files"), part("log"));
    parts.finish();
    Some(Retention { files: files?, log: log? })
}
