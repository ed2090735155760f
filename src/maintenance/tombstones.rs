//! What time travel within the retention still needs of files that are no longer in the table.

use std::collections::HashSet;

use arrow::array::{Array, AsArray, RecordBatch, StructArray};
use arrow::datatypes::Int64Type;
use buoyant_kernel::engine::arrow_data::EngineDataArrowExt as _;
use buoyant_kernel::schema::{DataType, StructField, StructType};
use chrono::{DateTime, Utc};
use object_store::path::Path;
use percent_encoding::percent_decode_str;

use crate::error::Result;
use crate::files::vector_path;
use crate::maintenance::log::with_log;
use crate::table::LakeTable;

/// Paths, below the table's root, of data files and deletion vectors that were removed since.
///
/// # Errors
/// `Unavailable` if the log cannot be read, `TableCorrupt` if it is not understood.
pub(super) async fn removed_since(
    table: &LakeTable,
    cutoff: DateTime<Utc>,
) -> Result<HashSet<Path>> {
    with_log(table, move |log, engine| {
        let mut needed = HashSet::new();
        for actions in log.read_actions(engine, schema()?.into())? {
            let batch = actions?.actions.try_into_record_batch()?;
            needed.extend(removed_in(&batch, cutoff.timestamp_millis()));
        }
        Ok(needed)
    })
    .await
}

fn schema() -> Result<StructType, buoyant_kernel::Error> {
    let vector = StructType::try_new([
        StructField::nullable("storageType", DataType::STRING),
        StructField::nullable("pathOrInlineDv", DataType::STRING),
    ])?;
    let remove = StructType::try_new([
        StructField::nullable("path", DataType::STRING),
        StructField::nullable("deletionTimestamp", DataType::LONG),
        StructField::nullable("deletionVector", vector),
    ])?;
    StructType::try_new([StructField::nullable("remove", remove)])
}

/// A removal without a time may be young.
fn removed_in(actions: &RecordBatch, cutoff: i64) -> Vec<Path> {
    let Some(removes) = actions.column_by_name("remove").and_then(|it| it.as_struct_opt()) else {
        return Vec::new();
    };
    let times = removes.column_by_name("deletionTimestamp");
    let times = times.and_then(|times| times.as_primitive_opt::<Int64Type>());
    let is_young =
        |row: usize| times.is_none_or(|times| times.is_null(row) || times.value(row) >= cutoff);
    let mut paths = Vec::new();
    for row in (0..removes.len()).filter(|&row| removes.is_valid(row) && is_young(row)) {
        paths.extend(text(removes, "path", row).map(|path| decoded(&path)));
        let vector = removes.column_by_name("deletionVector").and_then(|it| it.as_struct_opt());
        if let Some(vector) = vector.filter(|vector| vector.is_valid(row)) {
            let storage_type = text(vector, "storageType", row);
            let place = text(vector, "pathOrInlineDv", row);
            paths.extend(storage_type.zip(place).and_then(|(storage_type, place)| {
                (storage_type == "u").then(|| vector_path(&place)).flatten()
            }));
        }
    }
    paths
}

fn text(columns: &StructArray, name: &str, row: usize) -> Option<String> {
    let column = columns.column_by_name(name)?.as_string_opt::<i32>()?;
    column.is_valid(row).then(|| column.value(row).to_owned())
}

/// The log encodes paths once.
fn decoded(path: &str) -> Path {
    let path = percent_decode_str(path).decode_utf8_lossy();
    Path::parse(&path).unwrap_or_else(|_| Path::from(path.as_ref()))
}
