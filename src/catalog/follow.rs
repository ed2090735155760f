//! What follows a table: its manifest and its entry in AWS Glue.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use deltalake::kernel::Version;
use tokio::sync::OnceCell;

use crate::catalog::glue::Glue;
use crate::catalog::manifest;
use crate::config::{CatalogSettings, TableName, TableSpec};
use crate::error::Result;
use crate::schema::TableSchema;
use crate::storage::Location;
use crate::table::LakeTable;

/// What this process knows to be in line with a table, so that it is not asked again.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    manifests: Mutex<HashMap<TableName, Version>>,
    entries: Mutex<HashMap<TableName, TableSchema>>,
    glue: OnceCell<Glue>,
}

impl Followed {
    /// Brings what follows a table in line with it, as far as the settings ask for it; returns
    /// the table at its newest version if that had to be found out.
    ///
    /// A Glue entry that cannot be written is an error of the log alone, and tried again with
    /// the next application: engines take rows and columns from the table itself.
    ///
    /// # Errors
    /// What keeps a manifest from being written: its readers would see old rows.
    pub(crate) async fn by(
        &self,
        spec: &TableSpec,
        catalog: &CatalogSettings,
        location: &Location,
        mut table: LakeTable,
    ) -> Result<LakeTable> {
        if spec.redshift_manifest && self.manifest_of(&spec.source) != Some(table.version()) {
            table = Box::pin(manifest::follow(location, table)).await?;
            let mut manifests = self.manifests.lock().unwrap_or_else(PoisonError::into_inner);
            manifests.insert(spec.source.clone(), table.version());
        }
        if catalog.glue && !self.is_registered(&spec.source, table.schema()) {
            self.register(spec, catalog, location, &table).await;
        }
        Ok(table)
    }

    fn manifest_of(&self, table: &TableName) -> Option<Version> {
        self.manifests.lock().unwrap_or_else(PoisonError::into_inner).get(table).copied()
    }

    fn is_registered(&self, table: &TableName, schema: &TableSchema) -> bool {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(table) == Some(schema)
    }

    async fn register(
        &self,
        spec: &TableSpec,
        catalog: &CatalogSettings,
        location: &Location,
        table: &LakeTable,
    ) {
        let glue = self.glue.get_or_init(Glue::open).await;
        let name = catalog.name_of(&spec.source);
        match glue.register(&name, location.url(), table.schema()).await {
            Ok(outcome) => {
                tracing::info!(table = %spec.source, entry = %name, %outcome, "registered");
                let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
                entries.insert(spec.source.clone(), table.schema().clone());
            }
            Err(error) => {
                tracing::error!(table = %spec.source, "not registered in Glue: {}", error.chain());
            }
        }
    }
}
