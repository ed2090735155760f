//! The folder of a replay: created once, and replaced only if an earlier replay created it.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::Pipeline;
use crate::storage::{Location, StoreKind};

/// The file that marks a folder as a replay's.
const MARK: &str = ".dmslake-replay";

/// An empty folder that becomes a lake.
#[derive(Debug)]
pub(super) struct Folder {
    lake: Location,
}

impl Folder {
    /// Creates the folder. What an earlier replay left there is removed only with `replace`; nothing
    /// else is ever touched.
    ///
    /// # Errors
    /// `Config` if the folder is in use or cannot be created, or is one of the configuration.
    pub(super) async fn create(path: &Path, pipeline: &Pipeline, replace: bool) -> Result<Self> {
        let unusable =
            |message: &str| Error::new(ErrorKind::Config, message).with("--into", path.display());
        let failed = |error: io::Error| unusable("the folder cannot be created").because(error);
        fs::create_dir_all(path).map_err(failed)?;
        let whole = path.canonicalize().map_err(failed)?;
        for place in [pipeline.staging(), pipeline.lake()] {
            let used = place.on_disk();
            let is_within = whole.starts_with(&used) || used.starts_with(&whole);
            if place.kind() == StoreKind::File && is_within {
                return Err(unusable("the folder is in, or above, staging or lake"));
            }
        }
        let is_empty = fs::read_dir(path).map_err(failed)?.next().is_none();
        if !is_empty {
            if !path.join(MARK).exists() {
                return Err(unusable("the folder is not empty, and no earlier replay created it"));
            }
            if !replace {
                return Err(unusable("an earlier replay is in the folder; --force replaces it"));
            }
            clear(path).map_err(failed)?;
        }
        let mark = "Created by `dmslake replay`, which may replace this folder.\n";
        fs::write(path.join(MARK), mark).map_err(failed)?;
        let lake = Location::open_lake(&path.display().to_string()).await?;
        Ok(Self { lake })
    }

    /// The lake.
    pub(super) fn lake(&self) -> &Location {
        &self.lake
    }
}

/// Removes all but the mark: an interrupted one leaves a replay's folder.
fn clear(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name() == MARK {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
