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

fn beside(folder: &Path, place: String) -> String {
    // A scheme of one letter is a drive, not a scheme.
    let has_scheme = Url::parse(&place).is_ok_and(|url| url.scheme().len() > 1);
    if has_scheme {
        return place;
    }
    folder.join(place).to_string_lossy().into_owned()
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
}
