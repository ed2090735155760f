//! What follows from the commit of rows that were planned for one snapshot: it is in the log, or others
//! were first, and it may be planned again on top of theirs.

use crate::config::TableSpec;
use crate::error::{Error, Result};
use crate::pipeline::apply::Setback;
use crate::progress::Ledger;
use crate::table::{CommitOutcome, ForeignCommit, LakeTable, refuse_foreign};

/// How often a slice or a round is planned again, before the next look.
const MOST_REPLANS: u32 = 3;

/// How often others were first.
#[derive(Debug, Default)]
pub(super) struct Race {
    replans: u32,
    /// What others did to the table's rows meanwhile.
    pub(super) foreign: Vec<ForeignCommit>,
}

/// A commit that is not in the log, because another one is.
pub(super) struct Lost {
    newer: Box<LakeTable>,
    error: Error,
}

/// What became of a commit.
pub(super) enum Settled {
    /// It is in the log.
    Committed(Box<LakeTable>),
    /// Others were first.
    Lost(Lost),
    /// Anything else.
    Failed(Setback),
}

impl From<CommitOutcome> for Settled {
    fn from(outcome: CommitOutcome) -> Self {
        match outcome {
            CommitOutcome::Committed(table) => Self::Committed(table),
            CommitOutcome::Conflicted { newer, error } => Self::Lost(Lost { newer, error }),
            CommitOutcome::Gone(error) => Self::Failed(error.into()),
            CommitOutcome::BelowOthers { lost, error, .. } => {
                Self::Failed(Setback { error, lost: Some(lost) })
            }
            CommitOutcome::Unknown { lost, error } => Self::Failed(Setback { error, lost }),
        }
    }
}

impl Lost {
    /// What others have committed.
    #[cfg(feature = "cli")]
    pub(super) fn newer(&self) -> &LakeTable {
        &self.newer
    }
}

impl Race {
    /// The snapshot to plan again for, where `may` be and what was planned still holds there.
    ///
    /// # Errors
    /// `Conflict` if it is for the next look.
    pub(super) fn again(
        &mut self,
        lost: Lost,
        spec: &TableSpec,
        table: &LakeTable,
        may: bool,
    ) -> Result<LakeTable> {
        let Lost { newer, error } = lost;
        // Whether what others did to its rows lets the table go on is for the next look too.
        let holds = is_as_planned(&newer, table) && refuse_foreign(spec, &newer).is_ok();
        if !may || !holds || self.replans == MOST_REPLANS {
            return Err(error);
        }
        self.foreign = newer.foreign().to_vec();
        self.replans += 1;
        tracing::info!(table = %spec.source, version = newer.version(), "planning again");
        Ok(*newer)
    }
}

/// Whether nothing has changed by which the rows were cut: neither progress nor columns.
pub(super) fn is_as_planned(newer: &LakeTable, table: &LakeTable) -> bool {
    newer.schema() == table.schema() && is_same_progress(newer.ledger(), table.ledger())
}

/// Whether no object was applied in between. Compaction of ours writes the ledger again.
fn is_same_progress(one: &Ledger, other: &Ledger) -> bool {
    let without_rows = |ledger: &Ledger| Ledger { rows: 0, ..ledger.clone() };
    without_rows(one) == without_rows(other)
}
