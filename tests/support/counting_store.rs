//! An object store that counts its requests as S3 would see them, answers each after a while,
//! and tells how many of them had to wait for one another.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use dmslake::clock::{Clock as _, SystemClock};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result, UploadPart,
};

/// What S3 lists, or deletes, in one request.
const PAGE: usize = 1000;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Method {
    /// An object or a range of it.
    Get,
    /// What is known of an object.
    Head,
    /// One page of a listing.
    List,
    /// A whole object, or one part of an upload in parts.
    Put,
    /// The beginning or the end of an upload in parts.
    Post,
    /// An object copied inside the store.
    Copy,
    /// One object, or one page of objects.
    Delete,
}

/// One request and the time that its answer took to arrive, the body included.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) began: Instant,
    /// None while the answer is still arriving, or where nobody read it to its end.
    pub(crate) ended: Option<Instant>,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.method, self.path)
    }
}

/// The requests of all stores that share it, in the order in which they began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests(Arc<Mutex<Vec<Request>>>);

impl Requests {
    /// The requests so far, which are forgotten.
    pub(crate) fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn begin(&self, method: Method, path: impl fmt::Display) -> Running {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (began, path) = (SystemClock.instant(), path.to_string());
        requests.push(Request { method, path, began, ended: None });
        Running { requests: self.clone(), at: requests.len() - 1, began }
    }
}

/// How many of these requests are of that method.
pub(crate) fn count(requests: &[Request], method: Method) -> usize {
    requests.iter().filter(|request| request.method == method).count()
}

/// Round trips in sequence: the longest chain of requests each of which began after the one
/// before it had ended. Only where each answer takes a while does it tell requests that wait for
/// one another from requests that are merely short.
pub(crate) fn in_sequence(requests: &[Request]) -> Vec<&Request> {
    let mut ended: Vec<(Instant, &Request)> =
        requests.iter().filter_map(|request| Some((request.ended?, request))).collect();
    ended.sort_by_key(|(end, _)| *end);
    let mut chain: Vec<&Request> = Vec::new();
    for (_, request) in ended {
        if chain.last().is_none_or(|last| last.ended.is_some_and(|end| end <= request.began)) {
            chain.push(request);
        }
    }
    chain
}

/// A request that is not answered in full yet.
#[derive(Debug)]
struct Running {
    requests: Requests,
    at: usize,
    began: Instant,
}

impl Running {
    fn end(&self) {
        let mut requests = self.requests.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = SystemClock.instant();
        // Whoever took the list meanwhile does not wait for this one.
        if let Some(request) = requests.get_mut(self.at)
            && request.began == self.began
        {
            request.ended.get_or_insert(now);
        }
    }
}

/// The wrapper.
#[derive(Clone, Debug)]
pub(crate) struct CountingStore {
    inner: Arc<dyn ObjectStore>,
    requests: Requests,
    delay: Duration,
}

impl CountingStore {
    /// Counts into `requests`, and lets the answer to each wait for `delay`.
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, requests: &Requests, delay: Duration) -> Self {
        Self { inner, requests: requests.clone(), delay }
    }

    /// One request whose answer has no body that comes later.
    async fn request<T>(
        &self,
        method: Method,
        path: impl fmt::Display,
        effect: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let running = self.requests.begin(method, path);
        tokio::time::sleep(self.delay).await;
        let outcome = effect.await;
        running.end();
        outcome
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
                let running = store.requests.begin(Method::List, prefix);
                tokio::time::sleep(store.delay).await;
                let found: Result<Vec<ObjectMeta>> =
                    rest.by_ref().take(PAGE).try_collect::<Vec<_>>().await;
                running.end();
                let found = found?;
                let next = (found.len() == PAGE).then_some(rest);
                Ok(Some((stream::iter(found.into_iter().map(Ok)), next)))
            }
        };
        stream::try_unfold(Some(listed), page).try_flatten().boxed()
    }
}

impl fmt::Display for CountingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "counting({})", self.inner)
    }
}

/// A body that ends its request with its last byte.
fn body(found: GetResult, running: Running) -> GetResult {
    let (meta, range) = (found.meta.clone(), found.range.clone());
    let attributes = found.attributes.clone();
    let mut left = range.end - range.start;
    if left == 0 {
        running.end();
    }
    let chunks = found.into_stream().inspect_ok(move |chunk: &Bytes| {
        left = left.saturating_sub(chunk.len() as u64);
        if left == 0 {
            running.end();
        }
    });
    GetResult { payload: GetResultPayload::Stream(chunks.boxed()), meta, range, attributes }
}

/// Ranges are fetched as the trait's own methods do it: near ones together, each by a GET.
#[async_trait]
impl ObjectStore for CountingStore {
    async fn put_opts(&self, at: &Path, payload: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.request(Method::Put, at, self.inner.put_opts(at, payload, how)).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let begun = self.inner.put_multipart_opts(at, how);
        let inner = self.request(Method::Post, at, begun).await?;
        Ok(Box::new(CountingUpload { inner, store: self.clone(), at: at.clone() }))
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        if options.head {
            return self.request(Method::Head, at, self.inner.get_opts(at, options)).await;
        }
        let running = self.requests.begin(Method::Get, at);
        tokio::time::sleep(self.delay).await;
        match self.inner.get_opts(at, options).await {
            Ok(found) => Ok(body(found, running)),
            Err(error) => {
                running.end();
                Err(error)
            }
        }
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let pages = paths.try_chunks(PAGE).map_err(|error| error.1).and_then(move |page| {
            let store = store.clone();
            async move {
                let shown = page.first().cloned().unwrap_or_default();
                let deletes = async {
                    for path in &page {
                        store.inner.delete(path).await?;
                    }
                    Ok(())
                };
                store.request(Method::Delete, shown, deletes).await?;
                Ok(stream::iter(page.into_iter().map(Ok)))
            }
        });
        pages.try_flatten().boxed()
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
        self.request(Method::List, shown, self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.request(Method::Copy, to, self.inner.copy_opts(from, to, how)).await
    }
}

/// An upload in parts: a POST that begins it, a PUT for each part, a POST that completes it.
#[derive(Debug)]
struct CountingUpload {
    inner: Box<dyn MultipartUpload>,
    store: CountingStore,
    at: Path,
}

#[async_trait]
impl MultipartUpload for CountingUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (store, at, part) = (self.store.clone(), self.at.clone(), self.inner.put_part(data));
        let counted: BoxFuture<'static, Result<()>> =
            async move { store.request(Method::Put, at, part).await }.boxed();
        counted
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (store, at) = (self.store.clone(), self.at.clone());
        store.request(Method::Post, at, self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        let (store, at) = (self.store.clone(), self.at.clone());
        store.request(Method::Delete, at, self.inner.abort()).await
    }
}
