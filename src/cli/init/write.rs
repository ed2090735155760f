//! Writes the files of `init`, none over another unasked.

use std::fs::OpenOptions;
use std::io::{ErrorKind as IoErrorKind, Write as _};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// Writes a file, over an existing one only if asked to.
///
/// # Errors
/// `Config` if there is one, or if it cannot be written.
pub(super) fn write(file: &Path, text: &str, replaces: bool) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true);
    if replaces {
        options.create(true).truncate(true);
    } else {
        // Fails too if somebody created the file while staging was being read.
        options.create_new(true);
    }
    let written = options.open(file).and_then(|mut open| open.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        IoErrorKind::AlreadyExists => existing(file),
        _ => Error::new(ErrorKind::Config, "the file cannot be written")
            .with("file", file.display())
            .because(error),
    })
}

/// Refuses a file that exists, unless it may be replaced.
///
/// # Errors
/// `Config` if there is one.
pub(super) fn must_be_new(file: &Path, replaces: bool) -> Result<()> {
    if replaces || !file.exists() { Ok(()) } else { Err(existing(file)) }
}

fn existing(file: &Path) -> Error {
    Error::new(
        ErrorKind::Config,
        "the file exists; --force replaces it, --output - prints to standard output",
    )
    .with("file", file.display())
}
