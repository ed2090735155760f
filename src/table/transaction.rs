//! The one door through which a commit of ours goes.
//!
//! A transaction is made for exactly one snapshot. It asks whether the log still ends there, gives
//! the commit its record and its `txn`, and where the answer of the commit call is lost or bad it
//! asks the log whether the commit is there all the same.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deltalake::DeltaTable;
use deltalake::kernel::{Action, Version};
use deltalake::logstore::LogStoreRef;
use deltalake::protocol::DeltaOperation;
use serde_json::Value;
use uuid::Uuid;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result, refusal};
use crate::progress::CommitRecord;
use crate::storage::Location;
use crate::table::commit_call::{CommitCall, commit_properties, without_progress};
use crate::table::freshness::{Freshness, gone};
use crate::table::log::find_attempt;
use crate::table::open::{log_store, open};
use crate::table::{LakeTable, OwnCommit};

/// How long a check of freshness is valid. After longer writing it is made again: a commit into a
/// folder whose table was moved away would begin a new log there.
const FRESH: Duration = Duration::from_secs(1);

/// What became of a commit.
#[derive(Debug)]
#[must_use]
pub enum CommitOutcome {
    /// It is the newest commit of the log, also where the answer was lost: the table with it.
    Committed(Box<LakeTable>),
    /// It is in the log, below commits of others. They are to be looked at before the next one: what
    /// they did may hold the table, or go further than its progress.
    BelowOthers {
        /// The table as it is now.
        newer: Box<LakeTable>,
        /// Where it is found.
        lost: LostCommit,
        /// What the commit met.
        error: Error,
    },
    /// It is not in the log and never will be, because others have the version.
    Conflicted {
        /// The table as it is now.
        newer: Box<LakeTable>,
        /// What the commit met.
        error: Error,
    },
    /// The table is no longer there, or another one is in its place.
    Gone(Error),
    /// Whether it is in the log cannot be told now: look at the table again.
    Unknown {
        /// What tells later; none of a commit without a record.
        lost: Option<LostCommit>,
        /// What the commit met.
        error: Error,
    },
}

impl CommitOutcome {
    /// The table with the commit, for callers that begin again where it is not the newest.
    ///
    /// # Errors
    /// What the commit met.
    pub fn committed(self) -> Result<LakeTable> {
        match self {
            Self::Committed(table) => Ok(*table),
            Self::BelowOthers { error, .. }
            | Self::Conflicted { error, .. }
            | Self::Gone(error)
            | Self::Unknown { error, .. } => Err(error),
        }
    }
}

/// A commit whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostCommit {
    attempt: Uuid,
    base: Option<Version>,
}

impl LostCommit {
    /// Whether it can no longer come to be in the log, because others have its version: to be asked
    /// where it is not found in a log that ends at `newest`.
    pub(crate) fn is_passed(self, newest: Option<Version>) -> bool {
        newest > self.base
    }

    /// Its version and its record, if the log holds it.
    ///
    /// # Errors
    /// `Unavailable` if the log cannot be read.
    pub async fn find(self, location: &Location) -> Result<Option<(Version, CommitRecord)>> {
        self.find_in(&log_store(location)?).await
    }

    async fn find_in(self, log: &LogStoreRef) -> Result<Option<(Version, CommitRecord)>> {
        find_attempt(log, self.attempt, self.base).await
    }
}

/// One commit of ours, on top of exactly one snapshot.
#[derive(Debug)]
#[must_use]
pub struct Transaction<'a> {
    base: Base<'a>,
    /// None where a table keeps no progress.
    record: Option<CommitRecord>,
    clock: &'a Arc<dyn Clock>,
    /// What the commit calls itself, where the library has no name for what it does.
    name: Option<&'static str>,
    /// Where the log was last seen to end, and when.
    seen: Option<(Freshness, Instant)>,
}

#[derive(Clone, Copy, Debug)]
enum Base<'a> {
    /// The table as the commit was planned for it.
    Table(&'a LakeTable),
    /// No table yet: the commit makes it.
    Nothing(&'a Location),
}

impl<'a> Transaction<'a> {
    /// A commit that says of itself what its record says.
    pub fn on(table: &'a LakeTable, record: CommitRecord, clock: &'a Arc<dyn Clock>) -> Self {
        Self { base: Base::Table(table), record: Some(record), clock, name: None, seen: None }
    }

    /// A commit that takes in no object and carries the table's progress on.
    pub fn carrying_on(table: &'a LakeTable, clock: &'a Arc<dyn Clock>) -> Self {
        Self::on(table, table.record_without_objects(clock.as_ref()), clock)
    }

    /// A commit to a table that keeps no progress.
    pub fn without_record(table: &'a LakeTable, clock: &'a Arc<dyn Clock>) -> Self {
        Self { base: Base::Table(table), record: None, clock, name: None, seen: None }
    }

    /// The commit that makes a table.
    pub(super) fn making(
        location: &'a Location,
        record: Option<CommitRecord>,
        clock: &'a Arc<dyn Clock>,
    ) -> Self {
        Self { base: Base::Nothing(location), record, clock, name: None, seen: None }
    }

    /// The same under a name of its own, for an operation that the library does not know.
    #[cfg(feature = "cli")]
    pub(crate) fn named(self, name: &'static str) -> Self {
        Self { name: Some(name), ..self }
    }

    /// The table that the commit is for, if there is one.
    pub(crate) fn table(&self) -> Option<&'a LakeTable> {
        match self.base {
            Base::Table(table) => Some(table),
            Base::Nothing(_) => None,
        }
    }

    /// Where time comes from.
    pub(crate) fn clock(&self) -> &'a Arc<dyn Clock> {
        self.clock
    }

    /// Looks whether the log still ends where the table does, so that the commit need not: to be
    /// called while its files are written.
    ///
    /// # Errors
    /// `Unavailable` if the log cannot be read.
    pub(crate) async fn look(&mut self) -> Result<()> {
        let Base::Table(table) = self.base else { return Ok(()) };
        let asked = self.clock.instant();
        self.seen = Some((table.freshness().await?, asked));
        Ok(())
    }

    /// Commits these actions. `metrics` are the operation's, if it has any.
    ///
    /// # Errors
    /// `StoreRefused` if the store refuses the commit and it is not in the log; `Unavailable` if
    /// the log cannot be read before it; `TableCorrupt` if the log counts other rows than the
    /// record.
    pub async fn commit(
        mut self,
        actions: Vec<Action>,
        operation: DeltaOperation,
        metrics: Option<Value>,
    ) -> Result<CommitOutcome> {
        let freshness = self.freshly_seen().await?;
        if let Err(error) = freshness.allows_commit() {
            return match freshness {
                Freshness::Gone => Ok(CommitOutcome::Gone(error)),
                Freshness::Newest | Freshness::Behind => self.resolve(error).await,
            };
        }
        let properties = match &self.record {
            Some(record) => commit_properties(record, self.transaction(), metrics)?,
            None => without_progress(metrics),
        };
        let call = CommitCall {
            base: self.table().map(LakeTable::delta),
            log_store: self.log_store()?,
            properties,
            time: self.clock.now(),
            name: self.name,
        };
        let error = match call.make(actions, operation).await {
            Ok(delta) => return self.succeeded(delta).map(Box::new).map(CommitOutcome::Committed),
            Err(error) => error,
        };
        let Some(refused) = refusal(&error) else { return self.resolve(failed(error)).await };
        // A request that was repeated may be refused after it had its effect.
        match self.resolve(failed(error)).await {
            Ok(CommitOutcome::Unknown { lost, .. }) => {
                Ok(CommitOutcome::Unknown { lost, error: refused })
            }
            Ok(CommitOutcome::Conflicted { .. } | CommitOutcome::Gone(_)) | Err(_) => Err(refused),
            there => there,
        }
    }

    /// The commit call itself sees that its version is taken, but not that the log below it is
    /// another one, or none.
    async fn freshly_seen(&mut self) -> Result<Freshness> {
        let is_old = |at: Instant| self.clock.instant() - at > FRESH;
        if self.seen.is_none_or(|(freshness, at)| freshness == Freshness::Newest && is_old(at)) {
            self.look().await?;
        }
        Ok(self.seen.map_or(Freshness::Newest, |(freshness, _)| freshness))
    }

    fn succeeded(self, delta: DeltaTable) -> Result<LakeTable> {
        let transaction = self.transaction();
        let files = self.table().map(LakeTable::files);
        let footers = files.map(|files| Arc::clone(files.footers())).unwrap_or_default();
        match self.record {
            Some(record) => LakeTable::counted(delta, record, transaction, footers),
            None => LakeTable::without_progress(delta),
        }
    }

    /// Asks the log what became of a commit.
    async fn resolve(self, error: Error) -> Result<CommitOutcome> {
        let Some(record) = &self.record else {
            return Ok(CommitOutcome::Unknown { lost: None, error });
        };
        let base = self.table().map(LakeTable::version);
        let lost = LostCommit { attempt: record.attempt, base };
        let unknown = |error| Ok(CommitOutcome::Unknown { lost: Some(lost), error });
        let newer = match self.base {
            Base::Table(table) => table.clone().refreshed().await,
            Base::Nothing(location) => open(location, None).await,
        };
        let newer = match newer {
            Ok(Some(newer)) => Box::new(newer),
            Ok(None) if base.is_some() => return Ok(CommitOutcome::Gone(gone().because(error))),
            // Else it was the log that could not be read: the next look tells more.
            Ok(None) | Err(_) => return unknown(error),
        };
        let newest = newer.newest();
        if newest.is_some_and(|newest| newest.attempt == record.attempt) {
            let is_last = newest.map(|newest| newest.version) == Some(newer.version());
            return Ok(if is_last {
                CommitOutcome::Committed(newer)
            } else {
                CommitOutcome::BelowOthers { newer, lost, error }
            });
        }
        if Some(newer.version()) == base {
            // Until somebody has the version, the commit may still come to have it.
            return unknown(error);
        }
        let of_others = newest.map(|newest| newest.version) <= base;
        match if of_others { Ok(None) } else { lost.find_in(&newer.delta().log_store()).await } {
            Ok(None) => Ok(CommitOutcome::Conflicted { newer, error }),
            Ok(Some(_)) => Ok(CommitOutcome::BelowOthers { newer, lost, error }),
            Err(_) => unknown(error),
        }
    }

    fn log_store(&self) -> Result<LogStoreRef> {
        match self.base {
            Base::Table(table) => Ok(table.delta().log_store()),
            Base::Nothing(location) => log_store(location),
        }
    }

    /// The version of the `txn` action.
    fn transaction(&self) -> i64 {
        let newest = self.table().and_then(LakeTable::newest);
        newest.map_or(1, |OwnCommit { transaction, .. }| transaction + 1)
    }
}

fn failed(error: deltalake::DeltaTableError) -> Error {
    Error::new(ErrorKind::Conflict, "a commit failed, or its answer was lost").because(error)
}
