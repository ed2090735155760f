//! The configuration file of a command, and the lock file beside it.

use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};

use url::Url;

use crate::cli::args::ConfigurationArguments;
use crate::config::{
    CatalogSettings, Expansion, HandOverSettings, Lock, Settings, load, lock_file_of,
};
use crate::error::{Error, ErrorKind, Result};

/// Reads a configuration file, and the lock file beside it if there are patterns. Paths without a
/// scheme are relative to the file's folder, so that a folder can be moved together with its
/// configuration.
///
/// # Errors
/// `Config` if one of them cannot be read or is not valid.
pub(super) fn read(path: &Path) -> Result<Settings> {
    let text = text_of(path)?;
    let lock = if load::has_patterns(&text) { read_lock(path)? } else { None };
    settings(path, &text, lock.as_ref().map_or(Expansion::Refused, Expansion::ByLock))
}

/// Reads the configuration of a command; with a shadow, everything that it writes goes there.
///
/// # Errors
/// As [`read`]; `Config` if the shadow is not beside staging and lake.
pub(super) fn chosen(arguments: &ConfigurationArguments) -> Result<Settings> {
    let settings = read(&arguments.config)?;
    let Some(shadow) = &arguments.shadow else { return Ok(settings) };
    let place = |uri: &str| {
        let path = std::path::absolute(uri).ok().filter(|_| !has_scheme(uri));
        let place = path.map_or_else(|| uri.to_owned(), |path| path.display().to_string());
        format!("{}/", place.trim_end_matches('/'))
    };
    for (other, name) in [(&settings.lake, "lake"), (&settings.staging, "staging")] {
        if place(shadow).starts_with(&place(other)) || place(other).starts_with(&place(shadow)) {
            let message = "the shadow is in the place of another; name one beside it";
            return Err(Error::new(ErrorKind::Config, message)
                .with("--shadow", shadow)
                .with(name, other));
        }
    }
    Ok(Settings {
        lake: shadow.clone(),
        catalog: CatalogSettings { glue: false, ..settings.catalog },
        hand_over: HandOverSettings::default(),
        ..settings
    })
}

/// A configuration whose patterns stand for no table yet, for whoever is about to write the lock
/// file.
#[derive(Debug)]
pub(super) struct Unexpanded {
    path: PathBuf,
    text: String,
    pub(super) settings: Settings,
    /// The lock file as it is; none if there is none.
    pub(super) lock: Option<Lock>,
}

impl Unexpanded {
    /// Reads a configuration file and the lock file beside it.
    ///
    /// # Errors
    /// As [`read`].
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = text_of(path)?;
        let settings = settings(path, &text, Expansion::Nothing)?;
        Ok(Self { path: path.to_owned(), text, settings, lock: read_lock(path)? })
    }

    /// The lock file.
    pub(super) fn lock_file(&self) -> PathBuf {
        lock_file(&self.path)
    }

    /// Reads the configuration as it is with this lock file.
    ///
    /// # Errors
    /// `Config` if it is not valid with it.
    pub(super) fn with(&self, lock: &Lock) -> Result<Settings> {
        settings(&self.path, &self.text, Expansion::ByLock(lock))
    }
}

/// The lock file beside a configuration file.
pub(super) fn lock_file(path: &Path) -> PathBuf {
    PathBuf::from(lock_file_of(&path.to_string_lossy()))
}

/// Writes the lock file.
///
/// # Errors
/// `Config` if it cannot be written.
pub(super) fn write_lock(file: &Path, lock: &Lock) -> Result<()> {
    std::fs::write(file, lock.render()).map_err(|error| {
        Error::new(ErrorKind::Config, "the lock file cannot be written")
            .with("file", file.display())
            .because(error)
    })
}

fn text_of(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Error::new(
            ErrorKind::Config,
            "the configuration cannot be read; `dmslake init` writes a first one",
        )
        .with("file", path.display())
        .because(error)
    })
}

fn read_lock(path: &Path) -> Result<Option<Lock>> {
    let file = lock_file(path);
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            Lock::parse(&text).map(Some).map_err(|error| error.with("file", file.display()))
        }
        Err(error) if error.kind() == IoErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::new(ErrorKind::Config, "the lock file cannot be read")
            .with("file", file.display())
            .because(error)),
    }
}

fn settings(path: &Path, text: &str, expansion: Expansion<'_>) -> Result<Settings> {
    let mut settings = load::parse_expanded(text, expansion)
        .map_err(|error| error.with("file", path.display()))?;
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
