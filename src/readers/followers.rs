//! What follows a table: its manifest and its entry in AWS Glue.

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

/// So long an application waits for Glue, if its deadline lets it: rows come first.
const LONGEST_REGISTERING: Duration = Duration::from_secs(10);

/// What this process knows of what follows its tables, so that it is not asked again.
#[derive(Debug, Default)]
pub(crate) struct Followers {
    known: Mutex<HashMap<TableName, Known>>,
    glue: OnceCell<Glue>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    /// The version with which the manifest was last seen in line.
    manifest: Option<Version>,
    /// The columns of which Glue was told last.
    told: Option<Told>,
}

#[derive(Clone, Debug)]
struct Told {
    schema: TableSchema,
    is_taken: bool,
}

impl Followers {
    /// Begins an application: what Glue did not take is tried again, once.
    pub(crate) fn try_again(&self, table: &TableName) {
        self.update(table, |known| known.told = known.told.take().filter(|told| told.is_taken));
    }

    /// Begins a sweep: everything is looked at again, as others may have changed it.
    pub(crate) fn look_again(&self, table: &TableName) {
        self.update(table, |known| *known = Known::default());
    }

    /// Brings what follows a table in line with it, as far as the settings ask for it.
    ///
    /// What may not be known to the caller yet is found out, but not told: the table at hand is
    /// what its next commit is made for, and must lose if somebody else has committed.
    ///
    /// What keeps readers behind for longer is an error of the log alone, and tried again with
    /// the next application: the rows are in the table all the same.
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

    /// Whether Glue took the entry.
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
