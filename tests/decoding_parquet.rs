//! Parquet objects: fields by name, operations, before images, page forms, resuming, large ones.

use std::io::Write as _;

use dmslake::error::ErrorKind;
use dmslake::schema::ColumnType;
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::basic::{Compression as Codec, Encoding, GzipLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use crate::support::parquet_file::{Values, file, file_with, numbers, texts};
use crate::support::staged::{CDC_PARQUET, LOAD_PARQUET, Staged, column};

/// A table with only its key configured.
fn orders() -> Staged {
    Staged::new(&[("id", "bigint")])
}

fn longs(values: &[Option<i64>]) -> Values {
    Values::I64(values.to_vec())
}

#[tokio::test]
async fn operations_and_what_a_delete_brings() {
    let mut staged = orders();
    staged.table.columns.push(column("qty", "tinyint"));
    staged.table.columns.push(column("name", "varchar(5)"));
    staged.table.columns[2].nullable = false;
    let object = file(&[
        (
            "binary Op (UTF8)",
            texts(&[Some("I"), Some("U"), Some("D"), Some("X"), None, Some("D"), Some("U")]),
        ),
        ("int64 id", longs(&[Some(1), Some(2), Some(3), Some(4), Some(5), None, Some(7)])),
        (
            "int32 qty (INT_8)",
            Values::I32(vec![Some(1), Some(300), Some(300), Some(4), Some(5), Some(6), Some(7)]),
        ),
        (
            "binary name (UTF8)",
            texts(&[Some("a"), Some("b"), None, Some("d"), Some("e"), Some("f"), None]),
        ),
    ]);
    let decoded = staged.read(CDC_PARQUET, object).await.unwrap();
    assert_eq!((decoded.operations().as_str(), decoded.rows()), ("ID", vec![1, 3]));
    assert_eq!(decoded.values("qty"), ["1", "∅"]);
    assert_eq!(decoded.names(), ["change operation", "change row", "id", "qty", "name"]);
    let bad: Vec<_> = decoded.bad_rows.iter().map(|bad| (bad.row, bad.column.as_deref())).collect();
    let expected =
        [(2, Some("qty")), (4, Some("Op")), (5, Some("Op")), (6, Some("id")), (7, Some("name"))];
    assert_eq!(bad, expected);
    assert_eq!(decoded.bad_rows[0].content, r#"{"Op":"U","id":2,"name":"b","qty":300}"#);
    assert_eq!(decoded.bad_rows[3].content, r#"{"Op":"D","id":null,"name":"f","qty":6}"#);
}

#[tokio::test]
async fn changes_without_operation_are_refused_unless_the_endpoint_drops_it() {
    let mut staged = orders();
    let object = file(&[("int64 id", numbers(2))]);
    let error = staged.read(CDC_PARQUET, object.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaRefused);
    assert_eq!(staged.read(LOAD_PARQUET, object.clone()).await.unwrap().operations(), "II");
    staged.dms.cdc_inserts_only = true;
    assert_eq!(staged.read(CDC_PARQUET, object).await.unwrap().operations(), "II");
}

#[tokio::test]
async fn a_source_column_named_op_is_data_unless_it_is_first() {
    let staged = orders();
    let op = "binary Op (UTF8)";
    let object =
        file(&[(op, texts(&[Some("U")])), ("int64 id", numbers(1)), (op, texts(&[Some("sum")]))]);
    let decoded = staged.read(CDC_PARQUET, object).await.unwrap();
    assert_eq!((decoded.operations().as_str(), decoded.values("Op")), ("U", vec!["sum".into()]));
    let object = file(&[(op, texts(&[Some("sum")])), ("int64 id", numbers(1))]);
    let decoded = staged.read(LOAD_PARQUET, object).await.unwrap();
    assert_eq!((decoded.operations().as_str(), decoded.values("Op")), ("I", vec!["sum".into()]));
    let object = file(&[("int32 Op", Values::I32(vec![Some(4)])), ("int64 id", numbers(1))]);
    let decoded = staged.read(LOAD_PARQUET, object).await.unwrap();
    assert_eq!(decoded.values("Op"), ["4"]);
}

#[tokio::test]
async fn control_columns_and_before_images() {
    let mut staged = orders();
    staged.dms.timestamp_column_name = Some("dms_ts".into());
    staged.dms.change_seq_column = Some("seq".into());
    let object = file(&[
        ("binary Op (UTF8)", texts(&[Some("I"), Some("U")])),
        ("binary dms_ts (UTF8)", texts(&[Some("2022-10-24 17:59:02.000000"), Some("")])),
        ("int64 id", longs(&[Some(1), Some(2)])),
        ("int32 v", Values::I32(vec![Some(1), Some(2)])),
        ("binary seq (UTF8)", texts(&[None, Some("0001")])),
        ("int64 BI_id", longs(&[None, Some(1)])),
        ("int32 BI_v", Values::I32(vec![None, Some(1)])),
    ]);
    let decoded = staged.read(CDC_PARQUET, object.clone()).await.unwrap();
    assert_eq!(decoded.names(), ["change operation", "change row", "before id", "id", "v"]);
    assert_eq!(decoded.values("before id"), ["∅", "1"]);
    assert_eq!(decoded.sequence.as_ref().unwrap().first, "0001");
    staged.table.store = ["Op", "dms_ts", "seq", "BI_v"].map(str::to_owned).to_vec();
    let decoded = staged.read(CDC_PARQUET, object).await.unwrap();
    let expected =
        ["Op string", "dms_ts timestamp", "id long", "v integer", "seq string", "BI_v integer"];
    assert_eq!(decoded.brought(), expected);
    assert_eq!(decoded.values("dms_ts"), ["2022-10-24T17:59:02Z", "∅"]);
    assert_eq!(decoded.values("seq"), ["∅", "0001"]);
    let object = file(&[
        ("binary Op (UTF8)", texts(&[Some("I"), Some("U")])),
        ("int64 id", longs(&[Some(1), Some(2)])),
        ("binary seq (UTF8)", texts(&[Some("0002"), Some("0001")])),
    ]);
    let error = staged.read(CDC_PARQUET, object).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MalformedObject);
    assert!(error.to_string().contains("lower row: 2"), "{error}");
}

#[tokio::test]
async fn one_column_in_the_physical_forms_of_two_versions() {
    let mut staged = orders();
    staged.in_lake(&[
        ("id", ColumnType::Long),
        ("n", ColumnType::Long),
        ("at", ColumnType::Timestamp),
    ]);
    let first = file(&[
        ("int64 id", numbers(1)),
        ("int64 n", longs(&[Some(4_294_967_295)])),
        ("int64 at (TIMESTAMP_MICROS)", longs(&[Some(1_000_000)])),
    ]);
    let second = file(&[
        ("int64 at (TIMESTAMP_MILLIS)", longs(&[Some(1_000)])),
        ("int64 id", numbers(1)),
        ("int32 n (UINT_32)", Values::I32(vec![Some(-1)])),
    ]);
    for object in [first, second] {
        let decoded = staged.read(LOAD_PARQUET, object).await.unwrap();
        assert_eq!(decoded.values("n"), ["4294967295"]);
        assert_eq!(decoded.values("at"), ["1970-01-01T00:00:01Z"]);
    }
}

#[tokio::test]
async fn every_page_form() {
    let staged = orders();
    let count = 3000;
    let names: Vec<String> = (0..count).map(|row| format!("name {}", row % 17)).collect();
    let optional: Vec<Option<&str>> = names
        .iter()
        .enumerate()
        .map(|(row, name)| (row % 5 != 0).then_some(name.as_str()))
        .collect();
    let columns = [("int64 id", numbers(count)), ("binary name (UTF8)", texts(&optional))];
    let shown: Vec<&str> = optional.iter().map(|name| name.unwrap_or("∅")).collect();
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for codec in [Codec::UNCOMPRESSED, Codec::SNAPPY, Codec::GZIP(GzipLevel::default())] {
            for encoding in [None, Some(Encoding::PLAIN), Some(Encoding::DELTA_BYTE_ARRAY)] {
                let name = ColumnPath::from("name");
                let mut properties = WriterProperties::builder()
                    .set_writer_version(version)
                    .set_compression(codec)
                    .set_dictionary_enabled(encoding.is_none())
                    .set_data_page_row_count_limit(700)
                    .set_write_batch_size(100);
                if let Some(encoding) = encoding {
                    properties = properties.set_column_encoding(name, encoding);
                }
                let object = file_with(&columns, properties.build(), 1);
                let decoded = staged.read(LOAD_PARQUET, object).await.unwrap();
                assert!(decoded.values("name") == shown, "{version:?} {codec:?} {encoding:?}");
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_applied_as_nothing_and_garbage_is_malformed() {
    let staged = orders();
    let zero_rows = file(&[("int64 id", numbers(0)), ("double list", Values::F64(vec![]))]);
    for object in [Vec::new(), zero_rows] {
        let decoded = staged.read(CDC_PARQUET, object).await.unwrap();
        assert!(decoded.changes.is_none() && decoded.columns.is_empty());
    }
    let whole = file(&[("int64 id", numbers(100))]);
    for garbage in [b"1,2,3\n".to_vec(), whole[..whole.len() - 9].to_vec(), b"PAR1".to_vec()] {
        let error = staged.read(LOAD_PARQUET, garbage).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MalformedObject);
    }
}

#[tokio::test]
async fn an_object_that_is_gzip_as_a_whole() {
    let staged = orders();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&file(&[("int64 id", numbers(3))])).unwrap();
    let object = encoder.finish().unwrap();
    let decoded = staged.read(LOAD_PARQUET, object).await.unwrap();
    assert_eq!(decoded.values("id"), ["1", "2", "3"]);
}

/// The statistics of a column are those of its place, not of its name.
#[tokio::test]
async fn a_source_column_named_op_may_outgrow_its_type() {
    let mut staged = orders();
    staged.table.columns.push(column("Op", "int"));
    let object = file(&[
        ("binary Op (UTF8)", texts(&[Some("U")])),
        ("int64 id", numbers(1)),
        ("int64 Op", longs(&[Some(1 << 40)])),
    ]);
    let decoded = staged.read(CDC_PARQUET, object).await.unwrap();
    assert_eq!(decoded.values("Op"), ["1099511627776"]);
}

#[tokio::test]
async fn reading_resumes_at_every_row() {
    let mut staged = orders();
    staged.table.columns.push(column("v", "tinyint"));
    let values = Values::I32(vec![Some(1), Some(2), Some(999), None, Some(5)]);
    let columns = [("int64 id", numbers(5)), ("int32 v (INT_8)", values)];
    let object = file_with(&columns, WriterProperties::new(), 3);
    let object = staged.put(LOAD_PARQUET, object).await;
    for batch_rows in [1, 4, 100] {
        staged.batch_rows = batch_rows;
        for skip in 0..=16 {
            let decoded = staged.read_after(&object, skip).await.unwrap();
            let good: Vec<u64> = (skip + 1..=15).filter(|row| row % 5 != 3).collect();
            let bad: Vec<u64> = (skip + 1..=15).filter(|row| row % 5 == 3).collect();
            assert_eq!(decoded.rows(), good, "after {skip}, {batch_rows} at once");
            let found: Vec<u64> = decoded.bad_rows.iter().map(|bad| bad.row).collect();
            assert_eq!(found, bad);
            let ids: Vec<String> = good.iter().map(|row| ((row - 1) % 5 + 1).to_string()).collect();
            assert_eq!(decoded.values("id"), ids);
        }
    }
}

#[tokio::test]
async fn a_large_object_is_read_by_ranges_and_in_small_batches() {
    let mut staged = orders();
    staged.table.columns.push(column("v", "longblob"));
    let blob = |row: u8| (0..3_000_000_u32).map(|at| (at % 251) as u8 ^ row).collect::<Vec<u8>>();
    let values = Values::Bytes((0..6).map(|row| Some(blob(row))).collect());
    let columns = [("int64 id", numbers(6)), ("binary v", values)];
    let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
    let object = staged.put(LOAD_PARQUET, file_with(&columns, properties, 2)).await;
    assert!(object.size > 32 * 1024 * 1024);
    let mut reader = dmslake::decode::open(&staged.context(), &object, 1).await.unwrap();
    let mut rows = 1;
    while let Some(batch) = reader.next().await.unwrap() {
        assert!(batch.changes.num_rows() <= 6, "{} rows of 3 MB", batch.changes.num_rows());
        rows += batch.changes.num_rows();
    }
    assert_eq!(rows, 12);
    // Rewritten between two ranges.
    let mut reader = dmslake::decode::open(&staged.context(), &object, 0).await.unwrap();
    reader.next().await.unwrap();
    staged.put(LOAD_PARQUET, file(&[("int64 id", numbers(1))])).await;
    let error = loop {
        match reader.next().await {
            Ok(batch) => assert!(batch.is_some(), "the object changed unseen"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Conflict, "{}", error.chain());
}

#[tokio::test]
async fn names_that_the_lake_cannot_hold() {
    let staged = orders();
    for (columns, part) in [
        (vec![("int64 id", numbers(1)), ("int64 ID", numbers(1))], "letter case"),
        (vec![("int64 x", numbers(1))], "key column `id`"),
        (vec![("int64 id", numbers(1)), ("int64 v", numbers(1)), ("int64 v", numbers(1))], "`v`"),
    ] {
        let error = staged.read(LOAD_PARQUET, file(&columns)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SchemaRefused);
        assert!(error.to_string().contains(part), "{error}");
    }
}
