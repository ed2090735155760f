//! Identifies an object by its content, not only by its name.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{GetOptions, ObjectStore};

use crate::error::{Error, ErrorKind, Result};
use crate::staging::fetch::chunks;
use crate::staging::{Identity, StagedObject};
use crate::storage::{Location, StoreKind};

/// The most bytes of a staged object. DMS starts another object after at most 1 GB.
const LARGEST_OBJECT: u64 = 64 << 30;
/// How many digits of a content hash are kept, as many as in an MD5 sum: enough to tell contents
/// apart unless somebody makes them collide, and short, as every commit lists it.
const CONTENT_DIGITS: usize = 32;

const SMALLER_OBJECTS: &str =
    "stage it again in smaller objects (max_file_size of the endpoint is 1 GB at most)";

/// Determines the identity of staged objects.
#[derive(Clone, Debug)]
pub struct Identify {
    kind: StoreKind,
    store: Arc<dyn ObjectStore>,
}

impl Identify {
    /// For objects at this location.
    #[must_use]
    pub fn at(location: &Location) -> Self {
        Self { kind: location.kind(), store: Arc::clone(location.store()) }
    }

    /// The kind of store.
    #[must_use]
    pub fn kind(&self) -> StoreKind {
        self.kind
    }

    /// On S3 the listed `ETag`; on a file system a hash of the content, which is read for it.
    ///
    /// # Errors
    /// `Unavailable` if the content cannot be read; `Conflict` if the object is gone;
    /// `MalformedObject` if it is larger than any object that DMS writes.
    pub async fn identity(&self, object: &StagedObject) -> Result<Identity> {
        self.identity_and_content(object).await.map(|(identity, _)| identity)
    }

    /// [`Self::identity`], and the content if it had to be read and came in one piece.
    pub(crate) async fn identity_and_content(
        &self,
        object: &StagedObject,
    ) -> Result<(Identity, Option<Bytes>)> {
        if object.size > LARGEST_OBJECT {
            let (size, most) = (object.size, LARGEST_OBJECT);
            let message = format!("the object has {size} bytes; at most {most} are read");
            return Err(Error::new(ErrorKind::MalformedObject, message)
                .with("object", &object.relative)
                .with_remedy(SMALLER_OBJECTS));
        }
        if let (StoreKind::S3, Some(tag)) = (self.kind, &object.e_tag) {
            return Ok((Identity::ETag(tag.clone()), None));
        }
        let result = self.store.get_opts(&object.location, GetOptions::default()).await;
        let mut content = match result {
            Ok(found) => chunks(found),
            Err(object_store::Error::NotFound { .. }) => {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "an object vanished while it was read",
                )
                .with("object", &object.relative));
            }
            Err(error) => return Err(error.into()),
        };
        let mut hasher = blake3::Hasher::new();
        let mut only = None;
        while let Some(chunk) = content.try_next().await? {
            hasher.update(&chunk);
            only = (chunk.len() as u64 == object.size).then_some(chunk);
        }
        let digest = hasher.finalize().to_hex();
        Ok((Identity::Content(digest[..CONTENT_DIGITS].to_owned()), only))
    }
}
