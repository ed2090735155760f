//! What follows a table's commits: its manifest and its entry in AWS Glue.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use deltalake::kernel::Version;
use tokio::sync::OnceCell;

use crate::config::{CatalogSettings, TableName, TableSpec};
use crate::disposition::advice;
use crate::error::Result;
use crate::readers::glue::Glue;
use crate::readers::manifest::{self, Manifest};
use crate::schema::TableSchema;
use crate::storage::Location;
use crate::table::LakeTable;

/// The longest time that a run waits for Glue, if its deadline allows: rows come first.
const LONGEST_REGISTERING: Duration = Duration::from_secs(10);

/// What this process knows about the followers of its tables, to avoid asking again.
#[derive(Debug, Default)]
pub(crate) struct Followers {
    known: Mutex<HashMap<TableName, Known>>,
    glue: OnceCell<Glue>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    /// The version at which the manifest was last seen up to date.
    manifest: Option<Version>,
    /// The columns that were last sent to Glue.
    told: Option<Told>,
}

#[derive(Clone, Debug)]
struct Told {
    schema: TableSchema,
    is_taken: bool,
}

impl Followers {
    /// Starts a run: what Glue rejected is retried once.
    pub(crate) fn try_again(&self, table: &TableName) {
        self.update(table, |known| known.told = known.told.take().filter(|told| told.is_taken));
    }

    /// Starts a sweep: everything is checked again, because others may have changed it.
    pub(crate) fn look_again(&self, table: &TableName) {
        self.update(table, |known| *known = Known::default());
    }

    /// Updates the followers of a table that the settings ask for.
    ///
    /// This may find a newer version of the table, but does not return it: the caller's next commit
    /// is based on its own snapshot, and must fail if somebody else has committed.
    ///
    /// A lasting failure is only logged as an error and retried by the next run, because the rows
    /// are in the table anyway.
    ///
    /// # Errors
    /// `Unavailable` or `Conflict` if the manifest cannot be written now.
    pub(crate) async fn bring_in_line(
        &self,
        spec: &TableSpec,
        catalog: &CatalogSettings,
        location: &Location,
        table: &LakeTable,
        time_left: Option<Duration>,
    ) -> Result<()> {
        let known = self.known(&spec.source);
        if spec.redshift_manifest && known.manifest != Some(table.version()) {
            match Box::pin(manifest::follow(location, table)).await? {
                Manifest::InLine(version) => {
                    self.update(&spec.source, |known| known.manifest = Some(version));
                }
                Manifest::Impossible(why) => {
                    tracing::error!(table = %spec.source, "manifest not written: {why}");
                }
            }
        }
        let is_told = known.told.is_some_and(|told| told.schema == *table.schema());
        if catalog.glue && !is_told {
            let time = time_left.unwrap_or(LONGEST_REGISTERING).min(LONGEST_REGISTERING);
            let registering = self.register(spec, catalog, location, table);
            let is_taken = tokio::time::timeout(time, registering).await.unwrap_or_else(|_| {
                tracing::error!(table = %spec.source, "not registered in Glue: no answer in time");
                false
            });
            let told = Told { schema: table.schema().clone(), is_taken };
            self.update(&spec.source, |known| known.told = Some(told));
        }
        Ok(())
    }

    fn known(&self, table: &TableName) -> Known {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(table).cloned().unwrap_or_default()
    }

    fn update(&self, table: &TableName, change: impl FnOnce(&mut Known)) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        change(known.entry(table.clone()).or_default());
    }

    /// Whether Glue accepted the entry.
    async fn register(
        &self,
        spec: &TableSpec,
        catalog: &CatalogSettings,
        location: &Location,
        table: &LakeTable,
    ) -> bool {
        let glue = self.glue.get_or_init(Glue::open).await;
        let name = catalog.name_of(spec);
        match Box::pin(glue.register(&name, location, table)).await {
            Ok(outcome) => {
                tracing::info!(table = %spec.source, entry = %name, %outcome, "registered");
                true
            }
            Err(error) => {
                tracing::error!(table = %spec.source, "not registered in Glue: {}", advice(&error));
                false
            }
        }
    }
}
