//! The symlink manifest: the data files of the newest version, by their URIs, one a line, for
//! Redshift Spectrum, which does not read the log.
//!
//! Source: Delta Lake documentation, "Presto, Trino and Athena to Delta Lake integration using
//! manifests". A reader opens the manifest whole, so that it sees one version of the table. The
//! library's own operation leaves the manifest of an emptied table as it was, and lets a slower
//! writer put an older version back.

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
/// So often somebody else may commit or write the manifest first.
const MOST_ATTEMPTS: u32 = 8;

/// How a manifest stands to its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manifest {
    /// It names the files of this version, which was the newest.
    InLine(Version),
    /// It is left as it was, for this reason.
    Impossible(&'static str),
}

/// Brings the manifest in line with the newest version of a table, which may be newer than the
/// one at hand. Nothing is written if it is in line already.
///
/// It does not end with an older version in the place of a newer one. What stands there is looked
/// at first, then which version is the newest, and the manifest is written only over what was
/// looked at: who commits later looks later. Where a newer version needs the very manifest that
/// stands there, its writer has nothing to write and this one is not refused; so the table is
/// looked at once more behind each write.
///
/// # Errors
/// `Unavailable` if the store does not answer, `Conflict` if others were first each time.
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
    Err(Error::new(ErrorKind::Conflict, "others wrote the manifest or the table each time")
        .with("table", shown_url(location.url())))
}

/// The manifest that stands there, and what tells it from every other.
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

/// Whether it is written; not if somebody else was first.
async fn write(location: &Location, path: &Path, content: Bytes, mode: PutMode) -> Result<bool> {
    let options = PutOptions { mode, ..PutOptions::default() };
    match location.store().put_opts(path, PutPayload::from(content), options).await {
        Ok(_) => Ok(true),
        Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The URIs of the data files, in order, or why there is no manifest that would be right.
fn content(
    location: &Location,
    table: &LakeTable,
) -> Result<std::result::Result<String, &'static str>> {
    let snapshot = table.delta().snapshot()?;
    if !snapshot.metadata().partition_columns().is_empty() {
        return Ok(Err("partitions would need manifests of their own, which are not written"));
    }
    let folder = location.uri();
    let mut uris = Vec::new();
    for file in snapshot.log_data().iter() {
        if file.deletion_vector_descriptor().is_some() {
            return Ok(Err(
                "masked rows would come back, until maintenance has rewritten their files",
            ));
        }
        uris.push(format!("{folder}/{}\n", file.path()));
    }
    uris.sort_unstable();
    Ok(Ok(uris.concat()))
}
