//! The quarantine contains exactly the bad rows that were decoded last.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::prelude::SessionContext;
use dmslake::clock::{Clock, SystemClock};
use dmslake::config::TableName;
use dmslake::decode::BadRow;
use dmslake::progress::Mark;
use dmslake::quarantine::{SetAside, set_aside};
use dmslake::staging::{Identity, StagedObject, list_everything};
use dmslake::storage::Location;
use tempfile::TempDir;
use url::Url;

/// The object, its decoded rows, and number and reason of the bad ones.
type Decoded<'a> = (usize, RangeInclusive<u64>, &'a [(u64, &'a str)]);

/// A folder with three staged objects, and the quarantine that their bad rows go to.
struct Aside {
    folder: TempDir,
    objects: Vec<StagedObject>,
}

impl Aside {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let staging = folder.path().join("staging");
        std::fs::create_dir_all(&staging).unwrap();
        for stamp in 1..=3 {
            std::fs::write(staging.join(format!("20240101-00000000{stamp}.csv")), "I,1\n").unwrap();
        }
        let staging = Location::open(staging.to_str().unwrap()).await.unwrap();
        let objects = list_everything(&staging, false).await.unwrap().objects;
        assert_eq!(objects.len(), 3);
        Self { folder, objects }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("quarantine")
    }

    /// Quarantines the rows with these numbers and reasons among an object's decoded rows.
    async fn set(&self, decoded: &[Decoded<'_>]) {
        let bad: Vec<Vec<BadRow>> = decoded
            .iter()
            .map(|(_, _, rows)| rows.iter().map(|&(row, reason)| bad_row(row, reason)).collect())
            .collect();
        let aside = decoded.iter().zip(&bad).map(|((object, rows, _), bad_rows)| SetAside {
            object: &self.objects[*object],
            mark: self.mark(*object),
            rows: rows.clone(),
            bad_rows,
        });
        let location = Location::open(self.path().to_str().unwrap()).await.unwrap();
        let table = TableName { schema: "shop".into(), table: "items".into() };
        let aside: Vec<SetAside<'_>> = aside.collect();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        set_aside(&location, &table, &aside, &clock).await.unwrap();
    }

    /// Its version, and object, row and reason of all its rows.
    async fn standing(&self) -> (u64, Vec<(String, i64, String)>) {
        let url = Url::from_directory_path(self.path()).unwrap();
        let table = deltalake::open_table(url).await.unwrap();
        let version = table.version().unwrap();
        let provider = table.table_provider().await.unwrap();
        let frame = SessionContext::new().read_table(provider).unwrap();
        let mut rows = Vec::new();
        for batch in frame.collect().await.unwrap() {
            let text = |name: &str| cast(&batch[name], &DataType::Utf8).unwrap();
            let (objects, reasons) = (text("object"), text("reason"));
            let (objects, reasons) = (objects.as_string::<i32>(), reasons.as_string::<i32>());
            for (row, number) in
                batch["row"].as_primitive::<Int64Type>().values().iter().enumerate()
            {
                rows.push((objects.value(row).into(), *number, reasons.value(row).into()));
            }
        }
        rows.sort();
        (version, rows)
    }

    fn row(&self, object: usize, row: i64, reason: &str) -> (String, i64, String) {
        (self.objects[object].relative.clone(), row, reason.to_owned())
    }

    fn mark(&self, object: usize) -> Mark {
        Mark::of(&self.objects[object], &Identity::ETag("tag".into()))
    }
}

fn bad_row(row: u64, reason: &str) -> BadRow {
    BadRow { row, column: None, reason: reason.into(), remedy: None, content: format!("row {row}") }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_attempt_replaces_what_it_decoded_again_and_nothing_else() {
    let aside = Aside::new().await;
    aside.set(&[(0, 1..=9, &[(2, "a"), (5, "a"), (9, "a")]), (1, 1..=4, &[(2, "a")])]).await;
    aside.set(&[(0, 10..=12, &[(11, "a")]), (2, 1..=3, &[(2, "a")])]).await;
    // Rows 4 to 10 again, with other bad rows, and one with another reason.
    aside.set(&[(0, 4..=10, &[(5, "b"), (7, "a")])]).await;
    let wanted = [
        aside.row(0, 2, "a"),
        aside.row(0, 5, "b"),
        aside.row(0, 7, "a"),
        aside.row(0, 11, "a"),
        aside.row(1, 2, "a"),
        aside.row(2, 2, "a"),
    ];
    assert_eq!(aside.standing().await.1, wanted);
    // No row is bad any more.
    aside.set(&[(0, 1..=12, &[]), (2, 1..=3, &[])]).await;
    assert_eq!(aside.standing().await.1, [aside.row(1, 2, "a")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_already_is_not_written_again() {
    let aside = Aside::new().await;
    aside.set(&[(0, 1..=9, &[])]).await;
    assert!(!aside.path().join("_delta_log").exists(), "no bad row makes no quarantine");
    let bad = [(0, 1..=9, &[(2, "a"), (5, "a")][..])];
    aside.set(&bad).await;
    let first = aside.standing().await;
    aside.set(&bad).await;
    aside.set(&[(1, 1..=9, &[])]).await;
    assert_eq!(aside.standing().await, first);
}
