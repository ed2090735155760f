//! An object store that forwards every request to another one and calls hooks around it.
//!
//! What a test asks of a store is a set of hooks: [`Chunks`], [`Counting`], [`Gated`], [`Faults`].

mod chunks;
mod counting;
mod faults;
mod gated;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result, UploadPart,
};

pub(crate) use chunks::Chunks;
pub(crate) use counting::{Counting, Method, Request, Requests, count, in_sequence};
pub(crate) use faults::{Fault, Faults, Side};
pub(crate) use gated::{CommitGate, Gated};

/// What S3 lists in one request, and deletes at most.
const PAGE: usize = 1000;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Get,
    Head,
    /// One page of a listing.
    List,
    Put,
    BeginUpload,
    PutPart,
    CompleteUpload,
    AbortUpload,
    Copy,
    Rename,
    /// Of as many objects as the hooks let one request delete.
    Delete,
}

/// What happens around each request.
#[async_trait]
pub(crate) trait Hooks: fmt::Debug + Send + Sync + 'static {
    /// What one request's hooks keep from its beginning to its end.
    type Ticket: Send;

    /// How many objects one request deletes.
    const DELETED_AT_ONCE: usize = 1;

    /// Before the request reaches the store. An error keeps it from there.
    async fn before(&self, operation: Operation, path: &Path) -> Result<Self::Ticket>;

    /// After the store has answered. An error takes the place of the answer where that is none.
    fn after(&self, _ticket: Self::Ticket, _succeeded: bool) -> Result<()> {
        Ok(())
    }

    /// In place of [`Self::after`] where the answer has a body, which may still arrive.
    async fn body(&self, ticket: Self::Ticket, found: GetResult) -> Result<GetResult> {
        self.after(ticket, true)?;
        Ok(found)
    }
}

/// A store with hooks; clones share them.
#[derive(Debug)]
pub(crate) struct HookedStore<H> {
    inner: Arc<dyn ObjectStore>,
    hooks: Arc<H>,
}

impl<H> Clone for HookedStore<H> {
    fn clone(&self) -> Self {
        self.beside(Arc::clone(&self.inner))
    }
}

impl<H> fmt::Display for HookedStore<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hooked({})", self.inner)
    }
}

impl<H> HookedStore<H> {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, hooks: H) -> Self {
        Self { inner, hooks: Arc::new(hooks) }
    }

    /// Another store of the same process: the hooks are those of this one.
    pub(crate) fn beside(&self, inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, hooks: Arc::clone(&self.hooks) }
    }

    pub(crate) fn hooks(&self) -> &H {
        &self.hooks
    }
}

impl<H: Hooks> HookedStore<H> {
    /// One request whose answer has no body.
    async fn request<T>(
        &self,
        operation: Operation,
        path: &Path,
        effect: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let ticket = self.hooks.before(operation, path).await?;
        let outcome = effect.await;
        let hooked = self.hooks.after(ticket, outcome.is_ok());
        let answer = outcome?;
        hooked?;
        Ok(answer)
    }

    /// A listing page by page, each asked for once the one before is used up.
    fn pages(
        &self,
        prefix: Option<&Path>,
        listed: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned().unwrap_or_default());
        let page = move |rest: Option<BoxStream<'static, Result<ObjectMeta>>>| {
            let (store, prefix) = (store.clone(), prefix.clone());
            async move {
                let Some(mut rest) = rest else {
                    return Ok::<_, object_store::Error>(None);
                };
                let read = rest.by_ref().take(PAGE).try_collect();
                let found: Vec<ObjectMeta> = store.request(Operation::List, &prefix, read).await?;
                let next = (found.len() == PAGE).then_some(rest);
                Ok(Some((stream::iter(found.into_iter().map(Ok)), next)))
            }
        };
        stream::try_unfold(Some(listed), page).try_flatten().boxed()
    }
}

/// Ranges are fetched as the trait's own methods do it: near ones together, each by a GET.
#[async_trait]
impl<H: Hooks> ObjectStore for HookedStore<H> {
    async fn put_opts(&self, at: &Path, payload: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.request(Operation::Put, at, self.inner.put_opts(at, payload, how)).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let begun = self.inner.put_multipart_opts(at, how);
        let inner = self.request(Operation::BeginUpload, at, begun).await?;
        Ok(Box::new(HookedUpload { inner, store: self.clone(), at: at.clone() }))
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        if options.head {
            return self.request(Operation::Head, at, self.inner.get_opts(at, options)).await;
        }
        let ticket = self.hooks.before(Operation::Get, at).await?;
        match self.inner.get_opts(at, options).await {
            Ok(found) => self.hooks.body(ticket, found).await,
            Err(error) => {
                // The store's own error says more than the hooks'.
                let _ = self.hooks.after(ticket, false);
                Err(error)
            }
        }
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let pages = paths.try_chunks(H::DELETED_AT_ONCE).map_err(|error| error.1);
        let deleted = pages.and_then(move |page| {
            let store = store.clone();
            async move {
                let shown = page.first().cloned().unwrap_or_default();
                let deletes = async {
                    for path in &page {
                        store.inner.delete(path).await?;
                    }
                    Ok(())
                };
                store.request(Operation::Delete, &shown, deletes).await?;
                Ok(stream::iter(page.into_iter().map(Ok)))
            }
        });
        deleted.try_flatten().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.pages(prefix, self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.pages(prefix, self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let shown = prefix.cloned().unwrap_or_default();
        self.request(Operation::List, &shown, self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.request(Operation::Copy, to, self.inner.copy_opts(from, to, how)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, how: RenameOptions) -> Result<()> {
        self.request(Operation::Rename, to, self.inner.rename_opts(from, to, how)).await
    }
}

/// An upload in parts, each request of which passes the hooks.
#[derive(Debug)]
struct HookedUpload<H> {
    inner: Box<dyn MultipartUpload>,
    store: HookedStore<H>,
    at: Path,
}

#[async_trait]
impl<H: Hooks> MultipartUpload for HookedUpload<H> {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (store, at, part) = (self.store.clone(), self.at.clone(), self.inner.put_part(data));
        async move { store.request(Operation::PutPart, &at, part).await }.boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let store = self.store.clone();
        store.request(Operation::CompleteUpload, &self.at, self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        let store = self.store.clone();
        store.request(Operation::AbortUpload, &self.at, self.inner.abort()).await
    }
}
