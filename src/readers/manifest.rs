//! The symlink manifest: the URIs of the newest version's data files, one per line, for Redshift
//! Spectrum, which does not read the log.
//!
//! Source: Delta Lake documentation, "Presto, Trino and Athena to Delta Lake integration using
//! manifests". A reader reads the whole manifest at once and thus sees one version of the table.
//! The Delta library's own operation is not used: it does not update the manifest of an emptied
//! table, and a slower writer could replace a newer manifest with an older one.

use bytes::Bytes;
use deltalake::kernel::Version;
use object_store::path::Path;
use object_store::{
    Error as StoreError, ObjectMeta, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
    UpdateVersion,
};

use crate::error::{Error, ErrorKind, Result};
use crate::storage::{Location, shown_url};
use crate::table::{Freshness, LakeTable};

/// The folder that an external table is defined over.
pub(super) const FOLDER: &str = "_symlink_format_manifest";
/// Attempts, in case somebody else commits or writes the manifest first.
const MOST_ATTEMPTS: u32 = 8;

/// The state of a table's manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manifest {
    /// It lists the files of this version, which was the newest.
    InLine(Version),
    /// It is left as it was, for this reason.
    Impossible(&'static str),
}

/// Updates the manifest to the newest version of a table, which may be newer than `table`. Nothing
/// is written if the manifest is up to date.
///
/// An older version never permanently replaces a newer one. The manifest is read first, then the
/// newest version, and the manifest is written only if it is still the one that was read. A newer
/// version may need exactly the manifest that exists: its writer then writes nothing, and this
/// write is not refused. The table's version is therefore checked again after each write.
///
/// # Errors
/// `Unavailable` if the store does not answer, `Conflict` if others were first in every attempt.
pub(super) async fn follow(location: &Location, table: &LakeTable) -> Result<Manifest> {
    let path = location.prefix().clone().join(FOLDER).join("manifest");
    let mut newest = table.clone();
    for _ in 0..MOST_ATTEMPTS {
        let found = read(location, &path).await?;
        newest = newest.at_newest(location).await?;
        let wanted = match content(location, &newest)? {
            Ok(wanted) => Bytes::from(wanted),
            Err(why) => return Ok(Manifest::Impossible(why)),
        };
        let in_line = Manifest::InLine(newest.version());
        let mode = match found {
            Some((_, content)) if content == wanted => return Ok(in_line),
            Some((stands, _)) => PutMode::Update(stands),
            None => PutMode::Create,
        };
        if write(location, &path, wanted, mode).await?
            && newest.freshness().await? == Freshness::Newest
        {
            return Ok(in_line);
        }
    }
    Err(Error::new(
        ErrorKind::Conflict,
        "the manifest or the table was written by others during every attempt",
    )
    .with("table", shown_url(location.url())))
}

/// Why the manifest does not list the files of this version; none if it does. Nothing is written.
///
/// # Errors
/// `Unavailable` if the store does not answer.
#[cfg(feature = "cli")]
pub(crate) async fn lag(location: &Location, table: &LakeTable) -> Result<Option<&'static str>> {
    let path = location.prefix().clone().join(FOLDER).join("manifest");
    let wanted = match content(location, table)? {
        Ok(wanted) => wanted,
        Err(why) => return Ok(Some(why)),
    };
    Ok(match read(location, &path).await? {
        Some((_, content)) if content == wanted => None,
        Some(_) => Some("the manifest lists other files"),
        None => Some("there is no manifest"),
    })
}

/// The existing manifest and its version in the store.
async fn read(location: &Location, path: &Path) -> Result<Option<(UpdateVersion, Bytes)>> {
    match location.store().get(path).await {
        Ok(found) => {
            let ObjectMeta { e_tag, version, .. } = found.meta.clone();
            Ok(Some((UpdateVersion { e_tag, version }, found.bytes().await?)))
        }
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes the manifest. False if somebody else was first.
async fn write(location: &Location, path: &Path, content: Bytes, mode: PutMode) -> Result<bool> {
    let options = PutOptions { mode, ..PutOptions::default() };
    match location.store().put_opts(path, PutPayload::from(content), options).await {
        Ok(_) => Ok(true),
        Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The URIs of the data files, in order, or the reason why no correct manifest is possible.
fn content(
    location: &Location,
    table: &LakeTable,
) -> Result<std::result::Result<String, &'static str>> {
    let snapshot = table.delta().snapshot()?;
    if !snapshot.metadata().partition_columns().is_empty() {
        return Ok(Err("manifests of partitioned tables are not supported"));
    }
    let folder = location.uri();
    let mut uris = Vec::new();
    for file in snapshot.log_data().iter() {
        if file.deletion_vector_descriptor().is_some() {
            return Ok(Err(
                "deleted rows would reappear until maintenance rewrites the files with masked rows",
            ));
        }
        uris.push(format!("{folder}/{}\n", file.path()));
    }
    uris.sort_unstable();
    Ok(Ok(uris.concat()))
}
