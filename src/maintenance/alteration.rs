//! A change of a table's properties or protocol, which no row takes part in.

use std::collections::HashMap;

use deltalake::DeltaTableError;
use deltalake::kernel::{Action as LogAction, Metadata, MetadataExt as _};
use deltalake::protocol::DeltaOperation;

use crate::error::Result;
use crate::maintenance::report::{Action, ActionReport, MaintenanceReport, Outcome};
use crate::maintenance::run::Maintenance;
use crate::table::{CommitOutcome, LakeTable, Transaction};

/// What is to change, and why.
#[derive(Debug)]
pub(super) struct Alteration {
    pub(super) actions: Vec<LogAction>,
    pub(super) operation: DeltaOperation,
    pub(super) reason: String,
}

impl Alteration {
    /// These properties.
    ///
    /// # Errors
    /// `TableCorrupt` if the metadata in the log is none.
    pub(super) fn of_properties(
        metadata: &Metadata,
        properties: HashMap<String, String>,
        reason: String,
    ) -> Result<Self> {
        let mut metadata = metadata.clone();
        for (key, value) in &properties {
            let altered = metadata.add_config_key(key.clone(), value.clone());
            metadata = altered.map_err(DeltaTableError::from)?;
        }
        let actions = vec![LogAction::Metadata(metadata)];
        Ok(Self { actions, operation: DeltaOperation::SetTableProperties { properties }, reason })
    }
}

impl Maintenance<'_> {
    /// Makes a change, in a commit of its own, unless something holds the table; gives the table
    /// after it.
    pub(super) async fn alter(
        &self,
        table: LakeTable,
        action: Action,
        due: Alteration,
        report: &mut MaintenanceReport,
    ) -> Result<LakeTable> {
        if let Some(held) = self.held(&table) {
            let reason = format!("{}; {held}", due.reason);
            report.add(ActionReport::new(action, Outcome::Skipped, reason));
            return Ok(table);
        }
        let transaction = Transaction::carrying_on(&table, self.clock);
        let (outcome, table) = match transaction.commit(due.actions, due.operation, None).await? {
            CommitOutcome::Committed(table) | CommitOutcome::BelowOthers { newer: table, .. } => {
                (Outcome::Done, table)
            }
            CommitOutcome::Conflicted { newer, .. } => (Outcome::Lost, newer),
            CommitOutcome::Gone(error) | CommitOutcome::Unknown { error, .. } => {
                return Err(error);
            }
        };
        let mut done = ActionReport::new(action, outcome, due.reason);
        done.version = (outcome == Outcome::Done).then_some(table.version());
        report.add(done);
        report.version = Some(table.version());
        Ok(*table)
    }
}
