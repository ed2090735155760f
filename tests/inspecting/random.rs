//! Random histories in every merge mode: status, history, diff and why against the model.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch, StructArray};
use arrow::compute::filter_record_batch;
use dmslake::clock::{Clock as _, SystemClock};
use dmslake::config::TableSpec;
use dmslake::inspect::{self, HistoryEntry, RowLife, State, TableStatus};
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, Status};
use dmslake::table::{self, AsOf};
use futures::TryStreamExt;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};

use crate::support::dms_writer::{StagedTable, Written};
use crate::support::judge::Judge;
use crate::support::model::{Key, Op, Rows, StagedRow, Value, key_of};
use crate::support::property;
use crate::support::table::{Commit, LakeTable, rows_of};
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_of_a_table_is_what_the_model_knows() {
    property::check("what_is_told_of_a_table_is_what_the_model_knows", 40, 3, told).await;
}

async fn told(mut rng: StdRng) {
    let world = World::random(&mut rng, None).await;
    let staged = world.tables.choose(&mut rng).expect("a table");
    let mut subject = Subject::new(&world, staged);
    let mut next = 0;
    while next < staged.objects.len() {
        for _ in 0..rng.random_range(1..4) {
            if let Some(object) = staged.objects.get(next) {
                world.put(staged, object).await;
                subject.staged.push(object);
                next += 1;
            }
        }
        subject.check_status().await;
        if rng.random_bool(0.7) {
            subject.apply().await;
            subject.check_status().await;
        }
        if rng.random_bool(0.2) {
            let pipeline = world.pipeline();
            pipeline.maintain(subject.spec(), &Limits::default()).await;
        }
    }
    subject.apply().await;
    subject.judge.audit(staged).await;
    subject.judge.check_complete(staged).await;
    subject.check_status().await;
    subject.check_history().await;
    let versions = subject.versions().await;
    let newest = u64::try_from(versions.len() - 1).expect("few versions");
    for _ in 0..4 {
        let (from, to) = (rng.random_range(0..=newest), rng.random_range(0..=newest));
        subject.check_diff(&versions, from, to).await;
    }
    let mut keys: Vec<&Key> = versions.iter().flat_map(Rows::keys).collect();
    keys.sort();
    keys.dedup();
    keys.shuffle(&mut rng);
    for key in keys.into_iter().take(5) {
        subject.check_life(&versions, key).await;
    }
}

/// A table that is staged and applied bit by bit.
struct Subject<'w> {
    world: &'w World,
    table: &'w StagedTable,
    lake: LakeTable,
    judge: Judge,
    staged: Vec<&'w Written>,
    /// How many of them are applied.
    applied: usize,
}

impl<'w> Subject<'w> {
    fn new(world: &'w World, table: &'w StagedTable) -> Self {
        let (schema, name) = (&table.history.schema, &table.history.table);
        let folders = [schema.replace('%', "~25"), name.replace('%', "~25")];
        let lake = LakeTable::at(&world.lake, &[&folders[0], &folders[1]]);
        let judge = Judge::new(table, &world.staging, &world.lake);
        Self { world, table, lake, judge, staged: Vec::new(), applied: 0 }
    }

    fn spec(&self) -> &'w TableSpec {
        self.world.spec(self.table)
    }

    fn pipeline(&self) -> Pipeline {
        self.world.pipeline()
    }

    async fn apply(&mut self) {
        let (scope, limits) = (Scope::Everything, Limits::default());
        let report = self.pipeline().apply(self.spec(), &scope, &limits, &Silent).await;
        assert_eq!(report.status, Status::Ok, "{report:?}");
        // Objects without rows make no table, and wait for the first one that has some.
        if report.version.is_some() {
            self.applied = self.staged.len();
        }
    }

    /// The changes that are applied.
    fn applied_changes(&self) -> impl Iterator<Item = &'w StagedRow> {
        let changes = self.staged[..self.applied].iter().filter(|object| !object.load);
        changes.flat_map(|object| &object.rows)
    }

    async fn check_status(&mut self) {
        self.judge.audit(self.table).await;
        let status: TableStatus = inspect::status(&self.pipeline(), self.spec()).await;
        let pending = &self.staged[self.applied..];
        let log = self.lake.log().await;
        let newest = log.last().map(|commit| commit.version);
        assert_eq!(status.version, newest);
        let state = match (pending.len(), newest) {
            (1.., _) => State::Behind,
            (0, None) => State::Absent,
            (0, Some(_)) => State::Ok,
        };
        assert_eq!(status.state, state, "{status:?}");
        let bytes: usize = pending.iter().map(|object| object.bytes.len()).sum();
        assert_eq!(status.pending.objects, pending.len() as u64, "{status:?}");
        assert_eq!(status.pending.bytes, bytes as u64);
        assert_eq!(status.pending.oldest.is_some(), !pending.is_empty());
        assert_eq!(status.next.is_some(), state == State::Behind);
        let Some(newest) = newest else { return };

        let columns = &self.table.history.columns;
        let rows = self.lake.rows(newest, columns, &self.table.history.keys).await;
        assert_eq!(status.rows, rows.len() as u64);
        let files = live_files(&log);
        assert_eq!(status.files, files.len() as u64);
        assert_eq!(status.bytes, files.values().sum::<u64>());
        let bad = self.staged[..self.applied].iter().flat_map(|object| &object.rows);
        assert_eq!(status.quarantined, bad.filter(|row| row.bad).count() as u64);
        let last = self.staged[..self.applied].iter().rev().find(|object| !object.rows.is_empty());
        let object = status.last_object.as_deref();
        assert!(last.is_none() || object.is_some(), "{status:?}");

        let time = self.applied_changes().filter_map(|row| row.committed).max();
        let time = time.filter(|_| self.world.endpoint.timestamp.is_some());
        let told = status.lag.source_time.map(|time| time.timestamp_micros());
        assert_eq!(told, time, "the newest commit at the source");
        let sequence = self.applied_changes().filter_map(|row| row.sequence.as_ref()).max();
        assert_eq!(status.lag.change_sequence.as_ref(), sequence);
        if pending.is_empty() {
            assert_eq!(status.lag.behind_seconds, Some(0), "an idle source is not late");
        } else if let Some(time) = time {
            let now = SystemClock.now().timestamp_micros();
            let behind = u64::try_from((now - time) / 1_000_000).unwrap();
            assert!(behind.abs_diff(status.lag.behind_seconds.unwrap()) < 60, "{status:?}");
        }
    }

    async fn check_history(&self) {
        let location = self.pipeline().lake_folder(&self.spec().source).unwrap();
        let table = table::open(&location, None).await.unwrap().expect("a table");
        let entries: Vec<HistoryEntry> =
            inspect::history(&table, "x", true).try_collect().await.unwrap();
        let log = self.lake.log().await;
        assert_eq!(entries.len(), log.len());
        for (entry, commit) in entries.iter().rev().zip(&log) {
            assert_eq!((entry.version, entry.writer.as_str()), (commit.version, "dmslake"));
            let info = commit.actions("commitInfo").next().expect("it says what it did");
            let taken = commit.entry().map(|entry| entry.objects).unwrap_or_default();
            let names: Vec<&str> = taken.iter().map(|object| object.key.as_str()).collect();
            let intake = entry.intake.as_ref().expect("it was asked for");
            let told: Vec<&str> = intake.iter().map(|it| it.object.as_str()).collect();
            assert_eq!(told, names);
            let finished = taken.iter().filter(|object| object.done.is_none());
            let sizes = finished.clone().map(|object| self.object(&object.key).bytes.len() as u64);
            assert_eq!(entry.objects, Some(finished.clone().count() as u64));
            assert_eq!(entry.bytes_read, Some(sizes.sum()));
            let added = commit.actions("add").map(|add| add["size"].as_u64().unwrap());
            let masks = commit.actions("add").any(|add| !add["deletionVector"].is_null());
            if let (Some(written), false) = (entry.bytes_written, masks) {
                assert_eq!(written, added.sum::<u64>(), "version {}", entry.version);
            }
            if names.is_empty() {
                continue;
            }
            let summary: serde_json::Value =
                serde_json::from_str(info["userMetadata"].as_str().expect("a summary")).unwrap();
            let metrics = &info["operationMetrics"];
            let counts = entry.changes.expect("ours");
            for (name, count) in counts.each() {
                assert_eq!(summary[name].as_u64(), Some(count), "{name}");
            }
            assert_eq!(metrics["numChanges"], counts.rows.to_string());
            assert_eq!(metrics["numSuperseded"], counts.superseded.to_string());
            assert_eq!(metrics["numObjects"], entry.objects.unwrap().to_string());
            assert_eq!(summary["first"], *names.first().unwrap());
            assert_eq!(summary["last"], *names.last().unwrap());
            assert_eq!(summary["tableRows"].as_u64(), entry.rows_after);
        }
    }

    fn object(&self, name: &str) -> &'w Written {
        let named = |object: &&&Written| object.relative == name;
        self.staged.iter().find(named).expect("a staged object")
    }

    /// The rows of each version, as a reader of the table sees them.
    async fn versions(&self) -> Vec<Rows> {
        let (columns, keys) = (&self.table.history.columns, &self.table.history.keys);
        let log = self.lake.log().await;
        let mut versions = Vec::new();
        for commit in &log {
            versions.push(self.lake.rows(commit.version, columns, keys).await);
        }
        versions
    }

    async fn check_diff(&self, versions: &[Rows], from: u64, to: u64) {
        let (columns, keys) = (&self.table.history.columns, &self.table.history.keys);
        let rows = |version: u64| &versions[usize::try_from(version).unwrap()];
        let (before, after) = (rows(from), rows(to));
        let types = LakeTable::types(&self.lake.log().await, to);
        // Only columns of the later version are compared.
        let seen = |row: &Vec<Value>| -> Vec<Value> {
            let seen = row.iter().zip(columns).filter(|(_, it)| types.contains_key(&it.lake));
            seen.map(|(value, _)| value.clone()).collect()
        };
        let pipeline = self.pipeline();
        let found = inspect::diff(
            &pipeline,
            self.spec(),
            AsOf::Version(from),
            Some(AsOf::Version(to)),
            None,
        );
        let found = found.await.unwrap_or_else(|error| panic!("{}", error.chain()));
        let diff = found.expect("a table");
        assert_eq!((diff.from, diff.to), (from, to));
        let changes: Vec<RecordBatch> = diff.changes.try_collect().await.unwrap();
        let mut told: BTreeMap<Key, (String, BTreeSet<String>)> = BTreeMap::new();
        for batch in &changes {
            let kinds = batch["change"].as_string::<i32>();
            let names = batch["columns"].as_list::<i32>();
            for row in 0..batch.num_rows() {
                let kind = kinds.value(row).to_owned();
                let names = names.value(row);
                let names = names.as_string::<i32>().iter().flatten().map(str::to_owned);
                let side = if kind == "deleted" { "before" } else { "after" };
                let image = rows_of(&[image(batch, side, row)], columns, keys);
                let (key, image) = image.into_iter().next().expect("an image");
                let expected = if kind == "deleted" { before } else { after };
                assert_eq!(seen(&expected[&key]), seen(&image));
                if kind == "updated" {
                    let image = rows_of(&[self::image(batch, "before", row)], columns, keys);
                    assert_eq!(seen(&before[&key]), seen(&image[&key]));
                }
                assert!(told.insert(key, (kind, names.collect())).is_none(), "a key is told twice");
            }
        }
        let mut expected: BTreeMap<Key, (String, BTreeSet<String>)> = BTreeMap::new();
        for (key, row) in before {
            match after.get(key) {
                None => drop(expected.insert(key.clone(), ("deleted".to_owned(), BTreeSet::new()))),
                Some(other) => {
                    let differing = columns.iter().zip(row).zip(other);
                    let differing = differing.filter(|((column, one), other)| {
                        one != other && types.contains_key(&column.lake)
                    });
                    let names: BTreeSet<String> =
                        differing.map(|((column, _), _)| column.lake.clone()).collect();
                    if !names.is_empty() {
                        expected.insert(key.clone(), ("updated".to_owned(), names));
                    }
                }
            }
        }
        for key in after.keys().filter(|key| !before.contains_key(*key)) {
            expected.insert(key.clone(), ("inserted".to_owned(), BTreeSet::new()));
        }
        assert_eq!(told, expected, "from {from} to {to}");
    }

    async fn check_life(&self, versions: &[Rows], key: &Key) {
        let (columns, keys) = (&self.table.history.columns, &self.table.history.keys);
        let Some(text) = self.written(key) else { return };
        let pipeline = self.pipeline();
        let life = inspect::why(&pipeline, self.spec(), &text, None).await;
        let life: RowLife =
            life.unwrap_or_else(|error| panic!("{}", error.chain())).expect("a table");
        assert_eq!(life.gaps, Vec::<String>::new());
        assert_eq!(life.row.is_some(), versions.last().unwrap().contains_key(key));
        let touches = |event: &&inspect::RowEvent| event.columns != ["_cdc_seq"];
        let told: Vec<(u64, &str)> =
            life.events.iter().filter(touches).map(|it| (it.version, it.change.unwrap())).collect();
        let mut expected = Vec::new();
        let mut before: Option<&Vec<Value>> = None;
        for (version, rows) in versions.iter().enumerate() {
            let after = rows.get(key);
            let change = match (before, after) {
                (None, Some(_)) => Some("inserted"),
                (Some(_), None) => Some("deleted"),
                (Some(one), Some(other)) if one != other => Some("updated"),
                _ => None,
            };
            expected.extend(change.map(|change| (version as u64, change)));
            before = after;
        }
        assert_eq!(told, expected, "{text}");

        let log = self.lake.log().await;
        for event in &life.events {
            let commit = &log[usize::try_from(event.version).unwrap()];
            let told: Vec<(String, u64, char)> =
                event.changes.iter().map(|it| (it.object.clone(), it.row, it.op)).collect();
            assert_eq!(told, self.changes_of(commit, &log, key), "version {}", event.version);
            assert_eq!(event.changes.iter().filter(|change| change.won).count(), 1, "{event:?}");
        }
        let _ = (columns, keys);
    }

    /// The rows about a key in the objects that a commit took in.
    fn changes_of(&self, commit: &Commit, log: &[Commit], key: &Key) -> Vec<(String, u64, char)> {
        let keys = &self.table.history.keys;
        let mut changes = Vec::new();
        for taken in commit.entry().map(|entry| entry.objects).unwrap_or_default() {
            let object = self.object(&taken.key);
            let earlier = log.iter().filter(|it| it.version < commit.version);
            let earlier = earlier.filter_map(Commit::entry).flat_map(|entry| entry.objects);
            let from = earlier.filter(|it| it.key == taken.key).filter_map(|it| it.done).max();
            let to = taken.done.unwrap_or(object.rows.len());
            for at in from.unwrap_or(0)..to {
                let row = &object.rows[at];
                let is_key = |image: &Vec<Value>| key_of(image, keys) == *key;
                let is_about = is_key(&row.image) || row.before.as_ref().is_some_and(is_key);
                if is_about && !row.bad {
                    // Without an operation, every row is one that is there.
                    let has_op = object.load || self.world.endpoint.op_in_cdc;
                    let op = match row.op {
                        _ if !has_op => 'I',
                        Op::Insert => 'I',
                        Op::Update => 'U',
                        Op::Delete => 'D',
                    };
                    changes.push((object.relative.clone(), at as u64 + 1, op));
                }
            }
        }
        changes
    }

    /// A key as a person writes it; none where that is not plain.
    fn written(&self, key: &Key) -> Option<String> {
        let names = self.table.history.keys.iter().map(|at| &self.table.history.columns[*at].lake);
        let parts = names.zip(key).map(|(name, value)| {
            let text = match value {
                Value::Int(number) => number.to_string(),
                Value::Text(text) if !text.contains([',', '=']) => text.clone(),
                Value::Bytes(bytes) => crate::support::model::hex(bytes),
                Value::Decimal { unscaled, scale: 0 } => unscaled.to_string(),
                _ => return None,
            };
            Some(format!("{name}={text}"))
        });
        Some(parts.collect::<Option<Vec<_>>>()?.join(","))
    }
}

/// One image of a change, as a row.
fn image(batch: &RecordBatch, side: &str, row: usize) -> RecordBatch {
    let image: &StructArray = batch[side].as_struct();
    assert!(image.is_valid(row), "there is no image {side}");
    let chosen: arrow::array::BooleanArray =
        (0..batch.num_rows()).map(|at| Some(at == row)).collect();
    filter_record_batch(&RecordBatch::from(without_nulls(image)), &chosen).unwrap()
}

/// A batch cannot be made of a struct that is NULL somewhere.
fn without_nulls(structs: &StructArray) -> StructArray {
    StructArray::new(structs.fields().clone(), structs.columns().to_vec(), None)
}

/// The live files of a log with their sizes.
fn live_files(log: &[Commit]) -> BTreeMap<String, u64> {
    let mut files = BTreeMap::new();
    for commit in log {
        for remove in commit.actions("remove") {
            files.remove(remove["path"].as_str().unwrap());
        }
        for add in commit.actions("add") {
            files.insert(add["path"].as_str().unwrap().to_owned(), add["size"].as_u64().unwrap());
        }
    }
    files
}
