//! Random tables × random batches: compares dmslake's merge with `deltalake`'s and with a map.

mod batches;
mod condemned;
mod corpus;
mod differences;
mod domain;
mod foreign;
pub(crate) mod rows;
mod world;

use std::collections::BTreeSet;

use dmslake::config::MergeMode;
use dmslake::merge;
use dmslake::schema::{Column, ColumnType, TableSchema};
use dmslake::storage::Location;
use dmslake::table;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use crate::support::folder::copy_folder;
use crate::support::model::{Key, Row, Rows, Value, key_of};
use crate::support::parquet_file::{self, Values};
use crate::support::{audit, lake, merge_builder, property};
use batches::Changes;
use domain::Shape;
use world::{Scale, World};

const SMALL: &[usize] = &[0, 1, 1, 2, 7, 30, 120];
/// Around the sizes of batches and of the tables, and several row groups.
const LARGE: &[usize] = &[1, 50, 8_191, 8_192, 8_193, 20_000];

#[tokio::test(flavor = "multi_thread")]
async fn every_merge_equals_merge_builder_and_the_model() {
    let scale = Scale { sizes: SMALL, most_files: 16, vectors: false };
    property::check("every_merge_equals_merge_builder_and_the_model", 25, 8, |rng| {
        case(rng, scale, 5, "small files")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn merges_into_large_files_equal_merge_builder_and_the_model() {
    let scale = Scale { sizes: LARGE, most_files: 3, vectors: false };
    property::check("merges_into_large_files_equal_merge_builder_and_the_model", 25, 2, |rng| {
        case(rng, scale, 3, "large files")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn merges_over_deletion_vectors_equal_merge_builder_and_the_model() {
    let scale = Scale { sizes: SMALL, most_files: 16, vectors: true };
    property::check(
        "merges_over_deletion_vectors_equal_merge_builder_and_the_model",
        20,
        6,
        |rng| case(rng, scale, 5, "deletion vectors"),
    )
    .await;
}

/// More changes than rows and than the library's batch limits.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_changes_merge() {
    let rng = &mut StdRng::seed_from_u64(1);
    let shape = shape(&[ColumnType::Long, ColumnType::String], vec![0]);
    let pool: Vec<Key> = (0..130_000).map(|id| vec![Value::Int(id)]).collect();
    let there = |file: usize| pool.iter().skip(file * 40_000).take(10_000).cloned().collect();
    let files: Vec<Vec<Key>> = (0..3).map(there).collect();
    let mut world = World::of(rng, shape, pool.clone(), &files, false).await;
    let mut changes = Changes::default();
    for (at, key) in pool.iter().enumerate() {
        match at % 10 {
            0 => changes.deletes.push(key.clone()),
            1 => {}
            _ => changes.upserts.push((key.clone(), world.shape.row(rng, key, 2))),
        }
    }
    assert!(changes.upserts.len() > 100_000);
    merged(rng, &mut world, changes).await;
    corpus::leave(&world, "100,000 changes");
}

/// Few keys in random order: their ranges rule out nothing, but bloom filters do, ours and those of
/// other writers.
#[tokio::test(flavor = "multi_thread")]
async fn few_random_texts_merge_into_overlapping_files() {
    property::check("few_random_texts_merge_into_overlapping_files", 10, 2, |mut rng| async move {
        let rng = &mut rng;
        let shape = shape(&[ColumnType::String, ColumnType::Long], vec![0]);
        let text = |_| vec![Value::Text(format!("{:032x}", rng.random::<u128>()))];
        let pool: Vec<Key> = (0..20_000).map(text).collect();
        let files: Vec<Vec<Key>> = pool[..9_000].chunks(4_500).map(<[Key]>::to_vec).collect();
        let vectors = rng.random();
        let mut world = World::of(rng, shape, pool.clone(), &files, vectors).await;
        for part in [&pool[9_000..13_500], &pool[13_500..18_000]] {
            let row = |key: &Key| (key.clone(), world.shape.row(rng, key, 2));
            let changes = Changes { upserts: part.iter().map(row).collect(), deletes: vec![] };
            merged(rng, &mut world, changes).await;
        }
        for _ in 0..4 {
            let mut changes = Changes::default();
            let count = rng.random_range(1..40);
            for key in pool.choose_multiple(rng, count).cloned().collect::<Vec<_>>() {
                if rng.random_bool(0.3) {
                    changes.deletes.push(key);
                } else {
                    let row = world.shape.row(rng, &key, 2);
                    changes.upserts.push((key, row));
                }
            }
            merged(rng, &mut world, changes).await;
        }
    })
    .await;
}

/// Spark writes INT96 by default; its statistics cannot be trusted.
#[tokio::test(flavor = "multi_thread")]
async fn files_with_int96_timestamps_are_merged_into() {
    property::check("files_with_int96_timestamps_are_merged_into", 5, 3, |mut rng| async move {
        let rng = &mut rng;
        let key = if rng.random() { vec![1] } else { vec![0] };
        let shape = shape(&[ColumnType::Long, ColumnType::Timestamp], key);
        // Years that fit into nanoseconds, as which readers read INT96.
        let instant = |rng: &mut StdRng| Value::Instant(rng.random_range(-1 << 52..1 << 52));
        let is_instant = shape.keys == [1];
        let pool: BTreeSet<Key> = (0..100)
            .map(|id| vec![if is_instant { instant(rng) } else { Value::Int(id) }])
            .collect();
        let pool: Vec<Key> = pool.into_iter().collect();
        let mut world = World::of(rng, shape, pool.clone(), &[], false).await;
        for file in pool.chunks(30).take(3) {
            let mut made = world.made(rng, file);
            for row in &mut made {
                if !is_instant {
                    row[1] = instant(rng);
                }
                world.rows.insert(key_of(row, &world.shape.keys), row.clone());
            }
            let ids = made.iter().map(|row| match row[0] {
                Value::Int(id) => Some(i64::try_from(id).unwrap()),
                _ => None,
            });
            let instants = made.iter().map(|row| match row[1] {
                Value::Instant(instant) => Some(instant),
                _ => None,
            });
            let columns = [
                ("int64 c0", Values::I64(ids.collect())),
                ("int96 c1", Values::I96(instants.collect())),
            ];
            let told = foreign::statistics(rng, world.columns(), &world.shape.keys, &made);
            let add = foreign::put(rng, &world.root, &parquet_file::file(&columns), told);
            world.adopted(vec![add]).await;
        }
        for _ in 0..3 {
            rows_are_found(rng, &world).await;
            let changes = world.changes(rng);
            merged(rng, &mut world, changes).await;
        }
        corpus::leave(&world, "INT96");
    })
    .await;
}

/// INT96 covers MySQL's range of years, nanoseconds do not.
#[tokio::test(flavor = "multi_thread")]
async fn int96_keys_of_any_year_are_found() {
    let rng = &mut StdRng::seed_from_u64(1);
    let shape = shape(&[ColumnType::Timestamp], vec![0]);
    let instants = [-62_135_596_800_000_000, 5, 253_402_300_799_999_999];
    let rows: Vec<Row> = instants.map(|instant| vec![Value::Instant(instant)]).to_vec();
    let mut world = World::of(rng, shape, rows.clone(), &[], false).await;
    let told = foreign::statistics(rng, world.columns(), &[0], &rows);
    let values = [("int96 c0", Values::I96(instants.map(Some).to_vec()))];
    let add = foreign::put(rng, &world.root, &parquet_file::file(&values), told);
    world.adopted(vec![add]).await;
    world.rows = rows.iter().map(|row| (row.clone(), row.clone())).collect();

    let upserts = rows.into_iter().map(|row| (row.clone(), row)).collect();
    let net = Changes { upserts, deletes: vec![] }.net(rng, world.columns(), &[0]);
    let names = world.shape.key_names();
    let found = merge::rows_of(&world.table, &names, &net.upserts, &[]).await.unwrap();
    same("rows by key", &world, &rows::rows_of(&found, world.columns(), &[0]));
    let (plan, table) = lake::apply(&world.location, &world.table, &names, net).await;
    assert_eq!(lake::counts(&plan), [0, 3, 0, 0]);
    same("merged", &world, &rows::content(table.delta(), world.columns(), &[0]).await);
    world.reopened().await;
    corpus::leave(&world, "INT96 of any year");
}

/// Columns `c0`, `c1`, ….
fn shape(types: &[ColumnType], keys: Vec<usize>) -> Shape {
    let column = |(at, &column_type): (usize, &ColumnType)| Column {
        name: format!("c{at}"),
        column_type,
        nullable: true,
    };
    Shape { columns: types.iter().enumerate().map(column).collect(), keys, first: types.len() }
}

/// One table and some batches.
async fn case(mut rng: StdRng, scale: Scale, most_batches: usize, origin: &str) {
    let rng = &mut rng;
    let mut world = World::random(rng, scale).await;
    for _ in 0..rng.random_range(1..=most_batches) {
        Box::pin(world.interlude(rng, scale.vectors)).await;
        rows_are_found(rng, &world).await;
        let changes = world.changes(rng);
        merged(rng, &mut world, changes).await;
    }
    corpus::leave(&world, origin);
}

/// Merges one batch in every mode and compares the results.
async fn merged(rng: &mut StdRng, world: &mut World, changes: Changes) {
    let (columns, keys) = (world.columns().to_vec(), world.shape.keys.clone());
    let names = world.shape.key_names();
    let net = changes.net(rng, &columns, &keys);
    net.check_keys(&names).unwrap();
    let copy = TempDir::new().unwrap();
    copy_folder(&world.root, copy.path());
    let is_empty = changes.is_empty();
    let counts = changes.apply(&mut world.rows);

    // If the table's protocol does not allow vectors, every mode is copy-on-write.
    let modes = [MergeMode::CopyOnWrite, MergeMode::DeletionVectors, MergeMode::Auto];
    let mode = *modes.choose(rng).unwrap();
    let plan = merge::plan(&world.table, &names, net.clone()).await.unwrap().with_mode(mode);
    assert_eq!(lake::counts(&plan), counts, "inserted, updated, deleted, ignored");
    let before = audit::Before::of(&world.table);
    let record = lake::record(&world.table, &plan);
    let merged = lake::commit(&world.table, &record, plan).await.unwrap();
    let committed = merged.outcome.committed().unwrap_or_else(|error| panic!("{}", error.chain()));
    world.reopened().await;
    assert_eq!(committed.version(), world.table.version());
    let [inserted, updated, deleted, _] = counts;
    audit::check(&world.root, &before, &world.table, &record, [inserted, updated, deleted]);
    same("dmslake", world, &rows::content(world.table.delta(), &columns, &keys).await);
    corpus::note(world, counts);

    let location = Location::open(copy.path().to_str().unwrap()).await.unwrap();
    let mut oracle = table::load(&location).await.unwrap().unwrap();
    if !is_empty {
        let schema = TableSchema::new(columns.clone()).arrow();
        let (merged, metrics) = merge_builder::merge(oracle, &schema, &names, &net).await;
        oracle = merged;
        let counted = [
            metrics.num_target_rows_inserted,
            metrics.num_target_rows_updated,
            metrics.num_target_rows_deleted,
        ];
        assert_eq!(counted.map(|count| count as u64), [inserted, updated, deleted]);
    }
    same("MergeBuilder", world, &rows::content(&oracle, &columns, &keys).await);
}

fn same(who: &str, world: &World, found: &Rows) {
    if let Some(difference) = rows::difference(world.columns(), &world.rows, found) {
        panic!("{who}, keys {:?}:\n{difference}", world.shape.key_names());
    }
}

/// Rows looked up by key equal the model's, with the requested columns.
async fn rows_are_found(rng: &mut StdRng, world: &World) {
    let columns = world.columns();
    let keys = &world.shape.keys;
    let asked = world.some_keys(rng);
    let wanted: Vec<usize> =
        (0..columns.len()).filter(|at| keys.contains(at) || rng.random()).collect();
    let wanted_names: Vec<String> = wanted.iter().map(|&at| columns[at].name.clone()).collect();
    let batches: Vec<_> = asked
        .chunks(1000)
        .map(|part| rows::key_batch(columns, keys, &part.iter().collect::<Vec<_>>()))
        .collect();
    let names = world.shape.key_names();
    let found = merge::rows_of(&world.table, &names, &batches, &wanted_names).await.unwrap();
    let schema = world.table.schema().arrow().project(&wanted).unwrap();
    for batch in &found {
        assert_eq!(*batch.schema(), schema, "as the table's schema, projected");
    }
    let kept: Vec<_> = wanted.iter().map(|&at| columns[at].clone()).collect();
    let key_places: Vec<usize> =
        keys.iter().map(|key| wanted.iter().position(|at| at == key).unwrap()).collect();
    let found = rows::rows_of(&found, &kept, &key_places);
    let expected = asked.iter().filter_map(|key| {
        let row = world.rows.get(key)?;
        Some((key.clone(), wanted.iter().map(|&at| row[at].clone()).collect::<Key>()))
    });
    if let Some(difference) = rows::difference(&kept, &expected.collect(), &found) {
        panic!("rows by key {names:?}:\n{difference}");
    }
}
