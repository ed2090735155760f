//! An object store that counts writes and fails at a chosen one.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    RenameOptions, Result, UploadPart,
};

/// On which side of its effect a write fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Nothing was written.
    Before,
    /// It was written, the answer is lost.
    After,
}

/// What happens at a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The number of the write, from 1.
    pub(crate) write: u64,
    pub(crate) side: Side,
    /// Every later call, reads too, fails: the process is gone.
    pub(crate) died: bool,
}

/// Counts and failures, shared by all clones of a store.
#[derive(Debug, Default)]
struct State {
    fault: Option<Fault>,
    writes: AtomicU64,
    dead: AtomicBool,
}

/// The wrapper.
#[derive(Clone, Debug)]
pub(crate) struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    state: Arc<State>,
}

impl FaultyStore {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, fault: Option<Fault>) -> Self {
        Self { inner, state: Arc::new(State { fault, ..State::default() }) }
    }

    /// Another store of the same process: it counts, fails and dies with this one.
    pub(crate) fn beside(&self, inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, state: Arc::clone(&self.state) }
    }

    /// Writes so far, the failed ones included.
    pub(crate) fn writes(&self) -> u64 {
        self.state.writes.load(Ordering::SeqCst)
    }

    fn alive(&self) -> Result<()> {
        if self.state.dead.load(Ordering::SeqCst) {
            Err(failure("the process is gone"))
        } else {
            Ok(())
        }
    }

    /// Runs one write; all effects on the store pass here.
    async fn write<T>(&self, effect: impl Future<Output = Result<T>>) -> Result<T> {
        self.alive()?;
        let number = self.state.writes.fetch_add(1, Ordering::SeqCst) + 1;
        let Some(fault) = self.state.fault.filter(|fault| fault.write == number) else {
            return effect.await;
        };
        if fault.side == Side::After {
            effect.await?;
        }
        self.state.dead.store(fault.died, Ordering::SeqCst);
        Err(failure("the chosen write failed"))
    }
}

fn failure(what: &'static str) -> Error {
    Error::Generic { store: "faulty", source: what.into() }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        self.write(self.inner.put_opts(location, payload, opts)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.alive()?;
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(FaultyUpload { inner, store: self.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.alive()?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.alive()?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let deleted = locations.and_then(move |location| {
            let store = store.clone();
            async move { store.write(store.inner.delete(&location)).await.map(|()| location) }
        });
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.alive() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
        }
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.alive() {
            Ok(()) => self.inner.list_with_offset(prefix, offset),
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.alive()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.write(self.inner.copy_opts(from, to, options)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.write(self.inner.rename_opts(from, to, options)).await
    }
}

/// An upload in parts, which counts as one write when it completes.
#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    store: FaultyStore,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match self.store.alive() {
            Ok(()) => self.inner.put_part(data),
            Err(error) => async { Err(error) }.boxed(),
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let store = self.store.clone();
        store.write(self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.store.alive()?;
        self.inner.abort().await
    }
}
