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
mod decided;
mod discard;
mod fields;
mod halves;
mod intake;
mod order;
mod place;
mod reading;
mod staged;

use std::collections::BTreeSet;
use std::time::Duration;

use deltalake::kernel::Version;
use uuid::Uuid;

use crate::config::TableSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::holds::paused;
use crate::pipeline::operator::refuse_rebuilding;
use crate::pipeline::release::chosen::Chosen;
use crate::pipeline::release::decided::Prepared;
use crate::pipeline::release::halves::Halves;
use crate::pipeline::release::intake::RowId;
use crate::pipeline::release::order::{Behind, Later};
use crate::pipeline::release::place::Place;
use crate::pipeline::release::reading::read;
use crate::pipeline::release::staged::Staged;
use crate::pipeline::{Limits, Pipeline};
use crate::progress::{Counts, Leaving, Ledger, RowPlace};
use crate::quarantine::{self, QuarantinedRow};
use crate::table::{self, LakeTable, TableState, refuse_table};

pub use chosen::Quarantine;
pub use reading::Repair;

/// So often another worker may commit first.
const MOST_ATTEMPTS: u32 = 8;
/// The longest time between two attempts.
const WAIT: Duration = Duration::from_millis(200);
/// What a record may spend on the rows that leave, and what an object and a row of it take at most.
const MOST_BYTES: usize = 8 << 10;
const BYTES_OF_OBJECT: usize = 64;
const BYTES_OF_ROW: usize = 12;

/// Which rows of a table's quarantine are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ChosenRows {
    /// All of them.
    #[default]
    All,
    /// Those of this object, by its path below the table's folder.
    OfObject(String),
    /// That of this object and number, from 1.
    Row(String, u64),
    /// Those of these identities of objects and numbers.
    These(BTreeSet<(String, u64)>),
}

impl ChosenRows {
    /// Whether a row is meant.
    #[must_use]
    pub fn has(&self, row: &QuarantinedRow) -> bool {
        match self {
            Self::All => true,
            Self::OfObject(object) => *object == row.object,
            Self::Row(object, number) => *object == row.object && *number == row.row,
            Self::These(rows) => rows.contains(&(row.identity.clone(), row.row)),
        }
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
        let rows = self.chosen_rows(spec, &table, &release.rows).await?;
        Ok(self.prepared(spec, &table, rows, release).await?.outcome)
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
        let mut all = Released::default();
        loop {
            let passed = all.rows.last().map(|last| place_of(&last.row));
            let part = self.release_part(spec, release, passed.as_ref(), limits);
            let part = Box::pin(part).await?;
            all.waiting = part.waiting;
            all.version = part.version.or(all.version);
            all.counts += part.counts;
            let is_last = part.rows.is_empty();
            all.rows.extend(part.rows);
            if is_last || limits.stop.is_requested() {
                return Ok(all);
            }
        }
    }

    /// Releases the next rows behind a place, as many as one commit can tell of.
    async fn release_part(
        &self,
        spec: &TableSpec,
        release: &Release,
        passed: Option<&Option<Place>>,
        limits: &Limits,
    ) -> Result<Released> {
        let mut attempts = 0;
        let mut lost = None;
        loop {
            let table = self.settled(spec).await?;
            // The commit of an attempt whose answer was lost is told by the ledger.
            if let Some((attempt, outcome)) = lost.take()
                && is_by(&table, attempt)
            {
                return Box::pin(self.released(spec, table, outcome, limits)).await;
            }
            let mut rows = self.chosen_rows(spec, &table, &release.rows).await?;
            rows.retain(|row| passed.is_none_or(|passed| place_of(row) > *passed));
            rows.truncate(told_at_once(&rows));
            let prepared = self.prepared(spec, &table, rows, release).await?;
            if prepared.outcome.left() == 0 {
                return Ok(prepared.outcome);
            }
            let (attempt, outcome) = (prepared.attempt, prepared.outcome.clone());
            match self.commit_release(spec, &table, prepared, release).await {
                Ok(table) => return Box::pin(self.released(spec, table, outcome, limits)).await,
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

    /// The chosen rows that stand in the quarantine, in the order of changes.
    async fn chosen_rows(
        &self,
        spec: &TableSpec,
        table: &LakeTable,
        chosen: &ChosenRows,
    ) -> Result<Vec<QuarantinedRow>> {
        let mut rows = self.standing_rows(spec, table).await?;
        rows.retain(|row| chosen.has(row));
        Ok(rows)
    }

    /// The rows that stand in the quarantine and have not left it by the ledger, in the order of
    /// changes.
    ///
    /// # Errors
    /// `Unavailable` if the quarantine cannot be read.
    pub(super) async fn standing_rows(
        &self,
        spec: &TableSpec,
        table: &LakeTable,
    ) -> Result<Vec<QuarantinedRow>> {
        let leaving = leaving(table.ledger());
        let location = self.quarantine_folder(&spec.source)?;
        let mut rows = quarantine::waiting(&location).await?;
        rows.retain(|row| !leaving.contains(&(row.identity.clone(), row.row)));
        rows.sort_by_cached_key(place_of);
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

    /// Decides about each of these rows.
    async fn prepared(
        &self,
        spec: &TableSpec,
        table: &LakeTable,
        rows: Vec<QuarantinedRow>,
        release: &Release,
    ) -> Result<Prepared> {
        let standing = self.standing_rows(spec, table).await?.into_iter();
        let mut absent: BTreeSet<RowId> = standing.map(|row| (row.identity, row.row)).collect();
        let state = self.state_object(&spec.source)?.read().await?;
        absent.extend(state.iter().flat_map(TableState::discarded_rows));
        let mut staged = Staged::list(self, spec).await?;
        let keys = spec.lake_keys();
        let Chosen { candidates, uncounted, intake } = Chosen::of(rows, table, &mut staged).await?;
        let first = candidates.first().map(|it| it.place.clone());
        let (readable, unreadable) =
            read(&staged, table.schema(), candidates, &release.repairs).await?;
        let Halves { halves, keys: asked } = Halves::of(&readable, &keys)?;
        let later = match (&asked, &first) {
            (Some(asked), Some(first)) => {
                let behind = Behind { first, names: &keys, keys: asked, absent: &absent };
                Some(Box::pin(Later::than(behind, &mut staged, table, &intake)).await?)
            }
            _ => None,
        };
        let mut prepared = Prepared::of(self.clock().attempt_id(), table, readable, halves);
        prepared.judge(self, spec, table, later.as_ref(), release.over)?;
        prepared.tell(unreadable, uncounted);
        Ok(prepared)
    }
}

/// Where a row is in the order of changes; none if its object's name is none of DMS.
fn place_of(row: &QuarantinedRow) -> Option<Place> {
    Place::parse(&RowPlace { object: row.object.clone(), row: row.row })
}

/// Whether the newest release or discard of a table is of that attempt.
fn is_by(table: &LakeTable, attempt: Uuid) -> bool {
    table.ledger().released.as_ref().is_some_and(|it| it.attempt == Some(attempt))
}

/// How many of the rows, which are by object, one record can name within its bounds.
fn told_at_once(rows: &[QuarantinedRow]) -> usize {
    let (mut bytes, mut count) = (0, 0);
    for object in rows.chunk_by(|one, other| one.identity == other.identity) {
        bytes += BYTES_OF_OBJECT;
        let fit = MOST_BYTES.saturating_sub(bytes) / BYTES_OF_ROW;
        let told = object.len().min(fit);
        count += told;
        bytes += told * BYTES_OF_ROW;
        if told < object.len() {
            break;
        }
    }
    count
}

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
