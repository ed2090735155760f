//! What is kept between invocations: the configuration, and the pipeline opened from it.

use std::path::Path;
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::{GetOptions, ObjectStore};
use tracing::info;
use url::Url;

use crate::clock::Clock;
use crate::config::load;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::Pipeline;
use crate::storage::{Location, StoreKind};

/// A pipeline that follows its configuration.
#[derive(Debug)]
pub struct Warm {
    uri: String,
    clock: Arc<dyn Clock>,
    object: Option<Location>,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    /// The ETag of the configuration that the pipeline was opened with.
    e_tag: Option<String>,
    pipeline: Arc<Pipeline>,
}

impl Warm {
    /// Names a configuration in S3 (`s3://…`) or on disk (`file://…` or a path). Reads nothing yet.
    #[must_use]
    pub fn new(uri: &str, clock: Arc<dyn Clock>) -> Self {
        Self { uri: uri.to_owned(), clock, object: None, current: None }
    }

    /// Returns the pipeline of the current configuration. It is opened again only if the
    /// configuration has changed since the last call.
    ///
    /// # Errors
    /// `Config` if there is no configuration, if it is invalid, or if it names places that cannot be
    /// opened; `Unavailable` if it cannot be read. The next call tries again.
    pub async fn pipeline(&mut self) -> Result<Arc<Pipeline>> {
        let object = match &self.object {
            Some(object) => object,
            None => self.object.insert(locate(&self.uri).await?),
        };
        let known = self.current.as_ref().and_then(|current| current.e_tag.clone());
        let options = GetOptions { if_none_match: known, ..GetOptions::default() };
        let found = match object.store().get_opts(object.prefix(), options).await {
            Ok(found) => found,
            Err(object_store::Error::NotModified { .. }) => return self.warm(),
            Err(error @ object_store::Error::NotFound { .. }) => {
                let error =
                    Error::new(ErrorKind::Config, "there is no configuration").because(error);
                return Err(error.with("DMSLAKE_CONFIG", &self.uri));
            }
            Err(error) => return Err(Error::from(error).with("DMSLAKE_CONFIG", &self.uri)),
        };
        let e_tag = found.meta.e_tag.clone();
        let bytes = found.bytes().await?;
        let pipeline = self.open(&bytes).await.map_err(|e| e.with("DMSLAKE_CONFIG", &self.uri))?;
        info!(configuration = self.uri, e_tag, "configuration read");
        let pipeline = Arc::new(pipeline);
        self.current = Some(Current { e_tag, pipeline: Arc::clone(&pipeline) });
        Ok(pipeline)
    }

    fn warm(&self) -> Result<Arc<Pipeline>> {
        let current = self.current.as_ref();
        current.map(|current| Arc::clone(&current.pipeline)).ok_or_else(|| {
            Error::new(
                ErrorKind::Unavailable,
                "the store says that a configuration is unchanged which was never read",
            )
        })
    }

    async fn open(&self, text: &[u8]) -> Result<Pipeline> {
        let text = std::str::from_utf8(text).map_err(|error| {
            Error::new(ErrorKind::Config, "the configuration is not UTF-8").because(error)
        })?;
        Pipeline::open(load::parse(text)?, Arc::clone(&self.clock)).await
    }
}

/// The configuration as a location, whose prefix is the path of the object.
async fn locate(uri: &str) -> Result<Location> {
    if uri.is_empty() {
        return Err(Error::new(ErrorKind::Config, "DMSLAKE_CONFIG is not set"));
    }
    let unusable = || {
        Error::new(ErrorKind::Config, "this is neither an s3:// or file:// URI nor a path")
            .with("DMSLAKE_CONFIG", uri)
    };
    let path = match Url::parse(uri) {
        Ok(url) if matches!(url.scheme(), "s3" | "s3a") => return Location::open(uri).await,
        Ok(url) if url.scheme() == "file" => url.to_file_path().map_err(|()| unusable())?,
        _ => Path::new(uri).to_owned(),
    };
    // Location::open would create the folder.
    let path = std::path::absolute(path).map_err(|error| unusable().because(error))?;
    let url = Url::from_file_path(path).map_err(|()| unusable())?;
    Location::with_store(&url, StoreKind::File, Arc::new(LocalFileSystem::new()))
}
