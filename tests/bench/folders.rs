//! Folders removed and copied.

use std::fs;
use std::path::Path;

/// Removes a folder if it is there.
pub(crate) fn remove(folder: &Path) {
    if folder.exists() {
        fs::remove_dir_all(folder).expect("removed");
    }
}

/// Copies a lake or a table: data files are linked, since nobody changes a data file.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.path().extension().is_some_and(|suffix| suffix == "parquet") {
            fs::hard_link(entry.path(), target).expect("linked");
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}
