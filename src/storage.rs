//! Where staging and lake are: a folder on a disk or a prefix of an S3 bucket, behind one
//! object-store interface rooted at the disk or bucket.
//!
//! S3 credentials, region and endpoint come from the ordinary AWS chain (environment, profile,
//! web identity, container, instance), including `AWS_ENDPOINT_URL`.

mod requests;

use std::fmt::{self, Write as _};
use std::sync::Arc;

use async_trait::async_trait;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use object_store::aws::{AmazonS3Builder, AwsCredential};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{CredentialProvider, ObjectStore};
use url::Url;

pub(crate) use requests::RequestCounter;
pub use requests::Requests;

use crate::error::{Error, ErrorKind, Result};

/// The kind of a store decides what identifies an object: an ETag on S3, content on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// S3 or a server that speaks it.
    S3,
    /// A local file system.
    File,
}

/// A folder in a store.
#[derive(Clone)]
pub struct Location {
    url: Url,
    kind: StoreKind,
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl Location {
    /// Opens `s3://bucket/prefix`, `file:///folder` or a plain path, which is created if absent.
    ///
    /// # Errors
    /// `Config` if the URI is not understood or the folder cannot be made.
    pub async fn open(uri: &str) -> Result<Self> {
        match Url::parse(uri) {
            Ok(url) if matches!(url.scheme(), "s3" | "s3a") => Self::open_s3(&url).await,
            Ok(url) if url.scheme() == "file" => {
                let path = url.to_file_path().map_err(|()| unusable(uri))?;
                Self::open_folder(&path)
            }
            // A scheme of one letter is a drive, not a scheme.
            Ok(url) if url.scheme().len() > 1 => Err(unusable(uri)),
            _ => Self::open_folder(std::path::Path::new(uri)),
        }
    }

    /// A location in a store that is already open; `url` must name the same place.
    ///
    /// # Errors
    /// `Config` if the URL's path is not a valid prefix.
    pub fn with_store(url: &Url, kind: StoreKind, store: Arc<dyn ObjectStore>) -> Result<Self> {
        let prefix = Path::from_url_path(url.path())
            .map_err(|error| unusable(url.as_str()).because(error))?;
        Ok(Self { url: directory(url.clone()), kind, store, prefix })
    }

    /// The same place seen through another store, such as a wrapper of this one's.
    #[must_use]
    pub fn map_store(
        self,
        wrap: impl FnOnce(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>,
    ) -> Self {
        Self { store: wrap(self.store), ..self }
    }

    fn open_folder(path: &std::path::Path) -> Result<Self> {
        let shown = path.display().to_string();
        std::fs::create_dir_all(path).map_err(|error| unusable(&shown).because(error))?;
        let absolute = path.canonicalize().map_err(|error| unusable(&shown).because(error))?;
        let url = Url::from_directory_path(&absolute).map_err(|()| unusable(&shown))?;
        Self::with_store(&url, StoreKind::File, Arc::new(LocalFileSystem::new()))
    }

    async fn open_s3(url: &Url) -> Result<Self> {
        let bucket = url.host_str().ok_or_else(|| unusable(url.as_str()))?;
        let chain = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
        let mut builder = AmazonS3Builder::new().with_bucket_name(bucket);
        if let Some(region) = chain.region() {
            builder = builder.with_region(region.as_ref());
        }
        if let Some(endpoint) = chain.endpoint_url() {
            // A custom endpoint rarely resolves bucket host names, and in tests is plain HTTP.
            builder = builder
                .with_endpoint(endpoint)
                .with_virtual_hosted_style_request(false)
                .with_allow_http(endpoint.starts_with("http://"));
        }
        if let Some(provider) = chain.credentials_provider() {
            builder = builder.with_credentials(Arc::new(AwsChain { provider }));
        }
        let store = builder.build().map_err(|error| unusable(url.as_str()).because(error))?;
        Self::with_store(url, StoreKind::S3, Arc::new(store))
    }

    /// The folder's URL; always ends with a slash.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The folder as other engines are told of it: without a slash at the end, nothing encoded,
    /// and `s3` for every spelling of that scheme. Hadoop and Trino take such texts as they are
    /// (a `%20` in one is three signs of a name).
    #[must_use]
    pub fn uri(&self) -> String {
        match self.kind {
            StoreKind::S3 => {
                format!("s3://{}/{}", self.url.host_str().unwrap_or_default(), self.prefix)
            }
            StoreKind::File => format!("file:///{}", self.prefix),
        }
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
    /// `Config` if a segment cannot stand in a path.
    pub fn folder(&self, segments: &[&str]) -> Result<Self> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| unusable(self.url.as_str()))?
            .pop_if_empty()
            .extend(segments);
        Self::with_store(&url, self.kind, Arc::clone(&self.store))
    }
}

/// Whether a URI names a place on S3.
#[must_use]
pub fn is_on_s3(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|url| matches!(url.scheme(), "s3" | "s3a"))
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Location").field(&self.url.as_str()).finish()
    }
}

/// A name as one segment of a path, so that no name can leave its folder.
///
/// Percent-encoding with `~` in place of the percent sign, of what cannot stand in a segment
/// (`/`, `\`, control characters, names of dots alone) and of the two signs themselves: the
/// Delta library decodes a literal `%` in a table's path once too often and then misses the
/// table. What a URL must encode besides, such as a space, it encodes by itself.
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
    Error::new(ErrorKind::Config, "neither an s3:// or file:// URI nor a usable folder")
        .with("location", uri)
}

/// The AWS credential chain as `object_store` asks for credentials.
#[derive(Debug)]
struct AwsChain {
    provider: SharedCredentialsProvider,
}

#[async_trait]
impl CredentialProvider for AwsChain {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        // The chain of aws-config caches and refreshes by itself.
        let found = self.provider.provide_credentials().await.map_err(|error| {
            object_store::Error::Unauthenticated { path: String::new(), source: Box::new(error) }
        })?;
        Ok(Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        }))
    }
}
