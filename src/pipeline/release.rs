//! Rows come back from quarantine in the order of changes, or are given up.
//!
//! A row is decoded again under the present configuration: from its object while that is staged, else
//! from what the quarantine keeps (`reading`). It loses to every change of its key that came after it.
//! A guarded table compares change sequences; otherwise log and staging must show that there is none
//! (`intake`, `order`). The rows and the count of those that wait are in one commit, whose ledger
//! names the rows that leave. Then they leave the quarantine; whoever comes next finishes what a crash
//! leaves undone, because rows that the ledger names count no more (`commit`).

mod chosen;
mod commit;
mod halves;
mod intake;
mod order;
mod place;
mod reading;
mod staged;

use std::collections::BTreeSet;

use deltalake::kernel::Version;

use crate::config::TableSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::holds::paused;
use crate::pipeline::operator::refuse_rebuilding;
use crate::pipeline::release::chosen::Chosen;
use crate::pipeline::release::halves::Halves;
use crate::pipeline::release::intake::RowId;
use crate::pipeline::release::order::{Later, Standing};
use crate::pipeline::release::reading::{Readable, read};
use crate::pipeline::release::staged::Staged;
use crate::pipeline::{Limits, Pipeline};
use crate::progress::{Counts, Leaving, Ledger};
use crate::quarantine::{self, QuarantinedRow};
use crate::table::{self, LakeTable, refuse_table};

pub use chosen::Quarantine;
pub use reading::Repair;

/// So often another worker may commit first.
const MOST_ATTEMPTS: u32 = 8;

/// Which rows of a table's quarantine are meant; by default all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChosenRows {
    /// Those of this object, by its path below the table's folder.
    pub object: Option<String>,
    /// The one of this number, from 1.
    pub row: Option<u64>,
}

impl ChosenRows {
    /// Whether a row is meant.
    #[must_use]
    pub fn has(&self, row: &QuarantinedRow) -> bool {
        self.object.as_ref().is_none_or(|object| *object == row.object)
            && self.row.is_none_or(|number| number == row.row)
    }
}

/// How rows are released.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// Which.
    pub rows: ChosenRows,
    /// What is repaired in each of them.
    pub repairs: Vec<Repair>,
    /// Whether those are applied, over what is stored, of which it cannot be told whether a newer
    /// change of the same row was applied.
    pub over: bool,
}

/// What becomes of a row of the quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFate {
    /// It is in the table, in its place among the changes of its key.
    Applied,
    /// A newer change of its key was applied: it is released and changes nothing.
    Superseded,
    /// It waits: it still cannot be decoded.
    Undecodable,
    /// It waits: it cannot be told whether a newer change of its key was applied.
    Untold,
    /// The table has not taken it in, or no longer knows of it.
    Uncounted,
}

/// What became, or would become, of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowOutcome {
    /// The row.
    pub row: QuarantinedRow,
    /// What becomes of it.
    pub fate: RowFate,
    /// Why it waits.
    pub reason: Option<String>,
}

/// What a release did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// The chosen rows, in the order of changes.
    pub rows: Vec<RowOutcome>,
    /// What became of the released changes.
    pub counts: Counts,
    /// The version that has them; none if nothing was released.
    pub version: Option<Version>,
    /// Rows that wait afterwards.
    pub waiting: u64,
}

impl Released {
    /// How many rows have that fate.
    #[must_use]
    pub fn count(&self, fate: RowFate) -> u64 {
        self.rows.iter().filter(|row| row.fate == fate).count() as u64
    }

    /// How many rows leave the quarantine.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.count(RowFate::Applied) + self.count(RowFate::Superseded)
    }
}

impl Pipeline {
    /// Finds out what a release would do. Nothing is changed.
    ///
    /// # Errors
    /// As [`Self::release`], but for those of writing.
    pub async fn plan_release(&self, spec: &TableSpec, release: &Release) -> Result<Released> {
        let table = self.releasable(spec).await?;
        Ok(self.prepared(spec, &table, release).await?.outcome)
    }

    /// Releases rows from quarantine: each comes back in its place among the changes of its key. What
    /// still cannot be decoded, or placed, goes on waiting.
    ///
    /// # Errors
    /// `TableRefused` if there is no table, it is being rebuilt, loaded again, or changed by others in
    /// a way that holds it; `Paused`; `Conflict` if other workers commit first each time;
    /// `Unavailable` if staging or lake do not answer.
    pub async fn release(
        &self,
        spec: &TableSpec,
        release: &Release,
        limits: &Limits,
    ) -> Result<Released> {
        let mut attempts = 0;
        let mut lost = None;
        loop {
            let table = self.settled(spec).await?;
            // The commit of an attempt whose answer was lost is told by the ledger.
            if let Some((attempt, outcome)) = lost.take()
                && table.ledger().released.as_ref().is_some_and(|it| it.attempt == Some(attempt))
            {
                return self.released(spec, table, outcome, limits).await;
            }
            let prepared = self.prepared(spec, &table, release).await?;
            if prepared.outcome.left() == 0 {
                return Ok(prepared.outcome);
            }
            let (attempt, outcome) = (prepared.attempt, prepared.outcome.clone());
            match self.commit_release(spec, &table, prepared, release).await {
                Ok(table) => return self.released(spec, table, outcome, limits).await,
                Err(error) if is_worth_another(&error) && attempts < MOST_ATTEMPTS => {
                    tracing::info!(table = %spec.source, "releasing again: {}", error.chain());
                    lost = Some((attempt, outcome));
                    attempts += 1;
                    tokio::time::sleep(self.clock().jitter(WAIT)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives up rows of the quarantine: they count no more. That is written down beside the table
    /// first. Returns what was given up.
    ///
    /// # Errors
    /// As [`Self::release`].
    pub async fn discard_quarantined(
        &self,
        spec: &TableSpec,
        rows: &ChosenRows,
    ) -> Result<Vec<QuarantinedRow>> {
        let mut attempts = 0;
        let mut lost: Option<(uuid::Uuid, Vec<QuarantinedRow>)> = None;
        loop {
            let table = self.settled(spec).await?;
            if let Some((attempt, given_up)) = lost.take()
                && table.ledger().released.as_ref().is_some_and(|it| it.attempt == Some(attempt))
            {
                self.settle_after(spec, table).await?;
                return Ok(given_up);
            }
            let standing = self.standing_rows(spec, &table).await?;
            let given_up: Vec<QuarantinedRow> =
                standing.into_iter().filter(|row| rows.has(row)).collect();
            if given_up.is_empty() {
                return Ok(given_up);
            }
            if attempts == 0 {
                let objects: BTreeSet<&str> = given_up.iter().map(|row| &*row.object).collect();
                let named = |object: &&str| {
                    let of_it = given_up.iter().filter(|row| row.object == **object).count();
                    format!("{of_it} rows in quarantine of {object}")
                };
                let (names, now) =
                    (objects.iter().map(named).collect::<Vec<_>>(), self.clock().now());
                self.update_state(spec, |state| state.gave_up(&names, now)).await?;
            }
            let attempt = self.clock().attempt_id();
            match self.commit_discard(&table, attempt, &given_up).await {
                Ok(table) => {
                    self.settle_after(spec, table).await?;
                    tracing::warn!(
                        table = %spec.source,
                        rows = given_up.len(),
                        "rows in quarantine are given up"
                    );
                    return Ok(given_up);
                }
                Err(error) if is_worth_another(&error) && attempts < MOST_ATTEMPTS => {
                    lost = Some((attempt, given_up));
                    attempts += 1;
                    tokio::time::sleep(self.clock().jitter(WAIT)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The rows that stand in the quarantine and have not left it by the ledger.
    ///
    /// # Errors
    /// `Unavailable` if the quarantine cannot be read.
    pub(crate) async fn standing_rows(
        &self,
        spec: &TableSpec,
        table: &LakeTable,
    ) -> Result<Vec<QuarantinedRow>> {
        let leaving = leaving(table.ledger());
        let location = self.quarantine_folder(&spec.source)?;
        let mut rows = quarantine::waiting(&location).await?;
        rows.retain(|row| !leaving.contains(&(row.identity.clone(), row.row)));
        Ok(rows)
    }

    /// The table, if rows may be released into it.
    async fn releasable(&self, spec: &TableSpec) -> Result<LakeTable> {
        let location = self.lake_folder(&spec.source)?;
        let table = table::open(&location, None).await?.ok_or_else(|| {
            Error::new(ErrorKind::TableRefused, "there is no table that could have a quarantine")
                .with_remedy(format!("dmslake apply --table {}", spec.source))
        })?;
        refuse_table(spec, &table)?;
        let state = self.state_object(&spec.source)?.read().await?;
        refuse_rebuilding(state.as_ref(), &table)?;
        match paused(spec, state.as_ref()) {
            Some(paused) => Err(paused),
            None => Ok(table),
        }
    }

    /// Decides about each chosen row.
    async fn prepared(
        &self,
        spec: &TableSpec,
        table: &LakeTable,
        release: &Release,
    ) -> Result<Prepared> {
        let mut rows = self.standing_rows(spec, table).await?;
        rows.retain(|row| release.rows.has(row));
        let mut staged = Staged::list(self, spec).await?;
        let keys = spec.lake_keys();
        let Chosen { candidates, uncounted, intake } = Chosen::of(rows, table, &mut staged).await?;
        let first = candidates.first().map(|it| it.place.clone());
        let (readable, unreadable) =
            read(&staged, table.schema(), candidates, &release.repairs).await?;
        let Halves { halves, keys: asked } = Halves::of(&readable, &keys)?;
        let later = match (&asked, &first) {
            (Some(asked), Some(first)) => {
                let keys = (keys.as_slice(), asked);
                Some(Box::pin(Later::than(first, keys, &mut staged, table, &intake)).await?)
            }
            _ => None,
        };
        let mut prepared = Prepared::of(self.clock().attempt_id(), table, readable, halves);
        prepared.judge(self, spec, table, later.as_ref(), release.over)?;
        prepared.tell(unreadable, uncounted);
        Ok(prepared)
    }
}

const WAIT: std::time::Duration = std::time::Duration::from_millis(200);

fn is_worth_another(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Unavailable)
}

/// The rows that count no more by a ledger, and may stand in the quarantine still.
pub(crate) fn leaving(ledger: &Ledger) -> BTreeSet<RowId> {
    let leaving = ledger.released.iter().flat_map(|it| &it.leaving);
    let rows = |leaving: &Leaving| {
        let identity = leaving.identity.clone();
        let ids = leaving.rows.iter().map(move |row| (identity.clone(), *row));
        ids.collect::<Vec<RowId>>()
    };
    leaving.flat_map(rows).collect()
}

/// What is to be committed.
#[derive(Debug)]
struct Prepared {
    attempt: uuid::Uuid,
    outcome: Released,
    readable: Vec<Readable>,
    halves: Vec<halves::Half>,
    /// What each half is to do, in their order.
    decided: Vec<Decision>,
}

/// What is to become of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// It is applied; a guarded table compares it first.
    Apply,
    /// It is applied whatever is stored.
    Over,
    /// It is older than what was applied.
    Supersede,
    /// Its row waits.
    Wait,
}

impl Prepared {
    fn of(
        attempt: uuid::Uuid,
        table: &LakeTable,
        readable: Vec<Readable>,
        halves: Vec<halves::Half>,
    ) -> Self {
        let outcome = Released { waiting: table.ledger().quarantined, ..Released::default() };
        Self { attempt, outcome, readable, halves, decided: Vec::new() }
    }

    /// Decides about each change, and from that about each row.
    fn judge(
        &mut self,
        pipeline: &Pipeline,
        spec: &TableSpec,
        table: &LakeTable,
        later: Option<&Later>,
        over: bool,
    ) -> Result<()> {
        let guard = crate::pipeline::guard::Guard::of_released(pipeline, spec, table.ledger())?;
        let mut why: Vec<Option<String>> = vec![None; self.readable.len()];
        for half in &self.halves {
            let row = &self.readable[half.row];
            let sequence = row.sequence().filter(|_| !row.keeps_values());
            let is_placed =
                sequence.is_some_and(|it| guard.as_ref().is_some_and(|guard| guard.can_place(it)));
            let standing = match later {
                Some(later) if !is_placed => later.standing(half, &row.candidate),
                _ => Standing::Newest,
            };
            self.decided.push(match standing {
                Standing::Newest => Decision::Apply,
                Standing::Superseded => Decision::Supersede,
                Standing::Untold(_) if over => Decision::Over,
                Standing::Untold(reason) => {
                    why[half.row].get_or_insert(reason);
                    Decision::Wait
                }
            });
        }
        // A change that moves its row and keeps values of it is applied whole or not at all.
        for row in (0..self.readable.len()).filter(|row| self.readable[*row].keeps_values()) {
            let of_row = |at: &usize| self.halves[*at].row == row;
            let mut halves = (0..self.halves.len()).filter(of_row);
            let first = halves.next().map(|at| self.decided[at]);
            if !over && halves.any(|at| Some(self.decided[at]) != first) {
                let reason = "it moves a row and keeps values of it, and one of its keys was changed \
                              again since";
                why[row].get_or_insert(reason.to_owned());
            }
        }
        for (row, (readable, why)) in self.readable.iter().zip(why).enumerate() {
            let of_row = |at: &usize| self.halves[*at].row == row;
            let halves = (0..self.halves.len()).filter(of_row);
            let fate = if why.is_some() {
                halves.for_each(|at| self.decided[at] = Decision::Wait);
                RowFate::Untold
            } else if halves.clone().all(|at| self.decided[at] == Decision::Supersede) {
                RowFate::Superseded
            } else {
                RowFate::Applied
            };
            let row = readable.candidate.row.clone();
            self.outcome.rows.push(RowOutcome { row, fate, reason: why });
        }
        self.outcome.waiting = self.outcome.waiting.saturating_sub(self.outcome.left());
        Ok(())
    }

    /// Adds the rows that wait for other reasons.
    fn tell(&mut self, unreadable: Vec<reading::Unreadable>, uncounted: Vec<RowOutcome>) {
        let unreadable = unreadable.into_iter().map(|(candidate, bad)| RowOutcome {
            row: QuarantinedRow { column: bad.column, ..candidate.row },
            fate: RowFate::Undecodable,
            reason: Some(bad.reason),
        });
        self.outcome.rows.extend(unreadable.chain(uncounted));
        let place = |it: &RowOutcome| {
            let place =
                crate::progress::RowPlace { object: it.row.object.clone(), row: it.row.row };
            place::Place::parse(&place)
        };
        self.outcome.rows.sort_by_cached_key(place);
    }
}
