//! The log of a table as one commit of ours sees it: nothing is asked for that is known already.
//!
//! The library would list the log before a commit, to find a free version, and read the commit
//! twice after it. Ours goes on top of exactly the version that it was planned for, or not at
//! all, and what it wrote is what it would read.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use deltalake::DeltaResult;
use deltalake::kernel::Version;
use deltalake::kernel::transaction::TransactionError;
use deltalake::logstore::{CommitOrBytes, LogStore, LogStoreConfig, LogStoreRef, ObjectStoreRef};
use object_store::path::Path;
use uuid::Uuid;

use crate::storage::ReadOnce;

/// The log store of one commit. It believes that the version it is asked about is the newest:
/// writing the next one fails where it is not.
#[derive(Debug)]
pub(crate) struct CommitLog {
    inner: LogStoreRef,
    root: Arc<ReadOnce>,
}

impl CommitLog {
    /// For a commit on top of the newest version, without any retry.
    pub(crate) fn of(inner: LogStoreRef) -> LogStoreRef {
        let root = Arc::new(ReadOnce::log(inner.root_object_store(None)));
        Arc::new(Self { inner, root })
    }
}

#[async_trait]
impl LogStore for CommitLog {
    fn name(&self) -> String {
        self.inner.name()
    }

    async fn read_commit_entry(&self, version: Version) -> DeltaResult<Option<Bytes>> {
        self.inner.read_commit_entry(version).await
    }

    async fn write_commit_entry(
        &self,
        version: Version,
        commit_or_bytes: CommitOrBytes,
        operation_id: Uuid,
    ) -> Result<(), TransactionError> {
        let bytes = match &commit_or_bytes {
            CommitOrBytes::LogBytes(bytes) => Some(bytes.clone()),
            CommitOrBytes::TmpCommit(_) => None,
        };
        self.inner.write_commit_entry(version, commit_or_bytes, operation_id).await?;
        let table = Path::from_url_path(self.inner.root_url().path()).ok();
        if let (Some(table), Some(bytes)) = (table, bytes) {
            let path = table.join("_delta_log").join(format!("{version:020}.json"));
            self.root.remember(path, bytes);
        }
        Ok(())
    }

    async fn abort_commit_entry(
        &self,
        version: Version,
        commit_or_bytes: CommitOrBytes,
        operation_id: Uuid,
    ) -> Result<(), TransactionError> {
        self.inner.abort_commit_entry(version, commit_or_bytes, operation_id).await
    }

    async fn get_latest_version(&self, start_version: Version) -> DeltaResult<Version> {
        Ok(start_version)
    }

    fn object_store(&self, operation_id: Option<Uuid>) -> ObjectStoreRef {
        self.inner.object_store(operation_id)
    }

    fn root_object_store(&self, _operation_id: Option<Uuid>) -> ObjectStoreRef {
        Arc::clone(&self.root) as ObjectStoreRef
    }

    fn config(&self) -> &LogStoreConfig {
        self.inner.config()
    }
}
