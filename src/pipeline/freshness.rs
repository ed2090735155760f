//! Changes that wait for more: a doorbell leaves those alone that are younger than the table's
//! `freshness`, so that one commit takes in many objects.
//!
//! Any doorbell may be lost. So nothing is left that would be too old by the next time that the
//! schedule is sure to ring.

use chrono::{DateTime, Utc};

use crate::config::{FRESHNESS_LEEWAY, TableSpec};
use crate::error::Result;
use crate::pipeline::budget::memory_budget;
use crate::pipeline::look::Work;
use crate::pipeline::looker::Looker;
use crate::pipeline::slice::Turn;
use crate::pipeline::{Limits, Pipeline, Scope};
use crate::progress::pending;
use crate::staging::{Identify, StagedObject};

/// Rows take about so many times the bytes of their compressed object: where they would fill a
/// slice, waiting saves no commit.
const EXPANSION: u64 = 8;

impl Looker<'_> {
    /// Until when a doorbell leaves this work alone; none if it is to be done now.
    pub(super) fn leaves_until(&self, work: &Work, turn: Turn) -> Option<DateTime<Utc>> {
        let is_plain = turn != Turn::Asked && work.late.is_empty() && work.let_pass.is_empty();
        self.may_wait_until(&work.objects).filter(|_| is_plain)
    }

    fn may_wait_until(&self, objects: &[StagedObject]) -> Option<DateTime<Utc>> {
        let Self { pipeline, spec, scope, .. } = *self;
        let settings = pipeline.settings();
        let look_every = settings.look_every.filter(|_| !spec.freshness.is_zero())?;
        if *scope == Scope::Everything {
            return None;
        }
        let oldest = objects.iter().map(|object| object.last_modified).min()?;
        let (now, due) = (pipeline.clock().now(), oldest + spec.freshness);
        let is_young = now < due && now + look_every <= due + FRESHNESS_LEEWAY;
        let bytes: u64 = objects.iter().map(|object| object.size).sum();
        let fills_a_slice =
            bytes.saturating_mul(EXPANSION) >= memory_budget(settings, &Limits::default()) as u64;
        (is_young && !fills_a_slice).then_some(due)
    }
}

impl Pipeline {
    /// Whether doorbells of a table with a freshness ask for nothing yet: nothing is pending, or it
    /// may wait. One listing tells, and what this process knows of the table; one that it has not
    /// opened before is to be applied, and so is one of which anything else is seen.
    pub async fn asks_for_nothing(&self, table: &TableSpec, scope: &Scope) -> bool {
        if table.freshness.is_zero() || *scope == Scope::Everything {
            return false;
        }
        // The application meets the same error, and tells of it.
        self.nothing_is_due(table, scope).await.unwrap_or(false)
    }

    async fn nothing_is_due(&self, table: &TableSpec, scope: &Scope) -> Result<bool> {
        let Some(warm) = self.warm(&table.source) else { return Ok(false) };
        let looker = Looker::new(self, table, scope)?;
        let listing = looker.list(warm.ledger()).await?;
        let found = pending(warm.ledger(), &listing, &Identify::at(&looker.staging)).await?;
        let is_plain = found.hold.is_none()
            && found.late.is_empty()
            && found.reload.is_none()
            && listing.transaction_ordered.is_empty();
        let waits = || looker.may_wait_until(&found.objects).is_some();
        Ok(is_plain && (found.objects.is_empty() || waits()))
    }
}
