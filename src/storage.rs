//! Access to staging and lake: a local folder or a prefix of an S3 bucket, behind one object-store
//! interface rooted at the disk or the bucket.
//!
//! S3 credentials, region and endpoint come from the standard AWS chain (environment, profile, web
//! identity, container, instance), including `AWS_ENDPOINT_URL`.

#[cfg(feature = "cli")]
mod overlay;
mod read_once;
mod redirect;
mod requests;
mod s3;

use std::fmt::{self, Write as _};
use std::path::{Component, PathBuf};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use percent_encoding::percent_decode_str;
use url::Url;

#[cfg(feature = "cli")]
pub(crate) use overlay::{Overlay, Shows};
pub(crate) use read_once::ReadOnce;
pub(crate) use redirect::Redirect;
pub(crate) use requests::RequestCounter;
pub use requests::{Bytes, Requests};
pub use s3::is_on_s3;
use s3::{Patience, behind_s3};

use crate::error::{Error, ErrorKind, Result, refusal_of_first_request};

/// The kind of a store. It decides what identifies an object: the ETag on S3, the content on a
/// disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// S3 or a compatible server.
    S3,
    /// A local file system.
    File,
}

impl StoreKind {
    /// A path in a store of this kind as a user writes it: the key on S3, an absolute path on a
    /// disk.
    #[must_use]
    pub fn shown(self, path: &Path) -> String {
        match self {
            Self::S3 => path.to_string(),
            Self::File => format!("/{path}"),
        }
    }
}

/// A folder in a store.
#[derive(Clone)]
pub struct Location {
    url: Url,
    kind: StoreKind,
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// The folder as the user typed it, without a slash at the end.
    typed: String,
}

impl Location {
    /// Opens `s3://bucket/prefix`, `file:///folder` or a plain path. A local folder is created if
    /// it does not exist. Only `file://` is decoded as a URL: the prefix behind a bucket is taken
    /// literally.
    ///
    /// # Errors
    /// `Config` if the URI is not understood or the folder cannot be created.
    pub async fn open(uri: &str) -> Result<Self> {
        let opened = if is_on_s3(uri) {
            s3::open(uri, Patience::default()).await?
        } else {
            Self::open_folder(&folder_of(uri)?)?
        };
        let typed = uri.trim_end_matches('/').to_owned();
        Ok(Self { typed, ..opened })
    }

    /// Opens the folder that DMS writes to. It is never created: if it is missing, the
    /// configuration names the wrong folder.
    ///
    /// # Errors
    /// As [`Self::open`]; `StoreRefused` if the folder does not exist.
    pub async fn open_staging(uri: &str) -> Result<Self> {
        if !is_on_s3(uri) && !folder_of(uri)?.is_dir() {
            return Err(Error::new(ErrorKind::StoreRefused, "the staging folder does not exist")
                .with("location", uri)
                .with_remedy("set staging to the folder that DMS writes to, and run again"));
        }
        Self::open(uri).await
    }

    /// Opens the folder of the tables. The Delta library decodes the path of a table once too often
    /// and treats a backslash as a slash. With such a path it would write a table to one folder and
    /// look for it in another.
    ///
    /// # Errors
    /// As [`Self::open`]; `Config` if the path contains `%` or a backslash.
    pub async fn open_lake(uri: &str) -> Result<Self> {
        let refused = |name: &str| {
            let message = "the lake's path contains % or \\, which the Delta library mistakes";
            Error::new(ErrorKind::Config, message)
                .with("location", name)
                .with_remedy("choose another folder for lake")
        };
        let named = match behind_s3(uri) {
            Some(rest) => rest.to_owned(),
            None => absolute(&folder_of(uri)?)?.to_string_lossy().into_owned(),
        };
        if named.contains(['%', '\\']) {
            return Err(refused(uri));
        }
        let location = Self::open(uri).await?;
        if location.prefix.as_ref().contains(['%', '\\']) {
            return Err(refused(&location.uri())); // where `..` led to
        }
        Ok(location)
    }

    /// A location in a store that is already open; `url` must name the same folder.
    ///
    /// # Errors
    /// `Config` if the URL's path is not a valid prefix.
    pub fn with_store(url: &Url, kind: StoreKind, store: Arc<dyn ObjectStore>) -> Result<Self> {
        let prefix = Path::from_url_path(url.path())
            .map_err(|error| unusable(url.as_str()).because(error))?;
        Ok(Self { url: directory(url.clone()), kind, store, prefix, typed: shown_url(url) })
    }

    /// The same location with another store, such as a wrapper around this one's.
    #[must_use]
    pub fn map_store(
        self,
        wrap: impl FnOnce(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>,
    ) -> Self {
        Self { store: wrap(self.store), ..self }
    }

    /// The same location, which messages name as they name another one.
    #[cfg(feature = "cli")]
    pub(crate) fn shown_as(self, other: &Self) -> Self {
        Self { typed: other.typed.clone(), ..self }
    }

    fn open_folder(path: &std::path::Path) -> Result<Self> {
        let shown = path.display().to_string();
        std::fs::create_dir_all(path).map_err(|error| unusable(&shown).because(error))?;
        // Keep the path as typed, symbolic links included. Only `..` is resolved, which a URL
        // cannot contain.
        let has_parents = path.components().any(|part| part == Component::ParentDir);
        let whole = if has_parents {
            path.canonicalize().map_err(|error| unusable(&shown).because(error))?
        } else {
            absolute(path)?
        };
        let url = Url::from_directory_path(&whole).map_err(|()| unusable(&shown))?;
        Self::with_store(&url, StoreKind::File, Arc::new(LocalFileSystem::new()))
    }

    /// The folder's URL; always ends with a slash.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The folder's URI for other engines: without a trailing slash, nothing encoded, and with the
    /// scheme `s3` even if `s3a` was typed. Hadoop and Trino take such URIs literally: `%20` is
    /// three characters of a name.
    #[must_use]
    pub fn uri(&self) -> String {
        match self.kind {
            StoreKind::S3 => {
                format!("s3://{}/{}", self.url.host_str().unwrap_or_default(), self.prefix)
            }
            StoreKind::File => format!("file:///{}", self.prefix),
        }
    }

    /// The folder's URI for another process of this program, which opens it by [`Self::open`].
    #[cfg(feature = "cli")]
    pub(crate) fn address(&self) -> String {
        match self.kind {
            StoreKind::S3 => self.uri(),
            StoreKind::File => self.url.to_string(),
        }
    }

    /// An object in this folder as messages name it: the folder as the user typed it, and the
    /// path below it.
    ///
    /// `name` is the object's path in the store, with or without the leading slash of a disk, or
    /// its path below this folder.
    #[must_use]
    pub fn shown(&self, name: &str) -> String {
        let prefix = self.prefix.as_ref();
        let path = name.strip_prefix('/').unwrap_or(name);
        let below = match path.strip_prefix(prefix) {
            Some(rest) if prefix.is_empty() || rest.is_empty() => rest,
            Some(rest) => rest.strip_prefix('/').unwrap_or(path),
            None if path.len() < name.len() => return name.to_owned(),
            None => path,
        };
        if below.is_empty() { self.typed.clone() } else { format!("{}/{below}", self.typed) }
    }

    /// Its bucket; none on a disk.
    #[cfg(feature = "cli")]
    pub(crate) fn bucket(&self) -> Option<&str> {
        self.url.host_str().filter(|_| self.kind == StoreKind::S3)
    }

    /// The folder as this machine's file system has it; of no use for one in a bucket.
    #[cfg(feature = "cli")]
    pub(crate) fn on_disk(&self) -> PathBuf {
        std::path::Path::new("/").join(self.prefix.as_ref())
    }

    /// What identifies an object here.
    #[must_use]
    pub fn kind(&self) -> StoreKind {
        self.kind
    }

    /// The store, rooted at the bucket or disk.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// The folder's path inside the store.
    #[must_use]
    pub fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// A folder below this one.
    ///
    /// # Errors
    /// `Config` if a segment is not valid in a path.
    pub fn folder(&self, segments: &[&str]) -> Result<Self> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| unusable(self.url.as_str()))?
            .pop_if_empty()
            .extend(segments);
        let folder = Self::with_store(&url, self.kind, Arc::clone(&self.store))?;
        Ok(Self { typed: format!("{}/{}", self.typed, segments.join("/")), ..folder })
    }
}

/// Completes an error about a table: objects in its staging folder and files in its lake folder
/// are then named by whole paths, as the user typed the folders. Whoever reports an error calls
/// this once; the code that finds a failure knows only the path below the table's folder.
pub(crate) fn with_whole_paths(error: Error, staging: &Location, lake: &Location) -> Error {
    error.with_whole_paths(|name, value| match name {
        "object" | "first object" | "change object" => Some(staging.shown(value)),
        "objects" | "older load objects" => {
            let objects: Vec<String> = value.split(", ").map(|name| staging.shown(name)).collect();
            Some(objects.join(", "))
        }
        "file" => Some(lake.shown(value)),
        "table" if value == shown_url(lake.url()) => Some(lake.shown("")),
        _ => None,
    })
}

/// The folder that a `file://` URI or a plain path names.
fn folder_of(uri: &str) -> Result<PathBuf> {
    match Url::parse(uri) {
        Ok(url) if url.scheme() == "file" => {
            if url.query().is_some() || url.fragment().is_some() {
                return Err(unusable(uri).with_remedy("write ? as %3F and # as %23"));
            }
            url.to_file_path().map_err(|()| unusable(uri))
        }
        // A scheme of one letter is a drive, not a scheme.
        Ok(url) if url.scheme().len() > 1 => Err(unusable(uri)),
        _ => Ok(PathBuf::from(uri)),
    }
}

fn absolute(path: &std::path::Path) -> Result<PathBuf> {
    let shown = path.display().to_string();
    std::path::absolute(path).map_err(|error| unusable(&shown).because(error))
}

/// Checks once whether a location can be used at all. Failures that a store answers with are
/// ignored, because they may be over when the first table is read; not that it does not answer:
/// each request would take minutes to find that out. Local folders are not checked, because opening
/// created them.
///
/// # Errors
/// `StoreRefused` if the location cannot be used as configured or does not answer, `Config` if it
/// cannot be opened.
pub async fn probe(uri: &str) -> Result<()> {
    if !is_on_s3(uri) {
        return Ok(());
    }
    let place = s3::open(uri, Patience::short()).await?;
    let Some(Err(error)) = place.store.list(Some(&place.prefix)).next().await else {
        return Ok(());
    };
    let refused = refusal_of_first_request(&error);
    refused.map_or(Ok(()), |refused| Err(refused.with("location", uri)))
}

/// A URL as a user writes it: the path of a local folder, or `s3://` with nothing encoded.
#[must_use]
pub fn shown_url(url: &Url) -> String {
    let path = percent_decode_str(url.path().trim_end_matches('/')).decode_utf8_lossy();
    match url.scheme() {
        "file" => path.into_owned(),
        scheme => format!("{scheme}://{}{path}", url.host_str().unwrap_or_default()),
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Location").field(&self.url.as_str()).finish()
    }
}

/// Encodes a name as one segment of a path, so that no name can escape its folder.
///
/// This is percent-encoding with `~` instead of the percent sign. It encodes what is not valid in a
/// segment (`/`, `\`, control characters, names of dots only), `%` and `~` itself. The Delta
/// library decodes a literal `%` in a table's path once too often and then does not find the table.
/// `Url` encodes other characters, such as spaces, by itself.
#[must_use]
pub fn encode_segment(name: &str) -> String {
    let is_refused = |sign: char| "/\\%~".contains(sign) || sign.is_ascii_control();
    let is_dots = name.chars().all(|sign| sign == '.');
    let mut segment = String::with_capacity(name.len());
    for sign in name.chars() {
        if is_refused(sign) || is_dots {
            let _ = write!(segment, "~{:02X}", u32::from(sign)); // writing to a String never fails
        } else {
            segment.push(sign);
        }
    }
    segment
}

fn directory(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}

fn unusable(uri: &str) -> Error {
    Error::new(ErrorKind::Config, "not an s3:// URI, a file:// URI or a usable folder")
        .with("location", uri)
}
/// Deletes these objects.
///
/// # Errors
/// `Unavailable` or `StoreRefused` if one cannot be deleted; others may be gone.
pub(crate) async fn delete_all(
    store: &dyn ObjectStore,
    paths: impl IntoIterator<Item = Path, IntoIter: Send + 'static>,
) -> Result<()> {
    let paths = stream::iter(paths).map(Ok).boxed();
    store.delete_stream(paths).try_collect::<Vec<_>>().await?;
    Ok(())
}
