//! Counts the requests that go to a store, and their bytes.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes as Content;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, OBJECT_STORE_COALESCE_DEFAULT,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result, UploadPart,
};
use serde::Serialize;

/// Keys that S3 lists or deletes in one request.
const PAGE: u64 = 1000;

/// Requests to a store as S3 counts them, retries excluded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// Reads of objects or ranges; ranges close together are read in one request.
    pub get: u64,
    /// Requests for an object's metadata.
    pub head: u64,
    /// Pages of listings, up to a thousand keys each.
    pub list: u64,
    /// Objects written. Each part of a multipart upload counts, and so do its start and completion.
    pub put: u64,
    /// Requests that delete objects, up to a thousand each.
    pub delete: u64,
}

impl Requests {
    /// The sum of two counts.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            get: self.get + other.get,
            head: self.head + other.head,
            list: self.list + other.list,
            put: self.put + other.put,
            delete: self.delete + other.delete,
        }
    }

    /// The requests since an earlier count.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            get: self.get - earlier.get,
            head: self.head - earlier.head,
            list: self.list - earlier.list,
            put: self.put - earlier.put,
            delete: self.delete - earlier.delete,
        }
    }
}

/// Bytes that go to and from a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bytes {
    /// Of objects and ranges that were asked for, each as often as it was.
    pub read: u64,
    /// Of objects that were written.
    pub written: u64,
}

impl Bytes {
    /// The sum of two counts.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { read: self.read + other.read, written: self.written + other.written }
    }

    /// The bytes since an earlier count.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self { read: self.read - earlier.read, written: self.written - earlier.written }
    }
}

/// Counts the requests of all stores it wraps. Clones share the count.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestCounter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    get: AtomicU64,
    head: AtomicU64,
    list: AtomicU64,
    put: AtomicU64,
    delete: AtomicU64,
    read: AtomicU64,
    written: AtomicU64,
}

impl RequestCounter {
    /// Wraps a store so that its requests are counted.
    pub(crate) fn of(&self, inner: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
        Arc::new(CountedStore { inner, counter: self.clone() })
    }

    /// The requests so far.
    pub(crate) fn so_far(&self) -> Requests {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let Counts { get, head, list, put, delete, .. } = &*self.0;
        Requests {
            get: count(get),
            head: count(head),
            list: count(list),
            put: count(put),
            delete: count(delete),
        }
    }

    /// The bytes so far.
    pub(crate) fn bytes_so_far(&self) -> Bytes {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        Bytes { read: count(&self.0.read), written: count(&self.0.written) }
    }
}

fn add(count: &AtomicU64, requests: u64) {
    count.fetch_add(requests, Ordering::Relaxed);
}

#[derive(Debug)]
struct CountedStore {
    inner: Arc<dyn ObjectStore>,
    counter: RequestCounter,
}

impl CountedStore {
    fn counts(&self) -> &Counts {
        &self.counter.0
    }

    /// Passes a listing through and counts its pages.
    fn pages(
        &self,
        listed: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let counter = self.counter.clone();
        add(&counter.0.list, 1);
        let mut keys = 0;
        let watched = listed.inspect(move |_| {
            if keys > 0 && keys % PAGE == 0 {
                add(&counter.0.list, 1);
            }
            keys += 1;
        });
        watched.boxed()
    }
}

impl fmt::Display for CountedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for CountedStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        add(&self.counts().put, 1);
        add(&self.counts().written, payload.content_length() as u64);
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        add(&self.counts().put, 1);
        let inner = self.inner.put_multipart_opts(location, options).await?;
        Ok(Box::new(CountedUpload { inner, counter: self.counter.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        add(if options.head { &self.counts().head } else { &self.counts().get }, 1);
        let is_body = !options.head;
        let found = self.inner.get_opts(location, options).await?;
        if is_body {
            add(&self.counts().read, found.range.end - found.range.start);
        }
        Ok(found)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Content>> {
        add(&self.counts().get, coalesced(ranges));
        let found = self.inner.get_ranges(location, ranges).await?;
        add(&self.counts().read, found.iter().map(|part| part.len() as u64).sum());
        Ok(found)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let counter = self.counter.clone();
        let mut paths = 0;
        let watched = locations.inspect(move |_| {
            if paths % PAGE == 0 {
                add(&counter.0.delete, 1);
            }
            paths += 1;
        });
        self.inner.delete_stream(watched.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.pages(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.pages(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let listed = self.inner.list_with_delimiter(prefix).await;
        let keys = listed.as_ref().map_or(0, |it| it.objects.len() + it.common_prefixes.len());
        add(&self.counts().list, (keys as u64).div_ceil(PAGE).max(1));
        listed
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        add(&self.counts().put, 1);
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        add(&self.counts().put, 1);
        add(&self.counts().delete, 1);
        self.inner.rename_opts(from, to, options).await
    }
}

/// The number of requests needed to read these ranges of one object.
fn coalesced(ranges: &[Range<u64>]) -> u64 {
    let mut ranges: Vec<&Range<u64>> = ranges.iter().collect();
    ranges.sort_unstable_by_key(|range| range.start);
    let (mut requests, mut end) = (0, None);
    for range in ranges {
        if end.is_none_or(|end| range.start > end + OBJECT_STORE_COALESCE_DEFAULT) {
            requests += 1;
        }
        end = end.max(Some(range.end));
    }
    requests
}

#[derive(Debug)]
struct CountedUpload {
    inner: Box<dyn MultipartUpload>,
    counter: RequestCounter,
}

#[async_trait]
impl MultipartUpload for CountedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        add(&self.counter.0.put, 1);
        add(&self.counter.0.written, data.content_length() as u64);
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        add(&self.counter.0.put, 1);
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        add(&self.counter.0.delete, 1);
        self.inner.abort().await
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt as _;
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn bytes_of_bodies_and_answers_are_counted() {
        let counter = RequestCounter::default();
        let store = counter.of(Arc::new(InMemory::new()));
        let whole = Path::from("whole");
        store.put(&whole, PutPayload::from_static(b"0123456789")).await.expect("put");
        let parts = Path::from("parts");
        let mut upload = store.put_multipart(&parts).await.expect("begun");
        for part in [&b"abc"[..], b"defgh"] {
            upload.put_part(PutPayload::from_static(part)).await.expect("part");
        }
        upload.complete().await.expect("complete");
        assert_eq!(counter.bytes_so_far(), Bytes { read: 0, written: 18 });

        store.head(&whole).await.expect("head");
        store.get(&whole).await.expect("get").bytes().await.expect("body");
        store.get_range(&parts, 2..5).await.expect("range");
        store.get_ranges(&parts, &[0..2, 6..8]).await.expect("ranges");
        store.get(&Path::from("none")).await.expect_err("there is none");
        assert_eq!(counter.bytes_so_far(), Bytes { read: 10 + 3 + 4, written: 18 });
    }
}
