//! The ledger in the log: bounded in every commit, and never guessed if it is lost.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dmslake::clock::SystemClock;
use dmslake::config::load;
use dmslake::error::ErrorKind;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, Status, TableReport};
use serde_json::Value;
use tempfile::TempDir;

async fn apply(folder: &Path) -> TableReport {
    let root = folder.display();
    let text = format!(
        "staging = \"{root}/staging\"\nlake = \"{root}/lake\"\n[[table]]\nsource = \"shop.items\"\n\
         keys = [\"id\"]\ncdc_only = true\ncolumns = [{{ name = \"id\", type = \"int\" }}]\n"
    );
    let pipeline =
        Pipeline::open(load::parse(&text).unwrap(), Arc::new(SystemClock)).await.unwrap();
    let table = pipeline.settings().tables[0].clone();
    pipeline.apply(&table, &Scope::Everything, &Limits::default(), &Silent).await
}

fn stage(folder: &Path, name: &str, content: &str) {
    let path = folder.join("staging/shop/items").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// The `dmslake` records of the log, by version.
fn records(folder: &Path) -> Vec<(PathBuf, Value)> {
    let log = folder.join("lake/shop/items/_delta_log");
    let mut commits: Vec<PathBuf> = std::fs::read_dir(log)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    commits.sort();
    let record = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let actions = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut records =
            actions.filter_map(|action| action["commitInfo"]["dmslake"].as_object().cloned());
        records.next().map(|record| (path, Value::Object(record)))
    };
    commits.into_iter().filter_map(record).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_stays_below_sixteen_kilobytes_however_many_objects_there_are() {
    let folder = TempDir::new().unwrap();
    for number in 1..=150 {
        stage(
            folder.path(),
            &format!("a_partition_with_a_long_name/LOAD{number:08X}.csv"),
            &format!("{number}\n"),
        );
    }
    for number in 0..600 {
        let stamp =
            format!("20240101-{:06}{:03}", 90_000 + number / 60 * 100 + number % 60, number);
        stage(folder.path(), &format!("2024/01/01/{stamp}.csv"), &format!("I,{}\n", 1000 + number));
    }
    let report = apply(folder.path()).await;
    assert_eq!((report.status, report.objects, report.counts.inserted), (Status::Ok, 750, 750));
    let records = records(folder.path());
    let sizes: Vec<usize> = records.iter().map(|(_, record)| record.to_string().len()).collect();
    assert!(sizes.iter().all(|&size| size <= 16 * 1024), "{sizes:?}");
    assert!(sizes.iter().any(|&size| size > 12 * 1024), "no record is full: {sizes:?}");
    let listed = |record: &Value| record["objects"]["key"].as_array().map_or(0, Vec::len);
    let counts: Vec<usize> = records.iter().map(|(_, record)| listed(record)).collect();
    assert_eq!(counts.iter().sum::<usize>(), 750, "{counts:?}");
    assert!(counts.iter().any(|&count| count > 200), "{counts:?}");
    // Objects that have left the window are still known: nothing is applied again, and nothing is
    // late.
    let again = apply(folder.path()).await;
    assert_eq!((again.status, again.objects, again.version), (Status::Ok, 0, report.version));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_ledger_holds_the_table() {
    let folder = TempDir::new().unwrap();
    stage(folder.path(), "20240101-000000001.csv", "I,1\n");
    assert_eq!(apply(folder.path()).await.status, Status::Ok);
    let url = url::Url::from_directory_path(folder.path().join("lake/shop/items")).unwrap();
    let table = deltalake::open_table(url).await.unwrap();
    deltalake::checkpoints::create_checkpoint(&table, None).await.unwrap();
    for (path, _) in records(folder.path()) {
        std::fs::remove_file(path).unwrap();
    }
    stage(folder.path(), "20240101-000000002.csv", "I,2\n");
    let held = apply(folder.path()).await;
    assert_eq!((held.status, held.error_kind), (Status::Held, Some(ErrorKind::TableCorrupt)));
    let error = held.error.unwrap();
    assert!(
        error.contains("ledger is lost") && error.contains("restore the table's log"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_others_made_or_changed_is_told_apart() {
    let folder = TempDir::new().unwrap();
    let lake = folder.path().join("lake/shop/items");
    std::fs::create_dir_all(&lake).unwrap();
    let url = url::Url::from_directory_path(&lake).unwrap();
    let long = deltalake::kernel::DataType::INTEGER;
    deltalake::DeltaTable::try_from_url(url.clone())
        .await
        .unwrap()
        .create()
        .with_column("id", long, true, None)
        .await
        .unwrap();
    stage(folder.path(), "20240101-000000001.csv", "I,1\n");
    let held = apply(folder.path()).await;
    assert_eq!((held.status, held.error_kind), (Status::Held, Some(ErrorKind::TableCorrupt)));
    assert!(held.error.unwrap().contains("did not make"));

    // A commit of another writer on our table is skipped.
    std::fs::remove_dir_all(&lake).unwrap();
    assert_eq!(apply(folder.path()).await.status, Status::Ok);
    let table = deltalake::open_table(url).await.unwrap();
    table.delete().await.unwrap();
    stage(folder.path(), "20240101-000000002.csv", "I,2\nU,1\n");
    let report = apply(folder.path()).await;
    assert_eq!(
        (report.status, report.counts.inserted, report.counts.updated),
        (Status::Ok, 2, 0),
        "{report:?}"
    );
}
