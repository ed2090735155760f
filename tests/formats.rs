//! Lakes that older versions of the program wrote go on being applied: `fixtures/lakes` has one for
//! every format that a commit record ever had.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use dmslake::clock::SystemClock;
use dmslake::config::load::parse;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, Status, TableReport};
use dmslake::progress::CommitRecord;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::folder::copy_folder;
use crate::support::table::LakeTable;

/// When each object of the lakes was staged. A checkout does not keep it, and it is part of what
/// tells an object on a disk.
const STAGED: [(&str, &str); 3] = [
    ("LOAD00000001.csv", "2026-11-20T10:00:00Z"),
    ("20261120-100500000.csv", "2026-11-20T10:05:00Z"),
    ("20261120-101000000.csv", "2026-11-20T10:10:00Z"),
];

/// A copy of a lake, and what is staged for its table.
struct Shop {
    folder: TempDir,
}

impl Shop {
    fn of_format(format: u8) -> Self {
        let lakes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/lakes");
        let folder = TempDir::new().unwrap();
        copy_folder(&lakes.join(format!("format-{format}")), folder.path());
        let shop = Self { folder };
        for (name, time) in STAGED {
            let time: DateTime<Utc> = time.parse().unwrap();
            let object = File::options().write(true).open(shop.staged(name)).unwrap();
            object.set_modified(time.into()).unwrap();
        }
        shop
    }

    fn staged(&self, name: &str) -> PathBuf {
        self.folder.path().join("staging/shop/orders").join(name)
    }

    async fn pipeline(&self) -> Pipeline {
        let folder = self.folder.path().display();
        let settings = parse(&format!(
            "staging = \"{folder}/staging\"\nlake = \"{folder}/lake\"\n\
             [[table]]\nsource = \"shop.orders\"\nkeys = [\"id\"]\ncolumns = [\
             {{ name = \"id\", type = \"int\" }}, {{ name = \"note\", type = \"varchar(20)\" }}]"
        ));
        Pipeline::open(settings.unwrap(), Arc::new(SystemClock)).await.unwrap()
    }

    async fn apply(&self) -> TableReport {
        let pipeline = self.pipeline().await;
        let table = &pipeline.settings().tables[0];
        let report = pipeline.apply(table, &Scope::Everything, &Limits::default(), &Silent).await;
        assert_eq!((report.status, report.pending), (Status::Ok, 0), "{report:?}");
        report
    }

    /// `id=note` of every row, in order.
    async fn rows(&self) -> Vec<String> {
        let pipeline = self.pipeline().await;
        let folder = pipeline.lake_folder(&pipeline.settings().tables[0].source).unwrap();
        LakeTable::at(&folder, &[]).pairs("id", "note").await
    }

    /// The record of a version.
    fn record(&self, version: u64) -> Value {
        let log = format!("lake/shop/orders/_delta_log/{version:020}.json");
        let log = fs::read_to_string(self.folder.path().join(log)).unwrap();
        let actions = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut infos = actions.filter_map(|action| action.get("commitInfo").cloned());
        infos.next().unwrap()["dmslake"].clone()
    }
}

#[tokio::test]
async fn a_lake_of_every_format_goes_on_being_applied() {
    for format in 1..=CommitRecord::FORMAT {
        let shop = Shop::of_format(format);
        assert_eq!(shop.record(3)["format"], format);
        let known = shop.apply().await;
        assert_eq!((known.objects, known.version), (0, Some(3)), "{known:?}");
        assert_eq!(shop.rows().await, ["1=one", "2=TWO", "4=four", "5=five"]);

        fs::write(shop.staged("20261120-101500000.csv"), "U,1,ONE\nD,4,four\n").unwrap();
        let applied = shop.apply().await;
        assert_eq!((applied.objects, applied.version), (1, Some(4)), "{applied:?}");
        assert_eq!(shop.rows().await, ["1=ONE", "2=TWO", "5=five"]);
        assert_eq!(shop.record(4)["format"], CommitRecord::FORMAT);

        let again = shop.apply().await;
        assert_eq!((again.objects, again.version), (0, Some(4)), "{again:?}");
    }
}

/// What a record says is the same, whatever the format.
#[test]
fn records_of_every_format_tell_the_same_of_the_same_objects() {
    let records: Vec<CommitRecord> = (1..=CommitRecord::FORMAT)
        .map(|format| CommitRecord::from_json(&Shop::of_format(format).record(3)).unwrap())
        .collect();
    for record in &records {
        assert_eq!(record.books, records[0].books);
        assert_eq!(record.ledger.cdc.watermark, records[0].ledger.cdc.watermark);
        let objects: Vec<_> =
            record.objects.iter().map(|o| (o.key.as_str(), o.size, o.modified, o.rows)).collect();
        assert_eq!(objects, [("20261120-101000000.csv", 19, 1_795_169_400_000, 2)]);
    }
}
