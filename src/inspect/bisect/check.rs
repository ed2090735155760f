//! A check of a table: a query that must not return a row.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::catalog::SchemaProvider;
use datafusion::catalog::{CatalogProvider as _, MemoryCatalogProvider, MemorySchemaProvider};
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::config::TableSpec;
use crate::error::Result;
use crate::inspect::query::{misunderstood, reads_only};
use crate::table::LakeTable;

/// The catalogue in which the table is found.
const CATALOG: &str = "lake";

/// A query over one table, which has its name at the source there, with or without its schema. The
/// check fails where the query returns a row, whatever that is, and holds where it returns none.
#[derive(Clone, Debug)]
pub struct Check {
    sql: String,
}

/// Whether a version of the table has all columns that the check names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    /// It must have.
    Needed,
    /// It may be older than they are: then the check holds, as nothing can be wrong in them.
    MayLack,
}

impl Check {
    /// The check of this query.
    #[must_use]
    pub fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into() }
    }

    /// Whether the check fails at a version of a table.
    ///
    /// # Errors
    /// `Config` if the query is none that reads, or names what is not there; what keeps the table
    /// from being read.
    pub(super) async fn fails(
        &self,
        spec: &TableSpec,
        table: &LakeTable,
        columns: Columns,
    ) -> Result<bool> {
        let session = session(spec, table).await?;
        let planned = match session.sql_with_options(&self.sql, reads_only()).await {
            Err(error) if columns == Columns::MayLack && is_lack_of_column(&error) => {
                return Ok(false);
            }
            planned => planned.map_err(misunderstood)?,
        };
        let found = planned.limit(0, Some(1))?.collect().await?;
        Ok(found.iter().any(|batch| batch.num_rows() > 0))
    }
}

/// A session in which the table is `table` and `schema.table`.
async fn session(spec: &TableSpec, table: &LakeTable) -> Result<SessionContext> {
    let (schema, name) = (&spec.source.schema, &spec.source.table);
    let config = SessionConfig::new().with_default_catalog_and_schema(CATALOG, schema);
    let session = SessionContext::new_with_config(config);
    // Else files of a disk are read past the table's own store.
    let log_store = table.delta().log_store();
    session.register_object_store(table.delta().table_url(), log_store.root_object_store(None));
    let provider = table.delta().table_provider().await?;
    let tables = Arc::new(MemorySchemaProvider::new());
    // Unquoted names come in lower case.
    for name in BTreeSet::from([name.clone(), name.to_lowercase()]) {
        tables.register_table(name, Arc::clone(&provider))?;
    }
    let catalog = MemoryCatalogProvider::new();
    for schema in BTreeSet::from([schema.clone(), schema.to_lowercase()]) {
        catalog.register_schema(&schema, Arc::clone(&tables) as Arc<dyn SchemaProvider>)?;
    }
    session.register_catalog(CATALOG, Arc::new(catalog));
    Ok(session)
}

fn is_lack_of_column(error: &DataFusionError) -> bool {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            is_lack_of_column(inner)
        }
        DataFusionError::Collection(all) => all.iter().any(is_lack_of_column),
        DataFusionError::SchemaError(error, _) => {
            matches!(**error, SchemaError::FieldNotFound { .. })
        }
        _ => false,
    }
}
