//! Bloom filters on keys: written where key ranges overlap, asked where that saves reading, and
//! never the reason why a key is not found.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use deltalake::kernel::Add;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::protocol::{DeltaOperation, SaveMode};
use dmslake::change::NetChanges;
use dmslake::clock::{Clock, SystemClock};
use dmslake::merge;
use dmslake::schema::{Column, ColumnType, TableSchema};
use dmslake::storage::Location;
use dmslake::table::LakeTable;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{BloomFilterPosition, WriterProperties, WriterVersion};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use crate::differential::rows;
use crate::support::hooked_store::{Counting, HookedStore, Method, Requests};
use crate::support::model::{Key, Value, key_of};
use crate::support::{lake, property};

fn schema(key: ColumnType) -> TableSchema {
    let column =
        |name: &str, column_type| Column { name: name.into(), column_type, nullable: true };
    TableSchema::new(vec![column("id", key), column("note", ColumnType::String)])
}

async fn new_table(folder: &TempDir, key: ColumnType) -> (Location, LakeTable) {
    let location = lake::location(folder, "t").await;
    let table = lake::create(&location, "t", &schema(key)).await;
    (location, table)
}

fn names() -> Vec<String> {
    vec!["id".to_owned()]
}

/// Rows of these texts as keys.
fn texts(keys: &[String]) -> NetChanges {
    let ids: ArrayRef = Arc::new(StringArray::from_iter_values(keys));
    let columns = vec![Arc::clone(&ids), ids];
    let upserts = RecordBatch::try_new(schema(ColumnType::String).arrow(), columns).unwrap();
    NetChanges {
        upserts: vec![upserts],
        deletes: vec![],
        changes: keys.len() as u64,
        ..NetChanges::default()
    }
}

fn random_texts(rng: &mut StdRng, count: usize) -> Vec<String> {
    (0..count).map(|_| format!("{:032x}", rng.random::<u128>())).collect()
}

async fn footer(table: &LakeTable, path: &str) -> ParquetMetaData {
    let store = table.delta().log_store().object_store(None);
    let bytes = store.get(&Path::from(path)).await.unwrap().bytes().await.unwrap();
    let metadata = ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::new()).unwrap();
    metadata.metadata().as_ref().clone()
}

/// Of each file of the table its rows and whether all its row groups have a filter on the key.
async fn filtered(table: &LakeTable) -> Vec<(i64, bool)> {
    let mut found = Vec::new();
    for file in table.delta().snapshot().unwrap().log_data().iter() {
        let footer = footer(table, &file.path()).await;
        let has_filter = |at: usize| footer.row_group(at).column(0).bloom_filter_offset().is_some();
        let all = (0..footer.num_row_groups()).all(has_filter);
        found.push((footer.file_metadata().num_rows(), all));
    }
    found.sort_unstable();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_random_order_get_filters_once_their_ranges_overlap() {
    let folder = TempDir::new().unwrap();
    let (location, mut table) = new_table(&folder, ColumnType::String).await;
    let rng = &mut StdRng::seed_from_u64(1);
    let mut first = Vec::new();
    for rows in [9_002, 9_001, 9_000] {
        let keys = random_texts(rng, rows);
        table = lake::apply(&location, &table, &names(), texts(&keys)).await.1;
        first.extend(keys.into_iter().take(1));
    }
    // The first file had no others beside it.
    assert_eq!(filtered(&table).await, [(9_000, true), (9_001, true), (9_002, false)]);
    // A few rows are as soon read themselves.
    let few = random_texts(rng, 100);
    table = lake::apply(&location, &table, &names(), texts(&few)).await.1;
    assert_eq!(filtered(&table).await[0], (100, false));
    table = lake::apply(&location, &table, &names(), texts(&first)).await.1;
    assert_eq!(filtered(&table).await[1..], [(9_000, true), (9_001, true), (9_002, true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ascending_keys_never_get_filters() {
    let folder = TempDir::new().unwrap();
    let (location, mut table) = new_table(&folder, ColumnType::String).await;
    let text = |id: usize| format!("{id:032x}");
    for round in 0..6 {
        let keys: Vec<String> = (round * 5_000..(round + 1) * 5_000).map(text).collect();
        table = lake::apply(&location, &table, &names(), texts(&keys)).await.1;
    }
    // Updates of one file, of all files, and of rows amid appended ones.
    for keys in [vec![5_100], (0..30).map(|file| file * 1_000).collect(), vec![7, 40_000]] {
        let keys: Vec<String> = keys.into_iter().map(text).collect();
        table = lake::apply(&location, &table, &names(), texts(&keys)).await.1;
    }
    // Small files that are folded into one of more than the least rows.
    for round in 0..9 {
        let keys: Vec<String> =
            (50_000 + round * 1_000..50_000 + (round + 1) * 1_000).map(text).collect();
        table = lake::apply(&location, &table, &names(), texts(&keys)).await.1;
    }
    let files = filtered(&table).await;
    assert!(files.contains(&(9_000, false)), "{files:?}");
    assert!(files.iter().all(|(_, has_filter)| !has_filter), "{files:?}");
}

/// A table over a store that counts; nothing of it is known yet.
async fn counted(folder: &TempDir, requests: &Requests) -> LakeTable {
    let location = lake::location(folder, "t").await.map_store(|store| {
        Arc::new(HookedStore::new(store, Counting::new(requests, Duration::ZERO)))
    });
    lake::open(&location).await
}

#[tokio::test(flavor = "multi_thread")]
async fn row_groups_that_a_filter_rules_out_are_not_read() {
    let folder = TempDir::new().unwrap();
    let (location, mut table) = new_table(&folder, ColumnType::String).await;
    let rng = &mut StdRng::seed_from_u64(2);
    let mut there = Vec::new();
    for _ in 0..4 {
        let keys = random_texts(rng, 20_000);
        table = lake::apply(&location, &table, &names(), texts(&keys)).await.1;
        there.push(keys[7].clone());
    }
    let requests = Requests::default();
    let table = counted(&folder, &requests).await;
    let gets = |requests: &Requests| {
        let all = requests.take();
        let of_files = all.iter().filter(|request| request.path.ends_with(".parquet"));
        let gets = of_files.filter(|request| request.method == Method::Get);
        gets.map(|request| request.path.clone()).collect::<Vec<String>>()
    };
    gets(&requests);
    let absent = random_texts(rng, 8);
    let plan = merge::plan(&table, &names(), texts(&absent)).await.unwrap();
    assert_eq!(lake::counts(&plan), [8, 0, 0, 0]);
    let asked = gets(&requests);
    let paths: BTreeSet<&String> = asked.iter().collect();
    assert_eq!(paths.len(), 4, "footers of all files");
    // A footer, then a filter; of the first file, which has none, the keys. A false positive,
    // which this seed does not bring, would read keys too.
    assert_eq!(asked.len(), 8, "{asked:?}");

    // What is known already is not fetched again.
    let _ = merge::plan(&table, &names(), texts(&absent)).await.unwrap();
    assert_eq!(gets(&requests).len(), 1, "the keys of the file without a filter");

    // The keys of the file that has the key are read, and of no other one.
    let plan = merge::plan(&table, &names(), texts(&there[2..3])).await.unwrap();
    assert_eq!(lake::counts(&plan), [0, 1, 0, 0]);
    assert_eq!(gets(&requests).len(), 2);

    // So many keys that some would always be there, or be taken to be.
    let many = random_texts(rng, 100);
    let _ = merge::plan(&table, &names(), texts(&many)).await.unwrap();
    assert_eq!(gets(&requests).len(), 4, "the keys of all files");
}

const KEY_TYPES: &[ColumnType] = &[
    ColumnType::Byte,
    ColumnType::Short,
    ColumnType::Int,
    ColumnType::Long,
    ColumnType::Decimal { precision: 9, scale: 2 },
    ColumnType::Decimal { precision: 18, scale: 0 },
    ColumnType::Decimal { precision: 20, scale: 3 },
    ColumnType::Decimal { precision: 38, scale: 10 },
    ColumnType::Date,
    ColumnType::Timestamp,
    ColumnType::String,
    ColumnType::Binary,
];

/// Types in which another writer may have written a column of that type.
fn foreign_types(key: ColumnType) -> Vec<DataType> {
    let own = key.arrow();
    let mut types = vec![own.clone(), own.clone()];
    types.extend(match key {
        ColumnType::Byte => vec![DataType::Int16, DataType::Int32, DataType::Int64],
        ColumnType::Short => vec![DataType::Int32, DataType::Int64],
        ColumnType::Int => vec![DataType::Int64],
        ColumnType::Decimal { precision, scale } => {
            let scale = i8::try_from(scale).unwrap();
            let wider = [
                DataType::Decimal128(38, scale),
                DataType::Decimal128((precision + 1).min(38), scale),
                DataType::Decimal128(38, scale + 1),
                DataType::Decimal256(60, scale),
            ];
            let fits = if precision < 38 { 4 } else { 2 };
            wider[..fits].to_vec()
        }
        ColumnType::Timestamp => vec![
            DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            DataType::Timestamp(TimeUnit::Microsecond, None),
        ],
        ColumnType::String => vec![DataType::LargeUtf8, DataType::Utf8View, DataType::Binary],
        ColumnType::Binary => vec![DataType::LargeBinary, DataType::BinaryView],
        _ => vec![],
    });
    types
}

fn random_key(rng: &mut StdRng, key: ColumnType) -> Value {
    match key {
        ColumnType::Byte => Value::Int(rng.random::<i8>().into()),
        ColumnType::Short => Value::Int(rng.random::<i16>().into()),
        ColumnType::Int => Value::Int(rng.random::<i32>().into()),
        ColumnType::Long => Value::Int(rng.random::<i64>().into()),
        ColumnType::Decimal { precision, scale } => {
            let most = 10_i128.pow(u32::from(precision.min(36)));
            let narrow = if rng.random_bool(0.2) { 1_000 } else { most };
            Value::Decimal { unscaled: rng.random_range(-narrow + 1..narrow), scale }
        }
        ColumnType::Date => Value::Day(rng.random_range(-300_000..300_000)),
        // Whole milliseconds, so that every unit can hold it.
        ColumnType::Timestamp => {
            Value::Instant(rng.random_range(-8_000_000_000_000_i64..8_000_000_000_000) * 1_000)
        }
        ColumnType::String => Value::Text(format!("{:x}", rng.random::<u64>())),
        _ => Value::Bytes(rng.random::<u64>().to_be_bytes()[..rng.random_range(1..=8)].to_vec()),
    }
}

/// A file of another writer, with filters, whose length need not be told.
fn file(rng: &mut StdRng, columns: &[Column], keys: &[Key], key_type: &DataType) -> Vec<u8> {
    let of_rows: Vec<Vec<Value>> =
        keys.iter().map(|key| vec![key[0].clone(), Value::Null]).collect();
    let batch = rows::batch(columns, &of_rows.iter().collect::<Vec<_>>());
    let id = cast(batch.column(0), key_type).unwrap();
    let schema = Schema::new(vec![Field::new("id", key_type.clone(), true)]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![id]).unwrap();
    let position = [BloomFilterPosition::End, BloomFilterPosition::AfterRowGroup];
    let version =
        if rng.random() { WriterVersion::PARQUET_1_0 } else { WriterVersion::PARQUET_2_0 };
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(rng.random_range(3_000..9_000)))
        .set_dictionary_enabled(rng.random())
        .set_bloom_filter_enabled(true)
        .set_bloom_filter_fpp(*[0.2, 0.05].choose(rng).unwrap())
        .set_bloom_filter_position(*position.choose(rng).unwrap())
        .set_writer_version(version)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_filter_of_any_writer_loses_a_key() {
    property::check("no_filter_of_any_writer_loses_a_key", 25, 12, |mut rng| async move {
        let rng = &mut rng;
        let key = *KEY_TYPES.choose(rng).unwrap();
        let folder = TempDir::new().unwrap();
        let (location, table) = new_table(&folder, key).await;
        let pool: BTreeSet<Key> = (0..18_000).map(|_| vec![random_key(rng, key)]).collect();
        let mut pool: Vec<Key> = pool.into_iter().collect();
        pool.shuffle(rng);
        let (there, absent) = pool.split_at(pool.len() * 2 / 3);
        let schema = schema(key);
        let columns = schema.columns();
        let mut adds = Vec::new();
        for part in there.chunks(there.len().div_ceil(2)) {
            let key_type = foreign_types(key).choose(rng).unwrap().clone();
            let bytes = file(rng, columns, part, &key_type);
            let path = format!("foreign-{}.parquet", adds.len());
            std::fs::write(folder.path().join("shop/t").join(&path), &bytes).unwrap();
            adds.push(Add {
                path,
                size: i64::try_from(bytes.len()).unwrap(),
                modification_time: SystemClock.now().timestamp_millis(),
                data_change: true,
                stats: Some(format!("{{\"numRecords\":{}}}", part.len())),
                ..Add::default()
            });
        }
        let operation =
            DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
        let delta = table.delta();
        CommitBuilder::from(CommitProperties::default())
            .with_actions(adds.into_iter().map(deltalake::kernel::Action::Add).collect())
            .build(Some(delta.snapshot().unwrap()), delta.log_store(), operation)
            .await
            .unwrap();
        let table = lake::open(&location).await;
        for _ in 0..12 {
            let (some, none) = (rng.random_range(0..12), rng.random_range(0..30));
            let present: Vec<Key> = there.choose_multiple(rng, some).cloned().collect();
            let mut asked = present.clone();
            asked.extend(absent.choose_multiple(rng, none).cloned());
            asked.shuffle(rng);
            let asked = rows::key_batch(columns, &[0], &asked.iter().collect::<Vec<_>>());
            let found = merge::rows_of(&table, &names(), &[asked], &[]).await.unwrap();
            let found = rows::rows_of(&found, &columns[..1], &[0]);
            let expected: BTreeSet<Key> = present.into_iter().collect();
            let found: BTreeSet<Key> = found.values().map(|row| key_of(row, &[0])).collect();
            assert_eq!(found, expected, "{key:?}");
        }
    })
    .await;
}
