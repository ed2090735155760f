//! A table of ours on disk, and another writer that commits to it as JSON and can carry out the
//! statements in our remedies.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int32Type};
use dmslake::clock::{Clock as _, SystemClock};
use dmslake::config::load;
use dmslake::disposition::Status;
use dmslake::error::ErrorKind;
use dmslake::maintenance::MaintenanceReport;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, TableReport};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use tempfile::TempDir;

/// `shop.items` with a key and a name, staged as CSV.
pub(crate) struct Shop {
    pub(crate) folder: TempDir,
    keys: &'static str,
    extra: String,
    staged: std::cell::Cell<u32>,
}

/// A row of the table.
pub(crate) type Row = (i32, Option<String>);

pub(crate) fn row(id: i32, name: &str) -> Row {
    (id, Some(name.to_owned()))
}

impl Shop {
    /// An empty shop, with these lines at the end of its `[[table]]`.
    pub(crate) fn with(extra: &str) -> Self {
        let folder = TempDir::new().unwrap();
        Self { folder, keys: "keys = [\"id\"]", extra: extra.to_owned(), staged: 0.into() }
    }

    /// The same shop with a table without keys.
    pub(crate) fn without_keys(self) -> Self {
        Self { keys: "", ..self }
    }

    /// A shop whose table contains (1, one) and (2, two).
    pub(crate) async fn new() -> Self {
        Self::loaded("").await
    }

    pub(crate) async fn loaded(extra: &str) -> Self {
        let shop = Self::with(extra);
        shop.stage("LOAD00000001.csv", "1,one\n2,two\n");
        let report = shop.apply().await;
        assert_eq!((report.status, report.counts.inserted), (Status::Ok, 2), "{report:?}");
        shop
    }

    /// The same shop with other settings of the table.
    pub(crate) fn with_settings(self, extra: &str) -> Self {
        Self { extra: extra.to_owned(), ..self }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("lake/shop/items")
    }

    fn log(&self) -> PathBuf {
        self.root().join("_delta_log")
    }

    pub(crate) fn stage(&self, name: &str, content: &str) {
        let path = self.folder.path().join("staging/shop/items").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Stages the next object of changes.
    pub(crate) fn change(&self, content: &str) {
        self.staged.set(self.staged.get() + 1);
        self.stage(&format!("20240101-{:09}.csv", self.staged.get()), content);
    }

    pub(crate) fn configuration(&self) -> String {
        let root = self.folder.path().display();
        format!(
            "staging = '{root}/staging'\nlake = '{root}/lake'\n[[table]]\nsource = \"shop.items\"\n\
             {}\ncolumns = [{{ name = \"id\", type = \"int\" }}, \
             {{ name = \"name\", type = \"text\" }}]\n{}\n",
            self.keys, self.extra
        )
    }

    pub(crate) async fn pipeline(&self) -> Pipeline {
        let text = self.configuration();
        Pipeline::open(load::parse(&text).unwrap(), Arc::new(SystemClock)).await.unwrap()
    }

    /// A run by a new process.
    pub(crate) async fn apply(&self) -> TableReport {
        let pipeline = self.pipeline().await;
        let table = pipeline.settings().tables[0].clone();
        pipeline.apply(&table, &Scope::Everything, &Limits::default(), &Silent).await
    }

    pub(crate) async fn maintain(&self) -> MaintenanceReport {
        let pipeline = self.pipeline().await;
        let table = pipeline.settings().tables[0].clone();
        pipeline.maintain(&table, &Limits::default()).await
    }

    /// The newest version.
    pub(crate) fn version(&self) -> u64 {
        versions(&self.log()).last().copied().unwrap()
    }

    /// The actions of all commits, in order.
    pub(crate) fn actions(&self) -> Vec<Value> {
        let read = |version: u64| {
            std::fs::read_to_string(self.log().join(format!("{version:020}.json"))).unwrap()
        };
        let texts: Vec<String> = versions(&self.log()).into_iter().map(read).collect();
        let lines = texts.iter().flat_map(|text| text.lines());
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn newest(&self, kind: &str) -> Value {
        let actions = self.actions();
        actions.iter().rev().find_map(|action| action.get(kind).cloned()).unwrap()
    }

    pub(crate) fn protocol(&self) -> Value {
        self.newest("protocol")
    }

    pub(crate) fn metadata(&self) -> Value {
        self.newest("metaData")
    }

    /// Commits actions as the other writer.
    pub(crate) fn commit(&self, actions: &[Value]) {
        let info = json!({ "commitInfo": { "timestamp": 1, "operation": "by hand" } });
        let lines: Vec<String> =
            [&[info], actions].concat().iter().map(|action| format!("{action}\n")).collect();
        let path = self.log().join(format!("{:020}.json", self.version() + 1));
        std::fs::write(path, lines.concat()).unwrap();
    }

    /// Lists features in the protocol, those of readers in both lists.
    pub(crate) fn list_features(&self, of_readers: &[&str], of_writers: &[&str]) {
        let mut protocol = self.protocol();
        let mut writers: Vec<Value> = vec![json!("appendOnly"), json!("invariants")];
        let mut readers: Vec<Value> = Vec::new();
        if protocol["minWriterVersion"] == 7 {
            writers.clone_from(protocol["writerFeatures"].as_array().unwrap());
            readers = protocol["readerFeatures"].as_array().cloned().unwrap_or_default();
        }
        readers.extend(of_readers.iter().map(|name| json!(name)));
        writers.extend([of_readers, of_writers].concat().iter().map(|name| json!(name)));
        protocol =
            json!({ "minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": writers });
        if !readers.is_empty() {
            protocol["minReaderVersion"] = json!(3);
            protocol["readerFeatures"] = json!(readers);
        }
        self.commit(&[json!({ "protocol": protocol })]);
    }

    fn drop_feature(&self, feature: &str) {
        let mut protocol = self.protocol();
        for list in ["readerFeatures", "writerFeatures"] {
            if let Some(features) = protocol[list].as_array_mut() {
                features.retain(|name| name != feature);
            }
        }
        // As Spark does since Delta 4.
        protocol["writerFeatures"].as_array_mut().unwrap().push(json!("checkpointProtection"));
        self.commit(&[json!({ "protocol": protocol })]);
    }

    /// Sets a property; none unsets it.
    pub(crate) fn set(&self, key: &str, value: Option<&str>) {
        let mut metadata = self.metadata();
        let properties = metadata["configuration"].as_object_mut().unwrap();
        properties.remove(key);
        properties.extend(value.map(|value| (key.to_owned(), json!(value))));
        self.commit(&[json!({ "metaData": metadata })]);
    }

    /// Changes a column's entry in the schema.
    pub(crate) fn change_column(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut metadata = self.metadata();
        let mut schema: Value =
            serde_json::from_str(metadata["schemaString"].as_str().unwrap()).unwrap();
        let fields = schema["fields"].as_array_mut().unwrap();
        change(fields.iter_mut().find(|field| field["name"] == name).unwrap());
        metadata["schemaString"] = json!(schema.to_string());
        self.commit(&[json!({ "metaData": metadata })]);
    }

    /// Adds a column of a Delta type.
    pub(crate) fn add_column(&self, name: &str, column_type: &Value) {
        let mut metadata = self.metadata();
        let mut schema: Value =
            serde_json::from_str(metadata["schemaString"].as_str().unwrap()).unwrap();
        let field = json!({ "name": name, "type": column_type, "nullable": true, "metadata": {} });
        schema["fields"].as_array_mut().unwrap().push(field);
        metadata["schemaString"] = json!(schema.to_string());
        self.commit(&[json!({ "metaData": metadata })]);
    }

    /// Moves the table's folder away.
    pub(crate) fn move_away(&self) {
        std::fs::rename(self.root(), self.folder.path().join("moved away")).unwrap();
    }

    /// Does what a remedy says, word for word.
    pub(crate) fn carry_out(&self, remedy: &str) {
        if remedy == "move the table folder away and apply again" {
            return self.move_away();
        }
        let statements = remedy.strip_prefix("run ").expect("statements");
        let (statements, _) = statements.split_once(" in Spark, or ").expect("statements");
        for statement in statements.split("; ") {
            let table = format!("ALTER TABLE delta.`{}` ", self.root().display());
            let clause = statement.strip_prefix(&*table).unwrap_or_else(|| panic!("{statement}"));
            self.alter(clause);
        }
    }

    fn alter(&self, clause: &str) {
        let quoted: Vec<&str> = clause.split(['\'', '`']).collect();
        match quoted[..] {
            ["SET TBLPROPERTIES (", key, " = ", value, ")"] => self.set(key, Some(value)),
            ["UNSET TBLPROPERTIES (", key, ")"] => self.set(key, None),
            ["DROP CONSTRAINT ", name, ""] => self.set(&format!("delta.constraints.{name}"), None),
            ["ALTER COLUMN ", name, " DROP NOT NULL"] => {
                self.change_column(name, |field| field["nullable"] = json!(true));
            }
            [clause] => self.drop_feature(clause.strip_prefix("DROP FEATURE ").expect(clause)),
            _ => panic!("no such clause: {clause}"),
        }
    }

    /// The rows of a table without deletion vectors, as its files hold them.
    pub(crate) async fn rows(&self) -> Vec<Row> {
        let url = url::Url::from_directory_path(self.root()).unwrap();
        let table = deltalake::open_table(url).await.unwrap();
        let files = table.snapshot().unwrap().log_data();
        let mut rows = Vec::new();
        for file in files.iter() {
            assert!(file.deletion_vector_descriptor().is_none(), "masked");
            let bytes = std::fs::File::open(self.root().join(file.path().as_ref())).unwrap();
            let batches = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
            for batch in batches {
                let batch = batch.unwrap();
                let names = arrow::compute::cast(&batch["name"], &DataType::Utf8).unwrap();
                let names = names.as_string::<i32>().iter().map(|name| name.map(str::to_owned));
                let ids = batch["id"].as_primitive::<Int32Type>().values().to_vec();
                rows.extend(ids.into_iter().zip(names.collect::<Vec<_>>()));
            }
        }
        rows.sort();
        rows
    }

    /// The files of the table's folder with that ending.
    pub(crate) fn files(&self, ending: &str) -> Vec<PathBuf> {
        files(&self.root(), ending)
    }

    /// The data files of the newest version.
    pub(crate) async fn live_files(&self) -> Vec<PathBuf> {
        let url = url::Url::from_directory_path(self.root()).unwrap();
        let table = deltalake::open_table(url).await.unwrap();
        let files = table.snapshot().unwrap().log_data();
        files.iter().map(|file| self.root().join(file.path().as_ref())).collect()
    }

    /// The newest data file's entry in the log.
    pub(crate) fn newest_file(&self) -> Value {
        self.newest("add")
    }

    /// The data files of the folder.
    pub(crate) fn data_files(&self) -> Vec<PathBuf> {
        files(&self.root(), ".parquet")
    }

    /// The files of the log with that ending.
    pub(crate) fn log_files(&self, ending: &str) -> Vec<PathBuf> {
        files(&self.log(), ending)
    }

    /// Makes all existing files of the table this many days old.
    pub(crate) fn age(&self, days: u64) {
        let then = std::time::SystemTime::from(SystemClock.now()) - Duration::from_hours(24 * days);
        for path in [files(&self.root(), ""), files(&self.log(), "")].concat() {
            if path.is_file() {
                std::fs::File::options()
                    .append(true)
                    .open(path)
                    .unwrap()
                    .set_modified(then)
                    .unwrap();
            }
        }
    }
}

fn versions(log: &Path) -> Vec<u64> {
    let stem = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().parse().ok();
    files(log, ".json").iter().filter_map(stem).collect()
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.to_str().unwrap().ends_with(ending)).collect();
    found.sort();
    found
}

/// Checks that a table is held with these words because of what others set; returns the remedy.
pub(crate) fn refused(report: &TableReport, words: &str) -> String {
    assert_eq!(report.status, Status::Held, "{words}: {report:?}");
    assert_eq!(report.error_kind, Some(ErrorKind::TableRefused), "{words}: {report:?}");
    let error = report.error.as_deref().unwrap();
    assert!(error.contains(words), "{words}: {error}");
    let remedy = report.remedy.clone().unwrap();
    assert!(error.ends_with(&remedy), "{error}");
    remedy
}

/// The deletion of one key as net changes.
pub(crate) fn delete_of(id: i32) -> dmslake::change::NetChanges {
    let ids: arrow::array::ArrayRef = Arc::new(arrow::array::Int32Array::from(vec![id]));
    let deletes = arrow::array::RecordBatch::try_from_iter([("id", ids)]).unwrap();
    dmslake::change::NetChanges {
        deletes: vec![deletes],
        changes: 1,
        ..dmslake::change::NetChanges::default()
    }
}
