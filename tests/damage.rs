//! Files in the log that are missing, truncated or changed: the table is held at once, with the
//! file's name, and continues once the file is restored.

use std::fs;
use std::path::{Path, PathBuf};

use dmslake::error::ErrorKind;
use dmslake::pipeline::{Limits, Scope, Silent, Status, TableReport};
use serde_json::json;

use crate::support::other_writer::{Shop, row};

/// What happens to a file.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Gone,
    CutShort,
    Emptied,
    Garbage,
    GarbageInside,
}

impl Harm {
    const ALL: [Self; 5] =
        [Self::Gone, Self::CutShort, Self::Emptied, Self::Garbage, Self::GarbageInside];

    fn befall(self, path: &Path) {
        let mut bytes = fs::read(path).unwrap();
        match self {
            Self::Gone => return fs::remove_file(path).unwrap(),
            Self::CutShort => bytes.truncate(bytes.len() / 2),
            Self::Emptied => bytes.clear(),
            Self::Garbage => bytes.fill(0x5a),
            // After the magic number, before the footer.
            Self::GarbageInside => bytes[4..80].fill(0xff),
        }
        fs::write(path, bytes).unwrap();
    }
}

/// Checks that the table is held for this file without retries; returns the remedy.
fn held(report: &TableReport, file: &str) -> String {
    assert_eq!(report.status, Status::Held, "{file}: {report:?}");
    assert_eq!(report.error_kind, Some(ErrorKind::TableCorrupt), "{file}: {report:?}");
    let error = report.error.as_deref().unwrap();
    assert!(error.contains(file), "{file}: {error}");
    // Eight retries would have opened the table nine times.
    assert!(report.effort.requests.list < 12, "{file}: {:?}", report.effort.requests);
    report.remedy.clone().unwrap()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_file_that_is_not_what_it_was_holds_its_table_until_it_is_back() {
    for merge in ["copy-on-write", "deletion-vectors"] {
        for harm in Harm::ALL {
            let shop = Shop::loaded(&format!("merge = \"{merge}\"")).await;
            let file = shop.data_files().remove(0);
            let kept = fs::read(&file).unwrap();
            shop.change("U,1,ONE\n");
            harm.befall(&file);
            let before = shop.version();
            let report = shop.apply().await;
            assert_eq!(report.status, Status::Held, "{harm:?} {merge}: {report:?}");
            let remedy = held(&report, &name(&file));
            assert!(remedy.starts_with("restore the file"), "{harm:?}: {remedy}");
            assert_eq!(shop.version(), before, "{harm:?}: nothing is committed");

            fs::write(&file, kept).unwrap();
            let report = shop.apply().await;
            assert_eq!(
                (report.status, report.counts.updated),
                (Status::Ok, 1),
                "{harm:?}: {report:?}"
            );
        }
    }
}

/// The other part of the remedy.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_lacks_a_file_is_made_anew_where_its_folder_is_moved_away() {
    let shop = Shop::new().await;
    fs::remove_file(shop.data_files().remove(0)).unwrap();
    shop.change("U,1,ONE\n");
    held(&shop.apply().await, ".parquet");
    shop.move_away();
    assert_eq!(shop.apply().await.status, Status::Ok);
    assert_eq!(shop.rows().await, [row(1, "ONE"), row(2, "two")]);
}

/// Doorbells find a warm table, which has already read the file's footer.
#[tokio::test(flavor = "multi_thread")]
async fn a_warm_table_is_held_too() {
    let shop = Shop::new().await;
    let pipeline = shop.pipeline().await;
    let table = pipeline.settings().tables[0].clone();
    let limits = Limits::default();
    let apply = || pipeline.apply(&table, &Scope::Everything, &limits, &Silent);
    shop.change("U,1,ONE\n");
    assert_eq!(apply().await.counts.updated, 1);
    shop.change("U,1,one\n");
    assert_eq!(apply().await.counts.updated, 1);
    for file in shop.data_files() {
        fs::remove_file(file).unwrap();
    }
    shop.change("U,2,TWO\n");
    held(&apply().await, ".parquet");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_vector_that_is_not_what_it_was_holds_its_table_until_it_is_back() {
    for harm in [Harm::Gone, Harm::CutShort, Harm::Emptied, Harm::Garbage] {
        let shop = Shop::with("merge = \"deletion-vectors\"");
        let load: Vec<String> = (1..=20).map(|id| format!("{id},n\n")).collect();
        shop.stage("LOAD00000001.csv", &load.concat());
        assert_eq!(shop.apply().await.counts.inserted, 20);
        shop.change("U,1,ONE\n");
        assert_eq!(shop.apply().await.counts.updated, 1);
        let masks: Vec<PathBuf> = shop.files(".bin");
        assert_eq!(masks.len(), 1, "{harm:?}");
        let kept = fs::read(&masks[0]).unwrap();
        harm.befall(&masks[0]);
        shop.change("U,2,TWO\n");
        let remedy = held(&shop.apply().await, ".parquet");
        assert!(remedy.starts_with("restore the file"), "{harm:?}: {remedy}");
        fs::write(&masks[0], kept).unwrap();
        let report = shop.apply().await;
        assert_eq!((report.status, report.counts.updated), (Status::Ok, 1), "{harm:?}: {report:?}");
    }
}

/// Maintenance reads whole files.
#[tokio::test(flavor = "multi_thread")]
async fn maintenance_is_held_by_a_file_that_is_missing() {
    let shop = Shop::with("append_only = true\nmerge = \"copy-on-write\"").without_keys();
    for number in 1..=8 {
        shop.change(&format!("I,{number},n\n"));
        assert_eq!(shop.apply().await.counts.inserted, 1);
    }
    // Small files that a commit did not fold.
    let files = shop.live_files().await;
    fs::remove_file(&files[0]).unwrap();
    let report = shop.maintain().await;
    if files.len() >= 8 {
        assert_eq!(report.error_kind, Some(ErrorKind::TableCorrupt), "{report:?}");
        assert!(report.error.unwrap().contains(&name(&files[0])));
    } else {
        panic!("nothing was due: {files:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_with_a_hole_holds_its_table_until_it_is_closed() {
    let shop = Shop::new().await;
    for number in 1..=3 {
        shop.change(&format!("U,1,{number}\n"));
        assert_eq!(shop.apply().await.counts.updated, 1);
    }
    let commit = shop.log_files(".json").remove(2);
    let kept = fs::read(&commit).unwrap();
    fs::remove_file(&commit).unwrap();
    shop.change("U,1,four\n");
    let report = shop.apply().await;
    assert_eq!(report.status, Status::Held, "{report:?}");
    assert_eq!(report.error_kind, Some(ErrorKind::TableCorrupt), "{report:?}");
    fs::write(&commit, kept).unwrap();
    assert_eq!(shop.apply().await.counts.updated, 1);
}

/// The hint names a newest checkpoint that is missing, and so are the commits below it.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_is_missing_holds_its_table_until_it_is_back() {
    for harm in [Harm::Gone, Harm::Garbage, Harm::Emptied] {
        let shop = Shop::new().await;
        for _ in 0..10 {
            shop.commit(&[]);
        }
        assert_eq!(shop.maintain().await.status, Status::Ok);
        shop.change("U,1,ONE\n");
        assert_eq!(shop.apply().await.counts.updated, 1);
        for commit in &shop.log_files(".json")[..5] {
            fs::remove_file(commit).unwrap();
        }
        let checkpoint = shop.log_files(".parquet").remove(0);
        let kept = fs::read(&checkpoint).unwrap();
        harm.befall(&checkpoint);
        shop.change("U,1,two\n");
        let report = shop.apply().await;
        assert_eq!(report.status, Status::Held, "{harm:?}: {report:?}");
        assert_eq!(report.error_kind, Some(ErrorKind::TableCorrupt), "{harm:?}: {report:?}");
        fs::write(&checkpoint, kept).unwrap();
        let report = shop.apply().await;
        assert_eq!((report.status, report.counts.updated), (Status::Ok, 1), "{harm:?}: {report:?}");
    }
}

/// A file is missing because another writer has rewritten it and deleted the old one in the
/// meantime: the table is refreshed and not held.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_others_rewrote_and_deleted_is_no_damage() {
    use dmslake::{merge, table};
    let shop = Shop::new().await;
    let lake = shop.pipeline().await;
    let location = lake.lake_folder(&lake.settings().tables[0].source).unwrap();
    let stale = table::open(&location, None).await.unwrap().unwrap();
    let old = shop.data_files().remove(0);
    let add = shop.newest_file();
    let copied = old.with_file_name("copied.parquet");
    fs::rename(&old, &copied).unwrap();
    let mut moved = add.clone();
    moved["path"] = json!("copied.parquet");
    let remove = json!({ "path": add["path"], "deletionTimestamp": 1, "dataChange": false });
    shop.commit(&[json!({ "remove": remove }), json!({ "add": moved })]);

    let net = crate::support::other_writer::delete_of(1);
    let error = merge::plan(&stale, &["id".to_owned()], net).await.expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{}", error.chain());
    shop.change("U,1,ONE\n");
    assert_eq!(shop.apply().await.counts.updated, 1);
}
