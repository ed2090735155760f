//! The configuration file of a command.

use std::path::Path;

use url::Url;

use crate::config::{Settings, load};
use crate::error::{Error, ErrorKind, Result};

/// Reads a configuration file. Paths without a scheme are relative to the file's folder, so that a
/// folder can be moved together with its configuration.
///
/// # Errors
/// `Config` if it cannot be read or is not valid.
pub(super) fn read(path: &Path) -> Result<Settings> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::new(
            ErrorKind::Config,
            "the configuration cannot be read; `dmslake init` writes a first one",
        )
        .with("file", path.display())
        .because(error)
    })?;
    let mut settings = load::parse(&text).map_err(|error| error.with("file", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    settings.staging = beside(folder, settings.staging);
    settings.lake = beside(folder, settings.lake);
    Ok(settings)
}

/// Returns a place, given from the working directory, as a configuration file has to name it:
/// a relative path becomes absolute if the file is in another folder.
///
/// # Errors
/// `Config` if there is no working directory.
pub(super) fn as_named_in(file: &Path, place: &str) -> Result<String> {
    let is_here = file.parent().is_none_or(|folder| folder.as_os_str().is_empty());
    if is_here || has_scheme(place) {
        return Ok(place.to_owned());
    }
    let absolute = std::path::absolute(place).map_err(|error| {
        Error::new(ErrorKind::Config, "the working directory cannot be read")
            .with("path", place)
            .because(error)
    })?;
    Ok(absolute.to_string_lossy().into_owned())
}

fn beside(folder: &Path, place: String) -> String {
    if has_scheme(&place) {
        return place;
    }
    folder.join(place).to_string_lossy().into_owned()
}

fn has_scheme(place: &str) -> bool {
    // A single letter is a drive, not a scheme.
    Url::parse(place).is_ok_and(|url| url.scheme().len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_relative_paths_move_with_the_file() {
        let folder = Path::new("/etc/lake");
        assert_eq!(beside(folder, "staging".into()), "/etc/lake/staging");
        assert_eq!(beside(folder, "/data".into()), "/data");
        assert_eq!(beside(folder, "s3://bucket/dms".into()), "s3://bucket/dms");
        assert_eq!(beside(folder, "file:///data".into()), "file:///data");
        assert_eq!(beside(Path::new(""), "lake".into()), "lake");
    }

    #[test]
    fn what_is_written_elsewhere_is_found_again() {
        let elsewhere = Path::new("conf/dmslake.toml");
        let named = |file, place| as_named_in(file, place).expect("a working folder");
        assert_eq!(named(Path::new("dmslake.toml"), "staging"), "staging");
        assert_eq!(named(elsewhere, "s3://bucket/dms"), "s3://bucket/dms");
        let absolute = std::path::absolute("staging").expect("a working folder");
        assert_eq!(Path::new(&named(elsewhere, "staging")), absolute);
    }
}
