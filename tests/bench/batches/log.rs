//! What the commits of a table say in its log, read as any reader does, one after another.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A table's folder, as far as its log was followed.
pub(super) struct LogFolder {
    folder: PathBuf,
    next: u64,
    /// Bytes and masked rows of the data files of the newest version.
    live: HashMap<String, (u64, u64)>,
    entry_bytes: u64,
}

impl LogFolder {
    pub(super) fn open(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), next: 0, live: HashMap::new(), entry_bytes: 0 }
    }

    /// Reads the commits up to a version. Gives the bytes that they wrote: data files, deletion
    /// vectors, log entries and checkpoints. Data files that are no longer referred to are removed, as
    /// a vacuum without retention does, or the disk would not suffice.
    pub(super) fn follow(&mut self, version: u64) -> u64 {
        let mut written = 0;
        while self.next <= version {
            written += self.read_commit(self.next);
            self.next += 1;
        }
        written
    }

    fn read_commit(&mut self, version: u64) -> u64 {
        let entry = self.folder.join(format!("_delta_log/{version:020}.json"));
        let text = fs::read_to_string(&entry).expect("a commit");
        self.entry_bytes = text.len() as u64;
        let checkpoint = entry.with_extension("checkpoint.parquet");
        let mut written = self.entry_bytes + fs::metadata(checkpoint).map_or(0, |file| file.len());
        let actions: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("an action")).collect();
        let mut gone: HashMap<String, (u64, u64)> = HashMap::new();
        for remove in actions.iter().filter_map(|action| action.get("remove")) {
            let path = path_of(remove);
            let file = self.live.remove(&path).expect("it was added before");
            gone.insert(path, file);
        }
        for add in actions.iter().filter_map(|action| action.get("add")) {
            let path = path_of(add);
            let size = add["size"].as_u64().expect("a size");
            let vector = &add["deletionVector"];
            let masked = vector["cardinality"].as_u64().unwrap_or_default();
            written += vector["sizeInBytes"].as_u64().unwrap_or_default();
            if gone.remove(&path).is_none() {
                written += size;
            }
            self.live.insert(path, (size, masked));
        }
        for path in gone.keys() {
            fs::remove_file(self.folder.join(path)).expect("nobody removed it");
        }
        written
    }

    /// Data files of the newest version, their bytes, their rows that are masked, and the bytes of
    /// the newest commit's entry.
    pub(super) fn described(&self) -> String {
        let bytes: u64 = self.live.values().map(|(bytes, _)| bytes).sum();
        let masked: u64 = self.live.values().map(|(_, masked)| masked).sum();
        format!("{},{bytes},{masked},{}", self.live.len(), self.entry_bytes)
    }
}

fn path_of(action: &Value) -> String {
    action["path"].as_str().expect("a path").to_owned()
}
