//! Taking a data file out of the table.

use chrono::{DateTime, Utc};
use deltalake::kernel::{Action, Add, Remove};

/// The action that removes a file at the given time. It names the file's deletion vector, because
/// otherwise the entry with the vector would remain. Its `dataChange` is that of the entry.
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
