//! Taking a data file out of the table.

use chrono::{DateTime, Utc};
use deltalake::kernel::{Action, Add, Remove};

/// The action that removes a file at this time, its deletion vector with it: without it the
/// entry with the vector would stay. It changes data if the entry says so.
pub(crate) fn removal(file: Add, now: DateTime<Utc>) -> Action {
    Action::Remove(Remove {
        path: file.path,
        data_change: file.data_change,
        deletion_timestamp: Some(now.timestamp_millis()),
        extended_file_metadata: Some(true),
        partition_values: Some(file.partition_values),
        size: Some(file.size),
        deletion_vector: file.deletion_vector,
        tags: None,
        base_row_id: file.base_row_id,
        default_row_commit_version: file.default_row_commit_version,
    })
}
