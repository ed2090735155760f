//! One table, `shop.t (id int, v text, n int)`, of which a row is bad where `n` is NULL; and a model
//! of it in which each bad row waits, or was released with a value.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use dmslake::clock::SystemClock;
use dmslake::error::Error;
use dmslake::pipeline::{
    ChosenRows, Limits, Pipeline, Release, Released, RowFate, Scope, Silent, Status, TableReport,
};
use dmslake::storage::{Location, StoreKind};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use parquet::arrow::ArrowWriter;

use crate::support::table::LakeTable;
use crate::support::world::{in_memory, settings};

/// What is staged for a change.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) op: char,
    /// The key before, of an update.
    pub(super) old: Option<i32>,
    pub(super) id: i32,
    /// None keeps the value of the row.
    pub(super) v: Option<String>,
    /// None makes the row bad.
    pub(super) n: Option<i32>,
}

/// What a bad row is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Now {
    Good,
    Waits,
    Released(Option<i32>),
    Discarded,
}

#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) name: String,
    pub(super) rows: Vec<(Change, Now)>,
}

#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) staging: Location,
    pub(super) lake: Location,
    pub(super) is_parquet: bool,
    pub(super) extra: String,
    /// Whether the configuration lets `n` be NULL.
    pub(super) is_fixed: bool,
    pub(super) objects: Vec<Object>,
    staged: usize,
    sequence: u64,
}

impl Site {
    pub(super) fn new(is_parquet: bool, kind: StoreKind, extra: &str) -> Self {
        Self {
            staging: in_memory("s3://staging/dms", kind),
            lake: in_memory("s3://lake", StoreKind::File),
            is_parquet,
            extra: extra.to_owned(),
            is_fixed: false,
            objects: Vec::new(),
            staged: 0,
            sequence: 0,
        }
    }

    pub(super) fn pipeline(&self) -> Pipeline {
        self.pipeline_on(self.lake.clone())
    }

    pub(super) fn pipeline_on(&self, lake: Location) -> Pipeline {
        let nullable = if self.is_fixed { "" } else { ", nullable = false" };
        let text = format!(
            "staging = \"s3://staging/dms\"\nlake = \"s3://lake\"\n[dms]\n\
             change_seq_column = \"seq\"\nuse_csv_no_sup_value = true\ncsv_no_sup_value = \"~\"\n\
             [[table]]\nsource = \"shop.t\"\nkeys = [\"id\"]\non_bad_row = \"quarantine\"\n\
             max_bad_rows = {{ share = 1 }}\n{}\ncolumns = [{{ name = \"id\", type = \"int\" }}, \
             {{ name = \"v\", type = \"text\" }}, {{ name = \"n\", type = \"int\"{nullable} }}, \
             {{ name = \"seq\", type = \"varchar(35)\" }}, {{ name = \"BI_id\", type = \"int\" }}]\n",
            self.extra
        );
        Pipeline::new(settings(&text), self.staging.clone(), lake, Arc::new(SystemClock))
    }

    /// Stages an object behind all others.
    pub(super) async fn stage(&mut self, is_load: bool, changes: Vec<Change>) -> String {
        let count = self.staged;
        self.staged += 1;
        let ending = if self.is_parquet { "parquet" } else { "csv" };
        let name = if is_load {
            format!("LOAD00000001.{ending}")
        } else {
            format!("20300101-0000{:02}{:03}.{ending}", count / 50, count % 50)
        };
        let bytes = if self.is_parquet {
            self.parquet(is_load, &changes)
        } else {
            self.csv(is_load, &changes)
        };
        let path = staged(&name);
        self.staging.store().put(&path, PutPayload::from(bytes)).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        let rows = changes.into_iter().map(|change| {
            let is_bad = change.n.is_none() && change.op != 'D' && !self.is_fixed;
            let now = if is_bad { Now::Waits } else { Now::Good };
            (change, now)
        });
        self.objects.push(Object { name: name.clone(), rows: rows.collect() });
        name
    }

    fn next_sequence(&mut self, is_load: bool) -> Option<String> {
        self.sequence += 1;
        (!is_load).then(|| format!("{:035}", self.sequence))
    }

    fn csv(&mut self, is_load: bool, changes: &[Change]) -> Vec<u8> {
        let mut text = String::new();
        for change in changes {
            let Change { op, old, id, v, n } = change;
            let number = |n: &Option<i32>| n.map_or("NULL".to_owned(), |n| n.to_string());
            let v = v.clone().unwrap_or_else(|| "~".to_owned()).replace('"', "\"\"");
            let seq = self.next_sequence(is_load).unwrap_or_default();
            let op = if is_load { String::new() } else { format!("{op},") };
            writeln!(text, "{op}{id},\"{v}\",{},{seq},{}", number(n), number(old)).unwrap();
        }
        // The marker is not quoted.
        text.replace("\"~\"", "~").into_bytes()
    }

    fn parquet(&mut self, is_load: bool, changes: &[Change]) -> Vec<u8> {
        let ops: ArrayRef =
            Arc::new(changes.iter().map(|it| Some(it.op.to_string())).collect::<StringArray>());
        let ids: ArrayRef = Arc::new(changes.iter().map(|it| Some(it.id)).collect::<Int32Array>());
        let values: ArrayRef =
            Arc::new(changes.iter().map(|it| it.v.clone()).collect::<StringArray>());
        let numbers: ArrayRef = Arc::new(changes.iter().map(|it| it.n).collect::<Int32Array>());
        let sequences: StringArray = changes.iter().map(|_| self.next_sequence(is_load)).collect();
        let olds: ArrayRef = Arc::new(changes.iter().map(|it| it.old).collect::<Int32Array>());
        let mut columns = vec![
            ("id", ids, false),
            ("v", values, true),
            ("n", numbers, true),
            ("seq", Arc::new(sequences) as ArrayRef, true),
            ("BI_id", olds, true),
        ];
        if !is_load {
            columns.insert(0, ("Op", ops, false));
        }
        let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        bytes
    }

    pub(super) async fn expire(&self, name: &str) {
        self.staging.store().delete(&staged(name)).await.unwrap();
    }

    pub(super) async fn apply(&self) -> TableReport {
        let pipeline = self.pipeline();
        let spec = &pipeline.settings().tables[0];
        pipeline.apply(spec, &Scope::Everything, &Limits::default(), &Silent).await
    }

    pub(super) async fn apply_ok(&self) {
        let report = self.apply().await;
        assert_eq!((report.status, report.pending), (Status::Ok, 0), "{report:?}");
        assert_eq!(report.in_quarantine, self.waiting(), "{report:?}");
    }

    pub(super) async fn release(&mut self, release: &Release) -> Released {
        let pipeline = self.pipeline();
        self.release_through(&pipeline, release).await.unwrap()
    }

    /// Releases, and takes in what was.
    pub(super) async fn release_through(
        &mut self,
        pipeline: &Pipeline,
        release: &Release,
    ) -> Result<Released, Error> {
        let spec = &pipeline.settings().tables[0];
        let released = pipeline.release(spec, release, &Limits::default()).await?;
        self.take_in(&released, release);
        Ok(released)
    }

    pub(super) fn take_in(&mut self, released: &Released, release: &Release) {
        let value = release.repairs.iter().find(|(column, _)| column == "n");
        let value = value.and_then(|(_, value)| value.as_ref()).map(|it| it.parse().unwrap());
        for outcome in &released.rows {
            if matches!(outcome.fate, RowFate::Applied | RowFate::Superseded) {
                let now = self.now(&outcome.row.object, outcome.row.row);
                assert_eq!(*now, Now::Waits, "released twice: {outcome:?}");
                *now = Now::Released(value);
            }
        }
    }

    pub(super) async fn discard(&mut self, object: &str, row: u64) {
        let pipeline = self.pipeline();
        let rows = ChosenRows::Row(object.to_owned(), row);
        let spec = &pipeline.settings().tables[0];
        assert_eq!(pipeline.discard_quarantined(spec, &rows).await.unwrap().len(), 1);
        *self.now(object, row) = Now::Discarded;
    }

    pub(super) fn now(&mut self, object: &str, row: u64) -> &mut Now {
        let object = self.objects.iter_mut().find(|it| it.name == object).expect("it is staged");
        &mut object.rows[usize::try_from(row).unwrap() - 1].1
    }

    pub(super) fn waiting(&self) -> u64 {
        let rows = self.objects.iter().flat_map(|object| &object.rows);
        rows.filter(|(_, now)| *now == Now::Waits).count() as u64
    }

    /// `id=v/n` of every row that the table is to have.
    pub(super) fn expected(&self) -> Vec<String> {
        let mut rows: BTreeMap<i32, (String, Option<i32>)> = BTreeMap::new();
        for (change, now) in self.objects.iter().flat_map(|object| &object.rows) {
            let n = match now {
                Now::Good => change.n,
                Now::Released(n) => *n,
                Now::Waits | Now::Discarded => continue,
            };
            let before = rows.remove(&change.old.filter(|_| change.op == 'U').unwrap_or(change.id));
            if change.op == 'D' {
                rows.remove(&change.id);
                continue;
            }
            // A change that a resume repeats has moved the row already.
            let before = before.or_else(|| rows.get(&change.id).cloned());
            let kept = before.map_or_else(|| "NULL".to_owned(), |(v, _)| v);
            rows.insert(change.id, (change.v.clone().unwrap_or(kept), n));
        }
        let mut shown: Vec<String> = rows
            .into_iter()
            .map(|(id, (v, n))| format!("{id}={v}/{}", n.map_or("NULL".into(), |n| n.to_string())))
            .collect();
        shown.sort();
        shown
    }

    pub(super) async fn rows(&self) -> Vec<String> {
        let table = LakeTable::at(&self.lake, &["shop", "t"]);
        let (values, numbers) = (table.pairs("id", "v").await, table.pairs("id", "n").await);
        // Each is sorted by the key, which is in one row.
        let number = |pair: &String| pair.split_once('=').expect("a pair").1.to_owned();
        let rows = values.iter().zip(numbers.iter().map(number));
        rows.map(|(pair, number)| format!("{pair}/{number}")).collect()
    }

    /// The table, the ledger and the quarantine are as the model says.
    pub(super) async fn check(&self, what: &str) {
        assert_eq!(self.rows().await, self.expected(), "{what}\n{:#?}", self.objects);
        let pipeline = self.pipeline();
        let spec = &pipeline.settings().tables[0];
        let found = pipeline.quarantine(spec).await.unwrap().expect("a table");
        assert_eq!(found.waiting, self.waiting(), "{what}");
        let status = dmslake::inspect::status(&pipeline, spec).await;
        assert_eq!(status.quarantined, self.waiting(), "{what}");
    }

    /// The rows that stand in the quarantine, whatever they count for.
    pub(super) async fn standing(&self) -> u64 {
        let folder = self.lake.folder(&["_quarantine", "shop", "t"]).unwrap();
        dmslake::quarantine::waiting(&folder).await.unwrap().len() as u64
    }
}

fn staged(name: &str) -> Path {
    Path::parse(format!("dms/shop/t/{name}")).unwrap()
}

pub(super) fn insert(id: i32, v: &str, n: Option<i32>) -> Change {
    Change { op: 'I', old: None, id, v: Some(v.to_owned()), n }
}

pub(super) fn update(id: i32, v: &str, n: Option<i32>) -> Change {
    Change { op: 'U', old: Some(id), id, v: Some(v.to_owned()), n }
}

pub(super) fn moved(old: i32, id: i32, v: &str, n: Option<i32>) -> Change {
    Change { op: 'U', old: Some(old), id, v: Some(v.to_owned()), n }
}

pub(super) fn delete(id: i32) -> Change {
    Change { op: 'D', old: None, id, v: Some(String::new()), n: Some(0) }
}

/// All rows, with another `n` unless that is none.
pub(super) fn all(n: Option<i32>) -> Release {
    let repairs = n.map(|n| ("n".to_owned(), Some(n.to_string()))).into_iter().collect();
    Release { repairs, ..Release::default() }
}

pub(super) fn one(object: &str, row: u64, n: Option<i32>) -> Release {
    let rows = ChosenRows::Row(object.to_owned(), row);
    Release { rows, ..all(n) }
}
