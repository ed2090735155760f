//! SQL over all tables of the lake, with time travel.

mod tables;
mod time_travel;

use std::sync::Arc;

use datafusion::catalog::MemoryCatalogProvider;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::error::{Error, ErrorKind, Result};
use crate::inspect::query::tables::schemas;
use crate::pipeline::Pipeline;

pub(super) use tables::provider;

/// The catalogue and the schema in which a name without a schema is looked up.
const CATALOG: &str = "dmslake";
const ANY_SCHEMA: &str = "any schema";

/// A query over the tables of a configuration, as rows that are yet to be computed. Tables go by
/// their names at the source, with or without the schema; a version by `name@v12` or `… AS OF`.
///
/// # Errors
/// `Config` if the query cannot be understood, names what is not there, or would write.
pub async fn query(pipeline: &Pipeline, sql: &str) -> Result<DataFrame> {
    let session = session(pipeline)?;
    let sql = time_travel::as_names(sql)?;
    session.sql_with_options(&sql, reads_only()).await.map_err(misunderstood)
}

/// Nothing can be written by a query.
pub(super) fn reads_only() -> SQLOptions {
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false)
}

/// A session that knows all tables of a configuration; each is opened when a query names it.
fn session(pipeline: &Pipeline) -> Result<SessionContext> {
    let config = SessionConfig::new().with_default_catalog_and_schema(CATALOG, ANY_SCHEMA);
    let session = SessionContext::new_with_config(config);
    let catalog = Arc::new(MemoryCatalogProvider::new());
    for (name, schema) in schemas(pipeline, ANY_SCHEMA) {
        datafusion::catalog::CatalogProvider::register_schema(catalog.as_ref(), &name, schema)?;
    }
    session.register_catalog(CATALOG, catalog);
    Ok(session)
}

/// An error of planning a query: the one who wrote it mends it. What kept a table from being opened
/// is told as it is.
pub(super) fn misunderstood(error: DataFusionError) -> Error {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(own) => *own,
            Err(other) => refused(DataFusionError::External(other)),
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            misunderstood(*inner)
        }
        other => refused(other),
    }
}

fn refused(error: DataFusionError) -> Error {
    Error::new(ErrorKind::Config, "the query cannot be run").because(error)
}
