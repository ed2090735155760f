//! Random lives of a table with bad rows.

use dmslake::pipeline::RowFate;
use dmslake::storage::StoreKind;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::site::{Change, Now, Site, all, delete, insert, moved, one, update};
use crate::support::property;

const GUARDS: [&str; 2] = ["guard = \"off\"", ""];
const MODES: [&str; 3] = ["copy-on-write", "deletion-vectors", "auto"];

#[tokio::test(flavor = "multi_thread")]
async fn released_rows_come_back_in_their_places() {
    let name = "released_rows_come_back_in_their_places";
    property::check(name, 25, 12, live).await;
}

fn value(rng: &mut StdRng) -> String {
    // What needs quotes, what looks like a marker, what is not ASCII.
    let ends = ["", "a,b", "say \"x\"", "NULL ", "ä\nö", " ~"];
    format!("v{}{}", rng.random_range(0..1000), ends.choose(rng).unwrap())
}

fn changes(rng: &mut StdRng, is_parquet: bool) -> Vec<Change> {
    let count = rng.random_range(1..=6);
    let change = |rng: &mut StdRng| {
        let (id, v) = (rng.random_range(1..=5), value(rng));
        let n = rng.random_bool(0.6).then(|| rng.random_range(0..100));
        let mut change = match rng.random_range(0..10) {
            0..3 => insert(id, &v, n),
            3..6 => update(id, &v, n),
            6..8 => delete(id),
            _ => moved(id, rng.random_range(1..=5), &v, n),
        };
        if change.op == 'U' && !is_parquet && rng.random_bool(0.15) {
            change.v = None;
        }
        change
    };
    (0..count).map(|_| change(rng)).collect()
}

async fn live(mut rng: StdRng) {
    let is_parquet = rng.random();
    let kind = if rng.random() { StoreKind::S3 } else { StoreKind::File };
    let (guard, mode) = (GUARDS.choose(&mut rng).unwrap(), MODES.choose(&mut rng).unwrap());
    let mut site = Site::new(is_parquet, kind, &format!("{guard}\nmerge = \"{mode}\""));
    let load = (1..=4).map(|id| insert(id, "loaded", rng.random_bool(0.7).then_some(id)));
    let load = load.collect();
    site.stage(true, load).await;
    site.apply_ok().await;
    site.check("after the load").await;
    let mut expired = 0;
    let mut done: Vec<String> = vec![format!("{is_parquet} {kind:?} {guard} {mode}")];
    for _ in 0..rng.random_range(3..12) {
        match rng.random_range(0..10) {
            0..5 => {
                let name = site.stage(false, changes(&mut rng, is_parquet)).await;
                done.push(format!("staged {name}"));
                if rng.random_bool(0.7) {
                    site.apply_ok().await;
                }
            }
            5..6 => {
                site.apply_ok().await;
                let names: Vec<_> =
                    site.objects[expired..].iter().map(|object| object.name.clone()).collect();
                // Expiry begins with the oldest.
                for name in names.iter().take(rng.random_range(0..=names.len())) {
                    site.expire(name).await;
                    expired += 1;
                }
                done.push(format!("expired {expired}"));
            }
            _ => {
                site.apply_ok().await;
                let n = rng.random_bool(0.7).then(|| rng.random_range(100..200));
                let waiting: Vec<(String, u64)> = waiting(&site);
                site.is_fixed |= rng.random_bool(0.1);
                if let Some((object, row)) = waiting.choose(&mut rng)
                    && rng.random_bool(0.2)
                {
                    site.discard(object, *row).await;
                    done.push(format!("discarded {object} {row}"));
                    site.check(&done.join("\n")).await;
                    continue;
                }
                let release = match waiting.choose(&mut rng) {
                    Some((object, row)) if rng.random() => one(object, *row, n),
                    _ => all(n),
                };
                let released = site.release(&release).await;
                done.push(format!("{release:?} {:?}", fates(&released)));
                site.check(&done.join("\n")).await;
                assert_eq!(site.standing().await, site.waiting(), "{}", done.join("\n"));
            }
        }
    }
    site.apply_ok().await;
    site.check(&done.join("\n")).await;
}

fn waiting(site: &Site) -> Vec<(String, u64)> {
    let rows = site.objects.iter().flat_map(|object| {
        let rows = object.rows.iter().zip(1..);
        rows.filter(|((_, now), _)| *now == Now::Waits).map(|(_, row)| (object.name.clone(), row))
    });
    rows.collect()
}

fn fates(released: &dmslake::pipeline::Released) -> Vec<(String, u64, RowFate, Option<String>)> {
    let fate = |it: &dmslake::pipeline::RowOutcome| {
        (it.row.object.clone(), it.row.row, it.fate, it.reason.clone())
    };
    released.rows.iter().map(fate).collect()
}
