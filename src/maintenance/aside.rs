//! Maintenance of a table that keeps no progress: the quarantine of a table of the lake.
//!
//! It is small and its rows are gathered by the same rules. Its commits have no record, so that a
//! rewrite that others come before is left for the next time.

use std::sync::Arc;

use deltalake::protocol::DeltaOperation;

use crate::clock::Clock;
use crate::error::{ErrorKind, Result};
use crate::files::{FileLayout, external_sort};
use crate::limits::Limits;
use crate::maintenance::compaction::{self, Compaction};
use crate::maintenance::live_file::LiveFile;
use crate::maintenance::policy::BYTES_A_SECOND;
use crate::maintenance::replacement::{Replacement, actions, metrics};
use crate::maintenance::report::{Action, ActionReport, MaintenanceReport, Outcome};
use crate::maintenance::retention::must_be_within_retention;
use crate::maintenance::{checkpoint, rewrite, vacuum};
use crate::storage::Location;
use crate::table::{self, LakeTable, Transaction};

/// The quarantine of one table, and what its maintenance may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aside<'a> {
    pub(crate) location: &'a Location,
    pub(crate) keys: &'a [String],
    pub(crate) clock: &'a Arc<dyn Clock>,
    /// No rewrite begins that would not be done by its deadline.
    pub(crate) limits: &'a Limits,
    /// Bytes of rows that may be sorted in memory.
    pub(crate) memory_budget: usize,
    /// Whether anything may be deleted.
    pub(crate) deletes: bool,
}

impl Aside<'_> {
    /// Does what is due, and adds it to the report of the table.
    ///
    /// # Errors
    /// `Unavailable` if the lake does not answer, `TableCorrupt` if the log cannot be understood.
    pub(crate) async fn maintain(&self, report: &mut MaintenanceReport) -> Result<()> {
        let Some(found) = table::load(self.location).await? else { return Ok(()) };
        let table = LakeTable::without_progress(found)?;
        if self.limits.stop.is_requested() {
            return Ok(());
        }
        let table = self.compact(table, report).await?;
        if let Some(reason) = checkpoint::due(&table).await? {
            checkpoint::write(&table).await?;
            report.add(aside(Action::Checkpoint, Outcome::Done, reason, Some(&table)));
        }
        if !self.deletes || self.limits.stop.is_requested() {
            return Ok(());
        }
        table.must_be_there().await?;
        let files = LiveFile::all(&table, &[])?;
        if let Some(due) = vacuum::choose(&table, &files, self.clock.now()).await? {
            let mut done = aside(Action::Vacuum, Outcome::Done, due.reason.clone(), None);
            done.bytes_removed = due.bytes;
            done.files_removed = vacuum::delete(&table, due).await?;
            report.add(done);
        }
        Ok(())
    }

    async fn compact(&self, table: LakeTable, report: &mut MaintenanceReport) -> Result<LakeTable> {
        let layout = Arc::new(FileLayout::of(table.files(), self.keys, self.clock)?);
        let files = LiveFile::all(&table, self.keys)?;
        let most = self.most_bytes();
        let Some(due) = compaction::choose(&files, &layout, most) else { return Ok(table) };
        let reason = due.reason.clone();
        if bytes(&due) > most {
            let reason = format!("{reason}; it is too much for the time left");
            report.add(aside(Action::Compact, Outcome::Skipped, reason, None));
            return Ok(table);
        }
        let begun = self.clock.instant();
        let written = rewrite::compacted(&table, &layout, due, self.memory_budget).await?;
        must_be_within_retention(&table, begun, self.clock.as_ref())?;
        match self.replace(&table, &written).await {
            Ok(newer) => {
                let mut done = aside(Action::Compact, Outcome::Done, reason, Some(&newer));
                done.files_removed = written.removed.len() as u64;
                done.files_added = written.added.len() as u64;
                done.bytes_removed = written.removed.iter().map(|file| file.bytes).sum();
                done.bytes_added = written.added.iter().map(|it| it.size.unsigned_abs()).sum();
                report.add(done);
                Ok(newer)
            }
            Err(error) if error.kind() == ErrorKind::Conflict => {
                report.add(aside(Action::Compact, Outcome::Lost, reason, None));
                Ok(table)
            }
            Err(error) => Err(error),
        }
    }

    async fn replace(&self, table: &LakeTable, written: &Replacement) -> Result<LakeTable> {
        let written = std::slice::from_ref(written);
        let operation = DeltaOperation::Optimize { predicate: None, target_size: 0 };
        let transaction = Transaction::without_record(table, self.clock);
        let actions = actions(written, self.clock.as_ref());
        transaction.commit(actions, operation, Some(metrics(written))).await?.committed()
    }

    fn most_bytes(&self) -> u64 {
        let left = self.limits.deadline.map_or(u64::MAX, |end| {
            let left = end.saturating_duration_since(self.clock.instant());
            left.as_secs() * BYTES_A_SECOND
        });
        left.min(external_sort::most_bytes())
    }
}

fn bytes(due: &Compaction) -> u64 {
    due.files.iter().map(|file| file.bytes).sum()
}

fn aside(
    action: Action,
    outcome: Outcome,
    reason: String,
    table: Option<&LakeTable>,
) -> ActionReport {
    let version = table.map(LakeTable::version);
    ActionReport { version, quarantine: true, ..ActionReport::new(action, outcome, reason) }
}
