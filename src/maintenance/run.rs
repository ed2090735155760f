//! One maintenance of one table: what is due, action by action.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::TableSpec;
use crate::error::Result;
use crate::limits::Limits;
use crate::maintenance::live_file::LiveFile;
use crate::maintenance::part::Rewriter;
use crate::maintenance::report::{Action, ActionReport, MaintenanceReport, Outcome};
use crate::maintenance::{checkpoint, lower, retain, vacuum};
use crate::storage::{Location, with_whole_paths};
use crate::table::features::file_retention;
use crate::table::{self, LakeTable, refuse_foreign};
use crate::tombstones::Tombstones;

/// One table, and what its maintenance may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maintenance<'a> {
    pub(crate) spec: &'a TableSpec,
    /// Where the table is.
    pub(crate) location: &'a Location,
    pub(crate) clock: &'a Arc<dyn Clock>,
    /// No rewrite begins that would not be done by its deadline.
    pub(crate) limits: &'a Limits,
    /// Bytes of rows that may be sorted in memory.
    pub(crate) memory_budget: usize,
    /// Whether anything may be deleted.
    pub(crate) deletes: bool,
    /// What is being built in the table's folder to take its place.
    pub(crate) shadow: Option<&'a LakeTable>,
    /// Where the tombstones of its rows are.
    pub(crate) tombstones: &'a Tombstones,
    /// Whether others are at work on it, who would have to look again at what is rewritten.
    pub(crate) is_claimed: bool,
    /// Who writes rewrites in parts; none: this process, what fits it.
    pub(crate) rewriter: Option<&'a dyn Rewriter>,
}

/// Why there is a checkpoint before the protocol is lowered.
const LOWERED: &str = "the protocol is to be lowered, and older checkpoints tell of vectors";

/// Does what is due, from a warm table if there is one, and gives the table after it. A
/// failure is part of the report.
pub(crate) async fn maintain(
    job: &Maintenance<'_>,
    warm: Option<LakeTable>,
) -> (MaintenanceReport, Option<LakeTable>) {
    let begun = job.clock.instant();
    let mut report = MaintenanceReport::of(&job.spec.source);
    let table = match Box::pin(job.run(warm, &mut report)).await {
        Ok(table) => table,
        Err(error) => {
            report.fail(&with_whole_paths(error, job.location, job.location));
            None
        }
    };
    report.seconds = (job.clock.instant() - begun).as_secs_f64();
    (report, table)
}

impl Maintenance<'_> {
    async fn run(
        &self,
        warm: Option<LakeTable>,
        report: &mut MaintenanceReport,
    ) -> Result<Option<LakeTable>> {
        let Some(table) = table::open(self.location, warm).await? else { return Ok(None) };
        report.version = Some(table.version());
        let table = self.retain(table, report).await?;
        let table = self.rewrite(table, report).await?;
        let table = self.lower(table, report).await?;
        self.checkpoint(&table, report).await?;
        if self.deletes && !self.limits.stop.is_requested() {
            table.must_be_there().await?;
            self.clean_log(&table, report).await?;
            self.vacuum(&table, report).await?;
            self.sweep_tombstones(&table, report).await?;
        }
        Ok(Some(table))
    }

    async fn retain(&self, table: LakeTable, report: &mut MaintenanceReport) -> Result<LakeTable> {
        match retain::choose(&table, self.spec.retention)? {
            Some(due) => self.alter(table, Action::Retain, due, report).await,
            None => Ok(table),
        }
    }

    async fn lower(&self, table: LakeTable, report: &mut MaintenanceReport) -> Result<LakeTable> {
        let files = LiveFile::all(&table, &[])?;
        let Some(due) = lower::choose(&table, &files, self.spec.merge)? else { return Ok(table) };
        if self.held(&table).is_none() {
            // Else the protocol would be younger than a checkpoint that tells of vectors. Trino 476
            // then takes the checkpoint's files without them, misses what removed them, and shows
            // their rows.
            self.checkpoint_now(&table, LOWERED, report).await?;
        }
        self.alter(table, Action::Lower, due, report).await
    }

    async fn checkpoint(&self, table: &LakeTable, report: &mut MaintenanceReport) -> Result<()> {
        match checkpoint::due(table).await? {
            Some(reason) => self.checkpoint_now(table, &reason, report).await,
            None => Ok(()),
        }
    }

    async fn checkpoint_now(
        &self,
        table: &LakeTable,
        reason: &str,
        report: &mut MaintenanceReport,
    ) -> Result<()> {
        checkpoint::write(table).await?;
        let mut done = ActionReport::new(Action::Checkpoint, Outcome::Done, reason);
        done.version = Some(table.version());
        report.add(done);
        Ok(())
    }

    async fn clean_log(&self, table: &LakeTable, report: &mut MaintenanceReport) -> Result<()> {
        let deleted = checkpoint::clean_log(table, self.clock.now()).await?;
        if deleted > 0 {
            let reason = format!("{deleted} entries of the log are older than its retention");
            let mut done = ActionReport::new(Action::CleanLog, Outcome::Done, reason);
            done.files_removed = deleted;
            report.add(done);
        }
        Ok(())
    }

    async fn vacuum(&self, table: &LakeTable, report: &mut MaintenanceReport) -> Result<()> {
        let mut files = LiveFile::all(table, &[])?;
        if let Some(shadow) = self.shadow {
            files.extend(LiveFile::all(shadow, &[])?);
        }
        let Some(due) = vacuum::choose(table, &files, self.clock.now()).await? else {
            return Ok(());
        };
        let mut done = ActionReport::new(Action::Vacuum, Outcome::Done, &due.reason);
        done.bytes_removed = due.bytes;
        done.files_removed = vacuum::delete(table, due).await?;
        report.add(done);
        Ok(())
    }

    /// Deletes the tombstones that no ledger names. They are kept as long as removed files: older
    /// versions name them.
    async fn sweep_tombstones(
        &self,
        table: &LakeTable,
        report: &mut MaintenanceReport,
    ) -> Result<()> {
        let retention = file_retention(table.delta().snapshot()?.metadata());
        let cutoff = checkpoint::before(self.clock.now(), retention);
        let tables = [Some(table), self.shadow].into_iter().flatten();
        let guards = tables.filter_map(|table| table.ledger().guard.as_ref());
        let named: Vec<_> = guards.flat_map(|guard| &guard.tombstones).collect();
        let (files, bytes) = Box::pin(self.tombstones.sweep(&named, cutoff)).await?;
        if files > 0 {
            let reason = format!("{files} objects of tombstones are no longer needed");
            let mut done = ActionReport::new(Action::Vacuum, Outcome::Done, reason);
            (done.files_removed, done.bytes_removed) = (files, bytes);
            report.add(done);
        }
        Ok(())
    }

    /// Why nothing may be committed: a job is at work; or what others did to the rows holds the table,
    /// and would be told no longer once a commit of ours is on top of theirs.
    pub(super) fn held(&self, table: &LakeTable) -> Option<String> {
        if self.is_claimed {
            return Some("the table is left to a job".to_owned());
        }
        let refused = refuse_foreign(self.spec, table).err()?;
        Some(format!("the table is held: {}", refused.chain()))
    }

    /// The keys of which the table has the columns already.
    pub(super) fn keys(&self, table: &LakeTable) -> Vec<String> {
        table.columns_among(self.spec.lake_keys())
    }
}
