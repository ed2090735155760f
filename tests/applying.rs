//! The whole path on small CSV objects: load, changes, holds, slices, progress.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int32Type};
use dmslake::clock::{Clock, SystemClock};
use dmslake::config::{Settings, load};
use dmslake::error::ErrorKind;
use dmslake::pipeline::{
    Limits, Losses, Observer, Pipeline, Scope, Silent, Status, Step, TableReport,
};
use dmslake::storage::Location;
use tempfile::TempDir;

use crate::support::hooked_store::{Counting, HookedStore, Requests};

/// A folder with staging, lake and a configuration of one table, `shop.items (id int, name)`.
struct Shop {
    folder: TempDir,
    extra: &'static str,
}

impl Shop {
    fn new() -> Self {
        Self::with("")
    }

    fn with(extra: &'static str) -> Self {
        Self { folder: TempDir::new().unwrap(), extra }
    }

    fn settings(&self) -> Settings {
        let root = self.folder.path().display();
        let extra = self.extra;
        let text = format!(
            "staging = \"{root}/staging\"\nlake = \"{root}/lake\"\n{extra}\n[[table]]\n\
             source = \"shop.items\"\nkeys = [\"id\"]\ncolumns = [\n\
             {{ name = \"id\", type = \"int\", nullable = false }},\n\
             {{ name = \"name\", type = \"varchar(20)\" }},\n]\n"
        );
        load::parse(&text).unwrap()
    }

    fn stage(&self, name: &str, content: &str) {
        let path = self.folder.path().join("staging/shop/items").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Makes a staged object so many hours old.
    fn age(&self, name: &str, hours: u64) {
        let path = self.folder.path().join("staging/shop/items").join(name);
        let file = std::fs::File::options().write(true).open(path).unwrap();
        let then = SystemClock.now() - Duration::from_hours(hours);
        file.set_modified(then.into()).unwrap();
    }

    fn lake(&self) -> std::path::PathBuf {
        self.folder.path().join("lake/shop/items")
    }

    async fn pipeline(&self) -> Pipeline {
        Pipeline::open(self.settings(), Arc::new(SystemClock)).await.unwrap()
    }

    async fn apply(&self) -> TableReport {
        let pipeline = self.pipeline().await;
        let table = pipeline.settings().tables[0].clone();
        let report = pipeline.apply(&table, &Scope::Everything, &Limits::default(), &Silent).await;
        let fates = report.counts.inserted
            + report.counts.updated
            + report.counts.deleted
            + report.counts.superseded
            + report.counts.ignored
            + report.counts.quarantined;
        assert_eq!(report.counts.rows, fates, "{report:?}");
        report
    }

    async fn accept_loss(&self) {
        let pipeline = self.pipeline().await;
        let resumed = pipeline.resume(&pipeline.settings().tables[0], Losses::Accepted).await;
        assert!(!resumed.unwrap().given_up.is_empty());
    }

    async fn rows(&self) -> Vec<(i32, Option<String>)> {
        read(&self.lake()).await
    }
}

async fn read(path: &Path) -> Vec<(i32, Option<String>)> {
    let url = url::Url::from_directory_path(path).unwrap();
    let table = deltalake::open_table(url).await.unwrap();
    let context = datafusion::prelude::SessionContext::new();
    let frame = context.read_table(table.table_provider().await.unwrap()).unwrap();
    let mut found = vec![];
    for batch in frame.collect().await.unwrap() {
        let ids = batch.column_by_name("id").unwrap().as_primitive::<Int32Type>().clone();
        let names = batch.column_by_name("name").unwrap();
        let names = arrow::compute::cast(names, &DataType::Utf8).unwrap();
        let names = names.as_string::<i32>().clone();
        found.extend(
            ids.values().iter().zip(names.iter()).map(|(id, name)| (*id, name.map(String::from))),
        );
    }
    found.sort();
    found
}

fn row(id: i32, name: &str) -> (i32, Option<String>) {
    (id, Some(name.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_and_its_changes_become_the_table_and_a_second_apply_commits_nothing() {
    let shop = Shop::new();
    shop.stage("LOAD00000001.csv", "1,a\n2,b\n3,c\n");
    shop.stage("20240101-000000001.csv", "I,4,d\nU,2,B\nD,1,a\nD,9,x\n");
    shop.stage("20240101-000000002.csv", "U,2,BB\nI,1,again\nU,4,NULL\n");
    let report = shop.apply().await;
    assert_eq!(report.status, Status::Ok, "{report:?}");
    assert_eq!((report.objects, report.counts.rows, report.counts.inserted), (3, 10, 4));
    assert_eq!((report.counts.ignored, report.counts.superseded, report.pending), (1, 3, 0));
    assert_eq!(shop.rows().await, [row(1, "again"), row(2, "BB"), row(3, "c"), (4, None)]);

    let version = report.version;
    let again = shop.apply().await;
    assert_eq!((again.status, again.version, again.counts.rows), (Status::Ok, version, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_follows_an_application_that_passed_twenty_commits() {
    let shop = Shop::new();
    let checkpoint = shop.lake().join("_delta_log/00000000000000000019.checkpoint.parquet");
    for object in 1..=19 {
        assert!(!checkpoint.exists(), "before commit {object}");
        shop.stage(&format!("20240101-0000000{object:02}.csv"), &format!("I,{object},a\n"));
        assert_eq!(shop.apply().await.version, Some(object));
    }
    assert!(checkpoint.exists());
    let rows = (1..=19).map(|object| row(object, "a")).collect::<Vec<_>>();
    assert_eq!(shop.rows().await, rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_below_the_watermark_holds_the_table_until_it_is_moved() {
    let shop = Shop::new();
    shop.stage("20240101-000000001.csv", "I,1,a\n");
    shop.stage("20240101-000000005.csv", "I,2,b\n");
    assert_eq!(shop.apply().await.status, Status::Ok);
    shop.stage("20240101-000000003.csv", "U,2,late\n");
    shop.stage("20240101-000000007.csv", "I,3,c\n");
    shop.age("20240101-000000001.csv", 30);
    shop.age("20240101-000000003.csv", 20);
    shop.age("20240101-000000007.csv", 10);
    let held = shop.apply().await;
    assert_eq!((held.status, held.error_kind), (Status::Held, Some(ErrorKind::LateObject)));
    assert_eq!(held.late, ["20240101-000000003.csv"]);
    assert_eq!(held.pending, 1, "the newer object waits");
    assert_eq!(held.oldest_pending_seconds / 3600, 20, "the late one; the first is applied");
    assert_eq!(shop.rows().await, [row(1, "a"), row(2, "b")]);
    std::fs::remove_file(shop.folder.path().join("staging/shop/items/20240101-000000003.csv"))
        .unwrap();
    let missing = shop.apply().await;
    assert_eq!(missing.error_kind, Some(ErrorKind::VanishedObject), "{missing:?}");
    shop.accept_loss().await;
    let applied = shop.apply().await;
    assert_eq!((applied.status, applied.oldest_pending_seconds), (Status::Ok, 0));
    assert_eq!(shop.rows().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_behind_a_bad_row_is_as_old_as_its_object() {
    let shop = Shop::new();
    shop.stage("20240101-000000001.csv", "I,1,a\n");
    shop.stage("20240101-000000002.csv", "I,no number,a\n");
    shop.stage("20240101-000000003.csv", "I,3,a\n");
    for (object, hours) in [(1, 9), (2, 6), (3, 3)] {
        shop.age(&format!("20240101-00000000{object}.csv"), hours);
    }
    let held = shop.apply().await;
    assert_eq!((held.status, held.pending), (Status::Held, 2), "{held:?}");
    assert_eq!(held.oldest_pending_seconds / 3600, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_object_after_the_first_change_means_a_reload_and_holds() {
    let shop = Shop::new();
    shop.stage("LOAD00000001.csv", "1,a\n");
    assert_eq!(shop.apply().await.counts.inserted, 1);
    // The generation is open: a further object is appended.
    shop.stage("LOAD00000002.csv", "2,b\n");
    assert_eq!(shop.apply().await.counts.inserted, 1);
    shop.stage("20240101-000000001.csv", "I,3,c\n");
    assert_eq!(shop.apply().await.status, Status::Ok);
    shop.stage("LOAD00000003.csv", "4,d\n");
    shop.age("LOAD00000003.csv", 5);
    let held = shop.apply().await;
    assert_eq!((held.status, held.error_kind), (Status::Held, Some(ErrorKind::Reload)));
    assert_eq!(held.oldest_pending_seconds / 3600, 5);
    assert_eq!(shop.rows().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewritten_load_object_waits_in_an_open_and_in_a_closed_generation() {
    for is_closed in [false, true] {
        let shop = Shop::new();
        shop.stage("LOAD00000001.csv", "1,a\n");
        if is_closed {
            shop.stage("20240101-000000001.csv", "I,3,c\n");
        }
        assert_eq!(shop.apply().await.status, Status::Ok);
        shop.stage("LOAD00000001.csv", "1,bcd\n");
        let held = shop.apply().await;
        assert_eq!((held.status, held.error_kind), (Status::Held, Some(ErrorKind::Reloading)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_folder_still_works() {
    let shop = Shop::new();
    shop.stage("LOAD00000001.csv", "1,a\n");
    shop.stage("20240101-000000001.csv", "I,2,b\n");
    assert_eq!(shop.apply().await.objects, 2);
    for name in ["LOAD00000001.csv", "20240101-000000001.csv"] {
        let path = shop.folder.path().join("staging/shop/items").join(name);
        let content = std::fs::read(&path).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(5));
        std::fs::write(&path, content).unwrap();
    }
    let again = shop.apply().await;
    assert_eq!((again.status, again.objects), (Status::Ok, 0), "{again:?}");
}

/// The remedy of a reload, followed while a function is warm.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_folder_that_was_moved_away_is_not_built_upon() {
    let shop = Shop::new();
    shop.stage("LOAD00000001.csv", "1,a\n2,b\n");
    shop.stage("20240101-000000001.csv", "U,1,A\n");
    let warm = shop.pipeline().await;
    let table = warm.settings().tables[0].clone();
    let apply =
        || async { warm.apply(&table, &Scope::Everything, &Limits::default(), &Silent).await };
    assert_eq!(apply().await.objects, 2);
    std::fs::rename(shop.lake(), shop.folder.path().join("away")).unwrap();
    let again = apply().await;
    assert_eq!((again.status, again.objects), (Status::Ok, 2), "{again:?}");
    assert_eq!(shop.rows().await, [row(1, "A"), row(2, "b")]);

    // Another table of as many versions took its place.
    std::fs::remove_dir_all(shop.lake()).unwrap();
    shop.stage("20240101-000000001.csv", "U,1,B\n");
    assert_eq!(shop.apply().await.version, again.version);
    let after = apply().await;
    assert_eq!((after.status, after.objects), (Status::Ok, 0), "{after:?}");
    shop.stage("20240101-000000002.csv", "D,2,b\n");
    assert_eq!(apply().await.counts.deleted, 1);
    assert_eq!(shop.rows().await, [row(1, "B")]);
}

/// Others committed, made a checkpoint and removed what it made superfluous, but our commit.
#[tokio::test(flavor = "multi_thread")]
async fn a_warm_table_is_not_taken_for_the_newest_where_the_log_was_cleaned_above_it() {
    let shop = Shop::new();
    shop.stage("20240101-000000001.csv", "I,1,a\n");
    let warm = shop.pipeline().await;
    let table = warm.settings().tables[0].clone();
    let apply =
        || async { warm.apply(&table, &Scope::Everything, &Limits::default(), &Silent).await };
    let ours = apply().await.version.unwrap();
    let url = url::Url::from_directory_path(shop.lake()).unwrap();
    let mut theirs = deltalake::open_table(url).await.unwrap();
    for round in 0..3 {
        let days = format!("interval {} days", 30 + round);
        let property = HashMap::from([("delta.logRetentionDuration".to_owned(), days)]);
        theirs = theirs.set_tbl_properties().with_properties(property).await.unwrap();
    }
    deltalake::checkpoints::create_checkpoint(&theirs, None).await.unwrap();
    let entry = |version: u64| shop.lake().join(format!("_delta_log/{version:020}.json"));
    for version in ours + 1..ours + 3 {
        std::fs::remove_file(entry(version)).unwrap();
    }
    shop.stage("20240101-000000002.csv", "I,2,b\n");
    let held = apply().await;
    assert_eq!((held.status, held.error_kind), (Status::Held, Some(ErrorKind::TableCorrupt)));
    assert!(!entry(ours + 1).exists(), "a commit below others' is lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_row_holds_at_the_last_good_object_or_goes_to_quarantine() {
    let shop = Shop::new();
    shop.stage("20240101-000000001.csv", "I,1,a\n");
    shop.stage("20240101-000000002.csv", "I,2,b\nI,many,c\n");
    let held = shop.apply().await;
    assert_eq!((held.status, held.error_kind), (Status::Held, Some(ErrorKind::MalformedObject)));
    let error = held.error.unwrap();
    for part in ["20240101-000000002.csv", "row: 2", "column: id", "on_bad_row"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(!error.contains("many"), "no values: {error}");
    assert_eq!(shop.rows().await, [row(1, "a")]);

    let shop = Shop { folder: shop.folder, extra: "[defaults]\non_bad_row = \"quarantine\"" };
    let report = shop.apply().await;
    assert_eq!(
        (report.status, report.counts.quarantined, report.counts.inserted),
        (Status::Ok, 1, 1)
    );
    assert_eq!(shop.rows().await, [row(1, "a"), row(2, "b")]);
    let quarantine = shop.folder.path().join("lake/_quarantine/shop/items");
    assert!(quarantine.join("_delta_log").is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_larger_than_memory_goes_in_slices_and_row_ranges() {
    let shop = Shop::with("memory_budget = 100_000");
    let load = (0..30_000).map(|id| format!("{id},n{id}\n")).collect::<Vec<_>>().concat();
    shop.stage("LOAD00000001.csv", &load);
    let changes = (0..20_000).map(|id| format!("U,{id},m{id}\n")).collect::<Vec<_>>().concat();
    shop.stage("20240101-000000001.csv", &changes);
    shop.stage("20240101-000000002.csv", "D,0,x\n");
    let report = shop.apply().await;
    assert_eq!(report.status, Status::Ok, "{report:?}");
    assert_eq!(
        (report.counts.inserted, report.counts.updated, report.counts.deleted),
        (30_000, 20_000, 1)
    );
    assert!(report.version.unwrap() >= 7, "{report:?}");
    let rows = shop.rows().await;
    assert_eq!(
        (rows.len(), &rows[0], &rows[29_998]),
        (29_999, &row(1, "m1"), &row(29_999, "n29999"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_objects_together_keep_to_the_memory_budget() {
    let shop = Shop::with("memory_budget = 100_000");
    for object in 1..=12 {
        let rows: Vec<String> =
            (0..1_000).map(|row| format!("I,{},n\n", object * 1_000 + row)).collect();
        shop.stage(&format!("20240101-0000000{object:02}.csv"), &rows.concat());
    }
    let report = shop.apply().await;
    assert_eq!((report.status, report.counts.inserted), (Status::Ok, 12_000), "{report:?}");
    assert!(report.version.unwrap() >= 2, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_and_empty_objects_are_named_or_applied_as_nothing() {
    let shop = Shop::new();
    shop.stage("20240101-000000001.csv", "");
    shop.stage("notes.txt", "hello");
    let report = shop.apply().await;
    assert_eq!((report.status, report.version), (Status::Ok, None), "{report:?}");
    assert_eq!(report.foreign, ["notes.txt"]);
    shop.stage("20240101-000000002.csv", "I,1,a\n");
    shop.stage("20240101-000000003.csv", "");
    let report = shop.apply().await;
    assert_eq!((report.objects, report.counts.inserted), (3, 1), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parallel_load_of_partitions_whose_names_begin_with_an_underscore_is_whole() {
    let shop = Shop::new();
    shop.stage("_p0/LOAD00000001.csv", "1,a\n");
    shop.stage("p1/LOAD00000001.csv", "2,b\n");
    shop.stage(".hidden/LOAD00000001.csv", "3,c\n");
    shop.stage("20240101-000000001.csv", "U,1,A\n");
    let report = shop.apply().await;
    assert_eq!((report.counts.inserted, report.counts.updated), (2, 1), "{report:?}");
    assert_eq!(report.foreign, [".hidden/LOAD00000001.csv"], "named, as it looks like DMS's");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_arrives_is_said_of_every_table_but_those_that_miss_nothing() {
    for (switch, said) in
        [("cdc_inserts_only", "updates and deletes"), ("cdc_inserts_and_updates", "deletes at")]
    {
        let shop = Shop::with(Box::leak(format!("[dms]\n{switch} = true").into_boxed_str()));
        shop.stage("20240101-000000001.csv", "I,1,a\n");
        let report = shop.apply().await;
        let [warning] = report.warnings.as_slice() else { panic!("one in {report:?}") };
        assert!(warning.contains(switch) && warning.contains(said), "{warning}");
        let mut settings = shop.settings();
        assert_eq!(settings.warnings(), std::slice::from_ref(warning));
        settings.tables[0].append_only = true;
        assert_eq!(settings.warnings(), [""; 0]);
    }
    assert_eq!(Shop::new().settings().warnings(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn transaction_ordered_objects_are_refused_by_name() {
    let shop = Shop::new();
    shop.stage("20240101-000000001.csv", "I,1,a\n");
    shop.stage("CDC_TXN-20201117153046033.csv", "I,items,shop,1,a\n");
    let held = shop.apply().await;
    assert_eq!(held.status, Status::Held);
    assert!(held.error.unwrap().contains("CDC_TXN-20201117153046033.csv"));

    let shop = Shop::with("[dms]\npreserve_transactions = true");
    shop.stage("20240101-000000001.csv", "I,1,a\n");
    let held = shop.apply().await;
    assert_eq!(held.status, Status::Held);
    assert!(held.error.unwrap().contains("preserve_transactions"));
}

/// Commits on the table as somebody else would, once our application has opened it.
struct Interfering {
    log: std::path::PathBuf,
    version: u64,
}

impl Observer for Interfering {
    fn step(&self, step: Step) {
        if matches!(step, Step::Pending { .. }) {
            let commit = "{\"commitInfo\":{\"timestamp\":0,\"operation\":\"NOTHING\"}}\n";
            let file = self.log.join(format!("{:020}.json", self.version));
            std::fs::write(file, commit).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_commit_in_between_costs_a_plan_and_no_look_at_staging() {
    let mut requests = Vec::new();
    for interferes in [false, true] {
        let shop = Shop::new();
        shop.stage("LOAD00000001.csv", "1,a\n2,b\n3,c\n");
        let loaded = shop.apply().await;
        shop.stage("20240101-000000001.csv", "I,4,d\nU,2,B\nD,1,a\n");
        let counted = Requests::default();
        let settings = Arc::new(shop.settings());
        let staging = Location::open(&settings.staging).await.unwrap().map_store(|store| {
            Arc::new(HookedStore::new(store, Counting::new(&counted, Duration::ZERO)))
        });
        let lake = Location::open(&settings.lake).await.unwrap();
        let pipeline = Pipeline::new(Arc::clone(&settings), staging, lake, Arc::new(SystemClock));
        let version = loaded.version.unwrap() + 1;
        let foreign = Interfering { log: shop.lake().join("_delta_log"), version };
        let observer: &dyn Observer = if interferes { &foreign } else { &Silent };
        let limits = Limits::default();
        let report =
            pipeline.apply(&settings.tables[0], &Scope::Everything, &limits, observer).await;
        assert_eq!(report.status, Status::Ok, "{report:?}");
        assert_eq!(
            (report.counts.inserted, report.counts.updated, report.counts.deleted),
            (1, 1, 1)
        );
        assert_eq!(report.version, Some(version + u64::from(interferes)));
        assert_eq!(shop.rows().await, [row(2, "B"), row(3, "c"), row(4, "d")]);
        let mut asked: Vec<String> = counted.take().iter().map(ToString::to_string).collect();
        asked.sort();
        requests.push(asked.into_iter().map(|asked| asked.rsplit('/').next().unwrap().to_owned()));
    }
    let [without, with] = <[_; 2]>::try_from(requests).ok().unwrap().map(Vec::from_iter);
    assert!(!without.is_empty());
    assert_eq!(with, without);
}
