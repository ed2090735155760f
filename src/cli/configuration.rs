//! The configuration file of a command.

use std::path::Path;

use url::Url;

use crate::config::{Settings, load};
use crate::error::{Error, ErrorKind, Result};

/// Reads a configuration file. Places without a scheme are taken as relative to its folder, so
/// that a folder with its configuration can be moved.
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

/// How a place that is named from the working folder is named in a configuration file: a relative
/// path would else be taken from the file's folder.
///
/// # Errors
/// `Config` if there is no working folder.
pub(super) fn as_named_in(file: &Path, place: &str) -> Result<String> {
    let is_here = file.parent().is_none_or(|folder| folder.as_os_str().is_empty());
    if is_here || has_scheme(place) {
        return Ok(place.to_owned());
    }
    let absolute = std::path::absolute(place).map_err(|error| {
        Error::new(ErrorKind::Config, "the folder cannot be found")
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
    // A scheme of one letter is a drive, not a scheme.
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
