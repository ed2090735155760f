//! Objects that never change, each read once and whole.
//!
//! The library reads each commit twice and a checkpoint piece by piece, one request after
//! another. Of a small data file the footer is read first, by a request that brings all of it, and
//! then a filter and columns.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use lru::LruCache;
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result,
};
use tokio::sync::OnceCell;

/// Larger objects are read as they are asked for.
const LARGEST: u64 = 16 << 20;
/// A data file is small up to so many bytes: those that are read first of any.
#[cfg(feature = "cli")]
const SMALL: u64 = 64 << 10;
/// So many small files are held.
#[cfg(feature = "cli")]
const SMALL_FILES: std::num::NonZeroUsize = std::num::NonZeroUsize::new(256).expect("not zero");

/// The wrapper. It holds what was read for as long as it lives: one loading, one commit, or one search.
#[derive(Debug)]
pub(crate) struct ReadOnce {
    inner: Arc<dyn ObjectStore>,
    what: What,
    kept: Mutex<LruCache<Path, Arc<OnceCell<Kept>>>>,
}

/// Which objects are held.
#[derive(Clone, Copy, Debug)]
enum What {
    /// Commits and checkpoints.
    Log,
    /// Data files that are asked for from their first byte to an end that small files have.
    #[cfg(feature = "cli")]
    SmallFiles,
}

#[derive(Clone, Debug)]
enum Kept {
    Whole(ObjectMeta, Bytes),
    TooLarge,
}

impl ReadOnce {
    /// For the objects of a log.
    pub(crate) fn log(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, what: What::Log, kept: Mutex::new(LruCache::unbounded()) }
    }

    /// For small data files.
    #[cfg(feature = "cli")]
    pub(crate) fn small_files(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, what: What::SmallFiles, kept: Mutex::new(LruCache::new(SMALL_FILES)) }
    }

    /// Takes in a commit that was just written.
    pub(crate) fn remember(&self, path: Path, content: Bytes) {
        let meta = ObjectMeta {
            location: path.clone(),
            last_modified: chrono::DateTime::UNIX_EPOCH, // nobody asks a commit's content for it
            size: content.len() as u64,
            e_tag: None,
            version: None,
        };
        let whole = OnceCell::new_with(Some(Kept::Whole(meta, content)));
        self.kept().put(path, Arc::new(whole));
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, LruCache<Path, Arc<OnceCell<Kept>>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request is for an object that is held, or may be after it.
    fn is_for_held(&self, path: &Path, options: &GetOptions) -> bool {
        let is_held = match self.what {
            What::Log => is_immutable(path),
            #[cfg(feature = "cli")]
            What::SmallFiles => self.kept().contains(path) || is_whole(options),
        };
        is_held && is_plain(options)
    }

    async fn read(&self, path: &Path) -> Result<Kept> {
        let cell = Arc::clone(self.kept().get_or_insert(path.clone(), Arc::default));
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

/// Whether a request is for all of a small file.
#[cfg(feature = "cli")]
fn is_whole(options: &GetOptions) -> bool {
    matches!(&options.range, Some(object_store::GetRange::Bounded(range)) if range.start == 0 && range.end <= SMALL)
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
        if self.is_for_held(location, &options)
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
