//! What an operator says of a table: that it is to wait, to go on, and what is given up.

use deltalake::protocol::{DeltaOperation, SaveMode};

use crate::config::TableSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::truncated::empty;
use crate::pipeline::{Pipeline, Scope, Standing};
use crate::progress::{CommitRecord, Ledger, SeenObject, Unapplied};
use crate::table::{self, LakeTable, Paused, TableState, Transaction, refuse_table};

/// Refuses a table that is being rebuilt: what is built knows nothing of what an operator does.
///
/// # Errors
/// `TableRefused`.
pub(super) fn refuse_rebuilding(state: Option<&TableState>, table: &LakeTable) -> Result<()> {
    if state.is_some_and(|state| state.rebuild_of(table.ledger()).is_some()) {
        return Err(Error::new(ErrorKind::TableRefused, "the table is being rebuilt")
            .with_remedy("dmslake rebuild TABLE to its end, or with --cancel"));
    }
    Ok(())
}

/// Whether changes that are no longer staged may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Losses {
    /// They hold the table.
    Refused,
    /// They are given up.
    Accepted,
}

/// What a [`Pipeline::resume`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resumed {
    /// Whether the table was paused.
    pub was_paused: bool,
    /// The objects whose changes are given up.
    pub given_up: Vec<String>,
    /// The objects that may pass once although they exceed a limit of the configuration.
    pub let_pass: Vec<String>,
}

impl Pipeline {
    /// Pauses a table: nothing is applied to it until it is resumed, by whichever worker. True if
    /// it was not paused before. A pause again changes nothing but the reason.
    ///
    /// # Errors
    /// As [`crate::table::StateObject::update`].
    pub async fn pause(&self, table: &TableSpec, reason: Option<&str>) -> Result<bool> {
        let state = self.state_object(&table.source)?.read().await?;
        let was_paused = state.is_some_and(|state| state.paused.is_some());
        let now = self.clock().now();
        let pause = |state: &mut TableState| {
            let since = state.paused.as_ref().map_or(now, |paused| paused.since);
            state.paused = Some(Paused { since, reason: reason.map(str::to_owned) });
        };
        self.update_state(table, pause).await?;
        Ok(!was_paused)
    }

    /// Ends a pause, and lets the objects pass once for whose number of bad rows or of changes the
    /// table is held. With [`Losses::Accepted`], changes of objects that have vanished without having
    /// been applied no longer hold the table either; that is written down beside it.
    ///
    /// # Errors
    /// As [`crate::table::StateObject::update`]; where losses are accepted, also as [`Self::look`],
    /// and `Conflict` if another worker commits at the same time.
    pub async fn resume(&self, table: &TableSpec, losses: Losses) -> Result<Resumed> {
        let given_up = match losses {
            Losses::Refused => Vec::new(),
            Losses::Accepted => self.give_up(table).await?,
        };
        let mut state = self.state_object(&table.source)?.read().await?;
        let was_paused = state.as_ref().is_some_and(|state| state.paused.is_some());
        let let_pass = state.as_mut().map(TableState::lets_pass).unwrap_or_default();
        if was_paused || !let_pass.is_empty() {
            let resume = |state: &mut TableState| {
                state.paused = None;
                state.lets_pass();
            };
            self.update_state(table, resume).await?;
        }
        Ok(Resumed { was_paused, given_up, let_pass })
    }

    /// Removes all rows of a table in one commit, for the operator who knows that they are gone at
    /// the source. Progress stays: what is staged and not applied yet is applied onto the empty
    /// table. Returns the number of rows.
    ///
    /// # Errors
    /// `TableRefused` if there is no table, or others have changed it in a way that holds it;
    /// `Conflict` if another worker commits at the same time.
    pub async fn truncate(&self, spec: &TableSpec) -> Result<u64> {
        let location = self.lake_folder(&spec.source)?;
        let table = table::open(&location, None).await?.ok_or_else(|| {
            Error::new(ErrorKind::TableRefused, "there is no table that could be emptied")
                .with_remedy(format!("dmslake apply --table {}", spec.source))
        })?;
        refuse_table(spec, &table)?;
        let state = self.state_object(&spec.source)?.read().await?;
        refuse_rebuilding(state.as_ref(), &table)?;
        let rows = table.rows();
        empty(self, spec, &table).await?;
        tracing::warn!(table = %spec.source, rows, "an operator has emptied the table");
        Ok(rows)
    }

    /// Gives up what has vanished from staging without having been applied, and names it.
    async fn give_up(&self, spec: &TableSpec) -> Result<Vec<String>> {
        let look = self.look(spec, &Scope::Everything).await?;
        let mut names: Vec<String> = match &look.standing {
            Standing::Held(hold) => hold.vanished.iter().map(|seen| seen.object.clone()).collect(),
            Standing::CaughtUp
            | Standing::Apply(_)
            | Standing::Truncated(_)
            | Standing::Reload(_)
            | Standing::Replace
            | Standing::Reshape(_) => Vec::new(),
        };
        if let Some(table) = &look.table
            && let Some(partial) = table.ledger().vanished_partial(&look.listing)
        {
            refuse_table(spec, table)?;
            self.give_up_rest(table).await?;
            if !names.contains(&partial.object) {
                names.push(partial.object.clone());
            }
        }
        if names.is_empty() {
            return Ok(names);
        }
        // Where all that are remembered one by one have vanished, so have those that are counted.
        let known = look.state.as_ref().map(|state| &state.unapplied);
        let is_left = |seen: &SeenObject| !names.contains(&seen.object);
        let more = known.filter(|known| !known.objects().iter().any(is_left)).map(Unapplied::more);
        names.extend(more.filter(|more| *more > 0).map(|more| format!("{more} more")));
        let now = self.clock().now();
        let give_up = |state: &mut TableState| {
            let seen = state.unapplied.objects().iter();
            let left = seen.filter(|seen| !names.contains(&seen.object)).cloned();
            state.unapplied = Unapplied::of(left.collect());
            state.gave_up(&names, now);
        };
        self.update_state(spec, give_up).await?;
        tracing::warn!(
            table = %spec.source,
            objects = names.len(),
            "the changes of objects that vanished are given up"
        );
        Ok(names)
    }

    /// Gives up the rows of an object of which the first ones are applied: it counts as applied.
    async fn give_up_rest(&self, table: &LakeTable) -> Result<()> {
        let mut ledger = table.ledger().clone();
        ledger.give_up_partial();
        self.commit_progress(table, ledger).await
    }

    /// Commits that a table has made progress, although no row of it changes.
    pub(super) async fn commit_progress(&self, table: &LakeTable, ledger: Ledger) -> Result<()> {
        let attempt = self.clock().attempt_id();
        let record = CommitRecord::without_objects(attempt, ledger, table.rows());
        let transaction = Transaction::on(table, record, self.clock());
        let operation =
            DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
        transaction.commit(Vec::new(), operation, None).await?.committed()?;
        Ok(())
    }
}
