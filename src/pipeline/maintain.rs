//! Maintenance of one table, with the components that its applications use.

use crate::config::TableSpec;
use crate::error::Result;
use crate::maintenance::{Maintenance, MaintenanceReport, maintain};
use crate::pipeline::budget::memory_budget;
use crate::pipeline::{Limits, Pipeline};
use crate::storage::{Location, with_whole_paths};
use crate::table;

impl Pipeline {
    /// Does the maintenance that is due for one table, safe beside any application of it: see
    /// [`crate::maintenance`]. A failure is part of the report.
    pub async fn maintain(&self, table: &TableSpec, limits: &Limits) -> MaintenanceReport {
        let mut report = MaintenanceReport::of(&table.source);
        let outcome = match self.lake_folder(&table.source) {
            Ok(location) => {
                let outcome = self.maintain_into(&mut report, table, &location, limits).await;
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
        let shadow = self.shadow_of(spec, location).await?;
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
        };
        let (maintained, snapshot) = Box::pin(maintain(&job, warm)).await;
        *report = maintained;
        if let Some(table) = snapshot {
            self.follow(spec, location, &table, limits).await?;
            self.keep_warm(&spec.source, Some(table));
        }
        Ok(())
    }
}
