//! A gate that holds every commit to a Delta log, every data file and every manifest until it lets
//! them pass.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::Result;
use object_store::path::Path;

use super::{Hooks, Operation};

/// What a commit waits for.
#[async_trait]
pub(crate) trait CommitGate: fmt::Debug + Send + Sync {
    /// Returns once the commit that is to stand at this path may be tried.
    async fn before_commit(&self, commit: &Path);

    /// Returns once the data file may be written.
    async fn before_data_file(&self) {}

    /// Returns once the manifest may be written, or why it may not.
    async fn before_manifest(&self) -> Result<()> {
        Ok(())
    }
}

/// Asks the gate before each object is put.
#[derive(Debug)]
pub(crate) struct Gated(pub(crate) Arc<dyn CommitGate>);

#[async_trait]
impl Hooks for Gated {
    type Ticket = ();

    async fn before(&self, operation: Operation, path: &Path) -> Result<()> {
        if operation != Operation::Put {
            return Ok(());
        }
        let is_in_log = path.as_ref().contains("/_delta_log/");
        if is_in_log && path.extension() == Some("json") {
            self.0.before_commit(path).await;
        }
        if !is_in_log && path.extension() == Some("parquet") {
            self.0.before_data_file().await;
        }
        if path.as_ref().contains("/_symlink_format_manifest/") {
            self.0.before_manifest().await?;
        }
        Ok(())
    }
}
