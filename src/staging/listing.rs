//! Lists what is staged for a table, classified and in order of application.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::future::ready;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use crate::dms::{Classified, Phase, classify};
use crate::error::Result;
use crate::staging::StagedObject;
use crate::storage::{Location, StoreKind};

/// Which staged objects a run looks at. What it applies, and in what order, depends only on the
/// table's progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Lists everything: for the CLI and the scheduled sweep.
    Everything,
    /// Lists the look-back window, the full load while it is open, and these objects, given by
    /// their full keys in the staging bucket.
    Named(Vec<String>),
}

/// How many objects below the window are requested at once.
const HEADS_AT_ONCE: usize = 16;
/// At most this many objects with other names may precede the first full-load object.
const MOST_OTHERS: usize = 100;

/// The staged objects of a table.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Objects that hold changes, in order of application: by [`Phase`], ties by full key.
    pub objects: Vec<StagedObject>,
    /// Paths below the table's folder whose names fit no form of DMS.
    pub foreign: Vec<String>,
    /// Transaction-ordered objects, which are refused.
    pub transaction_ordered: Vec<String>,
    /// Whether everything was listed, not only a window.
    pub is_complete: bool,
}

impl Listing {
    fn has_cdc(&self) -> bool {
        self.objects.iter().any(|object| matches!(object.name.phase, Phase::Cdc { .. }))
    }

    fn from_metas(folder: &Location, metas: impl IntoIterator<Item = ObjectMeta>) -> Self {
        let mut listing = Self::default();
        for meta in metas {
            let Some(relative) = relative(folder.prefix(), &meta.location) else { continue };
            match classify(&relative) {
                Classified::Changes(name) => listing.objects.push(StagedObject {
                    location: meta.location,
                    relative,
                    name,
                    size: meta.size,
                    e_tag: meta.e_tag,
                    last_modified: meta.last_modified,
                }),
                Classified::Ignored => {}
                Classified::TransactionOrdered => listing.transaction_ordered.push(relative),
                Classified::Foreign => listing.foreign.push(relative),
            }
        }
        listing
            .objects
            .sort_by(|a, b| (&a.name.phase, &a.location).cmp(&(&b.name.phase, &b.location)));
        listing
    }
}

/// An object's name below a folder.
pub(super) fn relative(folder: &Path, location: &Path) -> Option<String> {
    let parts: Vec<String> =
        location.prefix_match(folder)?.map(|part| part.as_ref().to_owned()).collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// Lists a table's whole folder.
///
/// DMS goes on writing during a listing. While the load generation is open, a listing that shows a
/// CDC object must show every full-load object: DMS writes the first CDC object only after the last
/// full-load object, so a second listing is certain to find them all.
///
/// # Errors
/// `Unavailable` if the store does not answer.
pub async fn list_everything(folder: &Location, is_load_open: bool) -> Result<Listing> {
    let first = list(folder, None).await?;
    let mut listing = Listing::from_metas(folder, first.clone());
    if is_load_open && listing.has_cdc() {
        let seen: HashSet<&Path> = first.iter().map(|meta| &meta.location).collect();
        let second = list(folder, None).await?;
        let kept = second
            .into_iter()
            .filter(|meta| seen.contains(&meta.location) || is_load(folder, meta));
        listing = Listing::from_metas(folder, kept);
    }
    listing.is_complete = true;
    Ok(listing)
}

/// Lists what a doorbell needs: every object above `floor` (a CDC stamp), the named objects, and on
/// S3 the first full-load object, which a reload rewrites. Key order allows that only if CDC objects
/// are directly in the table's folder.
///
/// # Errors
/// `Unavailable` if the store does not answer.
pub async fn list_window(folder: &Location, floor: &str, named: &[Path]) -> Result<Listing> {
    let mut metas: BTreeMap<Path, ObjectMeta> = BTreeMap::new();
    let offset = folder.prefix().clone().join(floor);
    for meta in list(folder, Some(&offset)).await? {
        metas.insert(meta.location.clone(), meta);
    }
    let is_unlisted = |location: &&Path| !metas.contains_key(*location);
    let unlisted: BTreeSet<Path> = named.iter().filter(is_unlisted).cloned().collect();
    let heads = unlisted.into_iter().map(|location| head(folder, location));
    let mut heads = futures::stream::iter(heads).buffer_unordered(HEADS_AT_ONCE);
    while let Some(meta) = heads.try_next().await? {
        metas.extend(meta.map(|meta| (meta.location.clone(), meta)));
    }
    Ok(Listing::from_metas(folder, metas.into_values()))
}

/// An object's metadata; `None` if it is gone, so that there is nothing to apply.
async fn head(folder: &Location, location: Path) -> Result<Option<ObjectMeta>> {
    match folder.store().head(&location).await {
        Ok(meta) => Ok(Some(meta)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_load(folder: &Location, meta: &ObjectMeta) -> bool {
    relative(folder.prefix(), &meta.location).is_some_and(|relative| {
        matches!(classify(&relative), Classified::Changes(name) if name.phase.is_full_load())
    })
}

/// Lists a folder. With an offset, lists only CDC objects after it in key order, and on S3 the
/// objects after those up to the first full-load object.
async fn list(folder: &Location, offset: Option<&Path>) -> Result<Vec<ObjectMeta>> {
    let prefix = Some(folder.prefix());
    let Some(offset) = offset else {
        return Ok(folder.store().list(prefix).try_collect().await?);
    };
    let is_cdc = |meta: &ObjectMeta| {
        let below = relative(folder.prefix(), &meta.location);
        below.is_some_and(|below| below.starts_with(|first: char| first.is_ascii_digit()))
    };
    let found = folder.store().list_with_offset(prefix, offset);
    let found: Vec<ObjectMeta> = match folder.kind() {
        // Digits sort before `L`, so full-load objects come after the CDC objects, mostly in the
        // same response.
        StoreKind::S3 => {
            let mut others_left = MOST_OTHERS;
            let goes_on = |meta: &ObjectMeta| {
                let is_wanted = others_left > 0;
                if !is_cdc(meta) {
                    others_left =
                        if is_load(folder, meta) { 0 } else { others_left.saturating_sub(1) };
                }
                ready(Ok(is_wanted))
            };
            found.try_take_while(goes_on).try_collect().await?
        }
        StoreKind::File => found.try_filter(|meta| ready(is_cdc(meta))).try_collect().await?,
    };
    Ok(found)
}
