//! New rows as new data files.

use arrow::record_batch::RecordBatch;
use deltalake::datafile::writer::{DeltaWriter, WriterConfig};
use deltalake::kernel::{Action, Add};
use deltalake::table::config::TablePropertiesExt as _;

use crate::error::Result;
use crate::table::LakeTable;

/// Writes rows into data files of the table's target size, with statistics; nothing refers to
/// them until they are committed.
///
/// # Errors
/// `Unavailable` if the lake does not take them.
pub(super) async fn write_files(table: &LakeTable, rows: &[RecordBatch]) -> Result<Vec<Action>> {
    let properties = table.delta().snapshot()?.table_config();
    let config = WriterConfig::new(
        table.schema().arrow(),
        Vec::new(),
        None,
        Some(properties.target_file_size()),
        None,
        properties.num_indexed_cols(),
        None,
    );
    let mut writer = DeltaWriter::new(table.delta().log_store().object_store(None), config);
    for batch in rows {
        writer.write(batch).await?;
    }
    let files: Vec<Add> = writer.close().await?;
    Ok(files.into_iter().map(Action::Add).collect())
}
