//! Reads the columns of a Parquet object from its footer.

use parquet::schema::types::SchemaDescPtr;

use crate::decode::bounds::Bounds;
use crate::decode::parquet::footer::footer;
use crate::decode::parquet::row_groups::Object;
use crate::error::Result;
use crate::staging::StagedObject;
use crate::staging::fetch::ObjectBytes;
use crate::staging::object_context::ObjectContext;
use crate::storage::Location;

/// The columns that a Parquet object describes; `table` is for messages.
///
/// # Errors
/// `MalformedObject` if it has no footer, or one beyond the bounds; `SchemaRefused` if columns are
/// nested or there are too many; `Unavailable` if the store fails.
pub(crate) async fn parquet_schema(
    staging: &Location,
    table: &str,
    object: &StagedObject,
) -> Result<SchemaDescPtr> {
    let context =
        ObjectContext::new(table.to_owned(), object, staging.shown(object.location.as_ref()));
    let bytes = ObjectBytes::new(staging.store(), staging.kind(), object, None, context.clone());
    let object = Object::Store(Box::new(bytes));
    let metadata = footer(&object, Bounds::of_budget(0), &context).await?;
    Ok(metadata.file_metadata().schema_descr_ptr())
}
