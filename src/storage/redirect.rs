//! A store in which one folder is another one.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

/// Shows the objects of one folder as those of another one, whose own objects are hidden.
///
/// A listing that begins above the folder shows the objects where they are.
#[derive(Debug)]
pub(crate) struct Redirect {
    inner: Arc<dyn ObjectStore>,
    /// The folder as users of this store name it.
    shown: Path,
    /// Where its objects are.
    real: Path,
}

impl Redirect {
    /// The folder `shown` of a store holds what is in its folder `real`.
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, shown: Path, real: Path) -> Self {
        Self { inner, shown, real }
    }

    fn real(&self, path: &Path) -> Path {
        moved(path, &self.shown, &self.real)
    }

    fn meta(&self, meta: ObjectMeta) -> ObjectMeta {
        ObjectMeta { location: moved(&meta.location, &self.real, &self.shown), ..meta }
    }

    fn metas(
        &self,
        listed: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (shown, real) = (self.shown.clone(), self.real.clone());
        let back = move |meta: ObjectMeta| ObjectMeta {
            location: moved(&meta.location, &real, &shown),
            ..meta
        };
        listed.map(move |meta| meta.map(&back)).boxed()
    }
}

/// The path with one folder in the place of the other, if it is in that.
fn moved(path: &Path, from: &Path, to: &Path) -> Path {
    match path.prefix_match(from) {
        Some(below) => to.parts().chain(below).collect(),
        None => path.clone(),
    }
}

impl fmt::Display for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Redirect {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.inner.put_opts(&self.real(location), payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(&self.real(location), options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let found = self.inner.get_opts(&self.real(location), options).await?;
        Ok(GetResult { meta: self.meta(found.meta.clone()), ..found })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(&self.real(location), ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (shown, real) = (self.shown.clone(), self.real.clone());
        let there = {
            let (shown, real) = (shown.clone(), real.clone());
            locations.map(move |path| path.map(|path| moved(&path, &shown, &real))).boxed()
        };
        let deleted = self.inner.delete_stream(there);
        deleted.map(move |path| path.map(|path| moved(&path, &real, &shown))).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = prefix.map(|prefix| self.real(prefix));
        self.metas(self.inner.list(prefix.as_ref()))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = prefix.map(|prefix| self.real(prefix));
        self.metas(self.inner.list_with_offset(prefix.as_ref(), &self.real(offset)))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.map(|prefix| self.real(prefix));
        let listed = self.inner.list_with_delimiter(prefix.as_ref()).await?;
        let back = |path: Path| moved(&path, &self.real, &self.shown);
        Ok(ListResult {
            common_prefixes: listed.common_prefixes.into_iter().map(back).collect(),
            objects: listed.objects.into_iter().map(|meta| self.meta(meta)).collect(),
        })
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(&self.real(from), &self.real(to), options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(&self.real(from), &self.real(to), options).await
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;
    use object_store::ObjectStoreExt as _;
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn the_folder_is_the_other_one_for_every_request() {
        let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let path = |text: &str| Path::from(text);
        for name in ["t/log/0", "t/data", "other/log/0", "t/logs"] {
            inner
                .put(&path(name), PutPayload::from(name.as_bytes().to_vec()))
                .await
                .expect("memory takes it");
        }
        let store = Redirect::new(Arc::clone(&inner), path("t/log"), path("other/log"));
        let content = async |store: &dyn ObjectStore, name: &str| {
            store
                .get(&path(name))
                .await
                .expect("memory takes it")
                .bytes()
                .await
                .expect("memory takes it")
        };
        assert_eq!(content(&store, "t/log/0").await, "other/log/0");
        assert_eq!(content(&store, "t/data").await, "t/data");
        assert_eq!(content(&store, "t/logs").await, "t/logs", "not in the folder");
        store.put(&path("t/log/1"), PutPayload::from("new")).await.expect("memory takes it");
        assert_eq!(content(inner.as_ref(), "other/log/1").await, "new");
        let names = |metas: Vec<ObjectMeta>| {
            let mut names: Vec<String> =
                metas.into_iter().map(|meta| meta.location.to_string()).collect();
            names.sort();
            names
        };
        let log = path("t/log");
        let listed: Vec<_> = store.list(Some(&log)).try_collect().await.expect("memory takes it");
        assert_eq!(names(listed), ["t/log/0", "t/log/1"]);
        let after = store.list_with_offset(Some(&log), &path("t/log/0"));
        assert_eq!(names(after.try_collect().await.expect("memory takes it")), ["t/log/1"]);
        assert_eq!(
            names(store.list_with_delimiter(Some(&log)).await.expect("memory takes it").objects)
                .len(),
            2
        );
        store.delete(&path("t/log/0")).await.expect("memory takes it");
        assert!(inner.get(&path("other/log/0")).await.is_err());
        assert_eq!(content(inner.as_ref(), "t/log/0").await, "t/log/0");
    }
}
