//! Rewrites of one maintenance: chosen one after another, written here or in parts elsewhere, and
//! committed on top of what others do meanwhile.

use std::sync::Arc;

use crate::error::Result;
use crate::files::{FileLayout, external_sort};
use crate::maintenance::compaction::{self, Compaction};
use crate::maintenance::live_file::LiveFile;
use crate::maintenance::part::{Rewriter, parts, written};
use crate::maintenance::policy::{BYTES_A_SECOND, MOST_COMMITS, MOST_RACES};
use crate::maintenance::purge::{self, Purge};
use crate::maintenance::replacement::{FilesAsTheyAre, Replaced, Replacement, replace};
use crate::maintenance::report::{Action, ActionReport, MaintenanceReport, Outcome};
use crate::maintenance::rewrite;
use crate::maintenance::run::Maintenance;
use crate::table::LakeTable;

/// Bytes of files that one rewrite may take in.
struct MostBytes {
    purged: u64,
    compacted: u64,
}

/// A rewrite that is due.
pub(super) enum Rewrite {
    Compact(Compaction),
    Purge(Purge),
}

/// What became of a rewrite, and the table after it.
struct Rewritten {
    table: LakeTable,
    /// Whether none of it was committed, because others changed its files first.
    is_lost: bool,
}

impl Maintenance<'_> {
    /// Compacts and purges until nothing is due, the time is up, or others come first too often.
    pub(super) async fn rewrite(
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
                let reason = format!("{reason}; {held}");
                report.add(ActionReport::new(action, Outcome::Skipped, reason));
                return Ok(table);
            }
            let rewritten = match self.rewriter {
                None => self.by_itself(table, &layout, due, report).await?,
                Some(rewriter) => self.by_parts(table, rewriter, due, report).await?,
            };
            table = rewritten.table;
            if rewritten.is_lost {
                races += 1;
                if races == MOST_RACES {
                    report.add(ActionReport::new(action, Outcome::Lost, reason));
                    return Ok(table);
                }
            }
            report.version = Some(table.version());
        }
        if let Some(skipped) = too_large {
            report.add(skipped);
        }
        Ok(table)
    }

    /// Writes a rewrite in this process.
    async fn by_itself(
        &self,
        table: LakeTable,
        layout: &Arc<FileLayout>,
        due: Rewrite,
        report: &mut MaintenanceReport,
    ) -> Result<Rewritten> {
        let begun = self.clock.instant();
        let (action, reason) = (due.action(), due.reason().to_owned());
        let written = match due {
            Rewrite::Compact(compaction) => {
                rewrite::compacted(&table, layout, compaction, self.memory_budget).await
            }
            Rewrite::Purge(purge) => rewrite::purged(&table, layout, purge.files).await,
        };
        let replacements = match written {
            Ok(replacement) => vec![replacement],
            Err(error) => return Err(table.judge(error).await),
        };
        let replaced = replace(self, table, replacements, begun).await?;
        Ok(taken_in(replaced, action, &reason, report))
    }

    /// Has the parts of a rewrite written elsewhere, and commits as many of them at once as are written
    /// side by side.
    async fn by_parts(
        &self,
        mut table: LakeTable,
        rewriter: &dyn Rewriter,
        due: Rewrite,
        report: &mut MaintenanceReport,
    ) -> Result<Rewritten> {
        let (action, reason) = (due.action(), due.reason().to_owned());
        let mut left = parts(due, rewriter.part_bytes());
        let mut is_lost = true;
        while !left.is_empty() && !self.limits.stop.is_requested() {
            let begun = self.clock.instant();
            let behind = left.split_off(rewriter.parts_at_once().max(1).min(left.len()));
            let replacements = match written(rewriter, &table, left).await {
                Ok(replacements) => replacements,
                Err(error) => return Err(table.judge(error).await),
            };
            let replaced = replace(self, table, replacements, begun).await?;
            let rewritten = taken_in(replaced, action, &reason, report);
            is_lost &= rewritten.is_lost;
            table = rewritten.table;
            report.version = Some(table.version());
            // What others have changed meanwhile is due again, or no longer.
            left = behind;
            let files = FilesAsTheyAre::of(&table)?;
            left.retain(|(_, part)| files.have(part));
        }
        Ok(Rewritten { table, is_lost })
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

    /// What can be rewritten in the time left, and what can also be sorted.
    fn most_bytes(&self) -> MostBytes {
        let left = |end: std::time::Instant| end.saturating_duration_since(self.clock.instant());
        let in_time = |end| left(end).as_secs() * BYTES_A_SECOND;
        let purged = self.limits.deadline.map_or(u64::MAX, in_time);
        // Parts are sorted on the disks of others.
        let sorted = self.rewriter.map_or_else(external_sort::most_bytes, |_| u64::MAX);
        MostBytes { purged, compacted: purged.min(sorted) }
    }
}

/// Reports what was committed.
fn taken_in(
    replaced: Replaced,
    action: Action,
    reason: &str,
    report: &mut MaintenanceReport,
) -> Rewritten {
    match replaced {
        Replaced::Committed(table, replacements) => {
            report.add(done(action, reason, &replacements, table.version()));
            Rewritten { table: *table, is_lost: false }
        }
        Replaced::Lost(table) => Rewritten { table: *table, is_lost: true },
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
            "{}; {megabytes} MB are too much for the time left or the temporary disk, not for a job",
            self.reason()
        );
        ActionReport::new(self.action(), Outcome::Skipped, reason)
    }
}

fn done(action: Action, reason: &str, replacements: &[Replacement], version: u64) -> ActionReport {
    let removed = || replacements.iter().flat_map(|it| &it.removed);
    let added = || replacements.iter().flat_map(|it| &it.added);
    ActionReport {
        version: Some(version),
        files_removed: removed().count() as u64,
        files_added: added().count() as u64,
        bytes_removed: removed().map(|file| file.bytes).sum(),
        bytes_added: added().map(|add| add.size.unsigned_abs()).sum(),
        ..ActionReport::new(action, Outcome::Done, reason)
    }
}
