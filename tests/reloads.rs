//! Reloads and late objects while doorbells list a window only: whichever comes first, the table is
//! held; and the remedy, while a merge is under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use dmslake::clock::SystemClock;
use dmslake::config::Settings;
use dmslake::error::ErrorKind;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, Status, TableReport};
use dmslake::storage::{Location, StoreKind};
use dmslake::table;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

use crate::support::hooked_store::{CommitGate, Gated, HookedStore};
use crate::support::stopper::Stopper;
use crate::support::world::{in_memory, settings};

/// A table on S3 whose load is complete, and whose doorbells list a window of four objects.
struct Shop {
    staging: Location,
    lake: Location,
    settings: Arc<Settings>,
}

impl Shop {
    async fn with_loads(loads: usize) -> Self {
        let text = "staging = \"s3://staging/dms\"\nlake = \"s3://lake\"\nlook_back = { objects = 4 }\n\
                    [defaults]\non_reload = \"hold\"\n[[table]]\nsource = \"shop.t\"\nkeys = [\"id\"]\n\
                    columns = [{ name = \"id\", type = \"int\" }, { name = \"v\", type = \"text\" }]";
        let shop = Self {
            staging: in_memory("s3://staging/dms", StoreKind::S3),
            lake: in_memory("s3://lake", StoreKind::S3),
            settings: settings(text),
        };
        for load in 1..=loads {
            shop.stage(&load_name(load), &format!("{load},loaded\n")).await;
        }
        for number in 1..=6 {
            shop.stage(&change_name(number), &format!("U,1,{number}\n")).await;
        }
        let report = shop.apply(&Scope::Everything).await;
        assert_eq!((report.status, report.objects), (Status::Ok, loads as u64 + 6), "{report:?}");
        // Times of objects are told apart by the millisecond.
        tokio::time::sleep(Duration::from_millis(5)).await;
        shop
    }

    async fn stage(&self, name: &str, rows: &str) {
        let payload = PutPayload::from(rows.to_owned().into_bytes());
        self.staging.store().put(&path(name), payload).await.expect("memory takes it");
    }

    async fn apply(&self, scope: &Scope) -> TableReport {
        self.apply_to(&self.lake, scope).await
    }

    async fn apply_to(&self, lake: &Location, scope: &Scope) -> TableReport {
        let (staging, lake) = (self.staging.clone(), lake.clone());
        let settings = Arc::clone(&self.settings);
        let pipeline = Pipeline::new(settings, staging, lake, Arc::new(SystemClock));
        pipeline.apply(&self.settings.tables[0], scope, &Limits::default(), &Silent).await
    }

    async fn ring(&self, name: &str) -> TableReport {
        self.apply(&Scope::Named(vec![path(name).to_string()])).await
    }
}

fn path(name: &str) -> Path {
    Path::from(format!("dms/shop/t/{name}"))
}

fn load_name(number: usize) -> String {
    format!("LOAD{number:08X}.csv")
}

fn change_name(number: usize) -> String {
    format!("20260101-0000000{number:02}.csv")
}

#[tokio::test]
async fn a_change_object_behind_a_reload_is_not_applied_to_the_old_generation() {
    // With thirty, most of the load's objects are known by count and digest only.
    for loads in [1, 2, 30] {
        let shop = Shop::with_loads(loads).await;
        // The window is full, so this one lists everything and leaves room for the next ones.
        shop.stage(&change_name(7), "U,1,7\n").await;
        assert_eq!(shop.ring(&change_name(7)).await.objects, 1);
        tokio::time::sleep(Duration::from_millis(5)).await;
        // DMS deletes what is staged, and loads anew.
        for number in 1..=7 {
            shop.staging.store().delete(&path(&change_name(number))).await.expect("it was there");
        }
        for load in 1..=loads {
            shop.stage(&load_name(load), &format!("{load},loaded anew\n")).await;
        }
        shop.stage(&change_name(9), "U,1,9\n").await;
        let report = shop.ring(&change_name(9)).await;
        assert_eq!(report.error_kind, Some(ErrorKind::Reload), "{loads}: {report:?}");
        assert_eq!((report.objects, report.effort.requests.list), (0, 2), "the log, and a window");
    }
}

#[tokio::test]
async fn load_objects_that_stay_or_expire_hold_nothing() {
    for loads in [1, 2, 30] {
        let shop = Shop::with_loads(loads).await;
        shop.stage("A foreign name", "").await;
        shop.stage(&change_name(7), "U,1,7\n").await;
        let report = shop.ring(&change_name(7)).await;
        assert_eq!((report.status, report.objects), (Status::Ok, 1), "{loads}: {report:?}");
        shop.staging.store().delete(&path(&load_name(1))).await.expect("it was there");
        shop.stage(&change_name(8), "U,1,8\n").await;
        let report = shop.ring(&change_name(8)).await;
        assert_eq!((report.status, report.objects), (Status::Ok, 1), "{loads}: {report:?}");
    }
}

/// Its own doorbell is lost, and so many objects are applied after it that the window leaves it
/// behind before anything lists the whole folder.
#[tokio::test]
async fn a_late_object_whose_doorbell_is_lost_is_found_before_it_counts_as_applied() {
    let shop = Shop::with_loads(1).await;
    shop.stage(&change_name(0), "U,1,late\n").await;
    let mut held_at = None;
    for number in 7..=30 {
        tokio::time::sleep(Duration::from_millis(2)).await;
        shop.stage(&change_name(number), &format!("U,1,{number}\n")).await;
        let report = shop.ring(&change_name(number)).await;
        if report.status == Status::Held {
            assert_eq!(report.late, [change_name(0)], "{report:?}");
            held_at = held_at.or(Some(number));
        }
    }
    let held_at = held_at.expect("it was found");
    assert!(held_at <= 11, "a window of four objects was full long before object {held_at}");
    let swept = shop.apply(&Scope::Everything).await;
    assert_eq!(swept.error_kind, Some(ErrorKind::LateObject), "{swept:?}");
}

#[tokio::test]
async fn doorbells_alone_go_on_for_ever_and_remember_no_more_than_they_may() {
    let shop = Shop::with_loads(1).await;
    for number in 7..=60 {
        shop.stage(&change_name(number), &format!("U,1,{number}\n")).await;
        if number % 7 == 0 {
            continue; // lost
        }
        let report = shop.ring(&change_name(number)).await;
        assert_eq!((report.status, report.pending), (Status::Ok, 0), "{report:?}");
    }
    let swept = shop.apply(&Scope::Everything).await;
    assert_eq!((swept.status, swept.objects), (Status::Ok, 0), "{swept:?}");
}

/// Four series, written side by side; the first application takes more objects than are remembered
/// one by one, and ends before the last series.
#[tokio::test]
async fn a_parallel_load_that_is_cut_short_goes_on() {
    let text = "staging = \"s3://staging/dms\"\nlake = \"s3://lake\"\nmemory_budget = 10_000\n\
                [[table]]\nsource = \"shop.t\"\nkeys = [\"id\"]\n\
                columns = [{ name = \"id\", type = \"int\" }, { name = \"v\", type = \"text\" }]";
    let shop = Shop {
        staging: in_memory("s3://staging/dms", StoreKind::S3),
        lake: in_memory("s3://lake", StoreKind::S3),
        settings: settings(text),
    };
    let mut staged = 0;
    let mut next = async |series: usize, number: usize| {
        let rows: Vec<String> = (0..40).map(|row| format!("{},n\n", staged * 40 + row)).collect();
        shop.stage(&format!("p{series}/{}", load_name(number)), &rows.concat()).await;
        staged += 1;
        tokio::time::sleep(Duration::from_millis(2)).await;
    };
    for number in 1..=10 {
        for series in 0..4 {
            next(series, number).await;
        }
    }
    let limits = Limits::default();
    let stopper = Stopper::after(28, limits.stop.clone());
    let (staging, lake) = (shop.staging.clone(), shop.lake.clone());
    let clock = Arc::new(SystemClock);
    let pipeline = Pipeline::new(Arc::clone(&shop.settings), staging, lake, clock);
    let spec = &shop.settings.tables[0];
    let cut = pipeline.apply(spec, &Scope::Everything, &limits, &stopper).await;
    assert!((28..38).contains(&cut.objects), "{cut:?}");
    next(0, 11).await;
    next(3, 11).await;
    let report = shop.apply(&Scope::Everything).await;
    assert_eq!((report.status, cut.objects + report.objects), (Status::Ok, 42), "{report:?}");
    assert_eq!(cut.counts.inserted + report.counts.inserted, 42 * 40);
}

/// The remedy of a reload, followed while a merge writes its files, which takes its time.
#[tokio::test]
async fn a_table_that_is_moved_away_under_a_merge_is_not_committed_to() {
    let shop = Shop::with_loads(1).await;
    shop.stage(&change_name(7), "I,7,new\n").await;
    let mover = Arc::new(Mover { lake: shop.lake.clone(), is_over: AtomicBool::new(false) });
    let gate = Arc::clone(&mover);
    let gated = shop.lake.clone().map_store(|store| -> Arc<dyn ObjectStore> {
        Arc::new(HookedStore::new(store, Gated(gate)))
    });
    let report = shop.apply_to(&gated, &Scope::Everything).await;
    assert!(mover.is_over.load(Ordering::SeqCst), "no data file was written");
    assert_eq!((report.status, report.counts.inserted), (Status::Ok, 2), "{report:?}");
    let location = shop.lake.folder(&["shop", "t"]).expect("a folder");
    let table = table::open(&location, None).await.expect("it can be read").expect("a table");
    assert_eq!((table.rows(), Some(table.version())), (2, report.version));
}

/// Moves the whole lake away before the first data file, and then lets some time pass.
#[derive(Debug)]
struct Mover {
    lake: Location,
    is_over: AtomicBool,
}

#[async_trait]
impl CommitGate for Mover {
    async fn before_commit(&self, _: &Path) {}

    async fn before_data_file(&self) {
        if self.is_over.swap(true, Ordering::SeqCst) {
            return;
        }
        // Whoever looks at the table while files are written has looked by then.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let store = self.lake.store();
        let all: Vec<_> = store.list(None).try_collect().await.expect("memory answers");
        for object in all {
            store.delete(&object.location).await.expect("it was there");
        }
        tokio::time::sleep(Duration::from_millis(1_100)).await;
    }
}
