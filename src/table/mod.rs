//! The Delta table of a source table: opening, creating, adding columns, and the record of our
//! newest commit in its log.

mod commit;
mod commit_log;
mod create;
pub(crate) mod features;
mod judge;
mod log;
mod open;
mod read_once;
mod schema;
mod standing;
mod state;

pub(crate) use commit::{commit, commit_where_it_stands};
pub use create::{CreateOutcome, add_columns, allow_vectors, create};
pub use log::{ForeignCommit, Newest, OurCommit, find_attempt, newest_commit};
pub use open::{LakeTable, load, log_store, open};
pub use schema::to_delta;
pub(crate) use standing::Standing;
pub use state::{StateObject, TableState};

use std::collections::HashMap;

use deltalake::DeltaTableError;
use deltalake::kernel::Transaction;
use deltalake::kernel::transaction::CommitProperties;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result, refusal};
use crate::progress::{APP_ID, CommitRecord, KEY};

/// Under which the log holds what an operation counted.
const METRICS: &str = "operationMetrics";

/// Whatever a commit call reports, its effect is unknown: another commit may have won, or ours
/// may stand and its answer be lost. The caller looks at the table again.
///
/// What the store refuses it refuses again.
pub fn unknown_outcome(error: DeltaTableError) -> Error {
    if let Some(refused) = refusal(&error) {
        return refused;
    }
    Error::new(ErrorKind::Conflict, "a commit did not go through, or its answer was lost")
        .because(error)
}

/// The properties of a commit that keeps no progress, with the operation's metrics. Any
/// interleaved commit fails it.
pub(crate) fn metrics_alone(metrics: Value) -> CommitProperties {
    CommitProperties::default().with_metadata([(METRICS.to_owned(), metrics)]).with_max_retries(0)
}

/// The properties that make a commit ours: the record, and the `txn` action that conflicts with
/// any other commit of ours.
///
/// No retries inside the library: any interleaved commit fails this one, and the caller looks
/// at the table anew. So "before" in the books is always the version just below. `metrics` are
/// the operation's, if it has any. Checkpoints and clean-up of the log are no part of a commit:
/// they would delay it, and a failure of theirs would look like one of the commit. See
/// [`crate::maintenance`].
///
/// # Errors
/// `Internal` if the record cannot be serialised.
pub fn commit_properties(
    record: &CommitRecord,
    transaction: i64,
    metrics: Option<Value>,
) -> Result<CommitProperties> {
    let mut metadata: HashMap<String, Value> = HashMap::from([(KEY.to_owned(), record.to_json()?)]);
    metadata.extend(metrics.map(|metrics| (METRICS.to_owned(), metrics)));
    Ok(CommitProperties::default()
        .with_metadata(metadata)
        .with_application_transaction(Transaction::new(APP_ID, transaction))
        .with_max_retries(0)
        .with_create_checkpoint(false)
        .with_cleanup_expired_logs(Some(false)))
}
