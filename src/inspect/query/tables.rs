//! The tables of a configuration as DataFusion looks them up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::error::DataFusionError;

use crate::config::{TableName, TableSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::query::time_travel::Named;
use crate::nearest::{listed, nearest_first};
use crate::pipeline::Pipeline;
use crate::table::{AsOf, load_as_of};

/// The schemas of all tables by name, and under `any` one in which each table is found that no
/// other shares its name with.
pub(super) fn schemas(pipeline: &Pipeline, any: &str) -> Vec<(String, Arc<dyn SchemaProvider>)> {
    let mut by_schema: BTreeMap<&str, Vec<TableName>> = BTreeMap::new();
    let mut all = Vec::new();
    for TableSpec { source, .. } in &pipeline.settings().tables {
        by_schema.entry(&source.schema).or_default().push(source.clone());
        all.push(source.clone());
    }
    by_schema.insert(any, all);
    let mut schemas = BTreeMap::new();
    for (name, tables) in by_schema {
        let tables = LakeTables { pipeline: pipeline.clone(), tables };
        let tables: Arc<dyn SchemaProvider> = Arc::new(tables);
        // Unquoted names come in lower case.
        schemas.entry(name.to_lowercase()).or_insert_with(|| Arc::clone(&tables));
        schemas.insert(name.to_owned(), tables);
    }
    schemas.into_iter().collect()
}

/// A table of the lake as a query reads it, deletion vectors respected; none if there is none.
///
/// # Errors
/// As [`load_as_of`].
pub(in crate::inspect) async fn provider(
    pipeline: &Pipeline,
    table: &TableName,
    as_of: Option<AsOf>,
) -> Result<Option<Arc<dyn TableProvider>>> {
    let location = pipeline.lake_folder(table)?;
    let Some(delta) = load_as_of(&location, as_of).await? else { return Ok(None) };
    Ok(Some(delta.table_provider().await?))
}

/// Some tables of the lake.
struct LakeTables {
    pipeline: Pipeline,
    tables: Vec<TableName>,
}

impl LakeTables {
    /// The table of that name, in any case if no two differ by it alone. The schema may be in the same
    /// quotes.
    fn find(&self, name: &str) -> Result<Option<&TableName>> {
        let is_it = |it: &&TableName| it.table == name || it.to_string() == name;
        let exact = self.tables.iter().filter(is_it).collect::<Vec<_>>();
        let folded = || self.tables.iter().filter(|it| it.table.eq_ignore_ascii_case(name));
        let found = if exact.is_empty() { folded().collect() } else { exact };
        match found[..] {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            [..] => {
                let names: Vec<String> = found.iter().map(ToString::to_string).collect();
                Err(Error::new(ErrorKind::Config, "several tables go by that name")
                    .with("name", name)
                    .with("tables", names.join(", "))
                    .with_remedy("name the schema too, in double quotes where case matters"))
            }
        }
    }

    fn unknown(&self, name: &str) -> Error {
        let known = self.tables.iter().map(ToString::to_string);
        Error::new(ErrorKind::Config, "no [[table]] has that name")
            .with("name", name)
            .with("configured", listed(&nearest_first(name, known)))
    }

    async fn open(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let Named { table, as_of } = Named::parse(name)?;
        let Some(table) = self.find(table)? else { return Err(self.unknown(table)) };
        let found = provider(&self.pipeline, table, as_of).await?;
        let none = || Error::new(ErrorKind::Config, "there is no table yet").with("table", table);
        found.ok_or_else(none).map(Some)
    }
}

impl fmt::Debug for LakeTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakeTables").field("tables", &self.tables).finish_non_exhaustive()
    }
}

#[async_trait]
impl SchemaProvider for LakeTables {
    fn table_names(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.tables.iter().map(|it| &it.table).collect();
        names.into_iter().cloned().collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        self.open(name).await.map_err(|error| DataFusionError::External(Box::new(error)))
    }

    fn table_exist(&self, name: &str) -> bool {
        Named::parse(name).is_ok_and(|named| matches!(self.find(named.table), Ok(Some(_))))
    }
}
