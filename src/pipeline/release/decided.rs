//! What becomes of each row that is to be released.

use uuid::Uuid;

use crate::config::TableSpec;
use crate::error::Result;
use crate::pipeline::Pipeline;
use crate::pipeline::guard::Guard;
use crate::pipeline::release::halves::Half;
use crate::pipeline::release::order::{Later, Standing};
use crate::pipeline::release::reading::{Readable, Unreadable};
use crate::pipeline::release::{Released, RowFate, RowOutcome, place_of};
use crate::quarantine::QuarantinedRow;
use crate::table::LakeTable;

/// What is to be committed.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) attempt: Uuid,
    pub(super) outcome: Released,
    pub(super) readable: Vec<Readable>,
    pub(super) halves: Vec<Half>,
    /// What each half is to do, in their order.
    pub(super) decided: Vec<Decision>,
}

/// What is to become of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
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
    pub(super) fn of(
        attempt: Uuid,
        table: &LakeTable,
        readable: Vec<Readable>,
        halves: Vec<Half>,
    ) -> Self {
        let outcome = Released { waiting: table.ledger().quarantined, ..Released::default() };
        Self { attempt, outcome, readable, halves, decided: Vec::new() }
    }

    /// Decides about each change, and from that about each row.
    pub(super) fn judge(
        &mut self,
        pipeline: &Pipeline,
        spec: &TableSpec,
        table: &LakeTable,
        later: Option<&Later>,
        over: bool,
    ) -> Result<()> {
        let guard = Guard::of_released(pipeline, spec, table.ledger())?;
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
            if halves.any(|at| Some(self.decided[at]) != first) {
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
    pub(super) fn tell(&mut self, unreadable: Vec<Unreadable>, uncounted: Vec<RowOutcome>) {
        let unreadable = unreadable.into_iter().map(|(candidate, bad)| RowOutcome {
            row: QuarantinedRow { column: bad.column, ..candidate.row },
            fate: RowFate::Undecodable,
            reason: Some(bad.reason),
        });
        self.outcome.rows.extend(unreadable.chain(uncounted));
        self.outcome.rows.sort_by_cached_key(|it| place_of(&it.row));
    }
}
