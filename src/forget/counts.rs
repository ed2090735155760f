//! How many rows each version has, and how many of the keys, once entries are replaced.

use std::collections::{BTreeMap, HashMap};

use deltalake::kernel::Version;

use crate::forget::edit::Edits;
use crate::forget::log::{FileChange, Log, in_order};
use crate::forget::survey::HeldFile;

/// What is counted of an entry; none if it cannot be told.
type Count<'a> = &'a dyn Fn(&str, &str, Option<u64>) -> Option<u64>;

/// The rows of each version that can be opened, as the log counts them once it is amended.
pub(super) fn rows(log: &Log, edits: &Edits) -> BTreeMap<Version, u64> {
    let replaced = |path: &str, vector: &str, rows: Option<u64>| {
        let entry = edits.replaced.get(path).and_then(|it| it.get(vector));
        entry.map_or(rows, |entry| entry.rows)
    };
    sums(log, &replaced)
}

/// How many versions that can be opened show a row of the keys.
pub(super) fn versions(log: &Log, held: &[HeldFile]) -> u64 {
    let by_path: HashMap<&str, &HeldFile> =
        held.iter().map(|file| (file.path.as_str(), file)).collect();
    let shown = |path: &str, vector: &str, _: Option<u64>| {
        by_path.get(path).map_or(Some(0), |file| file.shown(vector))
    };
    sums(log, &shown).values().filter(|rows| **rows > 0).count() as u64
}

/// The sum over the files of each version. A version of which a file cannot be counted is left out.
fn sums(log: &Log, count: Count<'_>) -> BTreeMap<Version, u64> {
    let mut sums = BTreeMap::new();
    let mut live: Option<HashMap<&str, Option<u64>>> = Some(HashMap::new());
    let mut next = 0;
    for (version, changes) in &log.commits {
        if *version != next {
            live = None;
        }
        let before = version.checked_sub(1).and_then(|before| log.checkpoints.get(&before));
        if let (None, Some(before)) = (&live, before) {
            live = Some(HashMap::new());
            take(&mut live, before, count);
        }
        take(&mut live, changes, count);
        if let (None, Some(here)) = (&live, log.checkpoints.get(version)) {
            live = Some(HashMap::new());
            take(&mut live, here, count);
        }
        next = version + 1;
        let sum = live.as_ref().and_then(|live| live.values().copied().sum::<Option<u64>>());
        sums.extend(sum.map(|sum| (*version, sum)));
    }
    sums
}

fn take<'l>(
    live: &mut Option<HashMap<&'l str, Option<u64>>>,
    changes: &'l [FileChange],
    count: Count<'_>,
) {
    let Some(live) = live else { return };
    for change in in_order(changes) {
        match change {
            FileChange::Removed(path) => live.remove(path.as_str()),
            FileChange::Added(path, vector, rows) => live.insert(path, count(path, vector, *rows)),
        };
    }
}
