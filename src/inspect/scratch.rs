//! A folder for what is written only to be looked at.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};

/// The names of the folders: the process's number follows, and an id.
const PREFIX: &str = "dmslake-scratch-";

/// A temporary folder, which goes away with this.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Creates one.
    ///
    /// # Errors
    /// `Unavailable` if the temporary folder cannot be written.
    pub(super) fn create(clock: &dyn Clock) -> Result<Self> {
        let temporary = std::env::temp_dir();
        remove_abandoned(&temporary);
        let (process, id) = (std::process::id(), clock.attempt_id());
        let path = temporary.join(format!("{PREFIX}{process}-{id}"));
        fs::create_dir_all(&path).map_err(unwritable)?;
        Ok(Self { path })
    }

    /// A folder in it.
    pub(super) fn folder(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    /// A store whose objects are in a folder of their own.
    ///
    /// # Errors
    /// `Unavailable` if the temporary folder cannot be written.
    pub(super) fn store(&self, name: &str) -> Result<Arc<dyn ObjectStore>> {
        let folder = self.path.join(name);
        fs::create_dir_all(&folder).map_err(unwritable)?;
        Ok(Arc::new(LocalFileSystem::new_with_prefix(folder)?))
    }

    /// Removes such a folder, whose objects are not needed any more.
    pub(super) fn remove(&self, name: &str) {
        // What stays goes away in the end.
        let _ = fs::remove_dir_all(self.path.join(name));
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The system clears what stays in its temporary folder.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes the folders of processes that were killed. On a system that does not tell which processes
/// there are, they stay.
fn remove_abandoned(temporary: &Path) {
    let processes = Path::new("/proc");
    let Ok(entries) = fs::read_dir(temporary) else { return };
    if !processes.join("self").exists() {
        return;
    }
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        let Some(owner) = owner.and_then(|owner| owner.parse::<u32>().ok()) else { continue };
        if !processes.join(owner.to_string()).exists() {
            // Another process may remove it at the same time.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The temporary folder cannot be written.
pub(super) fn unwritable(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the temporary folder cannot be written")
        .with("folder", std::env::temp_dir().display())
        .with_remedy("set TMPDIR to a folder with room, and run again")
        .because(error)
}
