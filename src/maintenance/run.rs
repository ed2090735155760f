//! One maintenance of one table: what is due, action by action.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::TableSpec;
use crate::error::Result;
use crate::files::{FileLayout, external_sort};
use crate::limits::Limits;
use crate::maintenance::compaction::{self, Compaction};
use crate::maintenance::live_file::LiveFile;
use crate::maintenance::policy::{BYTES_A_SECOND, CHECKPOINT_COMMITS, MOST_COMMITS, MOST_RACES};
use crate::maintenance::purge::{self, Purge};
use crate::maintenance::replacement::{Replaced, Replacement, replace};
use crate::maintenance::report::{Action, ActionReport, MaintenanceReport, Outcome};
use crate::maintenance::{checkpoint, lower, rewrite, vacuum};
use crate::storage::{Location, with_whole_paths};
use crate::table::features::file_retention;
use crate::table::{self, CommitOutcome, LakeTable, Transaction, refuse_foreign};
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
}

/// Bytes of files that one rewrite may take in.
struct MostBytes {
    purged: u64,
    compacted: u64,
}

/// A rewrite that is due.
enum Rewrite {
    Compact(Compaction),
    Purge(Purge),
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
    let table = match job.run(warm, &mut report).await {
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

    /// Compacts and purges until nothing is due, the time is up, or others come first too often.
    async fn rewrite(
        &self,
        mut table: LakeTable,
        report: &mut MaintenanceReport,
    ) -> Result<LakeTable> {
        let mut races = 0;
        let mut too_large = None;
        for _ in 0..MOST_COMMITS {
            if self.limits.stop.is_requested() {
                break;
            }
            let keys = self.keys(&table);
            let files = LiveFile::all(&table, &keys)?;
            let layout = Arc::new(FileLayout::of(table.files(), &keys, self.clock)?);
            let Some(due) = self.due(files, &layout, &mut too_large) else { break };
            let (action, reason) = (due.action(), due.reason().to_owned());
            if let Some(held) = self.held(&table) {
                report.add(ActionReport::new(
                    action,
                    Outcome::Skipped,
                    format!("{reason}; {held}"),
                ));
                return Ok(table);
            }
            let rewritten = match due {
                Rewrite::Compact(compaction) => {
                    rewrite::compacted(&table, &layout, compaction, self.memory_budget).await
                }
                Rewrite::Purge(purge) => rewrite::purged(&table, &layout, purge.files).await,
            };
            let replacement = match rewritten {
                Ok(replacement) => replacement,
                Err(error) => return Err(table.judge(error).await),
            };
            table = match replace(self.spec, self.location, table, &replacement, self.clock).await?
            {
                Replaced::Committed(newer) => {
                    report.add(replaced(action, reason, &replacement, newer.version()));
                    *newer
                }
                Replaced::Lost(newer) => {
                    races += 1;
                    if races == MOST_RACES {
                        report.add(ActionReport::new(action, Outcome::Lost, reason));
                        return Ok(*newer);
                    }
                    *newer
                }
            };
            report.version = Some(table.version());
        }
        if let Some(skipped) = too_large {
            report.add(skipped);
        }
        Ok(table)
    }

    /// The next rewrite that fits what there is; the first that does not is `too_large`.
    fn due(
        &self,
        files: Vec<LiveFile>,
        layout: &FileLayout,
        too_large: &mut Option<ActionReport>,
    ) -> Option<Rewrite> {
        let most = self.most_bytes();
        *too_large = None;
        let mut fits = |rewrite: Rewrite, most: u64| {
            if rewrite.bytes() <= most {
                return Some(rewrite);
            }
            too_large.get_or_insert_with(|| rewrite.skipped());
            None
        };
        let compaction = compaction::choose(&files, layout, most.compacted);
        compaction.and_then(|it| fits(Rewrite::Compact(it), most.compacted)).or_else(|| {
            let purge = purge::choose(files, self.spec.merge, most.purged)?;
            fits(Rewrite::Purge(purge), most.purged)
        })
    }

    async fn lower(&self, table: LakeTable, report: &mut MaintenanceReport) -> Result<LakeTable> {
        let files = LiveFile::all(&table, &[])?;
        let Some(due) = lower::choose(&table, &files, self.spec.merge)? else { return Ok(table) };
        if let Some(held) = self.held(&table) {
            let reason = format!("{}; {held}", due.reason);
            report.add(ActionReport::new(Action::Lower, Outcome::Skipped, reason));
            return Ok(table);
        }
        // Else the protocol would be younger than a checkpoint that tells of vectors. Trino 476 then
        // takes the checkpoint's files without them, misses what removed them, and shows their rows.
        self.checkpoint_now(&table, LOWERED, report).await?;
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
        let mut done = ActionReport::new(Action::Lower, outcome, due.reason);
        done.version = (outcome == Outcome::Done).then_some(table.version());
        report.add(done);
        report.version = Some(table.version());
        Ok(*table)
    }

    async fn checkpoint(&self, table: &LakeTable, report: &mut MaintenanceReport) -> Result<()> {
        let commits = checkpoint::commits_since(table).await?;
        if commits < CHECKPOINT_COMMITS {
            return Ok(());
        }
        let reason = format!("{commits} commits since the newest checkpoint");
        self.checkpoint_now(table, &reason, report).await
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

    /// Why nothing may be committed: what others did to the rows holds the table, and would be told
    /// no longer once a commit of ours is on top of theirs.
    fn held(&self, table: &LakeTable) -> Option<String> {
        let refused = refuse_foreign(self.spec, table).err()?;
        Some(format!("the table is held: {}", refused.chain()))
    }

    /// The keys of which the table has the columns already.
    fn keys(&self, table: &LakeTable) -> Vec<String> {
        let mut keys = self.spec.lake_keys();
        keys.retain(|key| table.schema().column(key).is_some());
        keys
    }

    /// What can be rewritten in the time left, and what can also be sorted.
    fn most_bytes(&self) -> MostBytes {
        let left = |end: std::time::Instant| end.saturating_duration_since(self.clock.instant());
        let in_time = |end| left(end).as_secs() * BYTES_A_SECOND;
        let purged = self.limits.deadline.map_or(u64::MAX, in_time);
        MostBytes { purged, compacted: purged.min(external_sort::most_bytes()) }
    }
}

impl Rewrite {
    fn action(&self) -> Action {
        match self {
            Self::Compact(_) => Action::Compact,
            Self::Purge(_) => Action::Purge,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Compact(compaction) => &compaction.reason,
            Self::Purge(purge) => &purge.reason,
        }
    }

    fn bytes(&self) -> u64 {
        let files = match self {
            Self::Compact(compaction) => &compaction.files,
            Self::Purge(purge) => &purge.files,
        };
        files.iter().map(|file| file.bytes).sum()
    }

    fn skipped(&self) -> ActionReport {
        let megabytes = self.bytes() / 1_000_000;
        let reason = format!(
            "{}; {megabytes} MB are too much for the time left or the temporary disk",
            self.reason()
        );
        ActionReport::new(self.action(), Outcome::Skipped, reason)
    }
}

fn replaced(
    action: Action,
    reason: String,
    replacement: &Replacement,
    version: u64,
) -> ActionReport {
    ActionReport {
        version: Some(version),
        files_removed: replacement.removed.len() as u64,
        files_added: replacement.added.len() as u64,
        bytes_removed: replacement.removed.iter().map(|file| file.bytes).sum(),
        bytes_added: replacement.added.iter().map(|add| add.size.unsigned_abs()).sum(),
        ..ActionReport::new(action, Outcome::Done, reason)
    }
}
