//! How a CSV object is read, and which columns are DMS's own, if several readings are possible: the
//! configuration decides, then the only reading that fits; otherwise the object is refused, and the
//! error names both.

use std::sync::Arc;

use dmslake::error::ErrorKind;
use dmslake::schema::ColumnType;

use crate::support::hooked_store::{Chunks, HookedStore};
use crate::support::parquet_file::{Values, file, numbers, texts};
use crate::support::staged::{CDC_CSV, CDC_PARQUET, LOAD_CSV, LOAD_PARQUET, Staged, column};

/// `id int, name varchar(20)`
fn names() -> Staged {
    Staged::new(&[("id", "int"), ("name", "varchar(20)")])
}

/// `code varchar(20), name varchar(20)` with the key `code`.
fn codes() -> Staged {
    let mut staged = Staged::new(&[("code", "varchar(20)"), ("name", "varchar(20)")]);
    staged.table.keys = vec!["code".into()];
    staged
}

/// The refusal's message and remedy.
async fn refusal(staged: &Staged, name: &str, bytes: impl Into<bytes::Bytes>) -> (String, String) {
    let error = staged.read(name, bytes).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaRefused, "{}", error.chain());
    (error.to_string(), error.own_remedy().unwrap_or_default().to_owned())
}

async fn is_refused(staged: &Staged, name: &str, text: &str, words: &[&str]) {
    let (message, remedy) = refusal(staged, name, text.to_owned()).await;
    let both = format!("{message}; {remedy}");
    assert!(words.iter().all(|words| both.contains(words)), "{text:?}: {both}");
}

async fn values(staged: &Staged, name: &str, text: &str, column: &str) -> Vec<String> {
    let decoded = staged.read(name, text.to_owned()).await;
    let decoded = decoded.unwrap_or_else(|error| panic!("{text:?}: {}", error.chain()));
    assert!(decoded.bad_rows.is_empty(), "{text:?}: {:?}", decoded.bad_rows);
    decoded.values(column)
}

const EITHER: &[&str] = &["both delimit rows", "belongs to the values", "csv_row_delimiter"];

#[tokio::test]
async fn a_carriage_return_belongs_to_the_value_where_rows_end_in_newlines() {
    let staged = names();
    for (text, expected) in [
        ("1,a\n2,b\r\n3,c\n", ["a", "b\r", "c"]),
        ("1,a\r\n2,b\n3,c\n", ["a\r", "b", "c"]),
        ("1,a\r\n2,\r\n3,c\n", ["a\r", "\r", "c"]),
        ("1,\"a\r\n\"\n2,b\r\n3,NULL\r\n", ["a\r\n", "b\r", "NULL\r"]),
    ] {
        assert_eq!(values(&staged, LOAD_CSV, text, "name").await, expected, "{text:?}");
        let inner = Arc::clone(&staged.store);
        let mut chunked = names();
        chunked.store = Arc::new(HookedStore::new(inner, Chunks { size: 1 }));
        assert_eq!(values(&chunked, LOAD_CSV, text, "name").await, expected, "{text:?}");
    }
    // The end of the object is not a delimiter in either reading.
    assert_eq!(values(&staged, LOAD_CSV, "1,a\r", "name").await, ["a\r"]);
    // After a closing quote it belongs to no value.
    let mixed = staged.read(LOAD_CSV, "1,a\n2,\"b\"\r\n").await.unwrap();
    assert_eq!((mixed.rows(), mixed.bad_rows[0].row), (vec![1], 2));
}

#[tokio::test]
async fn rows_that_all_end_in_a_carriage_return_are_refused_unless_something_settles_it() {
    let objects = [
        (LOAD_CSV, "1,a\r\n2,b\r\n"),
        (LOAD_CSV, "1,NULL\r\n"),
        // One change is always the first and the last.
        (CDC_CSV, "U,1,a\r\n"),
        (CDC_CSV, "D,1,NULL\r\n"),
        (LOAD_CSV, "1,a\r\n2,b"),
    ];
    let mut staged = names();
    // Newlines in a load object say nothing about change objects.
    assert_eq!(values(&staged, LOAD_CSV, "1,a\n", "name").await, ["a"]);
    for (name, text) in objects {
        is_refused(&staged, name, text, EITHER).await;
    }
    staged.dms.csv_row_delimiter_stated = true;
    assert_eq!(values(&staged, LOAD_CSV, "1,a\r\n2,b\r\n", "name").await, ["a\r", "b\r"]);
    assert_eq!(values(&staged, CDC_CSV, "U,1,a\r\n", "name").await, ["a\r"]);
    staged.dms.csv_row_delimiter = "\r\n".into();
    assert_eq!(values(&staged, LOAD_CSV, "1,a\r\n2,b\r\n", "name").await, ["a", "b"]);
    assert_eq!(values(&staged, LOAD_CSV, "1,a\r\r\n2,\r\n", "name").await, ["a\r", ""]);
}

#[tokio::test]
async fn what_the_last_column_cannot_hold_settles_where_rows_end() {
    for last in ["int", "decimal(9,2)", "date", "datetime(6)", "blob", "tinyint(1)", "time"] {
        let staged = Staged::new(&[("name", "varchar(20)"), ("id", "int"), ("v", last)]);
        let text = "a,1,NULL\r\nb,2,NULL\r\n";
        assert_eq!(values(&staged, LOAD_CSV, text, "v").await, ["∅", "∅"], "{last}");
        assert_eq!(values(&staged, CDC_CSV, "U,a,1,NULL\r\n", "v").await, ["∅"], "{last}");
        // If the configuration says otherwise, that is not silently ignored.
        let mut explicit = staged;
        explicit.dms.csv_row_delimiter_stated = true;
        is_refused(&explicit, LOAD_CSV, text, &["does not include it", "\"\\r\\n\""]).await;
    }
    // A quoted value ends before it, and a name in a header never has one.
    let mut staged = names();
    let quoted = "1,a\r\n2,\"b\r\n\"\r\n3,\r\n4,d";
    assert_eq!(values(&staged, LOAD_CSV, quoted, "name").await, ["a", "b\r\n", "", "d"]);
    assert_eq!(values(&staged, CDC_CSV, "U,1,\"a\"\"b\"\r\n", "name").await, ["a\"b"]);
    staged.dms.add_column_name = true;
    assert_eq!(values(&staged, LOAD_CSV, "id,name\r\n1,a\r\n", "name").await, ["a"]);
    assert_eq!(values(&staged, LOAD_CSV, "id,name\n1,a\r\n", "name").await, ["a\r"]);
    // Control columns at the end.
    let mut staged = Staged::new(&[("id", "int"), ("name", "text"), ("seq", "varchar(35)")]);
    staged.dms.change_seq_column = Some("seq".into());
    assert_eq!(values(&staged, CDC_CSV, "U,1,a,0001\r\n", "name").await, ["a"]);
    let staged = Staged::new(&[("id", "int"), ("name", "text"), ("BI_id", "int")]);
    assert_eq!(values(&staged, CDC_CSV, "I,1,a,\r\n", "before id").await, ["∅"]);
}

#[tokio::test]
async fn a_header_that_is_not_configured_is_never_data() {
    let mut staged = names();
    staged.dms.timestamp_column_name = Some("dms_ts".into());
    let stamp = "2022-10-24 17:59:02.000000";
    let headers = [
        (LOAD_CSV, "id,name\n1,a\n".to_owned()),
        (LOAD_CSV, "ID,Name\r\n1,a\r\n".to_owned()),
        (LOAD_CSV, "name,id\na,1\n".to_owned()),
        (LOAD_CSV, "id,name".to_owned()),
        (CDC_CSV, "Op,id,name\nU,1,a\n".to_owned()),
        (CDC_CSV, format!("Op,dms_ts,id,name\nU,{stamp},1,a\n")),
        (LOAD_CSV, format!("dms_ts,id,name\n{stamp},1,a\n")),
        // With a new column.
        (CDC_CSV, "Op,id,name,colour\nU,1,a,red\n".to_owned()),
    ];
    for stated in [false, true] {
        staged.dms.add_column_name_stated = stated;
        for (name, text) in &headers {
            let words = ["is a header", "add_column_name = true"];
            is_refused(&staged, name, text, &words).await;
        }
    }
    // If every column could hold its own name, the row could be data.
    let mut staged = codes();
    is_refused(&staged, LOAD_CSV, "Code,NAME\n", &["either a header or a row"]).await;
    assert_eq!(values(&staged, CDC_CSV, "I,code,name\n", "code").await, ["code"]);
    staged.dms.add_column_name_stated = true;
    assert_eq!(values(&staged, LOAD_CSV, "code,name\n", "code").await, ["code"]);
    staged.dms.add_column_name = true;
    assert_eq!(values(&staged, LOAD_CSV, "name,code\na,b\n", "code").await, ["b"]);
    // Values that happen to be names.
    let staged = names();
    assert_eq!(values(&staged, LOAD_CSV, "1,name\n", "name").await, ["name"]);
    assert_eq!(values(&staged, CDC_CSV, "D,1,name\nI,2,id\n", "id").await, ["1", "2"]);
}

#[tokio::test]
async fn a_header_that_is_configured_must_be_one() {
    let mut staged = names();
    staged.dms.add_column_name = true;
    for text in ["1,secret\n2,b\n", "I,1,secret\n", "secret\n", "1,\"secret\r\n\"\r\n"] {
        let (message, remedy) = refusal(&staged, LOAD_CSV, text.to_owned()).await;
        assert!(message.contains("is not a header") && !message.contains("secret"), "{message}");
        assert!(remedy.contains("add_column_name = false"), "{remedy}");
    }
    // Names known only from the lake or from `rename` count too.
    let mut staged = Staged::new(&[]);
    staged.dms.add_column_name = true;
    staged.table.append_only = true;
    staged.table.keys.clear();
    is_refused(&staged, LOAD_CSV, "colour,size\nred,5\n", &["is not a header"]).await;
    staged.in_lake(&[("colour", ColumnType::String), ("size", ColumnType::Int)]);
    assert_eq!(values(&staged, LOAD_CSV, "size,colour\n5,red\n", "size").await, ["5"]);
}

#[tokio::test]
async fn a_dropped_column_shifts_nothing_into_the_key() {
    // `name` was dropped: what remains of `I,A1,a` is as wide as the layout.
    let mut staged = codes();
    let words = ["begins with what may be `Op`", "first column's value", "[[table.layout]]"];
    is_refused(&staged, LOAD_CSV, "I,A1\nI,A2\n", &words).await;
    is_refused(&staged, LOAD_CSV, "I,A1\n", &["include_op_for_full_load = false"]).await;
    staged.dms.include_op_for_full_load = Some(true);
    is_refused(&staged, LOAD_CSV, "I,A1\n", &["lacks one of the 2 configured columns"]).await;
    staged.dms.include_op_for_full_load = Some(false);
    assert_eq!(values(&staged, LOAD_CSV, "I,A1\nU,A2\n", "code").await, ["I", "U"]);
    // One row that begins differently shows that the letters are values.
    staged.dms.include_op_for_full_load = None;
    assert_eq!(values(&staged, LOAD_CSV, "I,A1\nX,A2\n", "code").await, ["I", "X"]);
    for (inserts_only, letter) in [(true, "I"), (false, "U")] {
        let mut staged = codes();
        staged.dms.cdc_inserts_only = inserts_only;
        staged.dms.cdc_inserts_and_updates = !inserts_only;
        is_refused(&staged, CDC_CSV, &format!("{letter},A1\n"), &words).await;
        assert_eq!(values(&staged, CDC_CSV, "A1,a\n", "code").await, ["A1"]);
    }
    // No number begins with a letter.
    let words = ["every row begins with `Op`", "lacks one of the 2 configured columns"];
    is_refused(&names(), LOAD_CSV, "I,1\nI,2\n", &words).await;
    is_refused(&codes(), CDC_CSV, "U,A1\n", &words).await;
}

#[tokio::test]
async fn a_dropped_column_shifts_no_timestamp_into_the_key() {
    let stamp = "2022-10-24 17:59:02.000000";
    let mut staged = codes();
    staged.dms.timestamp_column_name = Some("dms_ts".into());
    let words = ["may be the timestamp column", "[[table.layout]]", "timestamp_column_name out"];
    is_refused(&staged, CDC_CSV, &format!("I,{stamp},A1\n"), &words).await;
    is_refused(&staged, LOAD_CSV, &format!("{stamp},A1\n"), &words).await;
    assert_eq!(values(&staged, CDC_CSV, "I,A1,a\n", "code").await, ["A1"]);
    let both = format!("I,{stamp},A1,a\n");
    assert_eq!(values(&staged, CDC_CSV, &both, "code").await, ["A1"]);
    let mut staged = names();
    staged.dms.timestamp_column_name = Some("dms_ts".into());
    is_refused(&staged, CDC_CSV, &format!("I,{stamp},1\n"), &["lacks one of the 2"]).await;
    staged.dms.timestamp_column_name = None;
    let instants = Staged::new(&[("at", "datetime(6)"), ("id", "int")]);
    assert_eq!(values(&instants, CDC_CSV, &format!("I,{stamp},1\n"), "id").await, ["1"]);
}

#[tokio::test]
async fn a_full_load_holds_inserts_only() {
    let staged = names();
    // DMS does not write these letters in a load, so they are not operations: the layout lacks a column.
    is_refused(&staged, LOAD_CSV, "D,1,a\nU,2,b\n", &["[[table.layout]]"]).await;
    let decoded = staged.read(LOAD_CSV, "I,1,a\nI,2,b\nI,3,c\nD,1,a\n").await.unwrap();
    assert_eq!((decoded.operations().as_str(), decoded.bad_rows[0].row), ("III", 4));
    let decoded = staged.read(CDC_CSV, "I,1,a\nI,2,b\nD,1,a\n").await.unwrap();
    assert_eq!(decoded.operations(), "IID");
}

#[tokio::test]
async fn a_layout_that_begins_with_op_describes_dms_or_the_source() {
    let mut staged = Staged::new(&[("Op", "varchar(5)"), ("id", "int")]);
    assert_eq!(values(&staged, CDC_CSV, "U,1\n", "id").await, ["1"]);
    assert_eq!(values(&staged, CDC_CSV, "U,sum,1\n", "Op").await, ["sum"]);
    assert_eq!(values(&staged, LOAD_CSV, "1\n", "id").await, ["1"]);
    assert_eq!(values(&staged, LOAD_CSV, "sum,1\n", "Op").await, ["sum"]);
    assert_eq!(values(&staged, LOAD_CSV, "D,1\nU,2\n", "Op").await, ["D", "U"]);
    let words = ["either it is DMS's operation", "include_op_for_full_load"];
    is_refused(&staged, LOAD_CSV, "I,1\nI,2\n", &words).await;
    staged.dms.include_op_for_full_load = Some(false);
    assert_eq!(values(&staged, LOAD_CSV, "I,1\n", "Op").await, ["I"]);
    staged.dms.include_op_for_full_load = Some(true);
    let decoded = staged.read(LOAD_CSV, "I,1\n").await.unwrap();
    assert_eq!((decoded.operations().as_str(), decoded.brought().len()), ("I", 1));
}

/// A Parquet object whose first column is `Op`, with these values.
fn with_op(values: &[Option<&str>]) -> Vec<u8> {
    file(&[("binary Op (UTF8)", texts(values)), ("int64 id", numbers(values.len()))])
}

/// A CSV object with a header whose first column is `Op`, with these values.
fn with_op_in_csv(values: &[Option<&str>]) -> String {
    let row =
        |(at, value): (usize, Option<&str>)| format!("{},{}\n", value.unwrap_or("NULL"), at + 1);
    let rows: String = values.iter().copied().enumerate().map(row).collect();
    format!("Op,id\n{rows}")
}

/// Reads an object in both formats and returns its operations and values of `Op`, or the refusal.
async fn op_of(staged: &mut Staged, load: bool, seen: &[Option<&str>]) -> Result<String, String> {
    staged.dms.add_column_name = true;
    let (csv, parquet) = if load { (LOAD_CSV, LOAD_PARQUET) } else { (CDC_CSV, CDC_PARQUET) };
    let mut outcomes = Vec::new();
    for (name, object) in [(csv, with_op_in_csv(seen).into_bytes()), (parquet, with_op(seen))] {
        outcomes.push(match staged.read(name, object).await {
            Ok(decoded) if decoded.brought().iter().any(|column| column.starts_with("Op ")) => {
                Ok(format!("{} {}", decoded.operations(), decoded.values("Op").join("")))
            }
            Ok(decoded) => Ok(decoded.operations()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::SchemaRefused, "{}", error.chain());
                Err(format!("{error}; {}", error.own_remedy().unwrap_or_default()))
            }
        });
    }
    assert_eq!(outcomes[0], outcomes[1].clone().map_err(|error| error.replace(".parquet", ".csv")));
    outcomes.remove(0)
}

#[tokio::test]
async fn whose_a_column_named_op_is_the_configuration_says() {
    let changes = [Some("I"), Some("U"), Some("D")];
    let data = || Staged::new(&[("id", "bigint"), ("Op", "varchar(3)")]);
    let load = true;
    // Configured as a column of the source: data, and changes lack an operation.
    assert_eq!(op_of(&mut data(), load, &changes).await.unwrap(), "III IUD");
    assert_eq!(op_of(&mut data(), load, &[None, None]).await.unwrap(), "II ∅∅");
    let refused = op_of(&mut data(), !load, &changes).await.unwrap_err();
    assert!(refused.contains("where two are configured") && refused.contains("cdc_inserts_only"));
    let mut inserts = data();
    inserts.dms.cdc_inserts_and_updates = true;
    assert_eq!(op_of(&mut inserts, !load, &changes).await.unwrap(), "III IUD");
    let mut stated = data();
    stated.dms.include_op_for_full_load = Some(true);
    let refused = op_of(&mut stated, load, &[Some("I")]).await.unwrap_err();
    assert!(refused.contains("include_op_for_full_load = false"), "{refused}");
    // Stored, but DMS's own.
    let mut stored = Staged::new(&[("id", "bigint")]);
    stored.table.store = vec!["Op".into()];
    assert_eq!(op_of(&mut stored, !load, &changes).await.unwrap(), "IUD IU∅");
}

#[tokio::test]
async fn whose_a_column_named_op_is_its_values_say_where_the_configuration_is_silent() {
    let silent = || Staged::new(&[("id", "bigint")]);
    let load = true;
    assert_eq!(op_of(&mut silent(), !load, &[Some("U"), Some("D")]).await.unwrap(), "UD");
    assert_eq!(op_of(&mut silent(), load, &[Some("I"), Some("I")]).await.unwrap(), "II");
    let refused = op_of(&mut silent(), load, &[None, None]).await.unwrap_err();
    assert!(refused.contains("it is either a column of the source"), "{refused}");
    assert!(refused.contains("name it in `columns`"), "{refused}");
    for stated in [true, false] {
        let mut staged = silent();
        staged.dms.include_op_for_full_load = Some(stated);
        let decoded = staged.read(LOAD_PARQUET, with_op(&[Some("I")])).await.unwrap();
        let has_data = decoded.brought().contains(&"Op string".to_owned());
        assert_eq!((decoded.operations().as_str(), has_data), ("I", !stated));
    }
    // The load has no operation, and the source's column holds values that look like one.
    let decoded = silent().read(LOAD_PARQUET, with_op(&[Some("D"), Some("U")])).await.unwrap();
    assert_eq!((decoded.operations().as_str(), decoded.values("Op").len()), ("II", 2));
    // The lake remembers a column of that name.
    let mut staged = silent();
    staged.dms.cdc_inserts_only = true;
    staged.in_lake(&[("id", ColumnType::Long), ("Op", ColumnType::String)]);
    assert_eq!(op_of(&mut staged, !load, &[Some("D")]).await.unwrap(), "I D");
    staged.dms.cdc_inserts_only = false;
    assert_eq!(op_of(&mut staged, !load, &[Some("D")]).await.unwrap(), "D");
    let both = file(&[
        ("binary Op (UTF8)", texts(&[Some("D")])),
        ("int64 id", Values::I64(vec![Some(1)])),
        ("binary Op (UTF8)", texts(&[Some("U")])),
    ]);
    let mut staged = Staged::new(&[("id", "bigint")]);
    staged.table.columns.push(column("Op", "varchar(1)"));
    assert_eq!(staged.read(CDC_PARQUET, both).await.unwrap().operations(), "D");
}
