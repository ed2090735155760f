//! A change of columns is interrupted, or made by two workers at once.

use std::sync::Arc;

use dmslake::pipeline::Status;
use futures::{StreamExt as _, stream};

use super::site::{LOAD, Site, change, ints, longs, words};
use crate::support::hooked_store::{Fault, Faults, HookedStore, Side};

/// A table of three files, with an object behind it that widens its key, whose value column is
/// renamed.
async fn before() -> Site {
    let mut site = Site::with("keys = [\"id\"]\nmerge = \"deletion-vectors\"");
    site.stage(LOAD, None, &[("int32 id", ints(&[1, 2])), ("binary v (UTF8)", words(&["a", "b"]))])
        .await;
    for number in 1..=2_u32 {
        let id = 2 + i32::try_from(number).unwrap();
        let columns = [("int32 id", ints(&[id])), ("binary v (UTF8)", words(&["c"]))];
        site.stage(&change(number), Some("I"), &columns).await;
        site.ok().await;
    }
    let columns = [("int32 id", ints(&[2])), ("binary v (UTF8)", words(&["d"]))];
    site.stage(&change(3), Some("U"), &columns).await;
    site.ok().await;
    let columns = [("int64 id", longs(&[5])), ("binary w (UTF8)", words(&["e"]))];
    site.stage(&change(4), Some("I"), &columns).await;
    site.table.push_str("\nrenamed = { v = \"w\" }");
    site
}

const AFTER: [&str; 5] = ["1|a", "2|d", "3|c", "4|c", "5|e"];

/// Lets a change of columns fail at one write and go on; returns the number of its writes.
async fn crashed(fault: Option<Fault>) -> u64 {
    let site = before().await;
    let faulty = HookedStore::new(Arc::clone(site.lake.store()), Faults::new(fault));
    let lake = site.lake.clone().map_store(|_| Arc::new(faulty.clone()));
    let hit = Site { lake, ..site.clone() };
    // It fails where it is hit.
    let _ = hit.apply().await;
    let report = site.ok().await;
    assert_eq!(site.rows().await, AFTER, "{fault:?}: {report:?}");
    assert_eq!(site.columns().await, ["id long", "w string"], "{fault:?}");
    let columns = [("int64 id", longs(&[1])), ("binary w (UTF8)", words(&["f"]))];
    site.stage(&change(5), Some("U"), &columns).await;
    let report = site.ok().await;
    assert_eq!(report.counts.updated, 1, "{fault:?}: {report:?}");
    assert_eq!(site.names("_dmslake/shadow").await, [""; 0], "{fault:?}");
    faulty.hooks().writes()
}

#[tokio::test]
async fn killed_at_every_write_it_goes_on() {
    let writes = crashed(None).await;
    assert!(writes >= 8, "{writes}");
    let ways = [Side::Before, Side::After].map(|side| [(side, false), (side, true)]);
    let faults = (1..=writes).flat_map(|write| {
        let ways = ways.into_iter().flatten();
        ways.map(move |(side, died)| Box::pin(crashed(Some(Fault { write, side, died }))))
    });
    // Most of the time they wait before they try again.
    stream::iter(faults).buffer_unordered(16).collect::<Vec<_>>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_change_the_columns_of_one_table_once() {
    for _ in 0..5 {
        let site = before().await;
        let version = site.version().await;
        let (one, other) = tokio::join!(site.apply(), site.apply());
        for report in [&one, &other] {
            assert_eq!((report.status, report.pending), (Status::Ok, 0), "{report:?}");
        }
        assert_eq!(one.objects + other.objects, 1, "{one:?} {other:?}");
        assert_eq!(site.rows().await, AFTER);
        // The name, the type, the object.
        assert_eq!(site.version().await, version + 3);
    }
}
