//! The tables that are merged into, made once and kept: each contestant gets a copy whose data
//! files are links, since nobody changes a data file.

use std::collections::HashMap;
use std::fs;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use deltalake::kernel::transaction::CommitBuilder;
use deltalake::kernel::{Action, Add};
use deltalake::protocol::{DeltaOperation, SaveMode};
use dmslake::files::{DataFileWriter, FileLayout};
use dmslake::schema::TableSchema;
use dmslake::storage::Location;
use dmslake::table::{self, CommitOutcome, LakeTable, commit_properties};

use crate::folders::{copy, remove};
use crate::lake;
use crate::merge::orders::{self, Key};

/// Rows that are made at once.
const STEP: usize = 50_000;
/// Larger than any file, so that each writer writes one.
const NO_LIMIT: NonZeroU64 = NonZeroU64::new(1 << 40).expect("not zero");

/// A table of orders.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) key: Key,
    pub(crate) rows: u64,
    pub(crate) files: u64,
    /// Where it is kept, with its batches.
    folder: PathBuf,
    /// Its data files, in the order of their rows.
    paths: Vec<String>,
}

impl Target {
    /// Finds the table in the folder where tables are kept, or makes it.
    pub(crate) async fn ready(kept: &Path, key: Key, rows: u64, files: u64) -> Self {
        let folder = kept.join(format!("orders-{}-{rows}-{files}", key.name()));
        let list = folder.join("files.json");
        if !list.exists() {
            eprintln!("making {}", folder.display());
            remove(&folder);
            let paths = make(&folder.join("table"), key, rows, files).await;
            fs::write(&list, serde_json::to_vec(&paths).expect("texts")).expect("written");
        }
        let list = fs::read(list).expect("it was written");
        let paths = serde_json::from_slice(&list).expect("a list of files");
        Self { key, rows, files, folder, paths }
    }

    /// Where what belongs to the table is kept.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The data file that holds a row.
    pub(crate) fn file_of(&self, row: u64) -> &str {
        &self.paths[usize::try_from(row / self.rows_per_file()).expect("few files")]
    }

    fn rows_per_file(&self) -> u64 {
        self.rows / self.files
    }

    /// A copy at a place where nothing must stand; on request with deletion vectors allowed.
    pub(crate) async fn copy(&self, to: &Path, vectors: bool) {
        remove(to);
        copy(&self.folder.join("table"), to);
        if vectors {
            let table = open(to).await;
            let allowed = table::allow_vectors(&table, &lake::clock()).await;
            allowed.and_then(CommitOutcome::committed).expect("it is allowed");
        }
    }

    /// In the report.
    pub(crate) fn described(&self) -> String {
        let files = self.paths.iter().map(|path| self.folder.join("table").join(path));
        let bytes: u64 = files.map(|file| fs::metadata(file).expect("a file").len()).sum();
        format!(
            "{} M rows in {} files, {} MB, {} key",
            self.rows as f64 / 1e6,
            self.files,
            bytes / 1_000_000,
            self.key.name()
        )
    }
}

/// The newest version of the table in a folder.
pub(crate) async fn open(folder: &Path) -> LakeTable {
    lake::open(&location(folder).await).await
}

/// A folder as the crate takes it.
pub(crate) async fn location(folder: &Path) -> Location {
    Location::open(folder.to_str().expect("a plain path")).await.expect("a folder")
}

async fn make(folder: &Path, key: Key, rows: u64, files: u64) -> Vec<String> {
    let each = rows / files;
    let steps = |file: u64| {
        let end = (file + 1) * each;
        (file * each..end).step_by(STEP).map(move |first| {
            let numbers: Vec<u64> = (first..(first + STEP as u64).min(end)).collect();
            orders::images(key, &numbers, 0)
        })
    };
    let layout = if key.overlaps() { FileLayout::with_bloom_filters } else { |layout| layout };
    create(folder, &orders::schema(key), &key.names(), layout, (0..files).map(steps)).await
}

/// Makes a table of given data files, each from the batches of its rows, with the layout and the
/// statistics that dmslake gives them, in one commit; `choose` decides what of the layout is left
/// open. Gives the files' paths.
pub(crate) async fn create<F>(
    folder: &Path,
    schema: &TableSchema,
    keys: &[String],
    choose: impl Fn(FileLayout) -> FileLayout,
    files: impl Iterator<Item = F>,
) -> Vec<String>
where
    F: Iterator<Item = RecordBatch>,
{
    let table = lake::create(&location(folder).await, "bench", schema).await;
    let layout = FileLayout::of(table.files(), keys, &lake::clock()).expect("a layout");
    let layout = Arc::new(choose(layout).with_target_file_size(NO_LIMIT));
    let store = table.delta().log_store().object_store(None);
    let mut adds: Vec<Add> = Vec::new();
    let mut rows = 0;
    for batches in files {
        let mut writer =
            DataFileWriter::new(Arc::clone(&store), Arc::clone(&layout), HashMap::new());
        for batch in batches {
            rows += batch.num_rows() as u64;
            writer.write(&batch).await.expect("written");
        }
        adds.extend(writer.close().await.expect("written"));
    }
    let record = lake::empty_record(rows);
    let newest = table.newest().expect("it keeps progress");
    let properties = commit_properties(&record, newest.transaction + 1, None).expect("a record");
    let append =
        DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
    let paths = adds.iter().map(|add| add.path.clone()).collect();
    let _ = CommitBuilder::from(properties)
        .with_actions(adds.into_iter().map(Action::Add).collect())
        .build(Some(table.delta().snapshot().expect("loaded")), table.delta().log_store(), append)
        .await
        .expect("committed");
    paths
}
