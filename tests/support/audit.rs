//! What a commit of dmslake must contain in the log, in every merge mode.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use deltalake::kernel::DeletionVectorDescriptor;
use dmslake::progress::CommitRecord;
use dmslake::table::{Commit, LakeTable};
use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

use super::statistics::{self, Strictness};

/// An active file: its deletion vector and its live rows.
#[derive(Clone, Debug)]
struct Active {
    vector: Option<DeletionVectorDescriptor>,
    live: u64,
}

/// A table before a commit.
#[derive(Clone, Debug)]
pub(crate) struct Before {
    version: u64,
    transaction: i64,
    files: BTreeMap<String, Active>,
}

impl Before {
    pub(crate) fn of(table: &LakeTable) -> Self {
        let log = table.delta().snapshot().unwrap().log_data();
        let files = log.iter().map(|file| {
            let vector = file.deletion_vector_descriptor();
            let masked = vector.as_ref().map_or(0, |vector| vector.cardinality);
            let live = file.num_records().unwrap() as u64 - u64::try_from(masked).unwrap();
            (file.path().into_owned(), Active { vector, live })
        });
        Self {
            version: table.version(),
            transaction: table.newest().unwrap().transaction + 1,
            files: files.collect(),
        }
    }
}

/// Checks the commit between two snapshots of the table in this folder.
///
/// `counts` are inserted, updated, deleted.
///
/// # Panics
/// At the first error.
pub(crate) fn check(
    folder: &Path,
    before: &Before,
    after: &LakeTable,
    record: &CommitRecord,
    counts: [u64; 3],
) {
    let log = folder.join("_delta_log");
    let file = |version: u64| log.join(format!("{version:020}.json"));
    assert_eq!(after.version(), before.version + 1, "one commit");
    assert!(!file(before.version + 2).exists(), "one commit");
    let content = std::fs::read(file(before.version + 1)).unwrap();
    let actions: Vec<Json> = serde_json::Deserializer::from_slice(&content)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();
    let of = |kind: &str| actions.iter().filter_map(|action| action.get(kind)).collect::<Vec<_>>();

    let transactions = of("txn");
    assert_eq!(transactions.len(), 1, "one txn");
    assert_eq!(transactions[0]["appId"], "dmslake");
    assert_eq!(transactions[0]["version"], before.transaction);
    let infos = of("commitInfo");
    assert_eq!(infos.len(), 1, "one commitInfo");
    assert_eq!(infos[0]["dmslake"], record.to_json().unwrap());
    assert_eq!(of("metaData").len() + of("protocol").len() + of("cdc").len(), 0, "rows only");

    let (adds, removes) = (of("add"), of("remove"));
    let gone = check_removes(before, &removes);
    let mut added = BTreeSet::new();
    for add in &adds {
        let path = decoded(add);
        assert!(added.insert(path.clone()), "{path} is added twice");
        assert!(
            !before.files.contains_key(&path) || gone.contains(&path),
            "{path} is added while it is active"
        );
        assert_eq!(add["dataChange"], true, "{path}");
        let stands_at = folder.join(&path);
        let size = std::fs::metadata(&stands_at).unwrap().len();
        assert_eq!(add["size"], size, "{path}");
        // A file that only gets a deletion vector keeps the statistics of its writer.
        let strictness = if before.files.contains_key(&path) {
            Strictness::AsDeltalakeWrites
        } else {
            Strictness::Everything
        };
        statistics::check(&stands_at, add["stats"].as_str().unwrap(), after.schema(), strictness);
    }

    let live: u64 = Before::of(after).files.values().map(|file| file.live).sum();
    let earlier: u64 = before.files.values().map(|file| file.live).sum();
    let [inserted, updated, deleted] = counts;
    assert_eq!(live, earlier + inserted - deleted, "the log's record counts");
    assert_eq!(after.rows(), live);

    let metrics = Commit::parse(&content, after.version()).unwrap().metrics;
    let rewritten: u64 = gone.iter().map(|path| before.files[path].live).sum();
    let is_copied = adds.iter().all(|add| add["deletionVector"].is_null());
    // Of another writer's commit a metric may be missing.
    let check = |name: &str, found: Option<u64>, expected: u64| {
        assert_eq!(found.unwrap_or(expected), expected, "{name} in {metrics:?}");
    };
    check("rows inserted", metrics.rows_inserted, inserted);
    check("rows updated", metrics.rows_updated, updated);
    check("rows deleted", metrics.rows_deleted, deleted);
    if is_copied {
        check("rows copied", metrics.rows_copied, rewritten - updated - deleted);
        check("files added", metrics.files_added, adds.len() as u64);
        check("files removed", metrics.files_removed, removes.len() as u64);
    }
}

/// The removed paths: each was active, with exactly this deletion vector.
fn check_removes(before: &Before, removes: &[&Json]) -> BTreeSet<String> {
    let mut gone = BTreeSet::new();
    for remove in removes {
        let path = decoded(remove);
        let active = before.files.get(&path);
        let active = active.unwrap_or_else(|| panic!("{path} is removed and was not active"));
        let vector = remove.get("deletionVector").filter(|vector| !vector.is_null());
        let vector = vector.map(|vector| serde_json::from_value(vector.clone()).unwrap());
        assert_eq!(vector, active.vector, "{path} is removed with another deletion vector");
        assert_eq!(remove["dataChange"], true, "{path}");
        assert!(gone.insert(path.clone()), "{path} is removed twice");
    }
    gone
}

/// The path of a file action, decoded; the log has it URL-encoded.
fn decoded(action: &Json) -> String {
    let path = action["path"].as_str().unwrap();
    percent_decode_str(path).decode_utf8().unwrap().into_owned()
}
