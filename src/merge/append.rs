//! New rows as new data files.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use deltalake::kernel::Action;

use crate::error::Result;
use crate::merge::data_file::{DataFileWriter, FileLayout};
use crate::table::LakeTable;

/// Writes rows into data files of the table's target size, with statistics; nothing refers to
/// them until they are committed.
///
/// # Errors
/// `Unavailable` if the lake does not take them.
pub(super) async fn write_files(
    table: &LakeTable,
    keys: &[String],
    rows: &[RecordBatch],
) -> Result<Vec<Action>> {
    let layout = Arc::new(FileLayout::of(table, keys)?);
    let store = table.delta().log_store().object_store(None);
    let mut writer = DataFileWriter::new(store, layout, HashMap::new());
    for batch in rows {
        writer.write(batch).await?;
    }
    Ok(writer.close().await?.into_iter().map(Action::Add).collect())
}
