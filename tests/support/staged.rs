//! One table whose staged objects a test writes byte by byte and reads through the decoder.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{UInt8Type, UInt64Type};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use chrono::DateTime;
use dmslake::config::{ColumnSpec, OnBadRow, StatedIn, TableSpec};
use dmslake::decode::{BadRow, ChangeSequence, DecodeContext, OPERATION, ROW, open};
use dmslake::dms::{Classified, MySqlType, S3Settings, classify};
use dmslake::error::Result;
use dmslake::schema::{Column, ColumnType, TableSchema};
use dmslake::staging::StagedObject;
use dmslake::storage::StoreKind;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::world::plain_table;

/// The name of an object of ongoing changes in CSV.
pub(crate) const CDC_CSV: &str = "20221024-175902985.csv";
/// The same in Parquet.
pub(crate) const CDC_PARQUET: &str = "20221024-175902985.parquet";
/// The name of a full-load object in CSV.
pub(crate) const LOAD_CSV: &str = "LOAD00000001.csv";
/// The same in Parquet.
pub(crate) const LOAD_PARQUET: &str = "LOAD00000001.parquet";

/// A table, its endpoint and its staging.
pub(crate) struct Staged {
    pub(crate) table: TableSpec,
    pub(crate) dms: S3Settings,
    pub(crate) lake: Option<TableSchema>,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) kind: StoreKind,
    pub(crate) batch_rows: usize,
}

/// A configured, nullable column.
pub(crate) fn column(name: &str, mysql_type: &str) -> ColumnSpec {
    ColumnSpec {
        name: name.to_owned(),
        mysql_type: MySqlType::parse(mysql_type).expect("a MySQL type"),
        nullable: true,
        boolean: false,
        hex: false,
        stated_in: StatedIn::Configuration,
    }
}

impl Staged {
    /// The table `shop.t` with the key `id` and these columns.
    pub(crate) fn new(columns: &[(&str, &str)]) -> Self {
        let columns = columns.iter().map(|(name, mysql_type)| column(name, mysql_type));
        let table = TableSpec {
            columns: columns.collect(),
            on_bad_row: OnBadRow::Quarantine,
            ..plain_table()
        };
        Self {
            table,
            dms: S3Settings::default(),
            lake: None,
            store: Arc::new(InMemory::new()),
            kind: StoreKind::S3,
            batch_rows: 1000,
        }
    }

    /// The lake's columns.
    pub(crate) fn in_lake(&mut self, columns: &[(&str, ColumnType)]) {
        let column = |(name, column_type): &(&str, ColumnType)| Column {
            name: (*name).to_owned(),
            column_type: *column_type,
            nullable: true,
        };
        self.lake = Some(TableSchema::new(columns.iter().map(column).collect()));
    }

    /// Stages an object.
    pub(crate) async fn put(&self, name: &str, bytes: impl Into<Bytes>) -> StagedObject {
        let location = Path::from(format!("dms/shop/t/{name}"));
        self.store.put(&location, bytes.into().into()).await.expect("memory takes it");
        let meta = self.store.head(&location).await.expect("it is there");
        let Classified::Changes(parsed) = classify(name) else { panic!("{name} is no object") };
        StagedObject {
            location,
            relative: name.to_owned(),
            name: parsed,
            size: meta.size,
            e_tag: meta.e_tag,
            last_modified: DateTime::UNIX_EPOCH,
        }
    }

    /// The context for the decoder.
    pub(crate) fn context(&self) -> DecodeContext<'_> {
        DecodeContext {
            table: &self.table,
            dms: &self.dms,
            changes: &[],
            lake: self.lake.as_ref(),
            store: &self.store,
            kind: self.kind,
            batch_rows: self.batch_rows,
            batch_bytes: 16 << 20,
            memory_budget: 512 << 20,
        }
    }

    /// Stages an object and reads all of it.
    pub(crate) async fn read(&self, name: &str, bytes: impl Into<Bytes>) -> Result<Decoded> {
        let object = self.put(name, bytes).await;
        self.read_after(&object, 0).await
    }

    /// Reads a staged object after its first rows.
    pub(crate) async fn read_after(&self, object: &StagedObject, skip: u64) -> Result<Decoded> {
        let mut reader = open(&self.context(), object, skip).await?;
        let mut batches = Vec::new();
        let mut bad_rows = Vec::new();
        while let Some(batch) = reader.next().await? {
            assert!(batch.changes.num_rows() + batch.bad_rows.len() <= self.batch_rows);
            batches.push(batch.changes);
            bad_rows.extend(batch.bad_rows);
        }
        let changes = batches
            .first()
            .map(|first| concat_batches(&first.schema(), &batches).expect("batches are alike"));
        let columns = reader.columns().to_vec();
        Ok(Decoded { columns, changes, bad_rows, sequence: reader.sequence().cloned() })
    }
}

/// Everything that the decoder returned for one object.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) columns: Vec<Column>,
    pub(crate) changes: Option<RecordBatch>,
    pub(crate) bad_rows: Vec<BadRow>,
    pub(crate) sequence: Option<ChangeSequence>,
}

impl Decoded {
    /// The operations as letters.
    pub(crate) fn operations(&self) -> String {
        let Some(changes) = &self.changes else { return String::new() };
        let codes = changes.column_by_name(OPERATION).expect("always there");
        let letters = codes.as_primitive::<UInt8Type>().values().iter();
        letters.map(|code| char::from(b"IUD"[usize::from(*code)])).collect()
    }

    /// The numbers of the good rows.
    pub(crate) fn rows(&self) -> Vec<u64> {
        let Some(changes) = &self.changes else { return Vec::new() };
        let rows = changes.column_by_name(ROW).expect("always there");
        rows.as_primitive::<UInt64Type>().values().to_vec()
    }

    /// A column's values as Arrow formats them; `∅` is NULL.
    pub(crate) fn values(&self, name: &str) -> Vec<String> {
        let Some(changes) = &self.changes else { return Vec::new() };
        let Some(column) = changes.column_by_name(name) else {
            panic!("no column {name} in {:?}", changes.schema())
        };
        let options = FormatOptions::new();
        let formatter = ArrayFormatter::try_new(column, &options).expect("can be shown");
        let show = |position| {
            if column.is_null(position) {
                "∅".to_owned()
            } else {
                formatter.value(position).to_string()
            }
        };
        (0..column.len()).map(show).collect()
    }

    /// The names of the batches' columns.
    pub(crate) fn names(&self) -> Vec<String> {
        let schema = self.changes.as_ref().expect("has rows").schema();
        schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// The columns of the object for the lake, as `name type`.
    pub(crate) fn brought(&self) -> Vec<String> {
        let columns = self.columns.iter();
        columns.map(|column| format!("{} {}", column.name, column.column_type)).collect()
    }
}
