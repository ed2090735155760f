//! What is staged, by table.

use std::collections::HashSet;

use futures::future::ready;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use crate::config::{TableName, TableSpec};
use crate::dms::{Classified, classify};
use crate::error::{Error, ErrorKind, Result};
use crate::staging::listing::relative;
use crate::staging::table_folder::{TableFolder, is_of_a_table, is_schema_passed_over};
use crate::storage::Location;

/// How many objects of a folder are checked to see whether DMS writes into it: as many as one
/// request to S3 returns.
const MOST_LOOKED_AT: usize = 1_000;

/// What a staging folder holds in addition to the objects of configured tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Tables with a folder but no `[[table]]`, by name.
    pub unconfigured: Vec<TableName>,
    /// Tables that a pattern is about and the lock file does not know, by name.
    pub undiscovered: Vec<TableName>,
    /// Transaction-ordered objects, which belong to no single table and are refused.
    pub transaction_ordered: Vec<String>,
}

/// Looks at the folders `<schema>/<table>` of staging, except DMS's control tables. A folder whose
/// name begins like a hidden one is a table if DMS has written into it.
///
/// # Errors
/// `Unavailable` if staging cannot be listed.
pub async fn survey(staging: &Location, configured: &[TableSpec]) -> Result<Survey> {
    let known: HashSet<&TableName> = configured.iter().map(|table| &table.source).collect();
    let mut found = Survey::default();
    let mut schemas = folders(staging, staging.prefix(), &mut found).await?;
    schemas.retain(|schema| !is_schema_passed_over(&last_part(schema)));
    for schema in schemas {
        for table in folders(staging, &schema, &mut found).await? {
            let name = TableName { schema: last_part(&schema), table: last_part(&table) };
            let is_table = match TableFolder::of(&name) {
                _ if known.contains(&name) => false,
                TableFolder::Table => true,
                TableFolder::IfStaged => holds_objects_of_dms(staging, &table).await?,
                TableFolder::Never => false,
            };
            if is_table {
                found.unconfigured.push(name);
            }
        }
    }
    found.unconfigured.sort();
    Ok(found)
}

/// The error for a transaction-ordered object.
#[must_use]
pub fn refused_order(object: &str) -> Error {
    Error::new(
        ErrorKind::SchemaRefused,
        "transaction-ordered objects (CDC_TXN-…) are not supported",
    )
    .with("object", object)
    .with_remedy("turn preserve_transactions off at the endpoint and move them out of staging")
}

/// The folders directly below a path. Transaction-ordered objects next to them are noted.
async fn folders(staging: &Location, path: &Path, found: &mut Survey) -> Result<Vec<Path>> {
    let below = staging.store().list_with_delimiter(Some(path)).await?;
    for object in below.objects {
        let name = last_part(&object.location);
        if classify(&name) == Classified::TransactionOrdered {
            found.transaction_ordered.push(staging.shown(object.location.as_ref()));
        }
    }
    Ok(below.common_prefixes)
}

/// Whether DMS has written into a folder, judged by its first objects.
async fn holds_objects_of_dms(staging: &Location, folder: &Path) -> Result<bool> {
    let looked_at = staging.store().list(Some(folder)).take(MOST_LOOKED_AT);
    let is_of_dms = |meta: ObjectMeta| {
        ready(relative(folder, &meta.location).is_some_and(|below| is_of_a_table(&below)))
    };
    Ok(looked_at.try_any(is_of_dms).await?)
}

fn last_part(path: &Path) -> String {
    path.filename().unwrap_or_default().to_owned()
}
