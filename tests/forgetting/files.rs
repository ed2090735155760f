//! Files beside those of the newest versions: times and checksums of the log, files that no version
//! names, files that are gone, and files of the change data feed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow::array::{Int32Array, RecordBatch, StringArray};
use dmslake::clock::{Clock, SystemClock};
use parquet::arrow::ArrowWriter;
use serde_json::json;

use super::site::{MARK, Site, line};
use super::{KEYS, MODES};
use crate::support::table::shown;

const DAY: Duration = Duration::from_hours(24);

/// A table on the disk, of which each version has rows of the keys, and its folder.
pub(super) async fn scene(home: &Path, extra: &str) -> (Site, PathBuf) {
    let mut site = Site::on_disk(home, extra).await;
    let told = |id: i32| if id == 7 { format!("{MARK} 7") } else { format!("row {id}") };
    site.change(&(1..=20).map(|id| line("", id, &told(id))).collect::<Vec<_>>()).await;
    for at in 0..3 {
        site.change(&[line("U", 7, &format!("{MARK} {at}")), line("U", 5, &format!("{at}"))]).await;
    }
    (site, home.join("lake/shop/t"))
}

pub(super) fn age(file: &Path, by: Duration) {
    let opened = fs::File::options().append(true).open(file).unwrap();
    opened.set_modified(SystemTime::from(SystemClock.now()) - by).unwrap();
}

fn modified(file: &Path) -> SystemTime {
    fs::metadata(file).unwrap().modified().unwrap()
}

pub(super) fn log_file(folder: &Path, version: u64) -> PathBuf {
    folder.join(format!("_delta_log/{version:020}.json"))
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_keep_their_times_and_lose_their_checksums() {
    let home = tempfile::tempdir().unwrap();
    let (site, folder) = scene(home.path(), MODES[0]).await;
    let newest = site.newest().await;
    for version in 0..=newest {
        age(&log_file(&folder, version), DAY * (20 - u32::try_from(version).unwrap()));
    }
    let times: Vec<_> = (0..=newest).map(|version| modified(&log_file(&folder, version))).collect();
    let texts: Vec<_> = (0..=newest).map(|it| fs::read(log_file(&folder, it)).unwrap()).collect();
    // As Spark and Hadoop leave them.
    let checksums = [
        folder.join(format!("_delta_log/{:020}.crc", 2)),
        folder.join(format!("_delta_log/.{:020}.json.crc", 2)),
        folder.join(format!("_delta_log/{:020}.{:020}.compacted.json", 0, 2)),
    ];
    for file in &checksums[..2] {
        fs::write(file, "{}").unwrap();
    }
    fs::write(&checksums[2], texts[..3].concat()).unwrap();
    let done = site.forget(&KEYS).await;
    assert!(done.is_proven(), "{done:?}");
    let after: Vec<_> = (0..=newest).map(|version| modified(&log_file(&folder, version))).collect();
    assert_eq!(after, times);
    let amended = (0..=newest).filter(|version| {
        fs::read(log_file(&folder, *version)).unwrap() != texts[usize::try_from(*version).unwrap()]
    });
    // And that of the forgetting itself, which removes the new name too.
    assert_eq!(done.done.unwrap().commits_amended, amended.count() as u64 + 1);
    assert!(checksums.iter().all(|file| !file.exists()), "{checksums:?}");
    assert_eq!(site.marked().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_no_version_names_go_once_no_writer_can_be_about_to_name_them() {
    let home = tempfile::tempdir().unwrap();
    let (site, folder) = scene(home.path(), MODES[0]).await;
    let held = site.marked().await;
    let data = held.iter().find(|name| name.ends_with(".parquet")).unwrap();
    let data = Path::new("/").join(data);
    let (old, young) = (folder.join("part-old.parquet"), folder.join("part-young.parquet"));
    fs::copy(&data, &old).unwrap();
    fs::copy(&data, &young).unwrap();
    age(&old, DAY * 2);
    fs::write(folder.join("part-broken.parquet"), "PAR1").unwrap();
    let done = site.forget(&KEYS).await;
    assert_eq!(done.found.unnamed_files, 2, "{done:?}");
    assert!(!done.is_proven() && done.proof.unwrap().files_found == 1, "{done:?}");
    assert!(!old.exists() && young.exists());
    let told = |words: &str| done.beyond.iter().any(|it| it.what.contains(words));
    assert!(told("1 file that no version names and a writer") && told("part-broken"), "{done:?}");
    assert_eq!(site.marked().await.len(), 1);
    // A day later, as the remedy says.
    age(&young, DAY * 2);
    let again = site.forget(&KEYS).await;
    assert!(again.is_proven() && !young.exists(), "{again:?}");
    assert_eq!(again.done.unwrap().version, None, "no version held the keys any more");
    assert_eq!(site.marked().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_does_not_tell_of_files_that_are_gone() {
    let home = tempfile::tempdir().unwrap();
    let (site, folder) = scene(home.path(), MODES[0]).await;
    let live = dmslake::table::open(&site.location(), None).await.unwrap().unwrap();
    let live: Vec<String> = live.delta().get_file_uris().unwrap().collect();
    let is_live = |file: &Path| live.iter().any(|uri| uri.ends_with(file.to_str().unwrap()));
    // As a vacuum would.
    let mut gone = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let file = entry.unwrap().path();
        if file.extension() == Some("parquet".as_ref()) && !is_live(&file) {
            fs::remove_file(file).unwrap();
            gone += 1;
        }
    }
    let done = site.forget(&KEYS).await;
    assert!(done.is_proven() && gone > 1, "{done:?}");
    assert_eq!(done.found.gone_files, gone, "{done:?}");
    assert_eq!(site.marked().await, [""; 0]);
    let rows = shown(&site.table().batches(site.newest().await).await, "NULL");
    assert!(rows.len() == 18 && !rows.iter().any(|row| row.starts_with("7|")), "{rows:?}");
}

/// A file of changes, as the change data feed of another writer had it.
fn changes(folder: &Path) -> (PathBuf, u64) {
    fs::create_dir_all(folder.join("_change_data")).unwrap();
    let path = folder.join("_change_data/cdc-one.parquet");
    let rows = RecordBatch::try_from_iter([
        ("id", Arc::new(Int32Array::from(vec![5, 7, 8])) as _),
        ("region", Arc::new(StringArray::from(vec!["eu"; 3])) as _),
        ("v", Arc::new(StringArray::from(vec!["five", MARK, "eight"])) as _),
        ("n", Arc::new(Int32Array::from(vec![5, 7, 8])) as _),
        ("_change_type", Arc::new(StringArray::from(vec!["insert", "delete", "insert"])) as _),
    ])
    .unwrap();
    let file = fs::File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let size = fs::metadata(&path).unwrap().len();
    (path, size)
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_the_change_data_feed_are_written_again_too() {
    let home = tempfile::tempdir().unwrap();
    let (site, folder) = scene(home.path(), MODES[0]).await;
    let (file, bytes) = changes(&folder);
    let version = site.newest().await + 1;
    let actions = [
        json!({"commitInfo": {"timestamp": 1, "operation": "CHANGES"}}),
        json!({"cdc": {"path": "_change_data/cdc-one.parquet", "partitionValues": {}, "size": bytes,
                       "dataChange": false}}),
    ];
    let lines: Vec<String> = actions.iter().map(ToString::to_string).collect();
    fs::write(log_file(&folder, version), lines.join("\n")).unwrap();
    let done = site.forget(&KEYS).await;
    assert!(done.is_proven() && done.found.change_files == 1, "{done:?}");
    assert!(!file.exists());
    let log = site.table().log().await;
    let named: Vec<_> = log.iter().flat_map(|commit| commit.actions("cdc").cloned()).collect();
    let path = folder.join(named[0]["path"].as_str().unwrap());
    assert_eq!(named[0]["size"], fs::metadata(&path).unwrap().len());
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(
        fs::File::open(path).unwrap(),
    );
    let rows: Vec<RecordBatch> =
        reader.unwrap().build().unwrap().collect::<Result<_, _>>().unwrap();
    let rows = shown(&rows, "NULL");
    assert_eq!(rows, ["5|eu|five|5|insert", "8|eu|eight|8|insert"]);
    assert_eq!(site.marked().await, [""; 0]);
}
