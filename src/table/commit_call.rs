//! The library's commit call, as every commit of ours makes it.

use std::collections::HashMap;

use buoyant_kernel::table_properties::TableProperties;
use chrono::{DateTime, Utc};
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TableReference};
use deltalake::kernel::{Action, EagerSnapshot, Metadata, Protocol, Transaction as Txn};
use deltalake::logstore::LogStoreRef;
use deltalake::protocol::DeltaOperation;
use deltalake::table::state::DeltaTableState;
use deltalake::{DeltaResult, DeltaTable, crate_version};
use serde_json::Value;

use crate::error::Result;
use crate::progress::{APP_ID, CommitRecord, KEY};
use crate::table::commit_log::CommitLog;
use crate::table::commit_summary::{summary, with_metrics};
use crate::table::features::without_judged;
use crate::version::ENGINE;

/// Under which the log holds what an operation counted.
const METRICS: &str = "operationMetrics";
/// Under which it holds what a person is told of the commit.
const SUMMARY: &str = "userMetadata";

/// One commit call, on top of exactly one snapshot.
pub(super) struct CommitCall<'a> {
    /// None where the commit makes the table.
    pub(super) base: Option<&'a DeltaTable>,
    pub(super) log_store: LogStoreRef,
    pub(super) properties: CommitProperties,
    /// The time that the commit says.
    pub(super) time: DateTime<Utc>,
    /// Its name in the log, if it is not the library's for the operation.
    pub(super) name: Option<&'static str>,
}

impl CommitCall<'_> {
    /// Makes it, and gives the table after it.
    ///
    /// # Errors
    /// The library's, before or after the commit had its effect.
    pub(super) async fn make(
        self,
        mut actions: Vec<Action>,
        operation: DeltaOperation,
    ) -> DeltaResult<DeltaTable> {
        let mut info = operation.get_commit_info();
        if let Some(name) = self.name {
            info.operation = Some(name.to_owned());
        }
        info.timestamp = Some(self.time.timestamp_millis());
        info.engine_info = Some(ENGINE.to_owned());
        info.info.insert("clientVersion".into(), format!("delta-rs.{}", crate_version()).into());
        actions.insert(0, Action::CommitInfo(info));
        let base = self.base.map(|table| Judged::of(table.snapshot()?)).transpose()?;
        let committed = CommitBuilder::from(self.properties)
            .with_actions(actions)
            .build(
                base.as_ref().map(|base| base as &dyn TableReference),
                CommitLog::of(self.log_store.clone()),
                operation,
            )
            .await?;
        let mut table = DeltaTable::new(self.log_store);
        table.state = Some(committed.snapshot());
        Ok(table)
    }
}

/// The properties of a commit that keeps no progress. Any interleaved commit fails it.
pub(super) fn without_progress(metrics: Option<Value>) -> CommitProperties {
    let metadata = metrics.map(|metrics| (METRICS.to_owned(), metrics));
    CommitProperties::default().with_metadata(metadata).with_max_retries(0)
}

/// The properties that make a commit ours: the record, and the `txn` action that conflicts with
/// any other commit of ours.
///
/// No retries inside the library: any interleaved commit fails this one, and the caller looks
/// at the table again. So "before" in the books is always the version just below. Checkpoints and
/// clean-up of the log are no part of a commit: they would delay it, and a failure of theirs would
/// look like one of the commit. See [`crate::maintenance`].
///
/// # Errors
/// `Internal` if the record cannot be serialised.
pub fn commit_properties(
    record: &CommitRecord,
    transaction: i64,
    metrics: Option<Value>,
) -> Result<CommitProperties> {
    let mut metadata: HashMap<String, Value> = HashMap::from([(KEY.to_owned(), record.to_json()?)]);
    metadata.extend(with_metrics(record, metrics).map(|metrics| (METRICS.to_owned(), metrics)));
    metadata.extend(summary(record).map(|summary| (SUMMARY.to_owned(), summary.into())));
    Ok(CommitProperties::default()
        .with_metadata(metadata)
        .with_application_transaction(Txn::new(APP_ID, transaction))
        .with_max_retries(0)
        .with_create_checkpoint(false)
        .with_cleanup_expired_logs(Some(false)))
}

/// A snapshot as the library looks at it before it commits: whether it knows all that the
/// protocol asks of a writer. That was judged when the table was opened.
struct Judged<'a> {
    state: &'a DeltaTableState,
    protocol: Protocol,
}

impl<'a> Judged<'a> {
    fn of(state: &'a DeltaTableState) -> DeltaResult<Self> {
        Ok(Self { state, protocol: without_judged(state.protocol())? })
    }
}

impl TableReference for Judged<'_> {
    fn config(&self) -> &TableProperties {
        TableReference::config(self.state)
    }

    fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    fn metadata(&self) -> &Metadata {
        self.state.metadata()
    }

    fn eager_snapshot(&self) -> &EagerSnapshot {
        self.state.eager_snapshot()
    }
}
