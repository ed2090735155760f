//! A table of ours that others write too, and its expected rows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deltalake::checkpoints::create_checkpoint;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Add};
use deltalake::protocol::{DeltaOperation, SaveMode};
use dmslake::config::MergeMode;
use dmslake::pipeline::{Limits, Pipeline, Status};
use dmslake::schema::{Column, TableSchema};
use dmslake::storage::Location;
use dmslake::table::{self, LakeTable};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use tempfile::TempDir;

use super::batches::{Changes, Source};
use super::corpus::Trail;
use super::domain::Shape;
use super::{foreign, rows};
use crate::events;
use crate::support::deletion_vectors::{self, Masked};
use crate::support::lake;
use crate::support::model::{Key, Row, Rows, Value};

/// The size of a table, and whether it has deletion vectors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// Rows of each of the first files.
    pub(super) sizes: &'static [usize],
    pub(super) most_files: usize,
    pub(super) vectors: bool,
}

/// One table.
pub(super) struct World {
    folder: TempDir,
    pub(super) root: PathBuf,
    pub(super) location: Location,
    pub(super) table: LakeTable,
    pub(super) shape: Shape,
    /// The number of columns in the table.
    pub(super) width: usize,
    pool: Vec<Key>,
    files: Vec<Vec<Key>>,
    pub(super) rows: Rows,
    pub(super) trail: Trail,
}

impl World {
    pub(super) async fn random(rng: &mut StdRng, scale: Scale) -> Self {
        let shape = Shape::random(rng);
        let files = rng.random_range(0..=scale.most_files);
        let sizes: Vec<usize> = (0..files).map(|_| *scale.sizes.choose(rng).unwrap()).collect();
        let total: usize = sizes.iter().sum();
        let pool = shape.pool(rng, total * 4 / 3 + 20);
        let mut files = distributed(rng, &pool, &sizes);
        let mut nameless = BTreeSet::new();
        for file in &mut files {
            let key = shape.nameless(rng);
            if rng.random_bool(0.15) && nameless.insert(key.clone()) {
                file.push(key);
            }
        }
        Self::of(rng, shape, pool, &files, scale.vectors).await
    }

    /// A table of this shape with these files.
    pub(super) async fn of(
        rng: &mut StdRng,
        shape: Shape,
        pool: Vec<Key>,
        files: &[Vec<Key>],
        vectors: bool,
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let location = lake::location(&folder, "t").await;
        let schema = TableSchema::new(shape.columns[..shape.first].to_vec());
        let table = if vectors {
            deletion_vectors::create(&location, &schema).await
        } else {
            lake::create(&location, "t", &schema).await
        };
        let (root, width) = (folder.path().join("shop/t"), shape.first);
        let rows = Rows::new();
        let mut world = Self {
            folder,
            root,
            location,
            table,
            shape,
            width,
            pool,
            files: vec![],
            rows,
            trail: Trail::begin(),
        };
        for part in files.chunks(rng.random_range(1..4)) {
            world.appended(rng, part).await;
        }
        world
    }

    pub(super) fn columns(&self) -> &[Column] {
        &self.shape.columns[..self.width]
    }

    pub(super) fn changes(&self, rng: &mut StdRng) -> Changes {
        let Self { shape, width, pool, files, rows, .. } = self;
        Source { shape, width: *width, pool, rows, files }.changes(rng)
    }

    /// Keys to look up, most of which exist.
    pub(super) fn some_keys(&self, rng: &mut StdRng) -> Vec<Key> {
        let share = *[0.01, 0.2, 1.0].choose(rng).unwrap();
        self.pool.iter().filter(|_| rng.random_bool(share)).cloned().collect()
    }

    /// What happens between two batches, mostly nothing.
    pub(super) async fn interlude(&mut self, rng: &mut StdRng, vectors: bool) {
        if vectors && self.table.may_mask() && rng.random_bool(0.7) {
            self.masked(rng).await;
        }
        if self.width < self.shape.columns.len() && rng.random_bool(0.4) {
            self.widened().await;
        }
        if rng.random_bool(0.2) {
            let absent = self.pool.iter().filter(|key| !self.rows.contains_key(*key));
            let file: Vec<Key> = absent.filter(|_| rng.random_bool(0.3)).cloned().collect();
            self.appended(rng, &[file]).await;
        }
        if rng.random_bool(0.1) {
            self.table.delta().clone().optimize().await.unwrap();
            self.reopened().await;
        }
        if rng.random_bool(0.25) {
            Box::pin(self.maintained(rng)).await;
        }
        if rng.random_bool(0.2) {
            create_checkpoint(self.table.delta(), None).await.unwrap();
            self.reopened().await;
        }
    }

    /// Our own maintenance, which changes no row; sometimes for a table that stops using deletion
    /// vectors.
    async fn maintained(&mut self, rng: &mut StdRng) {
        let mut settings = events::settings("memory:///staging", &[("shop", "t")]);
        let spec = &mut settings.tables[0];
        spec.keys = self.shape.key_names();
        spec.merge = *[MergeMode::DeletionVectors, MergeMode::Auto, MergeMode::CopyOnWrite]
            .choose(rng)
            .unwrap();
        let lake = Location::open(self.folder.path().to_str().unwrap()).await.unwrap();
        let staging = events::in_memory("s3://staging/dms");
        let pipeline = Pipeline::new(Arc::new(settings), staging, lake, lake::clock());
        let table = pipeline.settings().tables[0].clone();
        let report = pipeline.maintain(&table, &Limits::default()).await;
        assert_eq!(report.status, Status::Ok, "{report:?}");
        self.reopened().await;
        let found = rows::content(self.table.delta(), self.columns(), &self.shape.keys).await;
        if let Some(difference) = rows::difference(self.columns(), &self.rows, &found) {
            panic!("maintained, keys {:?}:\n{difference}\n{report:?}", self.shape.key_names());
        }
    }

    pub(super) async fn reopened(&mut self) {
        self.table = lake::open(&self.location).await;
    }

    /// Another writer adds files: an unusual one, or `deltalake`.
    async fn appended(&mut self, rng: &mut StdRng, files: &[Vec<Key>]) {
        if rng.random_bool(0.7) {
            let mut adds = Vec::new();
            for file in files {
                let made = self.made(rng, file);
                adds.push(foreign::write(rng, &self.root, self.columns(), &self.shape.keys, &made));
            }
            return self.adopted(adds).await;
        }
        let mut batches = Vec::new();
        for file in files {
            let made = self.made(rng, file);
            batches.push(rows::batch(self.columns(), &made.iter().collect::<Vec<_>>()));
        }
        batches.retain(|batch| batch.num_rows() > 0);
        if !batches.is_empty() {
            self.table.delta().clone().write(batches).await.unwrap();
            self.reopened().await;
        }
    }

    /// Creates new rows for these keys and adds them to the model.
    pub(super) fn made(&mut self, rng: &mut StdRng, file: &[Key]) -> Vec<Row> {
        let made: Vec<Row> = file.iter().map(|key| self.shape.row(rng, key, self.width)).collect();
        self.rows.extend(file.iter().cloned().zip(made.iter().cloned()));
        let mut sorted = file.to_vec();
        sorted.sort();
        self.files.push(sorted);
        made
    }

    /// Another writer commits files that are already in the folder.
    pub(super) async fn adopted(&mut self, adds: Vec<Add>) {
        let operation =
            DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
        let delta = self.table.delta();
        CommitBuilder::from(CommitProperties::default())
            .with_actions(adds.into_iter().map(Action::Add).collect())
            .build(Some(delta.snapshot().unwrap()), delta.log_store(), operation)
            .await
            .unwrap();
        self.reopened().await;
    }

    /// One more column, NULL in every row.
    async fn widened(&mut self) {
        let new = [self.shape.columns[self.width].clone()];
        let _ = table::add_columns(&self.table, &new, &lake::clock()).await.unwrap();
        self.width += 1;
        for row in self.rows.values_mut() {
            row.push(Value::Null);
        }
        self.reopened().await;
    }

    /// Another writer masks rows of some files, sometimes all of them.
    async fn masked(&mut self, rng: &mut StdRng) {
        // In an order that does not depend on the random names of files.
        let mut files: Vec<(Vec<(Key, u64)>, Masked)> = Vec::new();
        for file in deletion_vectors::files(self.table.delta()).await {
            let standing = keys_of(&self.root, &file, self.columns(), &self.shape.keys);
            let live = (0..).zip(standing).filter(|(row, _)| !file.rows.contains(row));
            let mut live: Vec<(Key, u64)> = live.map(|(row, key)| (key, row)).collect();
            live.sort();
            files.push((live, file));
        }
        files.sort_by(|a, b| a.0.cmp(&b.0));
        let mut more = Vec::new();
        for (mut gone, file) in files {
            let share = *[0.0, 0.1, 0.5, 1.0].choose(rng).unwrap();
            gone.retain(|_| rng.random_bool(share));
            if gone.is_empty() {
                continue;
            }
            for (key, _) in &gone {
                assert!(self.rows.remove(key).is_some(), "a live row that the model lacks");
            }
            more.push((file, gone.into_iter().map(|(_, row)| row).collect()));
        }
        if !more.is_empty() {
            deletion_vectors::mask(self.table.delta(), &self.root, more).await;
            self.reopened().await;
        }
    }
}

/// The keys of each file: adjacent keys together, or all files over the whole range; sorted or not;
/// with gaps that later batches fill.
fn distributed(rng: &mut StdRng, pool: &[Key], sizes: &[usize]) -> Vec<Vec<Key>> {
    let mut there: Vec<Key> = pool.iter().filter(|_| rng.random_bool(0.8)).cloned().collect();
    let is_clustered = rng.random_bool(0.5);
    if !is_clustered {
        there.shuffle(rng);
    }
    let is_sorted = rng.random_bool(0.6);
    let mut rest = there.into_iter();
    let mut files = Vec::new();
    for &size in sizes {
        let mut file: Vec<Key> = rest.by_ref().take(size).collect();
        if is_sorted {
            file.sort();
        } else {
            file.shuffle(rng);
        }
        files.push(file);
    }
    files
}

/// The keys of a file's rows, in their physical order, masked or not.
pub(super) fn keys_of(root: &Path, file: &Masked, columns: &[Column], keys: &[usize]) -> Vec<Key> {
    let file = std::fs::File::open(root.join(&file.add.path)).unwrap();
    let reader =
        parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let mut found = Vec::new();
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        let arrays: Vec<_> = keys
            .iter()
            .map(|&key| batch.column_by_name(&columns[key].name).expect("a key column"))
            .collect();
        found.extend((0..batch.num_rows()).map(|row| {
            let cell = |array: &&_| crate::support::table::value(array, row);
            arrays.iter().map(cell).collect::<Key>()
        }));
    }
    found
}
