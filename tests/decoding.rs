//! CSV objects and what both formats share: which fields there are, operations, keys, before
//! images, markers, delimiters, compression, resuming.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

use dmslake::config::{Layout, StatedIn};
use dmslake::decode::open;
use dmslake::error::ErrorKind;
use dmslake::schema::ColumnType;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::hooked_store::{Chunks, HookedStore};
use crate::support::staged::{CDC_CSV, LOAD_CSV, Staged, column};

/// `id int, name varchar(20), qty int`
fn orders() -> Staged {
    Staged::new(&[("id", "int"), ("name", "varchar(20)"), ("qty", "int")])
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// The sentence of a refused schema.
async fn refusal(staged: &Staged, name: &str, text: &str) -> String {
    let error = staged.read(name, text.to_owned()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaRefused, "{}", error.chain());
    assert!(error.to_string().contains(name), "{error} names the object");
    error.to_string()
}

#[tokio::test]
async fn the_operation_is_found_in_the_object() {
    let staged = orders();
    let load = staged.read(LOAD_CSV, "1,a,5\n2,b,6\n").await.unwrap();
    assert_eq!(load.operations(), "II");
    assert_eq!(load.rows(), [1, 2]);
    assert_eq!(load.brought(), ["id integer", "name string", "qty integer"]);
    let load = staged.read(LOAD_CSV, "I,1,a,5\nI,2,b,6\n").await.unwrap();
    assert_eq!(
        (load.operations().as_str(), load.values("id")),
        ("II", vec!["1".into(), "2".into()])
    );
    let changes = staged.read(CDC_CSV, "I,1,a,5\nU,1,b,6\nD,1,b,6\n").await.unwrap();
    assert_eq!(changes.operations(), "IUD");
    assert_eq!(changes.names(), ["change operation", "change row", "id", "name", "qty"]);
}

#[tokio::test]
async fn changes_without_operation_are_refused_unless_the_endpoint_drops_it() {
    let mut staged = orders();
    let sentence = refusal(&staged, CDC_CSV, "1,a,5\n").await;
    assert!(sentence.contains("cdc_inserts_only"), "{sentence}");
    staged.dms.cdc_inserts_only = true;
    assert_eq!(staged.read(CDC_CSV, "1,a,5\n").await.unwrap().operations(), "I");
    staged.dms.cdc_inserts_only = false;
    staged.dms.cdc_inserts_and_updates = true;
    assert_eq!(staged.read(CDC_CSV, "1,a,5\n").await.unwrap().operations(), "I");
    assert_eq!(staged.read(CDC_CSV, "U,1,a,5\n").await.unwrap().operations(), "U");
}

#[tokio::test]
async fn a_row_with_an_unknown_operation_is_bad() {
    let staged = orders();
    let text = "I,1,a,5\nX,2,b,6\n,3,c,7\ni,4,d,8\nD,5,e,9\n";
    let decoded = staged.read(CDC_CSV, text).await.unwrap();
    assert_eq!((decoded.operations().as_str(), decoded.rows()), ("ID", vec![1, 5]));
    let bad: Vec<_> = decoded.bad_rows.iter().map(|bad| (bad.row, bad.content.as_str())).collect();
    assert_eq!(bad, [(2, "X,2,b,6"), (3, ",3,c,7"), (4, "i,4,d,8")]);
    assert!(decoded.bad_rows.iter().all(|bad| bad.column.as_deref() == Some("Op")));
    // Also if it is the only row of a change object.
    assert_eq!(staged.read(CDC_CSV, "X,2,b,6\n").await.unwrap().bad_rows.len(), 1);
}

#[tokio::test]
async fn an_append_only_table_takes_inserts_only() {
    let mut staged = orders();
    staged.table.keys.clear();
    staged.table.append_only = true;
    let decoded = staged.read(CDC_CSV, "I,1,a,5\nU,1,b,6\nD,1,b,6\nI,NULL,a,5\n").await.unwrap();
    assert_eq!((decoded.operations().as_str(), decoded.rows()), ("II", vec![1, 4]));
    assert_eq!(decoded.bad_rows.len(), 2);
}

#[tokio::test]
async fn the_timestamp_column_stands_after_the_operation_or_first() {
    let mut staged = orders();
    staged.dms.timestamp_column_name = Some("dms_ts".into());
    let stamp = "2022-10-24 17:59:02.000000";
    for stored in [false, true] {
        staged.table.store = if stored { vec!["dms_ts".into(), "Op".into()] } else { Vec::new() };
        let both = staged.read(CDC_CSV, format!("U,{stamp},1,a,5\n")).await.unwrap();
        assert_eq!((both.operations().as_str(), both.values("qty")), ("U", vec!["5".to_owned()]));
        let stamped = staged.read(LOAD_CSV, format!("{stamp},1,a,5\n")).await.unwrap();
        assert_eq!((stamped.operations().as_str(), stamped.values("id")), ("I", vec!["1".into()]));
        let op_only = staged.read(CDC_CSV, "D,1,a,5\n").await.unwrap();
        assert_eq!((op_only.operations().as_str(), op_only.values("id")), ("D", vec!["1".into()]));
        let neither = staged.read(LOAD_CSV, "1,a,5\n").await.unwrap();
        assert_eq!(neither.values("id"), ["1"]);
        if stored {
            assert_eq!(
                both.brought(),
                ["Op string", "dms_ts timestamp", "id integer", "name string", "qty integer"]
            );
            assert_eq!(both.values("dms_ts"), ["2022-10-24T17:59:02Z"]);
            assert_eq!(both.values("Op"), ["U"]);
        } else {
            assert_eq!(both.brought(), ["id integer", "name string", "qty integer"]);
        }
    }
    // Listing it in `columns` only describes it.
    staged.table.columns.insert(0, column("dms_ts", "datetime(6)"));
    let described = staged.read(CDC_CSV, format!("U,{stamp},1,a,5\n")).await.unwrap();
    assert_eq!(described.values("id"), ["1"]);
    // Two more fields, but the second is not an instant.
    let sentence = refusal(&staged, CDC_CSV, "U,1,a,5,6\n").await;
    assert!(sentence.contains("5 fields"), "{sentence}");
}

#[tokio::test]
async fn another_count_of_fields_is_refused() {
    let staged = orders();
    let misfits = [(LOAD_CSV, "1,a\n"), (LOAD_CSV, "1,a,5,6\n"), (CDC_CSV, "I,1,a,5,6\n")];
    for (name, text) in misfits {
        let sentence = refusal(&staged, name, text).await;
        assert!(sentence.contains("3 configured columns"), "{sentence}");
    }
    // As many fields as columns: the operation is missing.
    let sentence = refusal(&staged, CDC_CSV, "1,1,a\n").await;
    assert!(sentence.contains("without `Op`"), "{sentence}");
    // The operation is there, but one of the columns is missing.
    let sentence = refusal(&staged, CDC_CSV, "I,1,a\n").await;
    assert!(sentence.contains("lacks one of the 3 configured columns"), "{sentence}");
    let object = staged.put(CDC_CSV, "I,1,a,5\nI,2,b\n").await;
    let mut reader = open(&staged.context(), &object, 0).await.unwrap();
    let error = reader.next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaRefused);
    assert!(error.to_string().contains("row: 2"), "{error}");
    let mut unknown = orders();
    unknown.table.columns.clear();
    let sentence = refusal(&unknown, LOAD_CSV, "1,a,5\n").await;
    assert!(sentence.contains("list all of them in `columns`"), "{sentence}");
}

#[tokio::test]
async fn without_quotes_a_row_of_another_count_is_bad() {
    let mut staged = orders();
    staged.dms.rfc_4180 = false;
    let text = "I,1,a,b,5\nI,2,\"q\",6\nI,3\nI,4,\"open,7\n";
    let decoded = staged.read(CDC_CSV, text).await.unwrap();
    assert_eq!(decoded.rows(), [2, 4]);
    assert_eq!(decoded.values("name"), ["\"q\"", "\"open"]);
    let bad: Vec<u64> = decoded.bad_rows.iter().map(|bad| bad.row).collect();
    assert_eq!(bad, [1, 3]);
    assert!(decoded.bad_rows[0].reason.contains("5 fields"), "{}", decoded.bad_rows[0].reason);
}

#[tokio::test]
async fn a_later_layout_holds_from_its_object_on() {
    let mut staged = orders();
    let mut columns = staged.table.columns.clone();
    columns.insert(1, column("late", "tinyint unsigned"));
    let Some(from) = dmslake_phase("20221024-175902985.csv") else { panic!("an object") };
    staged.table.layouts.push(Layout { from, columns, keys: None });
    let before = staged.read("20221024-175902984.csv", "I,1,a,5\n").await.unwrap();
    assert_eq!(before.brought(), ["id integer", "name string", "qty integer"]);
    let after = staged.read(CDC_CSV, "I,1,7,a,5\n").await.unwrap();
    assert_eq!(after.brought(), ["id integer", "late short", "name string", "qty integer"]);
    refusal(&staged, CDC_CSV, "I,1,a,5\n").await;
}

fn dmslake_phase(name: &str) -> Option<dmslake::dms::Phase> {
    match dmslake::dms::classify(name) {
        dmslake::dms::Classified::Changes(name) => Some(name.phase),
        _ => None,
    }
}

#[tokio::test]
async fn a_header_maps_by_name() {
    let mut staged = orders();
    staged.dms.add_column_name = true;
    staged.dms.timestamp_column_name = Some("ts".into());
    let text = "Op,ts,\"qty\",id\nU,2022-10-24 17:59:02,5,1\n";
    let decoded = staged.read(CDC_CSV, text).await.unwrap();
    assert_eq!(decoded.brought(), ["qty integer", "id integer"]);
    assert_eq!((decoded.values("qty"), decoded.rows()), (vec!["5".to_owned()], vec![1]));
    let load = staged.read(LOAD_CSV, "id,name,qty\r\n1,a,5\r\n").await.unwrap();
    assert_eq!(load.values("qty"), ["5"]);
    for empty in ["id,name,qty\n", "id,name,qty", "\u{feff}", ""] {
        let decoded = staged.read(LOAD_CSV, empty).await.unwrap();
        assert!(decoded.changes.is_none() && decoded.columns.is_empty(), "{empty:?}");
    }
    let sentence = refusal(&staged, LOAD_CSV, "id,colour,size\n1,red,5\n").await;
    // The names may be values: it is not certain that this is a header.
    assert!(sentence.contains("fields 2, 3") && !sentence.contains("colour"), "{sentence}");
    // What the lake knows need not be configured.
    staged.in_lake(&[("id", ColumnType::Int), ("colour", ColumnType::String)]);
    let decoded = staged.read(LOAD_CSV, "id,colour\n1,red\n").await.unwrap();
    assert_eq!(decoded.values("colour"), ["red"]);
    let error = staged.read(LOAD_CSV, "id,colour\n1,red,x\n").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaRefused);
}

#[tokio::test]
async fn a_source_column_named_op_is_data_unless_it_is_first() {
    let mut staged = Staged::new(&[("id", "int"), ("Op", "varchar(5)")]);
    let decoded = staged.read(CDC_CSV, "U,1,sum\n").await.unwrap();
    assert_eq!((decoded.operations().as_str(), decoded.values("Op")), ("U", vec!["sum".into()]));
    staged.dms.add_column_name = true;
    let decoded = staged.read(CDC_CSV, "Op,id,Op\nU,1,sum\n").await.unwrap();
    assert_eq!((decoded.operations().as_str(), decoded.values("Op")), ("U", vec!["sum".into()]));
    let decoded = staged.read(LOAD_CSV, "Op,id\nsum,1\n").await.unwrap();
    assert_eq!((decoded.operations().as_str(), decoded.values("Op")), ("I", vec!["sum".into()]));
}

#[tokio::test]
async fn of_a_delete_only_the_key_is_looked_at() {
    let mut staged = orders();
    staged.table.columns[1].nullable = false;
    let decoded =
        staged.read(CDC_CSV, "D,1,NULL,junk\nD,2,,\nU,3,NULL,5\nD,x,a,5\n").await.unwrap();
    assert_eq!((decoded.operations().as_str(), decoded.rows()), ("DD", vec![1, 2]));
    assert_eq!(decoded.values("qty"), ["∅", "∅"]);
    assert_eq!(decoded.values("name"), ["∅", "∅"]);
    let bad: Vec<_> = decoded.bad_rows.iter().map(|bad| (bad.row, bad.column.as_deref())).collect();
    assert_eq!(bad, [(3, Some("name")), (4, Some("id"))]);
    assert!(decoded.bad_rows[0].reason.contains("not nullable"));
}

#[tokio::test]
async fn null_in_a_key_is_bad_whatever_the_operation() {
    let mut staged = Staged::new(&[("a", "int"), ("b", "date"), ("v", "int")]);
    staged.table.keys = vec!["a".into(), "b".into()];
    let text = "I,NULL,2020-01-01,1\nU,1,NULL,1\nD,1,NULL,1\nI,1,0000-00-00,1\nI,1,2020-01-01,1\n";
    let decoded = staged.read(CDC_CSV, text).await.unwrap();
    assert_eq!(decoded.rows(), [5]);
    let columns: Vec<_> = decoded.bad_rows.iter().map(|bad| bad.column.as_deref()).collect();
    assert_eq!(columns, [Some("a"), Some("b"), Some("b"), Some("b")]);
    assert!(decoded.bad_rows.iter().all(|bad| bad.reason == "NULL in a key column"));
}

#[tokio::test]
async fn not_nullable_refuses_null_but_not_a_zero_date() {
    let mut staged = Staged::new(&[("id", "int"), ("day", "date")]);
    staged.table.columns[1].nullable = false;
    let decoded = staged.read(LOAD_CSV, "1,0000-00-00\n2,NULL\n").await.unwrap();
    assert_eq!((decoded.rows(), decoded.values("day")), (vec![1], vec!["∅".to_owned()]));
    assert_eq!(decoded.bad_rows[0].row, 2);
}

#[tokio::test]
async fn before_images_of_keys() {
    let mut staged = Staged::new(&[
        ("id", "int unsigned"),
        ("v", "int"),
        ("BI_id", "int unsigned"),
        ("BI_v", "int"),
    ]);
    let text = "I,30004,1,,\nU,30005,66,30004,1\nD,30005,66,NULL,\nU,1,1,x,1\n";
    let decoded = staged.read(CDC_CSV, text).await.unwrap();
    assert_eq!(decoded.names(), ["change operation", "change row", "before id", "id", "v"]);
    assert_eq!(decoded.values("before id"), ["∅", "30004", "∅"]);
    assert_eq!(decoded.brought(), ["id long", "v integer"]);
    assert_eq!(decoded.bad_rows[0].column.as_deref(), Some("BI_id"));
    staged.table.store = vec!["BI_id".into(), "BI_v".into()];
    staged.table.rename.insert("BI_v".into(), "old_v".into());
    let decoded = staged.read(CDC_CSV, text).await.unwrap();
    assert_eq!(decoded.brought(), ["id long", "v integer", "BI_id long", "old_v integer"]);
    assert_eq!(decoded.values("old_v"), ["∅", "1", "∅"]);
    // A column is a before image only if the object has the column that it names.
    let staged = Staged::new(&[("id", "int"), ("BI_total", "int")]);
    let decoded = staged.read(CDC_CSV, "U,1,7\n").await.unwrap();
    assert_eq!(decoded.values("BI_total"), ["7"]);
    let mut staged = Staged::new(&[("id", "int"), ("BI_id", "int")]);
    staged.dms.before_image_prefix = None;
    assert_eq!(staged.read(CDC_CSV, "U,1,7\n").await.unwrap().values("BI_id"), ["7"]);
}

#[tokio::test]
async fn the_marker_of_a_value_that_the_log_did_not_supply() {
    let mut staged = orders();
    staged.table.columns[2].nullable = false;
    staged.dms.csv_no_sup_value = Some("NOSUP".into());
    let text =
        "U,1,NOSUP,NOSUP\nU,2,NULL,5\nI,3,NOSUP,5\nD,4,NOSUP,NOSUP\nU,NOSUP,a,5\nI,5,a,NOSUP\n";
    let decoded = staged.read(CDC_CSV, text).await.unwrap();
    assert_eq!(
        decoded.names(),
        ["change operation", "change row", "unset name", "unset qty", "id", "name", "qty"]
    );
    assert_eq!(decoded.rows(), [1, 2, 3, 4]);
    assert_eq!(decoded.values("unset name"), ["true", "false", "false", "false"]);
    assert_eq!(decoded.values("unset qty"), ["true", "false", "false", "false"]);
    assert_eq!(decoded.values("name"), ["∅", "∅", "∅", "∅"]);
    assert_eq!(decoded.values("qty"), ["∅", "5", "5", "∅"]);
    let bad: Vec<_> = decoded.bad_rows.iter().map(|bad| (bad.row, bad.column.as_deref())).collect();
    assert_eq!(bad, [(5, Some("id")), (6, Some("qty"))]);
}

#[tokio::test]
async fn the_change_sequence_must_not_fall() {
    let mut staged = Staged::new(&[("id", "int"), ("seq", "varchar(35)")]);
    staged.dms.change_seq_column = Some("seq".into());
    let (low, high) =
        ("20260205124524000000000000050700868", "20260205124524000000000000050700869");
    let decoded =
        staged.read(CDC_CSV, format!("I,1,{low}\nU,1,{low}\nD,1,{high}\n")).await.unwrap();
    let sequence = decoded.sequence.as_ref().unwrap();
    assert_eq!((sequence.first.as_str(), sequence.last.as_str()), (low, high));
    assert_eq!(decoded.brought(), ["id integer"]);
    let error = staged.read(CDC_CSV, format!("I,1,{high}\nU,1,{low}\n")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MalformedObject);
    assert!(error.to_string().contains("row: 1") && error.to_string().contains("lower row: 2"));
    staged.table.store = vec!["seq".into()];
    let load = staged.read(LOAD_CSV, "1,\n2,\n").await.unwrap();
    assert_eq!((load.sequence.as_ref(), load.values("seq")), (None, vec!["∅".into(), "∅".into()]));
}

#[tokio::test]
async fn delimiters_of_every_kind() {
    let values = ["1", "a|b,c;d", "5"];
    let dialects = [
        ("\t", "\n"),
        ("\u{1}", "\n"),
        ("||", "\n"),
        ("|~|", "\r\n"),
        (";", "~~\n"),
        ("é", "€"),
        ("|", "||"),
        (",", "\r"),
    ];
    for (delimiter, row_delimiter) in dialects {
        for ended in [true, false] {
            let mut staged = orders();
            staged.dms.csv_delimiter = delimiter.into();
            staged.dms.csv_row_delimiter = row_delimiter.into();
            let name = if values[1].contains(delimiter) {
                format!("\"{}\"", values[1])
            } else {
                values[1].into()
            };
            let row = ["1", &name, "5"].join(delimiter);
            let mut text = format!("{row}{row_delimiter}{row}");
            if ended {
                text.push_str(row_delimiter);
            }
            let decoded = staged.read(LOAD_CSV, text).await.unwrap();
            assert_eq!(decoded.values("name"), [values[1], values[1]], "{delimiter:?}");
            assert_eq!(decoded.values("qty"), ["5", "5"], "{delimiter:?} {row_delimiter:?}");
        }
    }
}

#[tokio::test]
async fn quotes() {
    let staged = Staged::new(&[("id", "int"), ("name", "varchar(20)")]);
    let text = "1,\"a\n\"\"b\"\",\"\n2,a\"b\n3,\"a\"b\n4,\"\"\n5,\"\"\"\"\n";
    let decoded = staged.read(LOAD_CSV, text).await.unwrap();
    assert_eq!(decoded.values("name"), ["a\n\"b\",", "a\"b", "", "\""]);
    assert_eq!(decoded.bad_rows.len(), 1);
    let bad = &decoded.bad_rows[0];
    assert_eq!((bad.row, bad.content.as_str()), (3, "3,\"a\"b"));
    for text in ["1,\"never\n", "1,a\n2,\"never\n3,c\n"] {
        let error = staged.read(LOAD_CSV, text).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MalformedObject, "{error}");
        assert!(error.to_string().contains("never ends"), "{error}");
    }
}

#[tokio::test]
async fn gzip_is_known_by_its_first_bytes() {
    let staged = orders();
    let plain = b"I,1,a,5\nU,2,b,6\n";
    let mut members = gzip(&plain[..11]);
    members.extend(gzip(&plain[11..]));
    for (name, object) in
        [(CDC_CSV, gzip(plain)), ("20221024-175902985.csv.gz", gzip(plain)), (CDC_CSV, members)]
    {
        assert_eq!(staged.read(name, object).await.unwrap().values("qty"), ["5", "6"]);
    }
    let named = staged.read("20221024-175902985.csv.gz", plain.to_vec()).await.unwrap();
    assert_eq!(named.values("qty"), ["5", "6"]);
    let empty = staged.read(CDC_CSV, gzip(b"")).await.unwrap();
    assert!(empty.changes.is_none());
    let whole = gzip(plain);
    for length in 2..whole.len() {
        let error = staged.read(CDC_CSV, whole[..length].to_vec()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MalformedObject, "cut at {length}: {error}");
    }
}

#[tokio::test]
async fn nothing_is_applied_as_nothing() {
    let staged = orders();
    for text in ["", "\u{feff}"] {
        let decoded = staged.read(LOAD_CSV, text).await.unwrap();
        assert!(decoded.changes.is_none() && decoded.columns.is_empty());
    }
    let marked = staged.read(LOAD_CSV, "\u{feff}1,a,5\n").await.unwrap();
    assert_eq!(marked.values("id"), ["1"]);
    let quoted = staged.read(LOAD_CSV, "\u{feff}\"1\",a,5").await.unwrap();
    assert_eq!(quoted.values("id"), ["1"]);
}

#[tokio::test]
async fn names_that_the_lake_cannot_hold() {
    let mut staged = Staged::new(&[("id", "int"), ("unit price", "int")]);
    let sentence = refusal(&staged, LOAD_CSV, "1,2\n").await;
    assert!(sentence.contains("rename"), "{sentence}");
    staged.table.rename.insert("unit price".into(), "unit_price".into());
    let decoded = staged.read(LOAD_CSV, "1,2\n").await.unwrap();
    assert_eq!(decoded.values("unit_price"), ["2"]);
    let staged = Staged::new(&[("id", "int"), ("ID", "int")]);
    let sentence = refusal(&staged, LOAD_CSV, "1,2\n").await;
    assert!(sentence.contains("letter case"), "{sentence}");
    let mut staged = Staged::new(&[("id", "int"), ("V", "int")]);
    staged.in_lake(&[("id", ColumnType::Int), ("v", ColumnType::Int)]);
    let sentence = refusal(&staged, LOAD_CSV, "1,2\n").await;
    assert!(sentence.contains("`v` and `V`"), "{sentence}");
    let mut staged = orders();
    staged.dms.add_column_name = true;
    let sentence = refusal(&staged, LOAD_CSV, "name,qty\na,1\n").await;
    assert!(sentence.contains("key column `id`"), "{sentence}");
    let sentence = refusal(&staged, LOAD_CSV, "id,qty,qty\n1,1,1\n").await;
    assert!(sentence.contains("`qty`"), "{sentence}");
}

#[tokio::test]
async fn an_object_that_changed_is_a_conflict() {
    let staged = orders();
    let listed = staged.put(LOAD_CSV, "1,a,5\n").await;
    staged.put(LOAD_CSV, "2,b,6\n").await;
    let error = staged.read_after(&listed, 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let mut gone = staged.put(LOAD_CSV, "1,a,5\n").await;
    gone.location = object_store::path::Path::from("dms/shop/t/LOAD0000000A.csv");
    let error = staged.read_after(&gone, 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    // There are no ETags on a disk.
    let mut staged = orders();
    staged.kind = dmslake::storage::StoreKind::File;
    let mut listed = staged.put(LOAD_CSV, "1,a,5\n").await;
    listed.e_tag = Some("stale".into());
    assert_eq!(staged.read_after(&listed, 0).await.unwrap().values("id"), ["1"]);
}

#[tokio::test]
async fn reading_resumes_at_every_row() {
    let mut staged = orders();
    let mut text = String::new();
    for id in 1..=23 {
        let qty = if id % 7 == 0 { "bad".to_owned() } else { id.to_string() };
        writeln!(text, "I,{id},\"line\n{id}\",{qty}").unwrap();
    }
    let object = staged.put(CDC_CSV, text).await;
    for batch_rows in [1, 4, 100] {
        staged.batch_rows = batch_rows;
        for skip in 0..=24 {
            let decoded = staged.read_after(&object, skip).await.unwrap();
            let good: Vec<u64> = (skip + 1..=23).filter(|row| row % 7 != 0).collect();
            let bad: Vec<u64> = (skip + 1..=23).filter(|row| row % 7 == 0).collect();
            assert_eq!(decoded.rows(), good, "after {skip}");
            let found: Vec<u64> = decoded.bad_rows.iter().map(|bad| bad.row).collect();
            assert_eq!(found, bad, "after {skip}");
            let ids: Vec<String> = good.iter().map(u64::to_string).collect();
            assert_eq!(decoded.values("id"), ids);
            assert_eq!(decoded.brought().len(), 3);
        }
    }
}

#[tokio::test]
async fn chunks_of_any_size() {
    let mut staged = orders();
    staged.batch_rows = 5000;
    let mut text = String::new();
    let mut names = Vec::new();
    for id in 0..12_000 {
        let name = match id % 4 {
            0 => format!("plain {id}"),
            1 => format!("two\r\nlines {id}"),
            2 => format!("say \"{id}\", twice"),
            _ => "ü€😀".repeat(id % 9),
        };
        let quoted = name.contains(['"', '\n', ',']);
        let spelled =
            if quoted { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.clone() };
        writeln!(text, "I,{id},{spelled},{}", id * 3).unwrap();
        names.push(name);
    }
    assert!(text.len() > 300 * 1024, "more than a feeding");
    let inner = Arc::clone(&staged.store);
    for size in [1, 7, 65_537] {
        staged.store = Arc::new(HookedStore::new(Arc::clone(&inner), Chunks { size }));
        let plain = staged.read(CDC_CSV, text.clone()).await.unwrap();
        assert!(plain.values("name") == names, "chunks of {size}");
        let unwrapped = staged.read(CDC_CSV, gzip(text.as_bytes())).await.unwrap();
        assert!(unwrapped.values("name") == names, "compressed chunks of {size}");
        assert!(unwrapped.bad_rows.is_empty());
    }
}

#[tokio::test]
async fn a_row_longer_than_a_feeding() {
    let staged = Staged::new(&[("id", "int"), ("v", "longtext")]);
    let long = "x".repeat(3 * 1024 * 1024 + 17);
    let decoded = staged.read(LOAD_CSV, format!("1,{long}\n2,\"{long}\"\n3,y\n")).await.unwrap();
    let lengths: Vec<usize> = decoded.values("v").iter().map(String::len).collect();
    assert_eq!(lengths, [long.len(), long.len(), 1]);
}

#[tokio::test]
async fn reading_can_move_between_threads() {
    fn moved<T: Send>(value: T) -> T {
        value
    }
    let staged = orders();
    let object = staged.put(LOAD_CSV, "1,a,5\n").await;
    let context = staged.context();
    let mut reader = moved(moved(open(&context, &object, 0)).await.unwrap());
    assert!(moved(reader.next()).await.unwrap().is_some());
    assert!(moved(reader.next()).await.unwrap().is_none());
}

#[tokio::test]
async fn the_type_of_a_lock_file_is_asked_of_the_source_again() {
    let mut staged = Staged::new(&[("id", "int"), ("v", "tinyint")]);
    let line = "in place of type = \"tinyint\" of `v` in `columns`";
    let ask = "run dmslake discover --mysql, which writes its new type for `v`";
    for (stated_in, told, other) in
        [(StatedIn::Configuration, line, ask), (StatedIn::LockFile, ask, line)]
    {
        staged.table.columns[1].stated_in = stated_in;
        let decoded = staged.read(LOAD_CSV, "1,300\n").await.unwrap();
        let remedy = decoded.bad_rows[0].remedy.as_deref().unwrap();
        assert!(remedy.contains(told) && !remedy.contains(other), "{remedy}");
    }
}
