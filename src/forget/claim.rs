//! Who is forgetting keys in a table: one at a time, since both would amend the same files of its log.

use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::TableSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::Pipeline;
use crate::table::{Forgetting, StateObject, TableState};

/// For so long others wait for one who no longer says that he is there.
const LEASE: TimeDelta = TimeDelta::hours(1);
/// So often one says so.
const RENEWAL: TimeDelta = TimeDelta::minutes(10);

/// That this process is the one, as the table's state object says.
pub(super) struct Claim {
    state: StateObject,
    spec: TableSpec,
    clock: Arc<dyn Clock>,
    id: Uuid,
    since: DateTime<Utc>,
}

impl Claim {
    /// Claims the table.
    ///
    /// # Errors
    /// `TableRefused` if somebody else forgets keys in it; as [`StateObject::update`].
    pub(super) async fn take(pipeline: &Pipeline, spec: &TableSpec) -> Result<Self> {
        let state = pipeline.state_object(&spec.source)?;
        let clock = Arc::clone(pipeline.clock());
        let (id, since) = (clock.attempt_id(), clock.now());
        let claim = Self { state, spec: spec.clone(), clock, id, since };
        claim.write(since).await?;
        Ok(claim)
    }

    /// Says that this process still is at work, if it did not lately.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(super) async fn renew(&mut self) -> Result<()> {
        let now = self.clock.now();
        if now < self.since + RENEWAL {
            return Ok(());
        }
        self.write(now).await?;
        self.since = now;
        Ok(())
    }

    /// Lets others in. If that fails, they wait for an hour.
    pub(super) async fn release(self) {
        let release = |state: &mut TableState| {
            if state.forgetting.as_ref().is_some_and(|other| other.id == self.id) {
                state.forgetting = None;
            }
        };
        if let Err(error) = self.update(release).await {
            tracing::warn!(table = %self.spec.source, "the claim stays: {}", error.chain());
        }
    }

    async fn write(&self, now: DateTime<Utc>) -> Result<()> {
        let claim = |state: &mut TableState| {
            let is_free = |other: &Forgetting| other.id == self.id || other.since + LEASE < now;
            if state.forgetting.as_ref().is_none_or(is_free) {
                state.forgetting = Some(Forgetting { id: self.id, since: now });
            }
        };
        self.update(claim).await?;
        // On a disk the last one to write has it.
        let state = self.state.read().await?;
        let holder = state.and_then(|state| state.forgetting);
        if holder.is_some_and(|holder| holder.id == self.id) {
            return Ok(());
        }
        let message = "keys of the table are being forgotten by somebody else, or were an hour ago";
        Err(Error::new(ErrorKind::TableRefused, message).with_remedy(
            "wait until it is done; or, if it was interrupted, forget again in an hour",
        ))
    }

    async fn update(&self, change: impl Fn(&mut TableState)) -> Result<TableState> {
        let new = || TableState::new(&self.spec.source, self.spec.lake_keys());
        self.state.update(new, change).await
    }
}
