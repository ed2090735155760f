//! One Delta commit on top of exactly one snapshot.

use buoyant_kernel::table_properties::TableProperties;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TableReference};
use deltalake::kernel::{Action, EagerSnapshot, Metadata, Protocol};
use deltalake::protocol::DeltaOperation;
use deltalake::table::state::DeltaTableState;
use deltalake::{DeltaResult, DeltaTable};

use crate::error::Result;
use crate::table::commit_log::CommitLog;
use crate::table::features::without_judged;
use crate::table::{LakeTable, unknown_outcome};

/// Commits actions on top of exactly this snapshot of a table, and gives the table after them.
///
/// # Errors
/// The library's. The outcome is then unknown: [`super::unknown_outcome`].
pub(crate) async fn commit(
    table: &DeltaTable,
    actions: Vec<Action>,
    operation: DeltaOperation,
    properties: CommitProperties,
) -> DeltaResult<DeltaTable> {
    let base = Base::of(table.snapshot()?)?;
    let committed = CommitBuilder::from(properties)
        .with_actions(actions)
        .build(Some(&base), CommitLog::of(table.log_store()), operation)
        .await?;
    let mut table = table.clone();
    table.state = Some(committed.snapshot());
    Ok(table)
}

/// The same for a commit that nothing is written for: asks first whether the table is still the one
/// that was read.
///
/// # Errors
/// As [`LakeTable::must_be_newest`]; `Conflict` if the outcome is unknown.
pub(crate) async fn commit_where_it_stands(
    table: &LakeTable,
    actions: Vec<Action>,
    operation: DeltaOperation,
    properties: CommitProperties,
) -> Result<DeltaTable> {
    table.must_be_newest().await?;
    commit(table.delta(), actions, operation, properties).await.map_err(unknown_outcome)
}

/// A snapshot as the library looks at it before it commits: whether it knows all that the
/// protocol asks of a writer. That was judged when the table was opened.
struct Base<'a> {
    state: &'a DeltaTableState,
    protocol: Protocol,
}

impl<'a> Base<'a> {
    fn of(state: &'a DeltaTableState) -> DeltaResult<Self> {
        Ok(Self { state, protocol: without_judged(state.protocol())? })
    }
}

impl TableReference for Base<'_> {
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
