//! Files that a writer puts in place under another name once they are whole. Of one who died, they stay
//! as they are, and no listing of a disk shows them. They are not read, but deleted as a whole.

use std::fs;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use object_store::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::forget::amend::delete;
use crate::forget::log::{Log, LogKind};
use crate::storage::{Location, StoreKind};
use crate::table::LakeTable;

/// Files that no writer has finished.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    /// Files of the log.
    old: Vec<Path>,
    /// Files of a disk, which its store does not show.
    old_files: Vec<PathBuf>,
    /// When those were written that a writer may still be at work on.
    pub(super) young: Vec<DateTime<Utc>>,
}

impl Unfinished {
    /// Looks for them; `cutoff` is the time before which they are old.
    ///
    /// # Errors
    /// `Unavailable` if a folder of the disk cannot be listed.
    pub(super) fn of(location: &Location, log: &Log, cutoff: DateTime<Utc>) -> Result<Self> {
        let mut unfinished = Self::default();
        for file in log.files.iter().filter(|file| file.kind == LogKind::Unfinished) {
            if file.meta.last_modified < cutoff {
                unfinished.old.push(file.meta.location.clone());
            } else {
                unfinished.young.push(file.meta.last_modified);
            }
        }
        if location.kind() == StoreKind::File
            && let Ok(folder) = location.url().to_file_path()
        {
            for folder in [folder.join("_delta_log"), folder] {
                unfinished.look_into(folder, cutoff).map_err(unseen)?;
            }
        }
        Ok(unfinished)
    }

    /// A disk's store writes `name#1`, and makes it `name`.
    fn look_into(&mut self, folder: PathBuf, cutoff: DateTime<Utc>) -> std::io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.rsplit_once('#'));
            let is_unfinished = number.is_some_and(|(_, number)| number.parse::<u64>().is_ok());
            // Whoever was at work on it may have made it whole meanwhile.
            let Some(meta) = is_unfinished.then(|| entry.metadata().ok()).flatten() else {
                continue;
            };
            let written = DateTime::<Utc>::from(meta.modified()?);
            if written < cutoff {
                self.old_files.push(entry.path());
            } else {
                self.young.push(written);
            }
        }
        Ok(())
    }

    /// How many are old.
    pub(super) fn old(&self) -> u64 {
        (self.old.len() + self.old_files.len()) as u64
    }

    /// Deletes the old ones and gives their number.
    ///
    /// # Errors
    /// `Unavailable` if the lake does not let them be deleted.
    pub(super) async fn delete(&mut self, table: &LakeTable) -> Result<u64> {
        let count = self.old();
        delete(&table.files().store(), std::mem::take(&mut self.old)).await?;
        for file in std::mem::take(&mut self.old_files) {
            fs::remove_file(file).map_err(unseen)?;
        }
        Ok(count)
    }
}

fn unseen(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "unfinished files of the table cannot be seen or deleted")
        .because(error)
}
