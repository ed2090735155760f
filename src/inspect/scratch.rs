//! A folder for what is written only to be looked at.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};

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
        let path = std::env::temp_dir().join(format!("dmslake-{}", clock.attempt_id()));
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

fn unwritable(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the temporary folder cannot be written").because(error)
}
