//! The log of a table as one commit of ours sees it: nothing is asked for that is known already.
//!
//! The library would list the log before a commit, to find a free version, and read the commit
//! twice after it. Ours goes on top of exactly the version that it was planned for, or not at
//! all, and what it wrote is what it would read.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use deltalake::DeltaResult;
use deltalake::kernel::Version;
use deltalake::kernel::transaction::TransactionError;
use deltalake::logstore::{CommitOrBytes, LogStore, LogStoreConfig, LogStoreRef, ObjectStoreRef};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use uuid::Uuid;

/// The log store of one commit. It believes that the version it is asked about is the newest:
/// writing the next one fails where it is not.
#[derive(Debug)]
pub(crate) struct CommitLog {
    inner: LogStoreRef,
    root: Arc<RememberingStore>,
}

impl CommitLog {
    /// For a commit on top of the newest version, without any retry.
    pub(crate) fn of(inner: LogStoreRef) -> LogStoreRef {
        let root =
            RememberingStore { inner: inner.root_object_store(None), commit: OnceLock::new() };
        Arc::new(Self { inner, root: Arc::new(root) })
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
            let _ = self.root.commit.set((path, bytes)); // a commit is written once
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

/// A store that answers for the commit that was written into it.
#[derive(Debug)]
struct RememberingStore {
    inner: ObjectStoreRef,
    commit: OnceLock<(Path, Bytes)>,
}

impl fmt::Display for RememberingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for RememberingStore {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        match self.commit.get() {
            Some((path, bytes)) if path == location && is_plain(&options) => {
                Ok(whole(path, bytes.clone()))
            }
            _ => self.inner.get_opts(location, options).await,
        }
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

/// Whether a whole object is asked for, whatever it is.
fn is_plain(options: &GetOptions) -> bool {
    let is_conditional = options.if_match.is_some()
        || options.if_none_match.is_some()
        || options.if_modified_since.is_some()
        || options.if_unmodified_since.is_some();
    !is_conditional && options.range.is_none() && options.version.is_none() && !options.head
}

fn whole(path: &Path, bytes: Bytes) -> GetResult {
    let size = bytes.len() as u64;
    let meta = ObjectMeta {
        location: path.clone(),
        last_modified: DateTime::<Utc>::UNIX_EPOCH,
        size,
        e_tag: None,
        version: None,
    };
    let payload = GetResultPayload::Stream(stream::once(async { Ok(bytes) }).boxed());
    GetResult { payload, meta, range: 0..size, attributes: object_store::Attributes::default() }
}
