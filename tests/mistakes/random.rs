//! Whatever is done to a table, in whatever order: a report that is `ok` means that it equals its
//! source, as far as that was ever staged.

use std::collections::{BTreeMap, BTreeSet};

use dmslake::pipeline::{Losses, Status, TableReport};
use dmslake::storage::StoreKind;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;

use super::site::Site;
use crate::support::property;

const LOAD: &str = "LOAD00000001.csv";

#[tokio::test(flavor = "multi_thread")]
async fn ok_means_equal_whatever_is_done_to_the_table() {
    let name = "ok_means_equal_whatever_is_done_to_the_table";
    property::check(name, 25, 12, live).await;
}

/// Limits that some changes exceed.
const LIMIT: &str = "max_change_fraction = { deleted = 0.4, updated = 0.8, min_rows = 3 }";
/// The type that the key gets, and what makes keys too large for the first one.
const WIDE: &str = "bigint";
const BEYOND_INT: u64 = 5_000_000_000;
const TRUNCATE: &str = "on_objects_vanished = \"truncate\"";

/// A source, and what is staged of it.
struct Life {
    site: Site,
    /// Whether the task deletes what is staged at a TRUNCATE. Nothing expires then as young as it
    /// does here.
    handles_truncate: bool,
    source: BTreeMap<u64, u32>,
    /// What the last load and all changes since it come to.
    staged: BTreeSet<String>,
    seconds: i64,
    value: u32,
    /// Whether changes have sequences, by which the table is guarded.
    is_guarded: bool,
    /// A change object that DMS has made and not uploaded yet.
    delayed: Option<(String, Vec<String>)>,
    /// What was done so far, for whoever looks into a failure.
    done: Vec<String>,
}

impl Life {
    fn expected(&self) -> Vec<String> {
        let mut rows: Vec<String> =
            self.source.iter().map(|(id, value)| format!("{id}=v{value}")).collect();
        rows.sort();
        rows
    }

    async fn stage(&mut self, (name, rows): (String, Vec<String>)) {
        self.site.stage(&name, &rows.iter().map(String::as_str).collect::<Vec<_>>()).await;
        self.done.push(format!("{name}: {}", rows.join(" ")));
        self.staged.insert(name);
    }

    /// Stages what was delayed.
    async fn deliver(&mut self) {
        if let Some(made) = self.delayed.take() {
            self.stage(made).await;
        }
    }

    async fn load(&mut self) {
        // DMS uploads what it has before it loads again.
        self.deliver().await;
        self.seconds += 60;
        let rows = self.source.iter().map(|(id, value)| format!("{id},v{value}"));
        let rows: Vec<String> = rows.collect();
        self.stage((LOAD.to_owned(), rows)).await;
    }

    async fn change(&mut self, rng: &mut StdRng) {
        self.seconds += 10;
        let mut rows = Vec::new();
        for _ in 0..rng.random_range(1..5) {
            self.value += 1;
            let known = self.source.keys().copied().choose(rng);
            match (rng.random_range(0..3), known) {
                (0, Some(id)) => {
                    let value = self.source.remove(&id).expect("it was chosen");
                    rows.push(format!("D,{id},v{value}"));
                }
                (1, Some(id)) => {
                    self.source.insert(id, self.value);
                    rows.push(format!("U,{id},v{}", self.value));
                }
                _ => {
                    let is_wide = self.site.id_type == WIDE && rng.random();
                    let id = rng.random_range(0..12) + if is_wide { BEYOND_INT } else { 0 };
                    let op = if self.source.insert(id, self.value).is_some() { "U" } else { "I" };
                    rows.push(format!("{op},{id},v{}", self.value));
                }
            }
        }
        if self.is_guarded {
            for (row, sequence) in rows.iter_mut().zip(100 * self.seconds..) {
                *row = format!("{row},{sequence:09}");
            }
        }
        let made = (self.site.change(self.seconds), rows);
        if self.delayed.is_none() && rng.random_bool(0.15) {
            self.delayed = Some(made);
        } else {
            self.stage(made).await;
        }
    }

    async fn expire_some(&mut self, rng: &mut StdRng) {
        // Staging expires what is oldest, and so the load first.
        let mut oldest: Vec<String> = self.staged.iter().cloned().collect();
        oldest.sort_by_key(|name| name != LOAD);
        for name in oldest.into_iter().take(rng.random_range(1..4)) {
            self.site.expire(&name).await;
            self.done.push(format!("expired: {name}"));
            self.staged.remove(&name);
        }
    }

    /// The task deletes what is staged of a table that is truncated.
    async fn truncate_at_source(&mut self) {
        self.source.clear();
        for name in std::mem::take(&mut self.staged) {
            self.site.expire(&name).await;
        }
    }

    /// The key gets a wider type at the source, and the configuration says so.
    fn widen(&mut self) {
        self.site.id_type = WIDE.into();
    }

    /// The other column gets another name at the source, and the configuration says so.
    fn rename(&mut self) {
        if self.site.value == "v" {
            self.site.value = "w".into();
            self.site.extra.push_str("\nrenamed = { v = \"w\" }");
        }
    }

    /// A key is added to the configuration, and taken away again.
    async fn edit_keys(&mut self) {
        let keys = std::mem::replace(&mut self.site.keys, "[\"id\", \"v\"]".into());
        let report = self.site.apply().await;
        self.judge(&report).await;
        self.site.keys = keys;
    }

    /// The invariant.
    async fn judge(&self, report: &TableReport) {
        if report.status == Status::Ok && report.pending == 0 && self.delayed.is_none() {
            assert_eq!(self.site.rows().await, self.expected(), "{report:?} {:#?}", self.done);
        }
    }
}

async fn live(mut rng: StdRng) {
    let kind = if rng.random() { StoreKind::S3 } else { StoreKind::File };
    let is_guarded = rng.random();
    let guard = format!("guard = \"{}\"", if is_guarded { "sequence" } else { "off" });
    let handles_truncate = rng.random();
    let limit = if rng.random() { LIMIT } else { "" };
    let truncate = if handles_truncate { TRUNCATE } else { "" };
    let mut life = Life {
        site: Site {
            extra: format!("{guard}\n{limit}\n{truncate}"),
            expiry_days: handles_truncate.then_some(7),
            ..Site::on(kind)
        },
        handles_truncate,
        source: (0..rng.random_range(1..6)).map(|id| (u64::from(id), id)).collect(),
        staged: BTreeSet::new(),
        seconds: 0,
        value: 100,
        is_guarded,
        delayed: None,
        done: Vec::new(),
    };
    life.load().await;
    let (mut unapplied, mut unseen) = (true, true);
    for _ in 0..rng.random_range(4..20) {
        let action = rng.random_range(0..25);
        life.done.push(format!("{action}"));
        match action {
            0..6 => {
                life.change(&mut rng).await;
                (unapplied, unseen) = (true, true);
            }
            // What no run has seen must not expire: nothing would show that it existed.
            6 | 7 if !unseen && !life.handles_truncate => life.expire_some(&mut rng).await,
            8 if has_table(&life.site).await => life.site.move_away().await,
            // On a disk a reload must have been preceded by a run: times tell nothing there.
            9 if kind == StoreKind::S3 || !unapplied && life.delayed.is_none() => {
                life.load().await;
                (unapplied, unseen) = (true, true);
            }
            10 if has_table(&life.site).await => restore(&mut rng, &life.site).await,
            11 if has_table(&life.site).await => {
                let known = life.site.rebuild(Losses::Refused).await;
                if let Ok(report) = known {
                    life.judge(&report).await;
                    unseen = false;
                    unapplied = !report.is_caught_up();
                }
            }
            12 => {
                life.site.pause(None).await;
            }
            13..16 => {
                life.site.resume(Losses::Refused).await;
            }
            21 if life.delayed.is_some() => {
                life.deliver().await;
                (unapplied, unseen) = (true, true);
            }
            // An operator applies first what was staged before.
            16 if !unapplied && life.delayed.is_none() && life.site.truncate().await.is_ok() => {
                life.source.clear();
            }
            17 if life.handles_truncate && life.delayed.is_none() => {
                life.truncate_at_source().await;
                // The next change is of after it.
                life.change(&mut rng).await;
                (unapplied, unseen) = (true, true);
            }
            18 if !unapplied && has_table(&life.site).await => life.edit_keys().await,
            19 | 20 if has_table(&life.site).await => {
                let newest = life.site.delta().await.version().unwrap_or_default();
                let version = rng.random_range(0..=newest);
                let restored = life.site.restore(version, Losses::Refused).await;
                unapplied |= restored.is_ok();
                life.done.push(format!("restore {version}: {restored:?}"));
            }
            22 => life.widen(),
            23 => life.rename(),
            _ => {}
        }
        if rng.random_bool(0.6) {
            let report = life.site.apply().await;
            let (status, pending, version) = (report.status, report.pending, report.version);
            life.done.push(format!("apply: {status:?} {pending} {version:?} {:?}", report.error));
            life.judge(&report).await;
            unapplied = !(report.status == Status::Ok && report.pending == 0);
            unseen = false;
        }
    }
    life.site.resume(Losses::Refused).await;
    let report = life.site.apply().await;
    life.judge(&report).await;
    // Whatever was done, a new load makes the table right again.
    life.deliver().await;
    for name in std::mem::take(&mut life.staged) {
        life.site.expire(&name).await;
    }
    life.load().await;
    life.change(&mut rng).await;
    life.deliver().await;
    if life.site.apply().await.status == Status::Held {
        // Where others have put back older rows, or the table is gone.
        if has_table(&life.site).await {
            life.site.rebuild(Losses::Accepted).await.unwrap();
        } else {
            life.site.resume(Losses::Accepted).await;
            // Times do not tell on a disk that the new load is of after a truncate.
            let error = life.site.apply().await.error.unwrap_or_default();
            if error.contains("all of its rows had been removed") {
                life.site.remove_state().await;
            }
        }
    }
    // What the limit holds is let pass, object by object.
    for _ in 0..4 {
        if life.site.apply().await.status == Status::Held {
            life.site.resume(Losses::Refused).await;
        }
    }
    let expected = life.expected();
    life.site.expect_ok(&expected.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

async fn has_table(site: &Site) -> bool {
    let location = site.lake.folder(&["shop", "t"]).unwrap();
    dmslake::table::load(&location).await.unwrap().is_some()
}

/// Somebody restores the rows of an older version.
async fn restore(rng: &mut StdRng, site: &Site) {
    let table = site.delta().await;
    let newest = table.version().unwrap_or_default();
    if newest == 0 {
        return;
    }
    let version = rng.random_range(0..newest);
    table.restore().with_version_to_restore(version).await.unwrap();
}
