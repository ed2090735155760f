//! A Delta table as readers see it: its log as JSON, its rows through DataFusion.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType,
};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::SessionContext;
use deltalake::{DeltaTable, DeltaTableBuilder};
use dmslake::storage::Location;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use serde_json::Value as Json;

use super::column::Column;
use super::model::{Key, Row, Rows, Value};

/// A table in the lake.
#[derive(Clone, Debug)]
pub(crate) struct LakeTable {
    location: Location,
}

/// One version's file of the log.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) version: u64,
    actions: Vec<Json>,
}

/// An object in a commit's record.
#[derive(Clone, Debug)]
pub(crate) struct AppliedObject {
    pub(crate) key: String,
    /// The number of its rows applied after this commit; none if it is complete.
    pub(crate) done: Option<usize>,
}

/// The record of one of our commits.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) attempt: String,
    pub(crate) objects: Vec<AppliedObject>,
}

impl Commit {
    /// The actions of this kind.
    pub(crate) fn actions(&self, kind: &str) -> impl Iterator<Item = &Json> {
        self.actions.iter().filter_map(move |action| action.get(kind))
    }

    /// The `dmslake` key of commitInfo, if this commit is ours and not the table's creation.
    pub(crate) fn entry(&self) -> Option<Entry> {
        let entry = self.actions("commitInfo").find_map(|info| info.get("dmslake"))?;
        let objects = &entry["objects"];
        let shared = |name: &str| objects.get(name).map_or("", |text| text.as_str().unwrap());
        let keys = objects["key"].as_array().expect("an entry names its objects");
        let object = |(at, key): (usize, &Json)| AppliedObject {
            key: format!("{}{}{}", shared("prefix"), key.as_str().unwrap(), shared("suffix")),
            done: (objects.get("done").is_some_and(|done| done[at] == Json::Bool(false)))
                .then(|| number(objects, "from", at) + number(objects, "rows", at)),
        };
        Some(Entry {
            attempt: text(entry, "attempt"),
            objects: keys.iter().enumerate().map(object).collect(),
        })
    }
}

fn text(json: &Json, name: &str) -> String {
    json[name].as_str().unwrap_or_else(|| panic!("no text {name} in {json}")).to_owned()
}

/// A number from a column that is omitted if all values are zero.
fn number(columns: &Json, name: &str, at: usize) -> usize {
    let number = columns.get(name).map_or(Some(0), |column| column[at].as_u64());
    usize::try_from(number.unwrap_or_else(|| panic!("no {name} in {columns}"))).unwrap()
}

impl LakeTable {
    /// The table with this name; it need not exist.
    pub(crate) fn at(lake: &Location, folders: &[&str]) -> Self {
        Self { location: lake.folder(folders).expect("a legal folder") }
    }

    /// All commits, by version.
    pub(crate) async fn log(&self) -> Vec<Commit> {
        let folder = self.location.prefix().clone().join("_delta_log");
        let listing: Vec<_> =
            self.location.store().list(Some(&folder)).try_collect().await.expect("lists");
        let mut commits = Vec::new();
        for meta in listing {
            let name = meta.location.filename().expect("an object has a name");
            let Some(version) = name.strip_suffix(".json").and_then(|stem| stem.parse().ok())
            else {
                continue;
            };
            let got = self.location.store().get(&meta.location).await.expect("reads");
            let content = got.bytes().await.expect("reads");
            let lines = serde_json::Deserializer::from_slice(&content).into_iter();
            let actions = lines.collect::<Result<_, _>>().expect("JSON lines");
            commits.push(Commit { version, actions });
        }
        commits.sort_by_key(|commit| commit.version);
        commits
    }

    /// Delta types by column name as of a version.
    pub(crate) fn types(log: &[Commit], version: u64) -> BTreeMap<String, String> {
        let until = log.iter().filter(|commit| commit.version <= version);
        let metadata = until.flat_map(|commit| commit.actions("metaData")).last();
        let schema = text(metadata.expect("a table has a schema"), "schemaString");
        let schema: Json = serde_json::from_str(&schema).expect("JSON");
        let fields = schema["fields"].as_array().expect("a struct");
        fields.iter().map(|field| (text(field, "name"), text(field, "type"))).collect()
    }

    async fn open(&self, version: u64) -> DeltaTable {
        DeltaTableBuilder::from_url(self.location.url().clone())
            .expect("a URL of a table")
            .with_storage_backend(Arc::clone(self.location.store()), self.location.url().clone())
            .with_version(version)
            .load()
            .await
            .expect("the table opens")
    }

    /// All rows as of a version.
    pub(crate) async fn batches(&self, version: u64) -> Vec<RecordBatch> {
        let table = self.open(version).await;
        let provider = table.table_provider().await.expect("the table can be read");
        let frame = SessionContext::new().read_table(provider).expect("the table can be read");
        frame.collect().await.expect("the table can be read")
    }

    /// Two columns of every row of the newest version as `1=one`, in order; none if there is no
    /// table.
    pub(crate) async fn pairs(&self, first: &str, second: &str) -> Vec<String> {
        let log = self.log().await;
        let Some(newest) = log.last().map(|commit| commit.version) else { return Vec::new() };
        let mut pairs = Vec::new();
        for batch in self.batches(newest).await {
            let texts = |name: &str| {
                let column = arrow::compute::cast(&batch[name], &DataType::Utf8).unwrap();
                column.as_string::<i32>().clone()
            };
            let (firsts, seconds) = (texts(first), texts(second));
            let rows = firsts.iter().zip(&seconds);
            pairs.extend(
                rows.map(|(first, second)| {
                    format!("{}={}", first.unwrap(), second.unwrap_or("NULL"))
                }),
            );
        }
        pairs.sort();
        pairs
    }

    /// The rows as of a version, by key. Missing columns are NULL.
    ///
    /// # Panics
    /// If two rows have the same key.
    pub(crate) async fn rows(&self, version: u64, columns: &[Column], keys: &[usize]) -> Rows {
        rows_of(&self.batches(version).await, columns, keys)
    }
}

/// These rows, by key. Missing columns are NULL.
///
/// # Panics
/// If two rows have the same key.
pub(crate) fn rows_of(batches: &[RecordBatch], columns: &[Column], keys: &[usize]) -> Rows {
    let mut rows = Rows::new();
    for batch in batches {
        let arrays: Vec<Option<&ArrayRef>> =
            columns.iter().map(|column| batch.column_by_name(&column.lake)).collect();
        for index in 0..batch.num_rows() {
            let cell =
                |array: Option<&ArrayRef>| array.map_or(Value::Null, |array| value(array, index));
            let row: Row = arrays.iter().copied().map(cell).collect();
            let key: Key = keys.iter().map(|&position| row[position].clone()).collect();
            let double = rows.insert(key.clone(), row);
            assert!(double.is_none(), "two rows of key {key:?}");
        }
    }
    rows
}

/// Every row of these batches as text, in order; `null` stands for NULL.
pub(crate) fn shown(batches: &[RecordBatch], null: &str) -> Vec<String> {
    let options = FormatOptions::new().with_null(null);
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter();
        let columns: Vec<_> =
            columns.map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        rows.extend((0..batch.num_rows()).map(|row| {
            let values = columns.iter().map(|column| column.value(row).to_string());
            values.collect::<Vec<_>>().join("|")
        }));
    }
    rows.sort();
    rows
}

/// Lets maintenance delete files of the table however new they are.
pub(crate) async fn keep_nothing_deleted(location: &Location) {
    let table = dmslake::table::load(location).await.unwrap().expect("a table");
    let property = "delta.deletedFileRetentionDuration";
    let properties = HashMap::from([(property.to_owned(), "interval 0 seconds".to_owned())]);
    table.set_tbl_properties().with_properties(properties).await.unwrap();
}

pub(crate) fn value(array: &ArrayRef, index: usize) -> Value {
    if array.is_null(index) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Int8 => Value::Int(array.as_primitive::<Int8Type>().value(index).into()),
        DataType::Int16 => Value::Int(array.as_primitive::<Int16Type>().value(index).into()),
        DataType::Int32 => Value::Int(array.as_primitive::<Int32Type>().value(index).into()),
        DataType::Int64 => Value::Int(array.as_primitive::<Int64Type>().value(index).into()),
        DataType::Decimal128(_, scale) => Value::Decimal {
            unscaled: array.as_primitive::<Decimal128Type>().value(index),
            scale: u8::try_from(*scale).expect("no negative scale"),
        },
        DataType::Float64 => Value::double(array.as_primitive::<Float64Type>().value(index)),
        DataType::Boolean => Value::Bool(array.as_boolean().value(index)),
        DataType::Date32 => Value::Day(array.as_primitive::<Date32Type>().value(index)),
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if &**zone == "UTC" => {
            Value::Instant(array.as_primitive::<TimestampMicrosecondType>().value(index))
        }
        DataType::Utf8 => Value::Text(array.as_string::<i32>().value(index).into()),
        DataType::LargeUtf8 => Value::Text(array.as_string::<i64>().value(index).into()),
        DataType::Utf8View => Value::Text(array.as_string_view().value(index).into()),
        DataType::Binary => Value::Bytes(array.as_binary::<i32>().value(index).into()),
        DataType::LargeBinary => Value::Bytes(array.as_binary::<i64>().value(index).into()),
        DataType::BinaryView => Value::Bytes(array.as_binary_view().value(index).into()),
        other => panic!("the contract knows no column of type {other}"),
    }
}
