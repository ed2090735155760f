//! A store over another one, of which some objects show through: what is written stays above.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryFutureExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, RenameOptions, RenameTargetMode, Result,
};

/// Whether an object of the lower store shows through.
pub(crate) type Shows = Arc<dyn Fn(&Path) -> bool + Send + Sync>;

/// Two stores as one: what is written goes to the upper one and hides what is below it. Nothing of
/// the lower one is ever changed; what is deleted of it is merely hidden.
///
/// Listings are in the order of their paths, as those of S3 are.
pub(crate) struct Overlay {
    below: Arc<dyn ObjectStore>,
    above: Arc<dyn ObjectStore>,
    shows: Shows,
    /// Objects of the lower store that were deleted.
    deleted: Arc<Mutex<HashSet<Path>>>,
}

impl Overlay {
    /// `above` over those objects of `below` that `shows` lets through.
    pub(crate) fn new(
        below: Arc<dyn ObjectStore>,
        above: Arc<dyn ObjectStore>,
        shows: Shows,
    ) -> Self {
        let deleted: Arc<Mutex<HashSet<Path>>> = Arc::default();
        let hidden = Arc::clone(&deleted);
        let shows = Arc::new(move |path: &Path| {
            let hidden = hidden.lock().unwrap_or_else(PoisonError::into_inner);
            !hidden.contains(path) && shows(path)
        });
        Self { below, above, shows, deleted }
    }

    /// The lower store, where its object may be read.
    fn below(&self, location: &Path, error: Error) -> Result<&Arc<dyn ObjectStore>> {
        match error {
            Error::NotFound { .. } if (self.shows)(location) => Ok(&self.below),
            error => Err(error),
        }
    }

    /// Whether an object may be written under that condition. The upper store need not know
    /// conditions: nobody else writes to it.
    async fn check(&self, location: &Path, mode: &PutMode) -> Result<()> {
        let found = match self.head(location).await {
            Ok(meta) => Some(meta),
            Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        let path = location.to_string();
        match (mode, found) {
            (PutMode::Create, Some(_)) => {
                Err(Error::AlreadyExists { path, source: "an object is there".into() })
            }
            (PutMode::Update(expected), found)
                if found.as_ref().is_none_or(|meta| meta.e_tag != expected.e_tag) =>
            {
                Err(Error::Precondition { path, source: "another object is there".into() })
            }
            _ => Ok(()),
        }
    }

    /// Both listings as one.
    fn merged(
        &self,
        below: BoxStream<'static, Result<ObjectMeta>>,
        above: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let shows = Arc::clone(&self.shows);
        let both = async move {
            let mut listed: BTreeMap<Path, ObjectMeta> = BTreeMap::new();
            let mut below = below;
            while let Some(meta) = below.try_next().await? {
                if shows(&meta.location) {
                    listed.insert(meta.location.clone(), meta);
                }
            }
            let mut above = above;
            while let Some(meta) = above.try_next().await? {
                listed.insert(meta.location.clone(), meta);
            }
            Ok(stream::iter(listed.into_values().map(Ok)))
        };
        both.try_flatten_stream().boxed()
    }

    /// Copies what shows through to the upper store.
    async fn bring_up(&self, from: &Path, to: &Path, error: Error) -> Result<()> {
        let bytes = self.below(from, error)?.get(from).await?.bytes().await?;
        self.above.put(to, bytes.into()).await?;
        Ok(())
    }
}

impl fmt::Debug for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overlay")
            .field("below", &self.below)
            .field("above", &self.above)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} over {}", self.above, self.below)
    }
}

#[async_trait]
impl ObjectStore for Overlay {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if !matches!(options.mode, PutMode::Overwrite) {
            self.check(location, &options.mode).await?;
        }
        let options = PutOptions { mode: PutMode::Overwrite, ..options };
        self.above.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.above.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        match self.above.get_opts(location, options.clone()).await {
            Err(error) => self.below(location, error)?.get_opts(location, options).await,
            found => found,
        }
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        match self.above.get_ranges(location, ranges).await {
            Err(error) => self.below(location, error)?.get_ranges(location, ranges).await,
            found => found,
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (above, deleted) = (Arc::clone(&self.above), Arc::clone(&self.deleted));
        let delete = move |path: Path| {
            deleted.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
            let above = Arc::clone(&above);
            async move {
                match above.delete(&path).await {
                    Ok(()) | Err(Error::NotFound { .. }) => Ok(path),
                    Err(error) => Err(error),
                }
            }
        };
        locations.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.merged(self.below.list(prefix), self.above.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let below = self.below.list_with_offset(prefix, offset);
        self.merged(below, self.above.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let below = self.below.list_with_delimiter(prefix).await?;
        let above = self.above.list_with_delimiter(prefix).await?;
        let shown = below.objects.into_iter().filter(|meta| (self.shows)(&meta.location));
        let objects: BTreeMap<Path, ObjectMeta> =
            shown.chain(above.objects).map(|meta| (meta.location.clone(), meta)).collect();
        let mut common_prefixes = below.common_prefixes;
        common_prefixes.extend(above.common_prefixes);
        common_prefixes.sort();
        common_prefixes.dedup();
        Ok(ListResult { common_prefixes, objects: objects.into_values().collect() })
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        if options.mode == CopyMode::Create {
            self.check(to, &PutMode::Create).await?;
        }
        match self.above.copy_opts(from, to, options).await {
            Err(error) => self.bring_up(from, to, error).await,
            copied => copied,
        }
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        if options.target_mode == RenameTargetMode::Create {
            self.check(to, &PutMode::Create).await?;
        }
        match self.above.rename_opts(from, to, options).await {
            Err(error) => self.bring_up(from, to, error).await,
            renamed => renamed,
        }?;
        self.deleted.lock().unwrap_or_else(PoisonError::into_inner).insert(from.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use object_store::UpdateVersion;
    use object_store::memory::InMemory;

    use super::*;

    async fn names(store: &Overlay, offset: Option<&str>) -> Vec<String> {
        let prefix = Path::from("t");
        let listed = match offset {
            None => store.list(Some(&prefix)),
            Some(offset) => store.list_with_offset(Some(&prefix), &Path::from(offset)),
        };
        let listed: Vec<ObjectMeta> = listed.try_collect().await.expect("a listing");
        listed.into_iter().map(|meta| meta.location.to_string()).collect()
    }

    #[tokio::test]
    async fn what_is_written_hides_what_is_below_and_changes_nothing_of_it() {
        let below: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        for name in ["t/a", "t/c", "t/hidden"] {
            below.put(&Path::from(name), "below".into()).await.expect("written");
        }
        let shows: Shows = Arc::new(|path: &Path| path.filename() != Some("hidden"));
        let store = Overlay::new(Arc::clone(&below), Arc::new(InMemory::new()), shows);
        for name in ["t/b", "t/c"] {
            store.put(&Path::from(name), "above".into()).await.expect("written");
        }
        assert_eq!(names(&store, None).await, ["t/a", "t/b", "t/c"]);
        assert_eq!(names(&store, Some("t/a")).await, ["t/b", "t/c"]);
        let listed = store.list_with_delimiter(Some(&Path::from("t"))).await.expect("a listing");
        assert_eq!(listed.objects.len(), 3);
        let read = async |store: &dyn ObjectStore, name: &str| {
            let found = store.get(&Path::from(name)).await?;
            Ok::<_, Error>(found.bytes().await.expect("bytes"))
        };
        assert_eq!(read(&store, "t/a").await.expect("found"), "below");
        assert_eq!(read(&store, "t/c").await.expect("found"), "above");
        assert!(matches!(read(&store, "t/hidden").await, Err(Error::NotFound { .. })));
        store.copy(&Path::from("t/a"), &Path::from("t/d")).await.expect("copied");
        assert_eq!(read(&store, "t/d").await.expect("found"), "below");
        store.delete(&Path::from("t/a")).await.expect("hidden");
        assert!(matches!(read(&store, "t/a").await, Err(Error::NotFound { .. })));
        assert_eq!(names(&store, None).await, ["t/b", "t/c", "t/d"]);
        assert_eq!(read(below.as_ref(), "t/a").await.expect("still there"), "below");
        assert_eq!(read(below.as_ref(), "t/c").await.expect("as it was"), "below");
        assert!(read(below.as_ref(), "t/b").await.is_err());
    }

    #[tokio::test]
    async fn conditions_are_about_what_is_seen() {
        let below: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let (there, new) = (Path::from("t/there"), Path::from("t/new"));
        let seen = below.put(&there, "below".into()).await.expect("written");
        let shows: Shows = Arc::new(|_| true);
        let store = Overlay::new(below, Arc::new(InMemory::new()), shows);
        let put = async |path: &Path, mode: PutMode| {
            let options = PutOptions { mode, ..PutOptions::default() };
            store.put_opts(path, "above".into(), options).await
        };
        let refused = put(&there, PutMode::Create).await;
        assert!(matches!(refused, Err(Error::AlreadyExists { .. })));
        put(&new, PutMode::Create).await.expect("nothing is there");
        let version = |it: PutResult| UpdateVersion { e_tag: it.e_tag, version: it.version };
        let seen = version(seen);
        put(&there, PutMode::Update(seen.clone())).await.expect("it is as it was");
        let refused = put(&there, PutMode::Update(seen)).await;
        assert!(matches!(refused, Err(Error::Precondition { .. })));
    }
}
