//! The objects of a log, each read once and whole while a snapshot is made.
//!
//! The library reads each commit twice and a checkpoint piece by piece, one request after
//! another. Commits and checkpoints never change, so what was read of one is the whole truth.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result,
};
use tokio::sync::OnceCell;

/// Larger objects are read as they are asked for.
const LARGEST: u64 = 16 << 20;

/// The wrapper. It holds what was read for as long as it lives: one loading, or one commit.
#[derive(Debug)]
pub(super) struct ReadOnce {
    inner: Arc<dyn ObjectStore>,
    kept: Mutex<HashMap<Path, Arc<OnceCell<Kept>>>>,
}

#[derive(Clone, Debug)]
enum Kept {
    Whole(ObjectMeta, Bytes),
    TooLarge,
}

impl ReadOnce {
    pub(super) fn over(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, kept: Mutex::default() }
    }

    /// Takes in a commit that was just written.
    pub(super) fn remember(&self, path: Path, content: Bytes) {
        let meta = ObjectMeta {
            location: path.clone(),
            last_modified: chrono::DateTime::UNIX_EPOCH, // nobody asks a commit's content for it
            size: content.len() as u64,
            e_tag: None,
            version: None,
        };
        let whole = OnceCell::new_with(Some(Kept::Whole(meta, content)));
        self.kept().insert(path, Arc::new(whole));
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<Path, Arc<OnceCell<Kept>>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self, path: &Path) -> Result<Kept> {
        let cell = Arc::clone(self.kept().entry(path.clone()).or_default());
        let kept = cell.get_or_try_init(|| async {
            let found = self.inner.get_opts(path, GetOptions::default()).await?;
            if found.meta.size > LARGEST {
                return Ok(Kept::TooLarge);
            }
            let meta = found.meta.clone();
            Ok(Kept::Whole(meta, found.bytes().await?))
        });
        kept.await.cloned()
    }
}

/// Whether an object is a commit or a checkpoint; the hint at the newest checkpoint changes.
fn is_immutable(path: &Path) -> bool {
    let name = path.filename().unwrap_or_default();
    let is_numbered = name.get(..20).is_some_and(|it| it.bytes().all(|sign| sign.is_ascii_digit()));
    is_numbered && path.parts().any(|part| part.as_ref() == "_delta_log")
}

/// Whether an object or a part of it is asked for, whatever its state.
fn is_plain(options: &GetOptions) -> bool {
    let is_conditional = options.if_match.is_some()
        || options.if_none_match.is_some()
        || options.if_modified_since.is_some()
        || options.if_unmodified_since.is_some();
    !is_conditional && options.version.is_none() && !options.head
}

fn part(meta: ObjectMeta, content: &Bytes, options: &GetOptions) -> Option<GetResult> {
    let range = match &options.range {
        Some(range) => range.as_range(meta.size).ok()?,
        None => 0..meta.size,
    };
    let start = usize::try_from(range.start).ok()?;
    let end = usize::try_from(range.end).ok()?;
    let bytes = content.slice(start..end);
    let payload = GetResultPayload::Stream(stream::once(async { Ok(bytes) }).boxed());
    Some(GetResult { payload, meta, range, attributes: Attributes::default() })
}

impl fmt::Display for ReadOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// Ranges come as the trait's own method asks for them: one by one, out of what is kept.
#[async_trait]
impl ObjectStore for ReadOnce {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if is_immutable(location)
            && is_plain(&options)
            && let Kept::Whole(meta, content) = self.read(location).await?
            && let Some(part) = part(meta, &content, &options)
        {
            return Ok(part);
        }
        self.inner.get_opts(location, options).await
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
