//! What is kept between invocations: the configuration with its lock file, and the pipeline opened
//! from them.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::{GetOptions, ObjectStore};
use tracing::info;
use url::Url;

use crate::clock::Clock;
use crate::config::{Expansion, HandOverTo, Lock, load, lock_file_of};
use crate::error::{Error, ErrorKind, Result};
use crate::glue::GlueJob;
use crate::pipeline::{HandsOver, Pipeline};
use crate::storage::{Location, StoreKind};

/// A pipeline that follows its configuration.
#[derive(Debug)]
pub struct Warm {
    uri: String,
    clock: Arc<dyn Clock>,
    objects: Option<Objects>,
    current: Option<Current>,
}

/// Where the configuration is, and the lock file beside it.
#[derive(Debug)]
struct Objects {
    configuration: Location,
    lock: Location,
}

#[derive(Debug)]
struct Current {
    configuration: Stored,
    /// Whether tables of the configuration come from the lock file.
    has_patterns: bool,
    lock: Option<Stored>,
    pipeline: Arc<Pipeline>,
}

/// An object as it was read.
#[derive(Clone, Debug)]
struct Stored {
    e_tag: Option<String>,
    bytes: Bytes,
}

impl Warm {
    /// Names a configuration in S3 (`s3://…`) or on disk (`file://…` or a path). Reads nothing yet.
    #[must_use]
    pub fn new(uri: &str, clock: Arc<dyn Clock>) -> Self {
        Self { uri: uri.to_owned(), clock, objects: None, current: None }
    }

    /// Returns the pipeline of the current configuration. It is opened again only if the
    /// configuration, or the lock file of one with patterns, has changed since the last call.
    ///
    /// # Errors
    /// `Config` if there is no configuration, if it is invalid, or if it names places that cannot be
    /// opened; `Unavailable` if it cannot be read. The next call tries again.
    pub async fn pipeline(&mut self) -> Result<Arc<Pipeline>> {
        let named = |error: Error| error.with("DMSLAKE_CONFIG", &self.uri);
        let objects = match &self.objects {
            Some(objects) => objects,
            None => self.objects.insert(Objects::locate(&self.uri).await?),
        };
        let current = self.current.as_ref();
        let known = current.map(|current| &current.configuration);
        let configuration = read(&objects.configuration, known).await.map_err(named)?;
        let configuration = configuration
            .ok_or_else(|| named(Error::new(ErrorKind::Config, "there is no configuration")))?;
        let unchanged = current.filter(|it| it.configuration.is_same_as(&configuration));
        let has_patterns = match unchanged {
            Some(current) => current.has_patterns,
            None => load::has_patterns(configuration.text("the configuration").map_err(named)?),
        };
        let known_lock = current.and_then(|current| current.lock.as_ref());
        let lock =
            if has_patterns { read(&objects.lock, known_lock).await.map_err(named)? } else { None };
        if let Some(current) = unchanged.filter(|current| current.has_lock(lock.as_ref())) {
            return Ok(Arc::clone(&current.pipeline));
        }
        let pipeline = self.open(&configuration, lock.as_ref()).await.map_err(named)?;
        info!(configuration = self.uri, e_tag = configuration.e_tag, "configuration read");
        let pipeline = Arc::new(pipeline);
        let opened = Arc::clone(&pipeline);
        self.current = Some(Current { configuration, has_patterns, lock, pipeline });
        Ok(opened)
    }

    async fn open(&self, configuration: &Stored, lock: Option<&Stored>) -> Result<Pipeline> {
        let text = configuration.text("the configuration")?;
        let lock = match lock {
            Some(lock) => Some(Lock::parse(lock.text("the lock file")?)?),
            None => None,
        };
        let expansion = lock.as_ref().map_or(Expansion::Refused, Expansion::ByLock);
        let settings = load::parse_expanded(text, expansion)?;
        let hands_over = match &settings.hand_over.to {
            HandOverTo::Nobody => HandsOver::Never,
            HandOverTo::Report => HandsOver::Reports,
            HandOverTo::Glue(job) => HandsOver::To(Arc::new(GlueJob::new(job))),
        };
        let pipeline = Pipeline::open(settings, Arc::clone(&self.clock)).await?;
        Ok(pipeline.handing_over(hands_over))
    }
}

impl Current {
    fn has_lock(&self, lock: Option<&Stored>) -> bool {
        match (&self.lock, lock) {
            (Some(known), Some(lock)) => known.is_same_as(lock),
            (known, lock) => known.is_none() && lock.is_none(),
        }
    }
}

impl Stored {
    fn is_same_as(&self, other: &Self) -> bool {
        self.e_tag.is_some() && self.e_tag == other.e_tag
    }

    fn text(&self, what: &str) -> Result<&str> {
        std::str::from_utf8(&self.bytes).map_err(|error| {
            Error::new(ErrorKind::Config, format!("{what} is not UTF-8")).because(error)
        })
    }
}

/// An object; none if there is none. It is not read again if it is the one that is known.
async fn read(object: &Location, known: Option<&Stored>) -> Result<Option<Stored>> {
    let if_none_match = known.and_then(|known| known.e_tag.clone());
    let options = GetOptions { if_none_match, ..GetOptions::default() };
    let found = match object.store().get_opts(object.prefix(), options).await {
        Ok(found) => found,
        Err(object_store::Error::NotModified { .. }) => return unchanged(known),
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let e_tag = found.meta.e_tag.clone();
    Ok(Some(Stored { e_tag, bytes: found.bytes().await? }))
}

fn unchanged(known: Option<&Stored>) -> Result<Option<Stored>> {
    let message = "the store says that an object is unchanged which was never read";
    let unknown = || Error::new(ErrorKind::Unavailable, message);
    known.cloned().map(Some).ok_or_else(unknown)
}

impl Objects {
    async fn locate(uri: &str) -> Result<Self> {
        let configuration = locate(uri).await?;
        Ok(Self { configuration, lock: locate(&lock_file_of(uri)).await? })
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
