//! What is staged at all, by table.

use std::collections::HashSet;

use object_store::ObjectStore;
use object_store::path::Path;

use crate::config::{TableName, TableSpec};
use crate::dms::{Classified, classify, is_skipped};
use crate::error::{Error, ErrorKind, Result};
use crate::storage::Location;

/// What a staging folder holds beside the objects of configured tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Tables with a folder that no `[[table]]` takes, by name.
    pub unconfigured: Vec<TableName>,
    /// Transaction-ordered objects, which belong to no one table and are refused.
    pub transaction_ordered: Vec<String>,
}

/// Looks at the folders of staging: `<schema>/<table>` each, control tables of DMS and hidden
/// folders aside.
///
/// # Errors
/// `Unavailable` if staging cannot be listed.
pub async fn survey(staging: &Location, configured: &[TableSpec]) -> Result<Survey> {
    let known: HashSet<&TableName> = configured.iter().map(|table| &table.source).collect();
    let mut found = Survey::default();
    for schema in folders(staging, staging.prefix(), &mut found).await? {
        for table in folders(staging, &schema, &mut found).await? {
            let name = TableName { schema: last_part(&schema), table: last_part(&table) };
            if !known.contains(&name) {
                found.unconfigured.push(name);
            }
        }
    }
    found.unconfigured.sort();
    Ok(found)
}

/// The refusal of a transaction-ordered object, wherever one is met.
#[must_use]
pub fn refused_order(object: &str) -> Error {
    Error::new(
        ErrorKind::SchemaRefused,
        "transaction-ordered objects (CDC_TXN-…) are not supported: turn preserve_transactions \
         off at the endpoint and move them out of staging",
    )
    .with("object", object)
}

/// The folders just below a path; transaction-ordered objects beside them are noted.
async fn folders(staging: &Location, path: &Path, found: &mut Survey) -> Result<Vec<Path>> {
    let below = staging.store().list_with_delimiter(Some(path)).await?;
    for object in below.objects {
        let name = last_part(&object.location);
        if classify(&name) == Classified::TransactionOrdered {
            found.transaction_ordered.push(object.location.to_string());
        }
    }
    let mut folders = below.common_prefixes;
    folders.retain(|folder| !is_skipped(&last_part(folder)));
    Ok(folders)
}

fn last_part(path: &Path) -> String {
    path.filename().unwrap_or_default().to_owned()
}
