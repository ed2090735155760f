//! What is built takes the table's place, in one commit on the table's own log.
//!
//! Either only the rows that differ are changed, so that files, history and what readers of changes
//! see stay small, or all files are swapped, which writes metadata alone, whatever the size. The
//! difference is tried once for each rebuild, where an estimate says that it pays: whoever comes
//! after somebody who tried it swaps.

use std::fmt;

use serde::Serialize;

use crate::config::{OnColumnGone, TableSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::files::external_sort::free_bytes;
use crate::merge::{self, Bounds, Compared, Difference, MergePlan};
use crate::pipeline::budget::memory_budget;
use crate::pipeline::comparison::{Comparison, most_differing, swaps_rather};
use crate::pipeline::rebuild::Rebuilding;
use crate::pipeline::{Limits, Pipeline};
use crate::progress::{CommitRecord, Counts, Ledger};
use crate::table::{self, CommitOutcome, LakeTable, Rebuild, TableState, Transaction};

/// How a rebuilt table took the place of the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "lowercase")]
pub enum Replacement {
    /// Only the rows that differ were changed.
    Difference {
        /// Rows that were not in the table.
        inserted: u64,
        /// Rows that had other values.
        updated: u64,
        /// Rows that are no longer in it.
        deleted: u64,
    },
    /// All files were removed, and those of the rebuilt table added.
    Swap {
        /// Why not only the rows that differ.
        because: String,
    },
}

impl fmt::Display for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Difference { inserted: 0, updated: 0, deleted: 0 } => {
                write!(f, "no row differed, so no file has changed")
            }
            Self::Difference { inserted, updated, deleted } => write!(
                f,
                "only what differed was changed: {inserted} rows inserted, {updated} updated, \
                 {deleted} deleted"
            ),
            Self::Swap { because } => write!(f, "all files were swapped, since {because}"),
        }
    }
}

/// A rebuilt table and the one whose place it is to take.
#[derive(Clone, Copy)]
struct Successor<'a> {
    pipeline: &'a Pipeline,
    spec: &'a TableSpec,
    limits: &'a Limits,
    replaced: &'a LakeTable,
    rebuild: &'a Rebuild,
    built: &'a LakeTable,
}

/// What is to be committed.
enum Way {
    /// Only these changes.
    Difference(Box<MergePlan>),
    /// All files, for this reason.
    Swap(String),
}

/// Puts what is built in the table's place.
///
/// # Errors
/// What reading or the commit met, where that may not be in the log; `Internal` if there is no
/// rebuild.
pub(super) async fn put_in_place(
    pipeline: &Pipeline,
    spec: &TableSpec,
    limits: &Limits,
    table: Option<&LakeTable>,
    rebuilding: Option<&Rebuilding>,
) -> Result<Replacement> {
    let built = rebuilding.and_then(|it| Some((&it.rebuild, it.table.as_ref()?)));
    let (Some(replaced), Some((rebuild, built))) = (table, built) else {
        return Err(Error::new(ErrorKind::Internal, "nothing is built to replace the table"));
    };
    let successor = Successor { pipeline, spec, limits, replaced, rebuild, built };
    let begun = pipeline.clock().instant();
    let (outcome, replacement) = successor.commit().await?;
    // Where it is not the newest, the next look tells whether it is in the log: the ledger names the
    // rebuild.
    let table = outcome.committed()?;
    let milliseconds = (pipeline.clock().instant() - begun).as_millis();
    tracing::info!(
        table = %spec.source,
        version = table.version(),
        rows_before = replaced.rows(),
        rows = table.rows(),
        milliseconds = u64::try_from(milliseconds).unwrap_or(u64::MAX),
        "the rebuilt table is in place: {replacement}"
    );
    if matches!(replacement, Replacement::Difference { .. }) {
        pipeline.remove_built(spec, rebuild, built, &table).await;
    }
    Ok(replacement)
}

impl Successor<'_> {
    async fn commit(&self) -> Result<(CommitOutcome, Replacement)> {
        let clock = self.pipeline.clock();
        let ledger = Ledger { rebuilt: Some(self.rebuild.id), ..self.built.ledger().clone() };
        match self.way().await? {
            Way::Swap(because) => {
                let leaves = |name: &str| self.leaves(name);
                let outcome =
                    table::replace(self.replaced, self.built, ledger, leaves, clock).await?;
                Ok((outcome, Replacement::Swap { because }))
            }
            Way::Difference(plan) => {
                let MergePlan { inserted, updated, deleted, .. } = *plan;
                let rows = inserted + updated + deleted;
                let counts = Counts { rows, inserted, updated, deleted, ..Counts::default() };
                let (before, after) = (self.replaced.rows(), self.built.rows());
                let attempt = clock.attempt_id();
                let record = CommitRecord::replacing(attempt, counts, before, after, ledger)?;
                let transaction = Transaction::on(self.replaced, record, clock);
                let written = Box::pin(merge::write_files(transaction, *plan)).await?;
                self.pipeline.meter(&self.spec.source).counted(written.file_counts());
                let merged = Box::pin(written.commit()).await?;
                Ok((merged.outcome, Replacement::Difference { inserted, updated, deleted }))
            }
        }
    }

    async fn way(&self) -> Result<Way> {
        let swap = |why: &str| Ok(Way::Swap(why.to_owned()));
        if self.rebuild.compared {
            return swap("comparing the rows did not come to its end before");
        }
        let mut names = self.replaced.schema().columns().iter().map(|column| &column.name);
        if names.any(|name| self.leaves(name) && self.built.schema().column(name).is_none()) {
            return swap("columns went away or have other names now");
        }
        let comparison = self.comparison();
        if let Some(why) = comparison.refusal(self.replaced, self.built, &self.spec.lake_keys()) {
            return swap(why);
        }
        self.begin_to_compare().await?;
        let compared = tokio::select! {
            compared = self.compare() => compared,
            why = comparison.is_over(self.limits, self.pipeline.clock().as_ref()) => {
                return swap(why);
            }
        };
        match compared {
            Ok(way) => Ok(way),
            // Files may be missing because another worker has put the rebuilt table in place.
            Err(error) => Err(self.replaced.judge(self.built.judge(error).await).await),
        }
    }

    async fn compare(&self) -> Result<Way> {
        let Self { replaced, built, spec, .. } = *self;
        let keys = spec.lake_keys();
        let bounds = Bounds {
            memory_budget: memory_budget(self.pipeline.settings(), self.limits),
            most_rows: most_differing(replaced, built),
        };
        let clock = self.pipeline.clock().as_ref();
        let Difference { net, .. } =
            match merge::difference(replaced, built, &keys, bounds, clock).await? {
                Compared::Little(difference) => difference,
                Compared::Unsuited(why) => return Ok(Way::Swap(why.to_owned())),
            };
        let plan = merge::plan(replaced, &keys, net).await?;
        let plan = plan.with_mode(spec.merge).sparing_others();
        Ok(match swaps_rather(replaced, &plan) {
            Some(why) => Way::Swap(why.to_owned()),
            None => Way::Difference(Box::new(plan)),
        })
    }

    /// Whether a column goes with the rows that had it: one that moved on stands under its new
    /// name.
    fn leaves(&self, name: &str) -> bool {
        self.spec.on_column_gone == OnColumnGone::Drop
            || self.spec.moved_names().any(|(before, _)| before == name)
    }

    fn comparison(&self) -> Comparison {
        let clock = self.pipeline.clock().as_ref();
        Comparison {
            memory_budget: memory_budget(self.pipeline.settings(), self.limits),
            free_bytes: free_bytes() / self.limits.sharers.get() as u64,
            time_left: self.limits.time_left(clock),
        }
    }

    /// Writes down that the rows are being compared: if that kills the process, the next one swaps.
    async fn begin_to_compare(&self) -> Result<()> {
        let id = self.rebuild.id;
        let begin = |state: &mut TableState| {
            if let Some(rebuild) = state.rebuild.as_mut().filter(|it| it.id == id) {
                rebuild.compared = true;
            }
        };
        self.pipeline.update_state(self.spec, begin).await?;
        Ok(())
    }
}
