//! The commits of a release, and what follows them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::RecordBatch;
use datafusion::prelude::SessionConfig;
use deltalake::protocol::{DeltaOperation, SaveMode};
use uuid::Uuid;

use crate::change::{Changes, net_changes};
use crate::config::TableSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::merge;
use crate::pipeline::apply::Current;
use crate::pipeline::guard::{Guard, Guarded};
use crate::pipeline::release::decided::{Decision, Prepared};
use crate::pipeline::release::place::Place;
use crate::pipeline::release::{MOST_ATTEMPTS, Release, Released, RowFate, leaving};
use crate::pipeline::{Limits, Pipeline};
use crate::progress::{Books, CommitRecord, Counts, Leaving, Ledger, Released as Progress};
use crate::quarantine::{self, QuarantinedRow};
use crate::session::session;
use crate::table::{LakeTable, TableState, Transaction};

impl Pipeline {
    /// Commits what was prepared for exactly this snapshot.
    pub(super) async fn commit_release(
        &self,
        spec: &TableSpec,
        table: &LakeTable,
        prepared: Prepared,
        release: &Release,
    ) -> Result<LakeTable> {
        let keys = spec.lake_keys();
        let left: Vec<&QuarantinedRow> = prepared
            .outcome
            .rows
            .iter()
            .filter(|it| matches!(it.fate, RowFate::Applied | RowFate::Superseded))
            .map(|it| &it.row)
            .collect();
        let mut ledger = leaving_now(table.ledger(), prepared.attempt, &left, left.len() as u64);
        prepared.note_places(&mut ledger, !release.repairs.is_empty());
        let superseded = prepared.decided.iter().filter(|it| **it == Decision::Supersede).count();
        let applied =
            |at: &usize| matches!(prepared.decided[*at], Decision::Apply | Decision::Over);
        let chosen: Vec<usize> = (0..prepared.halves.len()).filter(applied).collect();
        let batches = chosen.iter().filter_map(|at| prepared.change(*at));
        let changes = Changes::new(batches, table.schema(), &keys)?;
        let current = Current { table, keys: &keys, asked: AtomicBool::new(false) };
        let mut guard = Guard::of_released(self, spec, table.ledger())?;
        let sequence = |at: &usize| prepared.readable[prepared.halves[*at].row].sequence();
        let first = chosen.iter().filter_map(sequence).min();
        let over = |at: &&usize| prepared.decided[**at] == Decision::Over;
        let out_of_turn = chosen.iter().filter(over).filter_map(sequence).max();
        let (changes, older) = match (guard.as_mut(), first) {
            (Some(guard), Some(first)) => {
                let guarded = guard.released(changes, first, out_of_turn, &current).await?;
                let Guarded { changes, older } = guarded.ok_or_else(lost_track)?;
                (changes, older)
            }
            _ => (changes, 0),
        };
        if let Some(guard) = &mut guard {
            let rows = chosen.iter().map(|at| &prepared.readable[prepared.halves[*at].row]);
            let keeping = rows.filter(|row| row.keeps_values());
            keeping.for_each(|row| guard.released_keeping(row.sequence()));
        }
        let session = session(SessionConfig::new(), Arc::default());
        let net = net_changes(changes, &session, &current).await?;
        if let Some(mut guard) = guard {
            guard.leave_tombstones(&net.deletes, self).await?;
            ledger.guard = Some(guard.into_progress());
        }
        let (taken, lost) = (net.changes, net.superseded);
        let plan = merge::plan(table, &keys, net).await?.with_mode(spec.merge);
        let superseded = superseded as u64 + older;
        let counts = Counts {
            rows: taken + superseded,
            inserted: plan.inserted,
            updated: plan.updated,
            deleted: plan.deleted,
            superseded: lost + superseded,
            ignored: plan.ignored,
            quarantined: 0,
        };
        let after = table.rows() + plan.inserted - plan.deleted;
        let books = Books { counts, before: table.rows(), after };
        books.check()?;
        self.remember(spec, table.ledger(), &left, !release.repairs.is_empty()).await?;
        let record = CommitRecord::of(prepared.attempt, Vec::new(), books, ledger);
        let transaction = Transaction::on(table, record, self.clock());
        merge::commit(transaction, plan).await?.outcome.committed()
    }

    /// Writes down, first, that a rebuild would meet repaired rows as they were staged; and that rows
    /// are not given up after all, if a discard of them came to no commit.
    async fn remember(
        &self,
        spec: &TableSpec,
        ledger: &Ledger,
        rows: &[&QuarantinedRow],
        are_repaired: bool,
    ) -> Result<()> {
        let now = self.clock().now();
        let take_in = |state: &mut TableState| {
            for row in rows {
                state.discarded((&row.identity, row.row), false);
                if are_repaired {
                    state.repaired((&row.object, row.row), ledger, now);
                }
            }
        };
        self.update_state(spec, take_in).await?;
        Ok(())
    }

    /// Writes down, first, which rows are given up.
    pub(super) async fn remember_discard(
        &self,
        spec: &TableSpec,
        rows: &[QuarantinedRow],
    ) -> Result<()> {
        let of_object = |rows: &[QuarantinedRow]| {
            let name = rows.first().map_or("", |row| &*row.object);
            format!("{} rows in quarantine of {name}", rows.len())
        };
        let objects = rows.chunk_by(|one, other| one.object == other.object);
        let names: Vec<String> = objects.map(of_object).collect();
        let now = self.clock().now();
        let give_up = |state: &mut TableState| {
            state.gave_up(&names, now);
            for row in rows {
                state.discarded((&row.identity, row.row), true);
            }
        };
        self.update_state(spec, give_up).await?;
        Ok(())
    }

    /// Commits that rows count no more, of which so many did.
    pub(super) async fn commit_discard(
        &self,
        table: &LakeTable,
        attempt: Uuid,
        rows: &[QuarantinedRow],
        counted: u64,
    ) -> Result<LakeTable> {
        let rows: Vec<&QuarantinedRow> = rows.iter().collect();
        let ledger = leaving_now(table.ledger(), attempt, &rows, counted);
        let record = CommitRecord::without_objects(attempt, ledger, table.rows());
        commit_record(self, table, record).await
    }

    /// The table, after what an earlier release or discard has left undone.
    ///
    /// # Errors
    /// As [`Pipeline::release`].
    pub(super) async fn settled(&self, spec: &TableSpec) -> Result<LakeTable> {
        let table = self.releasable(spec).await?;
        self.take_out(spec, &table).await?;
        Ok(table)
    }

    async fn take_out(&self, spec: &TableSpec, table: &LakeTable) -> Result<()> {
        let location = self.quarantine_folder(&spec.source)?;
        quarantine::take_out(&location, &leaving(table.ledger()), self.clock()).await
    }

    /// What follows the commit of a release, and what it comes to.
    pub(super) async fn released(
        &self,
        spec: &TableSpec,
        table: LakeTable,
        mut outcome: Released,
        limits: &Limits,
    ) -> Result<Released> {
        outcome.version = Some(table.version());
        outcome.waiting = table.ledger().quarantined;
        let log_store = table.delta().log_store();
        let commit = crate::table::commit(&log_store, table.version()).await?;
        outcome.counts =
            commit.and_then(|it| it.ours).map(|it| it.record.books.counts).unwrap_or_default();
        let location = self.lake_folder(&spec.source)?;
        self.follow(spec, &location, &table, limits).await?;
        let rows = outcome.left();
        tracing::info!(table = %spec.source, rows, version = table.version(), "rows are released");
        self.settle_after(spec, table).await?;
        Ok(outcome)
    }

    /// Takes the rows out of the quarantine that the ledger names, and then no longer names them.
    pub(super) async fn settle_after(&self, spec: &TableSpec, mut table: LakeTable) -> Result<()> {
        self.take_out(spec, &table).await?;
        for _ in 0..MOST_ATTEMPTS {
            let mut ledger = table.ledger().clone();
            let Some(released) = ledger.released.as_mut().filter(|it| !it.leaving.is_empty())
            else {
                break;
            };
            released.leaving.clear();
            let attempt = self.clock().attempt_id();
            let record = CommitRecord::without_objects(attempt, ledger, table.rows());
            match commit_record(self, &table, record).await {
                Ok(_) => break,
                // Other workers go on with the table: the list is dropped by the next release.
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    let location = self.lake_folder(&spec.source)?;
                    table = table.at_newest(&location).await?;
                    self.take_out(spec, &table).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

async fn commit_record(
    pipeline: &Pipeline,
    table: &LakeTable,
    record: CommitRecord,
) -> Result<LakeTable> {
    let transaction = Transaction::on(table, record, pipeline.clock());
    let operation =
        DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
    transaction.commit(Vec::new(), operation, None).await?.committed()
}

/// The ledger after these rows have left the quarantine, of which so many counted.
fn leaving_now(before: &Ledger, attempt: Uuid, rows: &[&QuarantinedRow], counted: u64) -> Ledger {
    let mut ledger = before.clone();
    ledger.quarantined = ledger.quarantined.saturating_sub(counted);
    let known = ledger.released.get_or_insert_default();
    let mut ids: Vec<(&str, u64)> = rows.iter().map(|row| (&*row.identity, row.row)).collect();
    ids.sort_unstable();
    let of_object = |of_object: &[(&str, u64)]| Leaving {
        identity: of_object
            .first()
            .map_or_else(String::new, |(identity, _)| (*identity).to_owned()),
        rows: of_object.iter().map(|(_, row)| *row).collect(),
    };
    **known = Progress {
        rows: known.rows + counted,
        leaving: ids.chunk_by(|one, other| one.0 == other.0).map(of_object).collect(),
        attempt: Some(attempt),
        ..Progress::clone(known)
    };
    ledger
}

fn lost_track() -> Error {
    Error::new(ErrorKind::Conflict, "tombstones that were there a moment ago are lost")
}

impl Prepared {
    /// The change that a half stands for. One that moves its row and keeps values of it is one change,
    /// which the first half stands for: the values are those of the row under its old key.
    fn change(&self, at: usize) -> Option<RecordBatch> {
        let half = &self.halves[at];
        let row = &self.readable[half.row];
        let is_of_row = |at: usize| self.halves.get(at).is_some_and(|it| it.row == half.row);
        let (is_second, is_first) = (at > 0 && is_of_row(at - 1), is_of_row(at + 1));
        if !row.keeps_values() || !(is_first || is_second) {
            return Some(half.change.clone());
        }
        is_first.then(|| row.change.clone())
    }

    /// Takes in how far rows are released by this.
    fn note_places(&self, ledger: &mut Ledger, are_repaired: bool) {
        let known = ledger.released.get_or_insert_default();
        let applied = (0..self.halves.len())
            .filter(|at| matches!(self.decided[*at], Decision::Apply | Decision::Over));
        for at in applied {
            let candidate = &self.readable[self.halves[at].row].candidate;
            let is_unseen = are_repaired || !candidate.is_staged;
            let raise = |known: &mut Option<crate::progress::RowPlace>| {
                let before = known.as_ref().and_then(Place::parse);
                if before.is_none_or(|before| before < candidate.place) {
                    *known = Some(candidate.place.written());
                }
            };
            raise(&mut known.up_to);
            if is_unseen {
                raise(&mut known.unseen_up_to);
            }
        }
    }
}
