//! Folders kept, removed and copied.

use std::fs;
use std::path::{Path, PathBuf};

/// Where large tables are kept from run to run, if the environment says so; else below a folder
/// that is removed in the end.
pub(crate) fn tables(folder: &Path) -> PathBuf {
    std::env::var_os("DMSLAKE_BENCH_TABLES").map_or_else(|| folder.join("tables"), PathBuf::from)
}

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

/// Bytes of the files of a folder itself.
pub(crate) fn bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("a folder");
    let files = entries.map(|entry| entry.expect("an entry").metadata().expect("a file"));
    files.filter(fs::Metadata::is_file).map(|file| file.len()).sum()
}
