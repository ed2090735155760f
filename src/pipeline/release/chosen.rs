//! Which rows of the quarantine a table has taken in.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::TableSpec;
use crate::error::{ErrorKind, Result};
use crate::pipeline::release::intake::{Intake, RowId};
use crate::pipeline::release::order::loaded_again;
use crate::pipeline::release::place::Place;
use crate::pipeline::release::reading::Candidate;
use crate::pipeline::release::staged::{Staged, StillStaged};
use crate::pipeline::{Pipeline, RowFate, RowOutcome};
use crate::progress::RowPlace;
use crate::quarantine::QuarantinedRow;
use crate::table::{self, LakeTable};

/// The chosen rows, sorted.
#[derive(Debug)]
pub(super) struct Chosen {
    /// Those that the table has taken in, in the order of changes.
    pub(super) candidates: Vec<Candidate>,
    pub(super) uncounted: Vec<RowOutcome>,
    pub(super) intake: Intake,
}

impl Chosen {
    /// # Errors
    /// `TableRefused` if DMS has loaded the table again; `Unavailable` if log or staging cannot be
    /// read.
    pub(super) async fn of(
        rows: Vec<QuarantinedRow>,
        table: &LakeTable,
        staged: &mut Staged<'_>,
    ) -> Result<Self> {
        let place = |row: &QuarantinedRow| {
            Place::parse(&RowPlace { object: row.object.clone(), row: row.row })
        };
        let asked: BTreeSet<RowId> =
            rows.iter().map(|row| (row.identity.clone(), row.row)).collect();
        let Some(first) = rows.iter().filter_map(place).min() else {
            let (candidates, uncounted) = (Vec::new(), Vec::new());
            return Ok(Self { candidates, uncounted, intake: Intake::default() });
        };
        let intake = Intake::of(table, &asked, &first).await?;
        let still = staged.taken_in(table).await?.ok_or_else(loaded_again)?;
        let still: BTreeMap<String, StillStaged> =
            still.into_iter().map(|it| (it.mark(), it)).collect();
        let (mut candidates, mut uncounted) = (Vec::new(), Vec::new());
        for row in rows {
            let taken = intake.taken.get(&(row.identity.clone(), row.row));
            let there = still.get(&row.identity).filter(|it| row.row <= it.rows);
            let is_ahead = taken.is_some_and(|taken| table.ledger().cdc.is_behind(&taken.object));
            let object = match (there, taken) {
                (Some(there), _) => Some(there.object.clone()),
                (None, Some(taken)) if !is_ahead => Some(taken.object.clone()),
                _ => None,
            };
            let Some(object) = object else {
                let (fate, reason) = (RowFate::Uncounted, Some(UNKNOWN.to_owned()));
                uncounted.push(RowOutcome { row, fate, reason });
                continue;
            };
            let emptied_since = match taken {
                Some(taken) => taken.emptied_since,
                None => table
                    .ledger()
                    .emptied_behind
                    .is_some_and(|behind| object.last_modified.timestamp_millis() <= behind),
            };
            candidates.push(Candidate {
                place: Place::of(&object, row.row),
                is_staged: there.is_some(),
                emptied_since,
                version: taken.map(|taken| taken.version),
                object,
                row,
            });
        }
        candidates.sort_by(|one, other| one.place.cmp(&other.place));
        Ok(Self { candidates, uncounted, intake })
    }
}

const UNKNOWN: &str =
    "the table has not taken it in, or neither log nor staging tell of it any more";

/// The rows in a table's quarantine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quarantine {
    /// How many wait, as the ledger of the table counts them.
    pub waiting: u64,
    /// The rows that stand in it, in the order of changes.
    pub rows: Vec<QuarantinedRow>,
    /// Those of them that count for nothing: the table has not taken them in, or neither log nor
    /// staging tell of them any more.
    pub uncounted: Vec<QuarantinedRow>,
}

impl Pipeline {
    /// The rows in quarantine of a table; none if there is no table.
    ///
    /// # Errors
    /// `Unavailable` if lake or staging do not answer, and what keeps the table from being seen.
    pub async fn quarantine(&self, spec: &TableSpec) -> Result<Option<Quarantine>> {
        let location = self.lake_folder(&spec.source)?;
        let Some(table) = table::open(&location, None).await? else { return Ok(None) };
        let rows = self.standing_rows(spec, &table).await?;
        let waiting = table.ledger().quarantined;
        if rows.is_empty() {
            return Ok(Some(Quarantine { waiting, ..Quarantine::default() }));
        }
        let uncounted = self.uncounted(spec, &table, &rows).await?;
        Ok(Some(Quarantine { waiting, rows, uncounted }))
    }

    /// Those of the rows that count for nothing.
    ///
    /// # Errors
    /// `Unavailable` if log or staging cannot be read.
    pub(super) async fn uncounted(
        &self,
        spec: &TableSpec,
        table: &LakeTable,
        rows: &[QuarantinedRow],
    ) -> Result<Vec<QuarantinedRow>> {
        let mut staged = Staged::list(self, spec).await?;
        match Chosen::of(rows.to_vec(), table, &mut staged).await {
            Ok(chosen) => Ok(chosen.uncounted.into_iter().map(|it| it.row).collect()),
            // DMS has loaded the table again: until it is rebuilt, it counts them.
            Err(error) if error.kind() == ErrorKind::TableRefused => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}
