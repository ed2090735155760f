//! Our data files: statistics in the log, row groups, size.

mod rewriting;

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use bytes::Bytes;
use deltalake::logstore::ObjectStoreRef;
use deltalake::operations::create::CreateBuilder;
use dmslake::change::NetChanges;
use dmslake::files::{DataFileWriter, FileLayout};
use dmslake::schema::{Column, ColumnType, TableSchema};
use dmslake::storage::Location;
use dmslake::table::{self, LakeTable};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::basic::Encoding;
use parquet::file::metadata::{
    PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use tempfile::TempDir;

use crate::support::lake;

fn column(name: &str, column_type: ColumnType) -> Column {
    Column { name: name.into(), column_type, nullable: true }
}

/// A table with these columns and no files.
async fn new_table(folder: &TempDir, columns: Vec<Column>) -> (Location, LakeTable) {
    let location = Location::open(folder.path().to_str().unwrap()).await.unwrap();
    let table = lake::create(&location, "t", &TableSchema::new(columns)).await;
    (location, table)
}

fn store(table: &LakeTable) -> ObjectStoreRef {
    table.delta().log_store().object_store(None)
}

/// Appends these rows in one more commit.
async fn append(location: &Location, table: &LakeTable, rows: RecordBatch) -> LakeTable {
    let net = NetChanges { upserts: vec![rows], ..NetChanges::default() };
    lake::apply(location, table, &["id".to_owned()], net).await.1
}

fn stats_of(table: &LakeTable) -> String {
    let files: Vec<_> = table.delta().snapshot().unwrap().log_data().iter().collect();
    assert_eq!(files.len(), 1);
    files[0].stats().unwrap().clone()
}

async fn footer(store: &ObjectStoreRef, path: &str) -> (Bytes, Arc<ParquetMetaData>) {
    let bytes = store.get(&Path::from(path)).await.unwrap().bytes().await.unwrap();
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    (bytes.clone(), Arc::new(reader.parse_and_finish(&bytes).unwrap()))
}

/// The microseconds of a timestamp in UTC.
fn micros(text: &str) -> i64 {
    text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_micros()
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_say_each_type_as_delta_spells_it() {
    let decimal = |precision, scale| ColumnType::Decimal { precision, scale };
    let columns = vec![
        column("id", ColumnType::Long),
        column("byte", ColumnType::Byte),
        column("short", ColumnType::Short),
        column("int", ColumnType::Int),
        column("int32 decimal", decimal(9, 2)),
        column("int64 decimal", decimal(18, 4)),
        column("wide \"decimal\"", decimal(20, 0)),
        column("wider.decimal", decimal(38, 10)),
        column("double", ColumnType::Double),
        column("boolean", ColumnType::Boolean),
        column("date", ColumnType::Date),
        column("timestamp", ColumnType::Timestamp),
        column("string", ColumnType::String),
        column("binary", ColumnType::Binary),
        column("nothing", ColumnType::String),
    ];
    let decimals = |precision, scale, values: [i128; 2]| -> ArrayRef {
        let values = Decimal128Array::from(vec![Some(values[0]), Some(values[1]), None]);
        Arc::new(values.with_precision_and_scale(precision, scale).unwrap())
    };
    let instants = [micros("1969-12-31T23:59:59.999999Z"), micros("2024-02-29T12:30:45.123456Z")];
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX, 0])),
        Arc::new(Int8Array::from(vec![Some(-128), Some(127), None])),
        Arc::new(Int16Array::from(vec![Some(-32768), Some(32767), None])),
        Arc::new(Int32Array::from(vec![Some(i32::MIN), Some(i32::MAX), None])),
        decimals(9, 2, [-5, 999_999_999]),
        decimals(18, 4, [-123_456_789_012_345_678, 10_000]),
        decimals(20, 0, [-18_446_744_073_709_551_615, 18_446_744_073_709_551_615]),
        decimals(38, 10, [-(10i128.pow(38) - 1), 10i128.pow(38) - 1]),
        Arc::new(Float64Array::from(vec![Some(-0.1), Some(1e300), None])),
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
        Arc::new(Date32Array::from(vec![Some(-354_285), Some(2_932_896), None])),
        Arc::new(
            TimestampMicrosecondArray::from(vec![Some(instants[0]), Some(instants[1]), None])
                .with_timezone("UTC"),
        ),
        Arc::new(StringArray::from(vec![Some(""), Some("é\"\n"), None])),
        Arc::new(BinaryArray::from(vec![Some(&b"a"[..]), Some(&b"\xff"[..]), None])),
        Arc::new(StringArray::new_null(3)),
    ];
    let folder = TempDir::new().unwrap();
    let (location, table) = new_table(&folder, columns).await;
    let rows = RecordBatch::try_new(table.schema().arrow(), arrays).unwrap();
    let table = append(&location, &table, rows.clone()).await;
    let expected = concat!(
        r#"{"numRecords":3,"minValues":{"id":-9223372036854775808,"byte":-128,"short":-32768,"#,
        r#""int":-2147483648,"int32 decimal":-0.05,"int64 decimal":-12345678901234.5678,"#,
        r#""wide \"decimal\"":-18446744073709551615,"#,
        r#""wider.decimal":-9999999999999999999999999999.9999999999,"double":-0.1,"#,
        r#""date":"1000-01-01","timestamp":"1969-12-31T23:59:59.999Z","string":""},"#,
        r#""maxValues":{"id":9223372036854775807,"byte":127,"short":32767,"int":2147483647,"#,
        r#""int32 decimal":9999999.99,"int64 decimal":1.0000,"#,
        r#""wide \"decimal\"":18446744073709551615,"#,
        r#""wider.decimal":9999999999999999999999999999.9999999999,"double":1e+300,"#,
        r#""date":"9999-12-31","timestamp":"2024-02-29T12:30:45.124Z","string":"é\"\n"},"#,
        r#""nullCount":{"id":0,"byte":1,"short":1,"int":1,"int32 decimal":1,"int64 decimal":1,"#,
        r#""wide \"decimal\"":1,"wider.decimal":1,"double":1,"boolean":1,"date":1,"timestamp":1,"#,
        r#""string":1,"binary":1,"nothing":3}}"#,
    );
    assert_eq!(stats_of(&table), expected);
    deltalake::checkpoints::create_checkpoint(table.delta(), None).await.unwrap();
    std::fs::remove_file(folder.path().join("_delta_log/00000000000000000000.json")).unwrap();
    let table = table::open(&location, None).await.unwrap().unwrap();
    assert_eq!(stats_of(&table), expected, "through a checkpoint");

    let snapshot = table.delta().snapshot().unwrap();
    let file = snapshot.log_data().iter().next().unwrap();
    let (least, greatest) =
        (format!("{:?}", file.min_values()), format!("{:?}", file.max_values()));
    for digits in ["18446744073709551615", "99999999999999999999999999999999999999"] {
        assert!(least.contains(&format!("-{digits}")), "{least}");
        assert!(greatest.contains(digits), "{greatest}");
    }
    let (_, footer) = footer(&store(&table), &file.path()).await;
    let physical: Vec<String> = footer.file_metadata().schema_descr().columns()[4..8]
        .iter()
        .map(|column| column.physical_type().to_string())
        .collect();
    assert_eq!(physical, ["INT32", "INT64", "FIXED_LEN_BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"]);
    assert!(footer.file_metadata().key_value_metadata().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_that_cannot_be_written_exactly_still_hold() {
    let long = |last: char| format!("{}{last}", "x".repeat(100));
    let folder = TempDir::new().unwrap();
    let columns = vec![
        column("id", ColumnType::String),
        column("end of time", ColumnType::Timestamp),
        column("far day", ColumnType::Date),
        column("infinite", ColumnType::Double),
        column("top", ColumnType::String),
    ];
    let (location, table) = new_table(&folder, columns).await;
    let end = micros("9999-12-31T23:59:59.999999Z");
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![long('a'), long('b')])),
        Arc::new(TimestampMicrosecondArray::from(vec![0, end]).with_timezone("UTC")),
        Arc::new(Date32Array::from(vec![0, i32::MAX])),
        Arc::new(Float64Array::from(vec![f64::NEG_INFINITY, 1.5])),
        Arc::new(StringArray::from(vec!["\u{10ffff}".repeat(30), String::new()])),
    ];
    let rows = RecordBatch::try_new(table.schema().arrow(), arrays).unwrap();
    let table = append(&location, &table, rows).await;
    let stats: serde_json::Value = serde_json::from_str(&stats_of(&table)).unwrap();
    let (least, greatest) = (&stats["minValues"], &stats["maxValues"]);
    assert_eq!(least["id"], "x".repeat(64));
    assert_eq!(greatest["id"], format!("{}y", "x".repeat(63)));
    assert_eq!(least["end of time"], "1970-01-01T00:00:00.000Z");
    assert_eq!(greatest["end of time"], "9999-12-31T23:59:59.999Z");
    assert_eq!((least["far day"].as_str(), greatest.get("far day")), (Some("1970-01-01"), None));
    assert_eq!((least.get("infinite"), greatest["infinite"].as_f64()), (None, Some(1.5)));
    // No shorter text is greater than a text that consists only of the greatest character.
    assert_eq!(greatest["top"], "\u{10ffff}".repeat(30));
}

fn numbered(table: &LakeTable, rows: std::ops::Range<i64>) -> RecordBatch {
    let ids = Int64Array::from_iter_values(rows.clone());
    let texts = StringArray::from_iter_values(rows.map(|row| format!("{:x}", row * 2_654_435_761)));
    let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(texts)];
    RecordBatch::try_new(table.schema().arrow(), columns).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_end_near_the_target_size_and_row_groups_are_small() {
    let folder = TempDir::new().unwrap();
    let columns = vec![column("id", ColumnType::Long), column("text", ColumnType::String)];
    let (_, table) = new_table(&folder, columns).await;
    let layout = FileLayout::of(table.files(), &["id".to_owned()], &lake::clock())
        .unwrap()
        .with_target_file_size(NonZeroU64::new(1 << 20).unwrap())
        .with_bloom_filters();
    let mut writer = DataFileWriter::new(store(&table), Arc::new(layout), HashMap::new());
    for start in (0..400_000).step_by(100_000) {
        writer.write(&numbered(&table, start..start + 100_000)).await.unwrap();
    }
    writer.write(&numbered(&table, 0..0)).await.unwrap();
    let adds = writer.close().await.unwrap();
    assert!(adds.len() > 2, "{} files", adds.len());
    let mut next = 0;
    for add in &adds {
        assert!(add.path.starts_with("part-") && add.path.ends_with(".parquet"), "{}", add.path);
        assert!(add.size < 4 << 20, "{} bytes", add.size);
        let (bytes, footer) = footer(&store(&table), &add.path).await;
        assert_eq!(usize::try_from(add.size).unwrap(), bytes.len());
        for group in footer.row_groups() {
            assert!(group.num_rows() <= 128 << 10);
            assert!(group.column(0).encodings().all(|e| e != Encoding::RLE_DICTIONARY));
            assert!(group.column(0).bloom_filter_offset().is_some());
            assert!(group.column(1).bloom_filter_offset().is_none());
        }
        for row in rewriting::rows(&bytes) {
            assert_eq!(row.0, next);
            next += 1;
        }
    }
    assert_eq!(next, 400_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_group_has_a_dictionary_where_its_own_values_recur() {
    let folder = TempDir::new().unwrap();
    let columns = vec![column("id", ColumnType::Long), column("text", ColumnType::String)];
    let (_, table) = new_table(&folder, columns).await;
    let layout = FileLayout::of(table.files(), &["id".to_owned()], &lake::clock()).unwrap();
    let mut writer = DataFileWriter::new(store(&table), Arc::new(layout), HashMap::new());
    let half = 128 << 10;
    writer.write(&numbered(&table, 0..half)).await.unwrap();
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(half..2 * half));
    let states = StringArray::from_iter_values((0..half).map(|row| format!("state {}", row % 5)));
    let recurring = vec![ids, Arc::new(states)];
    let recurring = RecordBatch::try_new(table.schema().arrow(), recurring).unwrap();
    writer.write(&recurring).await.unwrap();
    let adds = writer.close().await.unwrap();
    let (_, footer) = footer(&store(&table), &adds[0].path).await;
    let have_dictionaries: Vec<[bool; 2]> = footer
        .row_groups()
        .iter()
        .map(|group| [0, 1].map(|place| group.column(place).dictionary_page_offset().is_some()))
        .collect();
    assert_eq!(have_dictionaries, [[false, false], [false, true]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_partitioned_table_go_to_their_partitions() {
    let folder = TempDir::new().unwrap();
    let columns = [
        column("at", ColumnType::Timestamp),
        column("id", ColumnType::Long),
        column("place", ColumnType::String),
    ];
    let location = Location::open(folder.path().to_str().unwrap()).await.unwrap();
    let record = lake::empty_record(0);
    CreateBuilder::new()
        .with_log_store(table::log_store(&location).unwrap())
        .with_columns(table::to_delta(&columns).unwrap())
        .with_partition_columns(["place", "at"])
        .with_commit_properties(table::commit_properties(&record, 1, None).unwrap())
        .await
        .unwrap();
    let table = lake::open(&location).await;
    let at = micros("2024-02-29T12:30:45.123456Z");
    let places = [Some("a b/c=%é"), None, Some("a b/c=%é"), Some("z")];
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from(vec![at; 4]).with_timezone("UTC")),
        Arc::new(Int64Array::from(vec![1, 2, 3, 4])),
        Arc::new(StringArray::from(places.to_vec())),
    ];
    let rows = RecordBatch::try_new(table.schema().arrow(), arrays).unwrap();
    let table = append(&location, &table, rows).await;
    assert_eq!(table.delta().snapshot().unwrap().log_data().num_files(), 3);
    let context = datafusion::prelude::SessionContext::new();
    let frame = context.read_table(table.delta().table_provider().await.unwrap()).unwrap();
    let frame = frame.sort_by(vec![datafusion::prelude::col("id")]).unwrap();
    let found = frame.collect().await.unwrap();
    let shown = arrow::util::pretty::pretty_format_batches(&found).unwrap().to_string();
    let expected = "
+-----------------------------+----+----------+
| at                          | id | place    |
+-----------------------------+----+----------+
| 2024-02-29T12:30:45.123456Z | 1  | a b/c=%é |
| 2024-02-29T12:30:45.123456Z | 2  |          |
| 2024-02-29T12:30:45.123456Z | 3  | a b/c=%é |
| 2024-02-29T12:30:45.123456Z | 4  | z        |
+-----------------------------+----+----------+";
    assert_eq!(shown, expected.trim_start());
}

#[tokio::test(flavor = "multi_thread")]
async fn wide_rows_end_a_row_group_by_their_bytes() {
    let folder = TempDir::new().unwrap();
    let columns = vec![column("id", ColumnType::Long), column("text", ColumnType::String)];
    let (_, table) = new_table(&folder, columns).await;
    let layout =
        Arc::new(FileLayout::of(table.files(), &["id".to_owned()], &lake::clock()).unwrap());
    let mut writer = DataFileWriter::new(store(&table), layout, HashMap::new());
    let wide = "wide".repeat(1 << 18);
    for start in (0..160).step_by(40) {
        let ids = Int64Array::from_iter_values(start..start + 40);
        let texts = StringArray::from_iter_values((0..40).map(|_| &wide));
        let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(texts)];
        let rows = RecordBatch::try_new(table.schema().arrow(), columns).unwrap();
        writer.write(&rows).await.unwrap();
    }
    let adds = writer.close().await.unwrap();
    assert_eq!(adds.len(), 1);
    let (_, footer) = footer(&store(&table), &adds[0].path).await;
    let rows: Vec<i64> = footer.row_groups().iter().map(RowGroupMetaData::num_rows).collect();
    assert!(rows.len() >= 3 && rows.iter().all(|rows| *rows <= 64), "{rows:?}");
    assert_eq!(rows.iter().sum::<i64>(), 160);
}
