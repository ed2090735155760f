//! An object store that holds every commit to a Delta log, every data file and every manifest, until
//! a gate lets it pass.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

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

/// The wrapper.
#[derive(Debug)]
pub(crate) struct GatedStore {
    inner: Arc<dyn ObjectStore>,
    gate: Arc<dyn CommitGate>,
}

impl GatedStore {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, gate: Arc<dyn CommitGate>) -> Self {
        Self { inner, gate }
    }
}

impl fmt::Display for GatedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gated({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for GatedStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let commit =
            location.as_ref().contains("/_delta_log/") && location.extension() == Some("json");
        if commit {
            self.gate.before_commit(location).await;
        }
        if location.extension() == Some("parquet") && !location.as_ref().contains("/_delta_log/") {
            self.gate.before_data_file().await;
        }
        if location.as_ref().contains("/_symlink_format_manifest/") {
            self.gate.before_manifest().await?;
        }
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
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
