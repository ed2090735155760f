//! The files of the Delta log, by the kernel's own reading.

use buoyant_kernel::log_segment::LogSegment;
use buoyant_kernel::{Engine, Snapshot};

use crate::error::Result;
use crate::table::LakeTable;

/// Lists the log as of the table's version and reads it on a thread that may block.
///
/// # Errors
/// `Unavailable` if the log cannot be read, `TableCorrupt` if it is not understood.
pub(super) async fn with_log<T: Send + 'static>(
    table: &LakeTable,
    read: impl FnOnce(&LogSegment, &dyn Engine) -> Result<T, buoyant_kernel::Error> + Send + 'static,
) -> Result<T> {
    let engine = table.delta().log_store().engine(None);
    let (root, version) = (table.delta().table_url().clone(), table.version());
    let read = move || {
        let snapshot = Snapshot::builder_for(root).at_version(version).build(engine.as_ref())?;
        read(snapshot.log_segment(), engine.as_ref())
    };
    Ok(tokio::task::spawn_blocking(read).await??)
}
