//! A table and its source, which is a map.

use std::collections::BTreeMap;
use std::sync::Arc;

use dmslake::clock::{Clock, SystemClock};
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, TableReport};
use dmslake::storage::{Location, StoreKind};
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use crate::support::table::LakeTable;
use crate::support::world::{in_memory, settings};

/// What identifies a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    Integer,
    Text,
    /// Of an integer and a text.
    Composite,
    None,
}

/// `shop.t (a, b, v)`, in memory.
#[derive(Clone, Debug)]
pub(super) struct Shop {
    staging: Location,
    pub(super) lake: Location,
    keys: Keys,
    mode: &'static str,
    pub(super) budget: Option<u64>,
    pub(super) is_guarded: bool,
    /// Other sections of the configuration.
    pub(super) sections: &'static str,
    /// Other keys of `[[table]]`.
    pub(super) extra: &'static str,
    /// Value by key; without keys, how often a row was inserted.
    source: BTreeMap<u32, Vec<u32>>,
    objects: u32,
    values: u32,
}

impl Shop {
    pub(super) fn new(keys: Keys, mode: &'static str) -> Self {
        Self {
            staging: in_memory("s3://staging/dms", StoreKind::S3),
            lake: in_memory("s3://lake", StoreKind::S3),
            keys,
            mode,
            budget: None,
            is_guarded: false,
            sections: "",
            extra: "",
            source: BTreeMap::new(),
            objects: 0,
            values: 0,
        }
    }

    pub(super) fn with_another_lake(&self) -> Self {
        Self { lake: in_memory("s3://lake", StoreKind::S3), ..self.clone() }
    }

    pub(super) fn pipeline(&self) -> Pipeline {
        self.pipeline_at(Arc::new(SystemClock))
    }

    /// The same by another clock.
    pub(super) fn pipeline_at(&self, clock: Arc<dyn Clock>) -> Pipeline {
        let budget = self.budget.map(|bytes| format!("memory_budget = {bytes}\n"));
        let sequence = if self.is_guarded { "change_seq_column = \"s\"\n" } else { "" };
        let keys = match self.keys {
            Keys::Integer | Keys::Text => "keys = [\"a\"]",
            Keys::Composite => "keys = [\"b\", \"a\"]",
            Keys::None => "append_only = true",
        };
        let a = if self.keys == Keys::Text { "varchar(40)" } else { "int" };
        let b = if self.keys == Keys::Composite {
            "{ name = \"b\", type = \"varchar(9)\", nullable = false }, "
        } else {
            ""
        };
        let s = if self.is_guarded { ", { name = \"s\", type = \"varchar(35)\" }" } else { "" };
        let settings = settings(&format!(
            "staging = \"s3://staging/dms\"\nlake = \"s3://lake\"\n{}\
             {}\n[dms]\n{sequence}\n[[table]]\nsource = \"shop.t\"\n{keys}\nmerge = \"{}\"\n{}\n\
             columns = [{{ name = \"a\", type = \"{a}\", nullable = false }}, {b}\
             {{ name = \"v\", type = \"text\" }}{s}]\n",
            budget.unwrap_or_default(),
            self.sections,
            self.mode,
            self.extra,
        ));
        let (staging, lake) = (self.staging.clone(), self.lake.clone());
        Pipeline::new(settings, staging, lake, clock)
    }

    pub(super) async fn stage(&self, name: &str, text: &str) {
        let path = Path::parse(format!("dms/shop/t/{name}")).unwrap();
        let bytes = text.as_bytes().to_vec();
        self.staging.store().put(&path, PutPayload::from(bytes)).await.unwrap();
    }

    /// A row as it is staged, without an operation.
    fn line(&self, key: u32, value: u32, sequence: Option<u32>) -> String {
        let key = match self.keys {
            Keys::Integer | Keys::None => key.to_string(),
            Keys::Text => text_of(key),
            Keys::Composite => format!("{},k{}", key / 7, key % 7),
        };
        let value = if value.is_multiple_of(11) { "NULL".to_owned() } else { format!("v{value}") };
        let sequence = match (self.is_guarded, sequence) {
            (false, _) => String::new(),
            (true, None) => ",".to_owned(),
            (true, Some(number)) => format!(",{number:035}"),
        };
        format!("{key},{value}{sequence}\n")
    }

    /// More rows of the full load, in the order of their keys or in none.
    pub(super) async fn load(&mut self, rng: &mut StdRng, rows: u32) {
        let first = self.source.keys().last().map_or(0, |last| last + 1);
        let mut keys: Vec<u32> = (first..first + rows).collect();
        if rng.random_bool(0.4) {
            keys.shuffle(rng);
        }
        let each = rng.random_range(1..=keys.len().max(1));
        for keys in keys.chunks(each) {
            let mut text = String::new();
            for &key in keys {
                self.values += 1;
                text.push_str(&self.line(key, self.values, None));
                self.source.entry(key).or_default().push(self.values);
            }
            self.objects += 1;
            self.stage(&format!("LOAD{:08X}.csv", self.objects), &text).await;
        }
    }

    /// One object of so many changes.
    pub(super) async fn change(&mut self, rng: &mut StdRng, changes: u32) {
        let mut text = String::new();
        let most = u32::try_from(self.source.len()).unwrap() + 40;
        for _ in 0..changes {
            let key = rng.random_range(0..most);
            self.values += 1;
            let operation = match (self.keys, self.source.contains_key(&key)) {
                (Keys::None, _) | (_, false) => 'I',
                (_, true) if rng.random_bool(0.3) => 'D',
                _ => 'U',
            };
            // What replays a change that was applied: a delete of no row, an update of none.
            let operation = if self.keys != Keys::None && rng.random_bool(0.05) {
                if operation == 'I' { 'D' } else { 'I' }
            } else {
                operation
            };
            let line = self.line(key, self.values, Some(self.values));
            text.push(operation);
            text.push(',');
            text.push_str(&line);
            match (self.keys, operation) {
                (Keys::None, _) => self.source.entry(key).or_default().push(self.values),
                (_, 'D') => drop(self.source.remove(&key)),
                _ => drop(self.source.insert(key, vec![self.values])),
            }
        }
        self.objects += 1;
        self.stage(&format!("20240101-{:09}.csv", self.objects), &text).await;
    }

    /// Another writer sets a property of the table.
    pub(super) async fn set_property(&self, name: &str, value: &str) {
        let folder = self.lake.folder(&["shop", "t"]).unwrap();
        let table = dmslake::table::load(&folder).await.unwrap().expect("a table");
        let properties = [(name.to_owned(), value.to_owned())].into();
        table.set_tbl_properties().with_properties(properties).await.unwrap();
    }

    pub(super) async fn apply(&self) -> TableReport {
        let pipeline = self.pipeline();
        let spec = pipeline.settings().tables[0].clone();
        pipeline.apply(&spec, &Scope::Everything, &Limits::default(), &Silent).await
    }

    /// The rows as `key=value`, sorted.
    pub(super) async fn rows(&self) -> Vec<String> {
        let mut rows = LakeTable::at(&self.lake, &["shop", "t"]).pairs("a", "v").await;
        rows.sort();
        rows
    }

    pub(super) fn expected(&self) -> Vec<String> {
        let row = |key: u32, value: u32| {
            let key = match self.keys {
                Keys::Integer | Keys::None => key.to_string(),
                Keys::Text => text_of(key),
                Keys::Composite => (key / 7).to_string(),
            };
            let value =
                if value.is_multiple_of(11) { "NULL".to_owned() } else { format!("v{value}") };
            format!("{key}={value}")
        };
        let of_key = |(key, values): (&u32, &Vec<u32>)| -> Vec<String> {
            values.iter().map(|value| row(*key, *value)).collect()
        };
        let mut rows: Vec<String> = self.source.iter().flat_map(of_key).collect();
        rows.sort();
        rows
    }

    /// What the lake has of its own, but the tables' states and tombstones.
    pub(super) async fn scratch(&self) -> Vec<String> {
        let own = Path::from("_dmslake/scratch");
        let listed = self.lake.store().list(Some(&own));
        listed.map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap()
    }
}

/// A key whose order is another one than that of its number.
fn text_of(key: u32) -> String {
    format!("{:x}-{key}", key.wrapping_mul(2_654_435_761))
}

/// Another writer compacts the table.
pub(super) async fn compact(lake: &Location) {
    assert!(optimize(lake).await > 1, "several files became one");
}

/// The same, whatever there is to compact; gives how many files have gone.
pub(super) async fn optimize(lake: &Location) -> u64 {
    let folder = lake.folder(&["shop", "t"]).unwrap();
    let table = dmslake::table::load(&folder).await.unwrap().expect("a table");
    let (_, metrics) = table.optimize().await.unwrap();
    metrics.num_files_removed
}
