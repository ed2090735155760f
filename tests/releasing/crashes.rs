//! A crash before or after any write of a release or a discard, and others at work meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dmslake::pipeline::ChosenRows;
use dmslake::storage::StoreKind;
use futures::{StreamExt, stream};

use super::site::{Now, Site, all, delete, insert, moved, update};
use crate::support::hooked_store::{Fault, Faults, HookedStore, Side};

const EXTRAS: [&str; 2] =
    ["guard = \"off\"\nmerge = \"copy-on-write\"", "merge = \"deletion-vectors\""];

async fn scene(extra: &str) -> Site {
    let mut site = Site::new(false, StoreKind::S3, extra);
    site.stage(true, vec![insert(1, "a", Some(1)), insert(2, "b", None)]).await;
    site.stage(false, vec![update(1, "b", Some(2))]).await;
    site.apply_ok().await;
    site.stage(false, vec![moved(2, 3, "moved", None), update(1, "bad", None)]).await;
    site.stage(false, vec![delete(1), insert(4, "d", None)]).await;
    site.apply_ok().await;
    site
}

async fn crash(extra: &'static str, fault: Option<Fault>, discards: bool) -> u64 {
    let mut site = scene(extra).await;
    let faulty = {
        let store = Arc::new(HookedStore::new(site.lake.store().clone(), Faults::new(fault)));
        let lake = site.lake.clone().map_store(|_| Arc::clone(&store) as _);
        let pipeline = site.pipeline_on(lake);
        let spec = pipeline.settings().tables[0].clone();
        let limits = dmslake::pipeline::Limits::default();
        // Whether it says so or not, the next one finishes it.
        if discards {
            let all = ChosenRows::All;
            let _ = pipeline.discard_quarantined(&spec, &all).await;
        } else {
            let _ = pipeline.release(&spec, &all(Some(9)), &limits).await;
        }
        store
    };
    let what = format!("{extra} {fault:?} {discards}");
    site.apply().await;
    let pipeline = site.pipeline();
    let spec = pipeline.settings().tables[0].clone();
    let waiting = pipeline.quarantine(&spec).await.unwrap().unwrap().waiting;
    assert!([0, 4].contains(&waiting), "{waiting} wait: {what}");
    let count = if discards {
        pipeline.discard_quarantined(&spec, &ChosenRows::All).await.unwrap().len() as u64
    } else {
        let limits = dmslake::pipeline::Limits::default();
        pipeline.release(&spec, &all(Some(9)), &limits).await.unwrap().left()
    };
    assert_eq!(count, waiting, "{what}");
    for (_, now) in site.objects.iter_mut().flat_map(|object| &mut object.rows) {
        if *now == Now::Waits {
            *now = if discards { Now::Discarded } else { Now::Released(Some(9)) };
        }
    }
    site.check(&what).await;
    assert_eq!(site.standing().await, 0, "{what}");
    site.apply_ok().await;
    faulty.hooks().writes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_every_write_is_finished_by_the_next_one() {
    for (extra, discards) in [(EXTRAS[0], false), (EXTRAS[1], false), (EXTRAS[0], true)] {
        let writes = Box::pin(crash(extra, None, discards)).await;
        assert!(writes >= 3, "only {writes} writes");
        let sides = [Side::Before, Side::After];
        let faults = (1..=writes).flat_map(|write| {
            sides.map(|side| [false, true].map(|died| Fault { write, side, died }))
        });
        let runs = stream::iter(faults.flatten()).map(|fault| crash(extra, Some(fault), discards));
        runs.buffer_unordered(8).collect::<Vec<u64>>().await;
    }
}

/// Two operators release, while objects are applied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_released_once_whoever_is_at_work_meanwhile() {
    for extra in EXTRAS {
        let mut site = scene(extra).await;
        let waiting = site.waiting();
        for at in 0..4 {
            site.stage(false, vec![update(4, &format!("at {at}"), Some(at))]).await;
        }
        let left = AtomicU64::new(0);
        let releasing = async || {
            let pipeline = site.pipeline();
            let spec = pipeline.settings().tables[0].clone();
            let limits = dmslake::pipeline::Limits::default();
            let released = pipeline.release(&spec, &all(Some(9)), &limits).await.unwrap();
            left.fetch_add(released.left(), Ordering::SeqCst);
        };
        let applying = async || {
            site.apply().await;
        };
        tokio::join!(releasing(), applying(), releasing(), applying());
        assert_eq!(left.load(Ordering::SeqCst), waiting, "{extra}");
        for (_, now) in site.objects.iter_mut().flat_map(|object| &mut object.rows) {
            if *now == Now::Waits {
                *now = Now::Released(Some(9));
            }
        }
        site.apply_ok().await;
        site.check(extra).await;
        assert_eq!(site.standing().await, 0, "{extra}");
    }
}
