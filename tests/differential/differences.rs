//! Two random tables: changing only what differs in the one makes it equal to the other, as
//! swapping all files does, and leaves files without differences alone.

use std::collections::BTreeMap;
use std::path::Path;

use deltalake::DeltaTable;
use deltalake::operations::create::CreateBuilder;
use dmslake::clock::SystemClock;
use dmslake::config::MergeMode;
use dmslake::merge::{self, Bounds, Compared};
use dmslake::schema::{Column, ColumnType, TableSchema};
use dmslake::storage::Location;
use dmslake::table::{self, LakeTable};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use super::batches::Changes;
use super::world::{Scale, World, keys_of};
use super::{rows, shape};
use crate::support::folder::copy_folder;
use crate::support::model::{Key, Row, Rows, Value};
use crate::support::{audit, deletion_vectors, lake, property};

const BOUNDS: Bounds = Bounds { memory_budget: 32 << 20, most_rows: u64::MAX };
const SMALL: &[usize] = &[0, 1, 2, 7, 30, 120];
const LARGE: &[usize] = &[1, 8_192, 20_000];

#[tokio::test(flavor = "multi_thread")]
async fn the_difference_equals_the_swap_and_the_model() {
    property::check("the_difference_equals_the_swap_and_the_model", 25, 8, |rng| {
        let scale = Scale { sizes: SMALL, most_files: 12, vectors: true };
        case(rng, scale, BOUNDS)
    })
    .await;
}

/// Several times as many bytes as may be in memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_difference_is_found_on_disk_within_little_memory() {
    property::check("a_difference_is_found_on_disk_within_little_memory", 10, 2, |rng| {
        let scale = Scale { sizes: LARGE, most_files: 5, vectors: false };
        case(rng, scale, Bounds { memory_budget: 3 << 20, ..BOUNDS })
    })
    .await;
}

/// Memory for no batch of them.
#[tokio::test(flavor = "multi_thread")]
async fn too_little_memory_is_told() {
    let rng = &mut StdRng::seed_from_u64(1);
    let shape = shape(&[ColumnType::Long, ColumnType::String], vec![0]);
    let pool: Vec<Key> = (0..5_000).map(|id| vec![Value::Int(id)]).collect();
    let world = World::of(rng, shape, pool.clone(), &[pool], false).await;
    let bounds = Bounds { memory_budget: 4 << 10, ..BOUNDS };
    let (keys, table) = (world.shape.key_names(), &world.table);
    let compared = merge::difference(table, table, &keys, bounds, &SystemClock).await.unwrap();
    let Compared::Unsuited(why) = compared else { panic!("compared") };
    assert!(why.contains("too small to compare"), "{why}");
}

/// Numbers are compared by their bits, and NULL equals NULL.
#[tokio::test(flavor = "multi_thread")]
async fn zeros_and_nans_are_told_apart() {
    let rng = &mut StdRng::seed_from_u64(1);
    let shape = shape(&[ColumnType::Long, ColumnType::Double], vec![0]);
    let (columns, keys) = (shape.columns.clone(), shape.keys.clone());
    let other_nan = f64::from_bits(f64::NAN.to_bits() ^ 1);
    let double = |value: f64| Value::double(value);
    let pairs = [
        (double(0.0), double(0.0)),
        (double(0.0), double(-0.0)),
        (double(f64::NAN), double(f64::NAN)),
        (double(f64::NAN), double(other_nan)),
        (double(f64::NAN), double(-f64::NAN)),
        (Value::Null, Value::Null),
        (Value::Null, double(0.0)),
        (double(1.0), Value::Null),
    ];
    let rows = |second: bool| -> Rows {
        let value = |(old, new): &(Value, Value)| if second { new.clone() } else { old.clone() };
        let rows = (0..).zip(&pairs).map(|(id, pair)| vec![Value::Int(id), value(pair)]);
        rows.map(|row: Row| (row[..1].to_vec(), row)).collect()
    };
    let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let old = staged(rng, &folders[0], &columns, None, &keys, &rows(false)).await;
    let new = staged(rng, &folders[1], &columns, None, &keys, &rows(true)).await;
    let names = shape.key_names();
    let compared = merge::difference(&old, &new, &names, BOUNDS, &SystemClock).await.unwrap();
    let Compared::Little(difference) = compared else { panic!("unsuited") };
    let changed = rows::rows_of(&difference.net.upserts, &columns, &keys);
    let ids: Vec<&Value> = changed.keys().map(|key| &key[0]).collect();
    assert_eq!(ids, [1, 3, 4, 6, 7].map(Value::Int).iter().collect::<Vec<_>>());
    assert_eq!(difference.updated, 5);
}

/// What differs goes into the partitions that others have made; a swap leaves none.
#[tokio::test(flavor = "multi_thread")]
async fn a_partitioned_table_is_replaced() {
    let rng = &mut StdRng::seed_from_u64(1);
    let shape = shape(&[ColumnType::Long; 3], vec![0]);
    let (columns, keys, names) = (shape.columns.clone(), shape.keys.clone(), shape.key_names());
    let rows = |changed: i128| -> Rows {
        let row = |id: i128| -> Row {
            let value = if id % 100 == changed { -1 } else { id };
            vec![Value::Int(id), Value::Int(id % 3), Value::Int(value)]
        };
        (0..300).map(|id| (vec![Value::Int(id)], row(id))).collect()
    };
    let (folder, built) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let location = lake::location(&folder, "t").await;
    CreateBuilder::new()
        .with_log_store(table::log_store(&location).unwrap())
        .with_columns(table::to_delta(&columns).unwrap())
        .with_partition_columns(["c1"])
        .with_commit_properties(table::commit_properties(&lake::empty_record(0), 1, None).unwrap())
        .await
        .unwrap();
    let changes = Changes { upserts: rows(-1).into_iter().collect(), deletes: vec![] };
    let net = changes.net(rng, &columns, &keys);
    let (_, old) = lake::apply(&location, &lake::open(&location).await, &names, net).await;
    let new = staged(rng, &built, &columns, None, &keys, &rows(7)).await;
    swapped(&folder.path().join("shop/t"), &new, &built, &columns, &keys, &rows(7)).await;
    let compared = merge::difference(&old, &new, &names, BOUNDS, &SystemClock).await.unwrap();
    let Compared::Little(difference) = compared else { panic!("unsuited") };
    assert_eq!((difference.updated, difference.rows()), (3, 3));
    let (_, table) = lake::apply(&location, &old, &names, difference.net).await;
    same("difference", &columns, &rows(7), table.delta(), &keys).await;
    assert_eq!(table.delta().snapshot().unwrap().metadata().partition_columns(), &["c1"]);
}

async fn case(mut rng: StdRng, scale: Scale, bounds: Bounds) {
    let rng = &mut rng;
    let mut world = World::random(rng, scale).await;
    world.interlude(rng, scale.vectors).await;
    let (columns, keys) = (world.columns().to_vec(), world.shape.keys.clone());
    let names = world.shape.key_names();
    let changes = drawn(rng, &world);
    let mut expected = world.rows.clone();
    expected.retain(|key, _| !key.contains(&Value::Null));
    let has_nameless = expected.len() < world.rows.len();
    changes.clone().apply(&mut expected);
    // The other table may lack columns.
    let lacking = columns.len() - 1;
    let lacking = (rng.random_bool(0.3) && !keys.contains(&lacking)).then_some(lacking);
    if let Some(lacking) = lacking {
        for row in expected.values_mut() {
            row[lacking] = Value::Null;
        }
    }
    let built = TempDir::new().unwrap();
    let new = staged(rng, &built, &columns, lacking, &keys, &expected).await;

    let compared = merge::difference(&world.table, &new, &names, bounds, &SystemClock).await;
    let counts = counted(&world.rows, &expected);
    let difference = match compared.unwrap() {
        Compared::Little(difference) => difference,
        Compared::Unsuited(why) => {
            let is_expected = match why {
                "keys are not unique" => has_nameless,
                "many rows differ" => counts.iter().sum::<u64>() > 1_000,
                _ => false,
            };
            assert!(is_expected, "{why}: {counts:?}");
            return swapped(&world.root, &new, &built, &columns, &keys, &expected).await;
        }
    };
    assert!(!has_nameless);
    assert_eq!([difference.inserted, difference.updated, difference.deleted], counts);
    assert_eq!(difference.rows(), counts.iter().sum::<u64>());
    swapped(&world.root, &new, &built, &columns, &keys, &expected).await;

    let modes = [MergeMode::CopyOnWrite, MergeMode::DeletionVectors, MergeMode::Auto];
    let plan = merge::plan(&world.table, &names, difference.net).await.unwrap();
    let plan = plan.with_mode(*modes.choose(rng).unwrap()).sparing_others();
    let spared = spared(&world, &expected).await;
    let (before, record) = (audit::Before::of(&world.table), lake::record(&world.table, &plan));
    let merged = lake::commit(&world.table, &record, plan).await.unwrap();
    let _ = merged.outcome.committed().unwrap();
    world.reopened().await;
    audit::check(&world.root, &before, &world.table, &record, counts);
    same("difference", &columns, &expected, world.table.delta(), &keys).await;
    let after = entries(&world.table).await;
    for (path, vector) in spared {
        assert_eq!(after.get(&path), Some(&vector), "{path} has no difference");
    }
    // Nothing is left to be changed.
    let again = merge::difference(&world.table, &new, &names, bounds, &SystemClock).await;
    let Compared::Little(again) = again.unwrap() else { panic!("unsuited") };
    assert_eq!(again.rows(), 0);
    assert!(again.net.is_empty());
}

/// None, a few, or any changes; never of a key with a NULL part.
fn drawn(rng: &mut StdRng, world: &World) -> Changes {
    if rng.random_bool(0.2) {
        return Changes::default();
    }
    let mut changes = world.changes(rng);
    if rng.random() {
        changes.upserts.shuffle(rng);
        changes.upserts.truncate(3);
        changes.deletes.truncate(2);
    }
    changes
}

/// Inserted, updated, deleted.
fn counted(old: &Rows, new: &Rows) -> [u64; 3] {
    let inserted = new.keys().filter(|key| !old.contains_key(*key)).count();
    let updated = new.iter().filter(|(key, row)| old.get(*key).is_some_and(|old| old != *row));
    let deleted = old.keys().filter(|key| !new.contains_key(*key)).count();
    [inserted, updated.count(), deleted].map(|count| count as u64)
}

/// A table with these rows, built by merges in another order of columns, without one of them.
async fn staged(
    rng: &mut StdRng,
    folder: &TempDir,
    columns: &[Column],
    lacking: Option<usize>,
    keys: &[usize],
    rows: &Rows,
) -> LakeTable {
    let mut order: Vec<usize> = (0..columns.len()).filter(|at| Some(*at) != lacking).collect();
    order.shuffle(rng);
    let ordered: Vec<Column> = order.iter().map(|&at| columns[at].clone()).collect();
    let names: Vec<String> = keys.iter().map(|&key| columns[key].name.clone()).collect();
    let keys: Vec<usize> =
        names.iter().map(|name| ordered.iter().position(|it| it.name == *name).unwrap()).collect();
    let in_order = |row: &Row| -> Row { order.iter().map(|&at| row[at].clone()).collect() };
    let location = lake::location(folder, "t").await;
    let schema = TableSchema::new(ordered.clone());
    let mut table = if rng.random() {
        deletion_vectors::create(&location, &schema).await
    } else {
        lake::create(&location, "t", &schema).await
    };
    let mut all: Vec<(Key, Row)> =
        rows.iter().map(|(key, row)| (key.clone(), in_order(row))).collect();
    if rng.random() {
        all.shuffle(rng);
    }
    let parts = rng.random_range(1..4);
    for part in all.chunks(all.len().div_ceil(parts).max(1)) {
        // Some come with other values first.
        let first = part.iter().filter(|_| rng.random_bool(0.2)).cloned();
        for upserts in [first.collect::<Vec<_>>(), part.to_vec()] {
            let net = Changes { upserts, deletes: vec![] }.net(rng, &ordered, &keys);
            if !net.is_empty() {
                table = lake::apply(&location, &table, &names, net).await.1;
            }
        }
    }
    table
}

/// Swaps all files in a copy of the table.
async fn swapped(
    root: &Path,
    new: &LakeTable,
    built: &TempDir,
    columns: &[Column],
    keys: &[usize],
    expected: &Rows,
) {
    let copy = TempDir::new().unwrap();
    let folder = copy.path().join("shop/t");
    std::fs::create_dir_all(&folder).unwrap();
    copy_folder(root, &folder);
    let parts = copy.path().join("built");
    std::fs::create_dir_all(&parts).unwrap();
    copy_folder(&built.path().join("shop/t"), &parts);
    std::fs::remove_dir_all(parts.join("_delta_log")).unwrap();
    copy_folder(&parts, &folder);
    let lake = Location::open(copy.path().to_str().unwrap()).await.unwrap();
    let location = lake.folder(&["shop", "t"]).unwrap();
    let old = lake::open(&location).await;
    let outcome =
        table::replace(&old, new, new.ledger().clone(), |_| false, &lake::clock()).await.unwrap();
    let table = outcome.committed().unwrap();
    same("swap", columns, expected, table.delta(), keys).await;
}

async fn same(what: &str, columns: &[Column], expected: &Rows, table: &DeltaTable, keys: &[usize]) {
    let found = rows::content(table, columns, keys).await;
    if let Some(difference) = rows::difference(columns, expected, &found) {
        panic!("{what}:\n{difference}");
    }
}

/// Files of the table whose live rows are all as expected, with their deletion vectors.
async fn spared(world: &World, expected: &Rows) -> BTreeMap<String, String> {
    let mut spared = BTreeMap::new();
    for file in deletion_vectors::files(world.table.delta()).await {
        let keys = keys_of(&world.root, &file, world.columns(), &world.shape.keys);
        let live = (0..).zip(keys).filter(|(row, _)| !file.rows.contains(row));
        let mut keys = live.map(|(_, key)| key);
        if keys.all(|key| world.rows.get(&key) == expected.get(&key)) {
            spared.insert(file.add.path.clone(), format!("{:?}", file.add.deletion_vector));
        }
    }
    spared
}

/// The table's files with their deletion vectors.
async fn entries(table: &LakeTable) -> BTreeMap<String, String> {
    let files = deletion_vectors::files(table.delta()).await.into_iter();
    files.map(|file| (file.add.path.clone(), format!("{:?}", file.add.deletion_vector))).collect()
}
