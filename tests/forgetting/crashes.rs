//! A crash before or after every write: every version stays readable and keeps its other rows, and
//! whoever forgets again comes to the end.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use futures::{StreamExt as _, stream};

use super::site::{Site, line, without};
use super::{KEYS, MODES, scene};
use crate::support::hooked_store::{Fault, Faults, HookedStore, Side};

type History = Vec<BTreeSet<String>>;

/// Some tables go on between the two; each of these is made anew, since it is staged for.
async fn crash(made: &Site, before: &History, fault: Option<Fault>) -> u64 {
    let goes_on = fault.is_none_or(|fault| fault.write % 5 == 0);
    let mut site = if goes_on { scene(&made.extra).await } else { made.copy().await };
    let store = Arc::new(HookedStore::new(site.lake.store().clone(), Faults::new(fault)));
    let lake = site.lake.clone().map_store(|_| Arc::clone(&store) as _);
    // Whether it says so or not, the next one finishes it.
    let outcome = site.forget_on(lake, &KEYS).await;
    assert!(fault.is_some() || outcome.is_ok(), "{outcome:?}");
    let what = format!("{} {fault:?}", made.extra);
    all_others(&site, before, &what).await;
    if goes_on {
        site.change(&[line("U", 5, "meanwhile")]).await;
    }
    // An hour later the next one is let in.
    site.with_state(|state| {
        if let Some(dead) = &mut state.forgetting {
            dead.since -= TimeDelta::minutes(61);
        }
    })
    .await;

    let done = site.forget(&KEYS).await;
    assert!(done.is_proven(), "{what}: {done:?}");
    let after = site.history(site.newest().await).await;
    for (version, rows) in before.iter().enumerate() {
        assert_eq!(after[version], without(rows, &KEYS), "{what}: version {version}");
    }
    // What a dead writer left unnamed is younger than a day, and holds none of it.
    assert_eq!(site.marked().await, [""; 0], "{what}");
    for (version, rows) in after.iter().enumerate() {
        let opened = dmslake::table::open_at(&site.location(), version as u64).await.unwrap();
        assert_eq!(opened.rows(), rows.len() as u64, "{what}: version {version}");
    }
    store.hooks().writes()
}

/// No version has lost or doubled a row of another key.
async fn all_others(site: &Site, before: &History, what: &str) {
    let history = site.history(site.newest().await).await;
    for (version, rows) in history.iter().enumerate() {
        let expected = before.get(version).unwrap_or(&before[before.len() - 1]);
        assert_eq!(without(rows, &KEYS), without(expected, &KEYS), "{what}: version {version}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_every_write_is_finished_by_the_next_one() {
    for mode in MODES {
        let site = scene(mode).await;
        let before = site.history(site.newest().await).await;
        let writes = Box::pin(crash(&site, &before, None)).await;
        assert!(writes >= 12, "{mode}: only {writes} writes");
        let faults = (1..=writes).flat_map(|write| {
            // Before a write is after the one before it, but for a process that lives on.
            let dead = Fault { write, side: Side::After, died: true };
            let alive = Fault { write, side: Side::Before, died: false };
            [Some(dead), (write % 4 == 0).then_some(alive)].into_iter().flatten()
        });
        let runs = stream::iter(faults).map(|fault| crash(&site, &before, Some(fault)));
        runs.buffer_unordered(4).collect::<Vec<u64>>().await;
    }
}
