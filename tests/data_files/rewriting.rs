//! Copy-on-write of one file: what a merge does to the rows of a touched file.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Int64Array, RecordBatch, StringArray,
    StringViewArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use bytes::Bytes;
use deltalake::kernel::Add;
use deltalake::logstore::ObjectStoreRef;
use dmslake::error::ErrorKind;
use dmslake::files::{FileLayout, Match, Rewritten, TouchedFile, rewrite};
use dmslake::schema::{Column, ColumnType};
use dmslake::table::LakeTable;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
use parquet::file::properties::WriterProperties;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use super::{column, footer, new_table, store};
use crate::support::hooked_store::{Fault, Faults, HookedStore, Side};
use crate::support::lake;
use crate::support::parquet_file::{Values, file, numbers, texts};

const WIDE: ColumnType = ColumnType::Decimal { precision: 20, scale: 2 };

/// Key, text, amount.
pub(super) type Row = (i64, Option<String>, Option<i128>);

fn columns() -> Vec<Column> {
    vec![column("id", ColumnType::Long), column("text", ColumnType::String), column("amount", WIDE)]
}

fn row(id: i64, text: &str) -> Row {
    let text = (id % 7 != 0).then(|| format!("{text} {id}"));
    (id, text, (id % 5 != 0).then(|| i128::from(id) * 10i128.pow(15)))
}

fn batch(table: &LakeTable, rows: &[Row]) -> RecordBatch {
    let ids: Int64Array = rows.iter().map(|row| Some(row.0)).collect();
    let texts: StringArray = rows.iter().map(|row| row.1.as_deref()).collect();
    let amounts: Decimal128Array = rows.iter().map(|row| row.2).collect();
    let amounts = amounts.with_data_type(WIDE.arrow());
    let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(texts), Arc::new(amounts)];
    RecordBatch::try_new(table.schema().arrow(), columns).unwrap()
}

/// The rows of a file; the amount is none if there is no such column.
pub(super) fn rows(bytes: &Bytes) -> Vec<Row> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).unwrap().build().unwrap();
    let mut rows = vec![];
    for batch in reader {
        let batch = batch.unwrap();
        let texts = cast(batch.column(1), &DataType::Utf8).unwrap();
        let (ids, texts) = (batch.column(0).as_primitive::<Int64Type>(), texts.as_string::<i32>());
        let amounts = batch.columns().get(2).map(AsArray::as_primitive::<Decimal128Type>);
        rows.extend((0..batch.num_rows()).map(|index| {
            let text = texts.is_valid(index).then(|| texts.value(index).to_owned());
            let amount = amounts.filter(|a| a.is_valid(index)).map(|amounts| amounts.value(index));
            (ids.value(index), text, amount)
        }));
    }
    rows
}

/// A file as written by another writer, with this many rows per row group.
fn encoded(rows: &RecordBatch, group_rows: usize) -> Vec<u8> {
    let properties =
        WriterProperties::builder().set_max_row_group_row_count(Some(group_rows)).build();
    let mut bytes = vec![];
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties)).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
    bytes
}

/// Puts a file into the table's folder and sets the rows that changes match.
async fn touch(table: &LakeTable, bytes: Vec<u8>, matches: &[(u64, u32)]) -> TouchedFile {
    let path = "old = é%20 file.parquet".to_owned();
    let bytes = Bytes::from(bytes);
    let footer = ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Optional)
        .parse_and_finish(&bytes)
        .unwrap();
    let add = Add { path: path.clone(), size: bytes.len().try_into().unwrap(), ..Add::default() };
    store(table).put(&Path::parse(&path).unwrap(), bytes.into()).await.unwrap();
    let matches = matches.iter().map(|&(position, change)| Match { position, change }).collect();
    TouchedFile { add, footer: Arc::new(footer), matches, masked: vec![] }
}

async fn rewritten(table: &LakeTable, touched: &TouchedFile, images: &[RecordBatch]) -> Rewritten {
    let layout =
        Arc::new(FileLayout::of(table.files(), &["id".to_owned()], &lake::clock()).unwrap());
    on_any_thread(rewrite(&store(table), &layout, touched, images)).await.unwrap()
}

/// Files are rewritten concurrently, as tasks.
fn on_any_thread<F: Future + Send>(future: F) -> F {
    future
}

async fn rows_after(table: &LakeTable, rewritten: &Rewritten) -> Vec<Row> {
    let Some(add) = &rewritten.add else { return vec![] };
    let (bytes, footer) = footer(&store(table), &add.path).await;
    assert_eq!(usize::try_from(add.size).unwrap(), bytes.len());
    let found = rows(&bytes);
    assert_eq!(usize::try_from(footer.file_metadata().num_rows()).unwrap(), found.len());
    let stats: serde_json::Value = serde_json::from_str(add.stats.as_ref().unwrap()).unwrap();
    assert_eq!(stats["numRecords"], found.len());
    assert_eq!(stats["minValues"]["id"], found.iter().map(|row| row.0).min().unwrap());
    assert_eq!(stats["maxValues"]["id"], found.iter().map(|row| row.0).max().unwrap());
    assert!(add.data_change && add.modification_time > 0 && add.deletion_vector.is_none());
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn any_change_of_any_file_leaves_the_rows_that_a_model_leaves() {
    let folder = TempDir::new().unwrap();
    let (_, table) = new_table(&folder, columns()).await;
    let mut rng = StdRng::seed_from_u64(4);
    // Rows of the file, rows per row group.
    let shapes = [
        (1, 10),
        (8_192, 8_192),
        (8_193, 8_192),
        (8_193, 100_000),
        (9_000, 1_000),
        (300_000, 290_000),
    ];
    for (count, group_rows) in shapes {
        for (updates, deletes, masks) in [(0.0, 0.001, 0.0), (0.3, 0.3, 0.1), (0.001, 0.0, 0.01)] {
            let before: Vec<Row> = (0..count).map(|id| row(id, "old")).collect();
            let mut images = vec![];
            let mut changes = vec![];
            let mut masked = vec![];
            let mut expected = vec![];
            // The last third of a file with many row groups is unchanged.
            let untouched_from = if count == 9_000 { 6_000 } else { count };
            for (position, found) in before.iter().enumerate() {
                let draw = if found.0 < untouched_from { rng.random::<f64>() } else { 1.0 };
                if draw < updates {
                    let image = row(found.0, "a longer new");
                    changes.push((position as u64, Some(u32::try_from(images.len()).unwrap())));
                    expected.push(image.clone());
                    images.push(image);
                } else if draw < updates + deletes {
                    changes.push((position as u64, None));
                } else if draw < updates + deletes + masks {
                    masked.push(position as u64);
                } else {
                    expected.push(found.clone());
                }
            }
            let upserts = u32::try_from(images.len()).unwrap();
            let matches: Vec<(u64, u32)> =
                changes.iter().map(|&(at, change)| (at, change.unwrap_or(upserts + 1))).collect();
            let parts = images.chunks(700).map(|part| batch(&table, part)).collect::<Vec<_>>();
            let bytes = encoded(&batch(&table, &before), group_rows);
            let mut touched = touch(&table, bytes, &matches).await;
            touched.masked = masked;
            let done = rewritten(&table, &touched, &parts).await;
            assert_eq!(rows_after(&table, &done).await, expected, "{count} / {group_rows}");
            assert_eq!(done.updated_rows, u64::from(upserts));
            assert_eq!(done.deleted_rows, matches.len() as u64 - u64::from(upserts));
            assert_eq!(done.copied_rows + done.encoded_rows, expected.len() as u64);
            if count == 9_000 {
                assert!(done.copied_rows >= 3_000 && done.copied_bytes > 0);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_groups_without_a_change_are_copied_byte_by_byte() {
    let folder = TempDir::new().unwrap();
    let (_, table) = new_table(&folder, columns()).await;
    let old: Vec<Row> = (0..4_000).map(|id| row(id, "old")).collect();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(1_000))
        .set_bloom_filter_enabled(true)
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(100)
        .build();
    let mut bytes = vec![];
    let mut writer =
        ArrowWriter::try_new(&mut bytes, table.schema().arrow(), Some(properties)).unwrap();
    writer.write(&batch(&table, &old)).unwrap();
    writer.close().unwrap();
    // A deleted first row moves everything after it.
    let touched = touch(&table, bytes.clone(), &[(0, 0), (2_500, 9)]).await;
    let image = batch(&table, &[row(-3, "an image that is longer than what it replaces")]);
    let done = rewritten(&table, &touched, &[image]).await;
    assert_eq!((done.copied_rows, done.encoded_rows), (2_000, 1_999));

    let bytes = Bytes::from(bytes);
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    let before = reader.parse_and_finish(&bytes).unwrap();
    let (new_bytes, after) = footer(&store(&table), &done.add.as_ref().unwrap().path).await;
    for group in [1, 3] {
        for column in 0..3 {
            let (old, new) =
                (before.row_group(group).column(column), after.row_group(group).column(column));
            let chunk = |bytes: &Bytes, (start, length): (u64, u64)| {
                let [start, end] = [start, start + length].map(|at| usize::try_from(at).unwrap());
                bytes.slice(start..end)
            };
            assert_eq!(chunk(&bytes, old.byte_range()), chunk(&new_bytes, new.byte_range()));
            assert_eq!(old.statistics(), new.statistics());
            assert!(new.bloom_filter_offset().is_some());
            let moved = new.byte_range().0.cast_signed() - old.byte_range().0.cast_signed();
            assert_ne!(moved, 0);
            let pages = |metadata: &parquet::file::metadata::ParquetMetaData, moved: i64| {
                let pages = &metadata.offset_index().unwrap()[group][column].page_locations;
                pages.iter().map(|page| page.offset + moved).collect::<Vec<_>>()
            };
            assert_eq!(pages(&before, moved), pages(&after, 0));
            assert_eq!(pages(&after, 0).len(), 10);
            let index = |metadata: &parquet::file::metadata::ParquetMetaData| {
                metadata.column_index().unwrap()[group][column].clone()
            };
            assert_eq!(index(&before), index(&after));
        }
    }
    let stats: serde_json::Value =
        serde_json::from_str(done.add.as_ref().unwrap().stats.as_ref().unwrap()).unwrap();
    assert_eq!(stats["minValues"]["id"], -3);
    assert_eq!(stats["maxValues"]["id"], 3_999);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_which_no_row_is_left_has_no_replacement() {
    let folder = TempDir::new().unwrap();
    let (_, table) = new_table(&folder, columns()).await;
    let old: Vec<Row> = (0..10).map(|id| row(id, "old")).collect();
    let bytes = encoded(&batch(&table, &old), 3);
    let mut touched = touch(&table, bytes, &(0..9).map(|at| (at, 7)).collect::<Vec<_>>()).await;
    touched.masked = vec![9];
    let done = rewritten(&table, &touched, &[]).await;
    assert!(done.add.is_none());
    assert_eq!((done.deleted_rows, done.copied_rows, done.encoded_rows), (9, 0, 0));
}

/// Columns in another order, an unknown column, a column that was added later, and other choices of
/// Spark and other writers.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_writer_is_read_as_the_table_has_it() {
    let folder = TempDir::new().unwrap();
    let mut columns = columns();
    columns.push(column("at", ColumnType::Timestamp));
    columns.push(column("added", ColumnType::String));
    let (_, table) = new_table(&folder, columns).await;
    // Year 1, year 9999 and 1970.
    let instant = |days: i64, microseconds: i64| Some(days * 86_400_000_000 + microseconds);
    let instants = vec![instant(-719_162, 1), instant(2_932_896, 0), instant(0, 5), None];
    let amounts = [Some(-150), None, Some(99_999), Some(1)];
    let old = file(&[
        ("int96 at", Values::I96(instants)),
        ("binary text", texts(&[Some("é"), None, Some(""), Some("b")])),
        ("int32 amount (decimal(9,2))", Values::I32(amounts.to_vec())),
        ("int64 gone", numbers(4)),
        ("int64 id", numbers(4)),
    ]);
    let touched = touch(&table, old, &[(1, 0), (3, 1)]).await;
    let image: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![2])),
        Arc::new(StringArray::from(vec!["new"])),
        Arc::new(Decimal128Array::from(vec![1]).with_data_type(WIDE.arrow())),
        arrow::array::new_null_array(&ColumnType::Timestamp.arrow(), 1),
        Arc::new(StringArray::from(vec!["there"])),
    ];
    let image = RecordBatch::try_new(table.schema().arrow(), image).unwrap();
    let done = rewritten(&table, &touched, &[image]).await;
    assert_eq!((done.copied_rows, done.encoded_rows), (0, 3));
    let (bytes, _) = footer(&store(&table), &done.add.as_ref().unwrap().path).await;
    let mut reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let found = reader.next().unwrap().unwrap();
    let shown = arrow::util::pretty::pretty_format_batches(&[found]).unwrap().to_string();
    let expected = "
+----+------+--------+-----------------------------+-------+
| id | text | amount | at                          | added |
+----+------+--------+-----------------------------+-------+
| 1  | é    | -1.50  | 0001-01-01T00:00:00.000001Z |       |
| 2  | new  | 0.01   |                             | there |
| 3  |      | 999.99 | 1970-01-01T00:00:00.000005Z |       |
+----+------+--------+-----------------------------+-------+";
    assert_eq!(shown, expected.trim_start());
}

/// A writer's embedded Arrow schema differs from the table's.
#[tokio::test(flavor = "multi_thread")]
async fn views_and_dictionaries_of_other_writers_do_not_matter() {
    let folder = TempDir::new().unwrap();
    let columns = vec![column("id", ColumnType::Long), column("text", ColumnType::String)];
    let (_, table) = new_table(&folder, columns).await;
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let plain: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("a")]));
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let views: StringViewArray = plain.as_string::<i32>().iter().collect();
    for texts in [cast(&plain, &dictionary).unwrap(), Arc::new(views)] {
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("id", ids.clone(), true),
            ("text", texts, true),
        ]);
        let touched = touch(&table, encoded(&batch.unwrap(), 2), &[(2, 0)]).await;
        let done = rewritten(&table, &touched, &[]).await;
        let left = [(1, Some("a".to_owned()), None), (2, None, None)];
        assert_eq!(rows_after(&table, &done).await, left);
        assert_eq!(done.copied_rows, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_what_its_footer_says_is_told_from_one_that_does_not_answer() {
    let folder = TempDir::new().unwrap();
    let (_, table) = new_table(&folder, columns()).await;
    let layout =
        Arc::new(FileLayout::of(table.files(), &["id".to_owned()], &lake::clock()).unwrap());
    let old: Vec<Row> = (0..1_000).map(|id| row(id, "old")).collect();
    let bytes = encoded(&batch(&table, &old), 10_000);
    let touched = touch(&table, bytes.clone(), &[(0, 0)]).await;
    let path = Path::parse(&touched.add.path).unwrap();
    let kind_from = async |store: ObjectStoreRef, touched: &TouchedFile| {
        rewrite(&store, &layout, touched, &[]).await.unwrap_err().kind()
    };
    let kind = async |touched: &TouchedFile| kind_from(store(&table), touched).await;

    store(&table).put(&path, vec![0xff; bytes.len()].into()).await.unwrap();
    assert_eq!(kind(&touched).await, ErrorKind::TableCorrupt);
    store(&table).delete(&path).await.unwrap();
    assert_eq!(kind(&touched).await, ErrorKind::TableCorrupt, "it is missing");
    let fault = Fault { write: 1, side: Side::Before, died: true };
    let silent: ObjectStoreRef =
        Arc::new(HookedStore::new(store(&table), Faults::new(Some(fault))));
    silent.put(&path, "".into()).await.unwrap_err();
    assert_eq!(kind_from(silent, &touched).await, ErrorKind::Unavailable);

    for positions in [[5, 5], [7, 6_000]] {
        let touched = touch(&table, bytes.clone(), &positions.map(|at| (at, 0))).await;
        assert_eq!(kind(&touched).await, ErrorKind::Internal, "{positions:?}");
    }
    let files: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    let left = files.iter().filter(|path| path.extension().is_some_and(|e| e == "parquet"));
    assert_eq!(left.count(), 1, "nothing of a failed rewrite is left: {files:?}");
}
