//! Maintenance of one table, with the components that its applications use.

use crate::config::{OnBadRow, TableSpec};
use crate::error::Result;
use crate::maintenance::{Aside, Maintenance, MaintenanceReport, Rewriter, maintain};
use crate::pipeline::budget::memory_budget;
use crate::pipeline::{Limits, Pipeline};
use crate::quarantine;
use crate::storage::{Location, with_whole_paths};
use crate::table::{self, LakeTable};

impl Pipeline {
    /// Does the maintenance that is due for one table, safe beside any application of it: see
    /// [`crate::maintenance`]. A failure is part of the report.
    pub async fn maintain(&self, table: &TableSpec, limits: &Limits) -> MaintenanceReport {
        self.maintain_by(table, limits, None).await
    }

    /// The same, with rewrites of any size by others, whose claim on the table it is.
    pub(super) async fn maintain_by(
        &self,
        table: &TableSpec,
        limits: &Limits,
        rewriter: Option<&dyn Rewriter>,
    ) -> MaintenanceReport {
        let mut report = MaintenanceReport::of(&table.source);
        let outcome = match self.lake_folder(&table.source) {
            Ok(location) => {
                let maintained =
                    self.maintain_into(&mut report, table, &location, limits, rewriter);
                let outcome = Box::pin(maintained).await;
                outcome.map_err(|error| with_whole_paths(error, &location, &location))
            }
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            report.fail(&error);
        }
        report
    }

    async fn maintain_into(
        &self,
        report: &mut MaintenanceReport,
        spec: &TableSpec,
        location: &Location,
        limits: &Limits,
        rewriter: Option<&dyn Rewriter>,
    ) -> Result<()> {
        let mut warm = self.take_warm(&spec.source);
        if spec.redshift_manifest {
            // No manifest may name what is deleted.
            warm = table::open(location, warm).await?;
            if let Some(table) = &warm {
                self.follow(spec, location, table, limits).await?;
            }
        }
        // What a rebuild has written stands in the table's folder, and in another log.
        let state = self.state_object(&spec.source)?.read().await?;
        let shadow = match &state {
            Some(state) => self.shadow_of(spec, location, state).await?,
            None => None,
        };
        let now = self.clock().now();
        let is_claimed = rewriter.is_none()
            && state.as_ref().is_some_and(|state| state.live_claim(now).is_some());
        let tombstones = self.tombstones(spec)?;
        let job = Maintenance {
            spec,
            location,
            clock: self.clock(),
            limits,
            memory_budget: memory_budget(self.settings(), limits),
            deletes: self.settings().maintain.delete,
            shadow: shadow.as_ref(),
            tombstones: &tombstones,
            is_claimed,
            rewriter,
        };
        let (maintained, snapshot) = Box::pin(maintain(&job, warm)).await;
        *report = maintained;
        if let Some(table) = snapshot.as_ref().filter(|_| report.error.is_none()) {
            self.maintain_quarantine(report, spec, table, limits).await?;
        }
        if let Some(table) = snapshot {
            self.follow(spec, location, &table, limits).await?;
            self.keep_warm(&spec.source, Some(table));
        }
        Ok(())
    }

    /// Maintains the quarantine of a table that may have one.
    async fn maintain_quarantine(
        &self,
        report: &mut MaintenanceReport,
        spec: &TableSpec,
        table: &LakeTable,
        limits: &Limits,
    ) -> Result<()> {
        let ledger = table.ledger();
        let is_asked_for = spec.on_bad_row == OnBadRow::Quarantine;
        if !is_asked_for && ledger.quarantined == 0 && ledger.released.is_none() {
            return Ok(());
        }
        let location = self.quarantine_folder(&spec.source)?;
        let aside = Aside {
            location: &location,
            keys: &quarantine::KEYS.map(str::to_owned),
            clock: self.clock(),
            limits,
            memory_budget: memory_budget(self.settings(), limits),
            deletes: self.settings().maintain.delete,
        };
        let maintained = Box::pin(aside.maintain(report)).await;
        // The quarantine has its own folder, not the table's.
        maintained.map_err(|error| with_whole_paths(error, &location, &location))
    }
}
