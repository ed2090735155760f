//! Amends the files of the log in place: the newest commit first, then checkpoints.
//!
//! Each file is written by itself and as a whole, and only if nobody has changed it since it was
//! read: S3 makes sure of it, and on a disk it is read once more right before. Whatever the moment at
//! which this ends, every version can be opened: see [`super::edit`].

use std::fs::File;

use deltalake::logstore::ObjectStoreRef;
use futures::{StreamExt as _, stream};
use object_store::path::Path;
use object_store::{
    ObjectMeta, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
    UpdateVersion,
};
use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::forget::checkpoint;
use crate::forget::counts;
use crate::forget::edit::Edits;
use crate::forget::log::{Log, LogFile, LogKind, read};
use crate::storage::{Location, StoreKind, delete_all};

/// How much of the log was amended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amended {
    pub(super) commits: u64,
    pub(super) checkpoints: u64,
}

/// The log of one table.
pub(super) struct Amendment<'a> {
    pub(super) location: &'a Location,
    pub(super) store: &'a ObjectStoreRef,
    pub(super) log: &'a Log,
    pub(super) edits: &'a Edits,
}

impl Amendment<'_> {
    /// Amends all of it.
    ///
    /// # Errors
    /// `Unavailable` if the lake does not take it, `Conflict` if others change the log's old files.
    pub(super) async fn make(&self) -> Result<Amended> {
        self.drop_digests().await?;
        let mut amended = Amended::default();
        let rows = counts::rows(self.log, self.edits);
        for file in self.log.files.iter().rev() {
            let LogKind::Commit(version) = file.kind else { continue };
            let before = version.checked_sub(1).and_then(|before| rows.get(&before)).copied();
            let rows = (before, rows.get(&version).copied());
            let edit = |bytes: &bytes::Bytes| {
                let edited = self.edits.of_text(bytes, rows)?;
                Ok(edited.map(String::into_bytes))
            };
            amended.commits += u64::from(self.amend(file, edit).await?.is_some());
        }
        for file in &self.log.files {
            let size = match file.kind {
                LogKind::Checkpoint(_) => {
                    let edit = |bytes: &bytes::Bytes| checkpoint::edited(bytes, self.edits);
                    self.amend(file, edit).await?
                }
                LogKind::CheckpointText(_) => {
                    let edit = |bytes: &bytes::Bytes| {
                        let edited = self.edits.of_text(bytes, (None, None))?;
                        Ok(edited.map(String::into_bytes))
                    };
                    self.amend(file, edit).await?
                }
                _ => None,
            };
            amended.checkpoints += u64::from(size.is_some());
            if let (Some(size), LogKind::Checkpoint(version)) = (size, file.kind) {
                self.amend_hint(version, size).await?;
            }
        }
        Ok(amended)
    }

    /// Deletes what repeats the log: readers do without it, and it would no longer be true.
    async fn drop_digests(&self) -> Result<()> {
        let is_digest = |file: &&LogFile| {
            matches!(file.kind, LogKind::Compacted(_) | LogKind::Checksum(_))
                || is_hadoop_checksum(&file.meta.location)
        };
        let digests = self.log.files.iter().filter(is_digest);
        let paths: Vec<Path> = digests.map(|file| file.meta.location.clone()).collect();
        delete_all(self.store, paths).await
    }

    /// Amends one file; its new size, unless it stays as it is.
    async fn amend(
        &self,
        file: &LogFile,
        edit: impl Fn(&bytes::Bytes) -> Result<Option<Vec<u8>>>,
    ) -> Result<Option<u64>> {
        let path = &file.meta.location;
        let found = match self.store.get(path).await {
            Ok(found) => found,
            // It was cleaned up meanwhile.
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // The store below tells the location as it knows it.
        let meta = ObjectMeta { location: path.clone(), ..found.meta.clone() };
        let before = found.bytes().await?;
        let Some(edited) = edit(&before)? else { return Ok(None) };
        let size = edited.len() as u64;
        self.put(&meta, &before, edited).await?;
        Ok(Some(size))
    }

    /// Writes a file that was `before` when it was read.
    async fn put(&self, meta: &ObjectMeta, before: &[u8], bytes: Vec<u8>) -> Result<()> {
        let path = &meta.location;
        let conflict =
            || Error::new(ErrorKind::Conflict, "others changed an older version at the same time");
        let mode = match (self.location.kind(), &meta.e_tag) {
            (StoreKind::S3, Some(_)) => PutMode::Update(UpdateVersion {
                e_tag: meta.e_tag.clone(),
                version: meta.version.clone(),
            }),
            // A disk writes under no condition.
            _ if read(self.store, path).await?.as_deref() != Some(before) => return Err(conflict()),
            _ => PutMode::Overwrite,
        };
        let payload = PutPayload::from(bytes.clone());
        match self.store.put_opts(path, payload, PutOptions::from(mode)).await {
            Ok(_) => {}
            Err(error @ object_store::Error::Precondition { .. }) => {
                // A request that was repeated may be refused after it had its effect.
                if read(self.store, path).await?.as_deref() != Some(&bytes[..]) {
                    return Err(conflict().because(error));
                }
            }
            Err(error) => return Err(error.into()),
        }
        self.keep_time(meta, path);
        Ok(())
    }

    /// Readers take the time of a version from its file.
    fn keep_time(&self, meta: &ObjectMeta, path: &Path) {
        if self.location.kind() != StoreKind::File {
            return;
        }
        let Ok(folder) = self.location.url().to_file_path() else { return };
        let file = folder.join(path.as_ref());
        let kept = File::options()
            .append(true)
            .open(&file)
            .and_then(|file| file.set_modified(meta.last_modified.into()));
        if let Err(error) = kept {
            tracing::warn!(file = %path, %error, "a file of the log has got another time");
        }
    }

    /// Brings what leads to the newest checkpoint in line with it.
    async fn amend_hint(&self, version: u64, size: u64) -> Result<()> {
        let Some(hint) = self.log.files.iter().find(|file| file.kind == LogKind::Hint) else {
            return Ok(());
        };
        let edit = |bytes: &bytes::Bytes| {
            let Ok(Value::Object(mut hint)) = serde_json::from_slice(bytes) else {
                return Ok(None);
            };
            let is_meant = hint.get("version").and_then(Value::as_u64) == Some(version);
            let is_one = hint.get("parts").is_none_or(Value::is_null);
            if !is_meant || !is_one || !hint.contains_key("sizeInBytes") {
                return Ok(None);
            }
            hint.insert("sizeInBytes".to_owned(), json!(size));
            hint.remove("checksum");
            Ok(Some(Value::Object(hint).to_string().into_bytes()))
        };
        self.amend(hint, edit).await?;
        Ok(())
    }
}

/// Hadoop keeps a checksum beside each file of a disk, and refuses the file if it differs.
fn is_hadoop_checksum(path: &Path) -> bool {
    path.extension() == Some("crc") && path.filename().is_some_and(|name| name.starts_with('.'))
}

/// Deletes these files, and the checksums that Hadoop keeps beside them.
///
/// # Errors
/// `Unavailable` if the lake does not let them be deleted.
pub(super) async fn delete(store: &ObjectStoreRef, paths: Vec<Path>) -> Result<()> {
    let beside = paths.iter().filter_map(|path| {
        let name = path.filename()?;
        let folder = path.as_ref().strip_suffix(name)?;
        Some(Path::from(format!("{folder}.{name}.crc")))
    });
    let heads = beside.map(|path| async move { store.head(&path).await.ok().map(|_| path) });
    let beside: Vec<Option<Path>> = stream::iter(heads).buffered(16).collect().await;
    delete_all(store, paths.into_iter().chain(beside.into_iter().flatten())).await
}
