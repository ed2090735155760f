//! The symlink manifest: the data files of the newest version, by their URIs, one a line, for
//! Redshift Spectrum, which does not read the log.
//!
//! Source: Delta Lake documentation, "Presto, Trino and Athena to Delta Lake integration using
//! manifests". A reader opens the manifest whole, so that it sees one version of the table. The
//! library's own operation leaves the manifest of an emptied table as it was, and lets a slower
//! writer put an older version back.

use bytes::Bytes;
use object_store::{
    Error as StoreError, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion,
};

use crate::error::{Error, ErrorKind, Result};
use crate::storage::Location;
use crate::table::{self, LakeTable, Standing};

/// The folder that an external table is defined over.
pub(super) const FOLDER: &str = "_symlink_format_manifest";
/// So often somebody else may commit or write the manifest first.
const MOST_ATTEMPTS: u32 = 8;

/// Brings the manifest in line with the newest version, and returns the table at that version.
/// Nothing is written if it is in line already.
///
/// An older version never replaces a newer one: what stands there is looked at first, then
/// whether this version is the newest, and the manifest is written only if it is still what was
/// looked at. Whoever commits in between writes the manifest after its commit, and so after
/// this or instead of it.
///
/// # Errors
/// `Unavailable` if the store does not answer, `Conflict` if others were first each time.
pub(super) async fn follow(location: &Location, mut table: LakeTable) -> Result<LakeTable> {
    let store = location.store();
    let path = location.prefix().clone().join(FOLDER).join("manifest");
    for _ in 0..MOST_ATTEMPTS {
        let found = match store.get(&path).await {
            Ok(found) => Some((found.meta.clone(), found.bytes().await?)),
            Err(StoreError::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        match table.standing().await? {
            Standing::Newest => {}
            Standing::Behind | Standing::Gone => {
                let newest = table::open(location, Some(table)).await?;
                table = newest.ok_or_else(|| {
                    Error::new(ErrorKind::Conflict, "the table is gone")
                        .with("table", location.url())
                })?;
            }
        }
        let wanted = Bytes::from(content(location, &table)?);
        let mode = match found {
            Some((_, content)) if content == wanted => return Ok(table),
            Some((meta, _)) => {
                PutMode::Update(UpdateVersion { e_tag: meta.e_tag, version: meta.version })
            }
            None => PutMode::Create,
        };
        let options = PutOptions { mode, ..PutOptions::default() };
        match store.put_opts(&path, PutPayload::from(wanted), options).await {
            Ok(_) => return Ok(table),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::new(ErrorKind::Conflict, "others wrote the manifest first each time")
        .with("table", location.url()))
}

/// The URIs of the data files, in order. They are not encoded: Hadoop's readers take them as they
/// are.
///
/// # Errors
/// `SchemaRefused` if a file has masked rows, which would come back, or if partitions would
/// need manifests of their own.
fn content(location: &Location, table: &LakeTable) -> Result<String> {
    let snapshot = table.delta().snapshot()?;
    let refused =
        |why: &str| Error::new(ErrorKind::SchemaRefused, why).with("table", location.url());
    if !snapshot.metadata().partition_columns().is_empty() {
        return Err(refused("manifests of partitioned tables are not written"));
    }
    let url = location.url();
    let bucket = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
    let mut uris = Vec::new();
    for file in snapshot.log_data().iter() {
        if file.deletion_vector_descriptor().is_some() {
            return Err(refused(
                "rows that are masked would come back in a manifest: `dmslake maintain` rewrites \
                 their files",
            ));
        }
        uris.push(format!("{bucket}/{}/{}\n", location.prefix(), file.path()));
    }
    uris.sort_unstable();
    Ok(uris.concat())
}
