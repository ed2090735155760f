//! Remedies for objects that cannot be read as configured.

use std::path::PathBuf;
use std::sync::Arc;

use dmslake::clock::SystemClock;
use dmslake::config::load;
use dmslake::pipeline::{Limits, Losses, Pipeline, Scope, Silent, Status, TableReport};
use tempfile::TempDir;

use crate::support::parquet_file::{Values, file, numbers, texts};
use crate::support::table::shown;

const LOAD: &str = "LOAD00000001";
const FIRST: &str = "20240101-000000001";
const SECOND: &str = "20240101-000000002";

/// A folder with staging and lake of one table, `shop.items`.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    fn staged(&self, name: &str) -> PathBuf {
        self.folder.path().join("staging/shop/items").join(name)
    }

    fn stage(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.staged(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn unstage(&self, name: &str) {
        std::fs::remove_file(self.staged(name)).unwrap();
    }

    /// Applies with a `[dms]` section and the settings of the table.
    async fn pipeline(&self, dms: &str, table: &str) -> Pipeline {
        let root = self.folder.path().display();
        let text = format!(
            "staging = \"{root}/staging\"\nlake = \"{root}/lake\"\n[dms]\n{dms}\n[[table]]\n\
             source = \"shop.items\"\n{table}\n"
        );
        let settings = load::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        Pipeline::open(settings, Arc::new(SystemClock)).await.unwrap()
    }

    async fn apply(&self, dms: &str, table: &str) -> TableReport {
        let pipeline = self.pipeline(dms, table).await;
        let table = pipeline.settings().tables[0].clone();
        pipeline.apply(&table, &Scope::Everything, &Limits::default(), &Silent).await
    }

    /// Applies; the table must be held with these words in message and remedy.
    async fn held(&self, dms: &str, table: &str, message: &str, remedy: &[&str]) {
        let report = self.apply(dms, table).await;
        assert_eq!(report.status, Status::Held, "{report:?}");
        let error = report.error.unwrap_or_default();
        assert!(error.contains(message), "{error}");
        let told = report.remedy.unwrap_or_default();
        for words in remedy {
            assert!(told.contains(words), "{told}");
        }
    }

    /// Applies successfully and returns every row of the table as text.
    async fn rows(&self, dms: &str, table: &str) -> Vec<String> {
        let report = self.apply(dms, table).await;
        assert_eq!((report.status, report.pending), (Status::Ok, 0), "{report:?}");
        self.table().await
    }

    /// Gives up what has vanished from staging.
    async fn accept_loss(&self, dms: &str, table: &str) {
        let pipeline = self.pipeline(dms, table).await;
        let table = &pipeline.settings().tables[0];
        let resumed = pipeline.resume(table, Losses::Accepted).await.unwrap();
        assert!(!resumed.given_up.is_empty());
    }

    /// Rebuilds the table from what is staged.
    async fn rebuild(&self, dms: &str, table: &str) {
        let pipeline = self.pipeline(dms, table).await;
        let table = &pipeline.settings().tables[0];
        let plan = pipeline.plan_rebuild(table).await.unwrap();
        pipeline.begin_rebuild(table, &plan, Losses::Refused).await.unwrap();
    }

    async fn table(&self) -> Vec<String> {
        let path = self.folder.path().join("lake/shop/items");
        let url = url::Url::from_directory_path(path).unwrap();
        let table = deltalake::open_table(url).await.unwrap();
        let context = datafusion::prelude::SessionContext::new();
        let frame = context.read_table(table.table_provider().await.unwrap()).unwrap();
        shown(&frame.collect().await.unwrap(), "∅")
    }
}

/// `keys = ["id"]` and these columns, as `name type`.
fn keyed(columns: &[&str]) -> String {
    format!("keys = [\"id\"]\ncolumns = {}", listed(columns))
}

fn listed(columns: &[&str]) -> String {
    let column = |column: &&str| {
        let (name, mysql_type) = column.split_once(' ').unwrap();
        format!("{{ name = \"{name}\", type = \"{mysql_type}\" }}")
    };
    format!("[{}]\n", columns.iter().map(column).collect::<Vec<_>>().join(", "))
}

fn layout(from: &str, more: &str) -> String {
    format!("[[table.layout]]\nfrom = \"{from}\"\n{more}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_delimiter_is_stated() {
    let table = keyed(&["id int", "name varchar(9)"]);
    for (dms, last) in [("csv_row_delimiter = '\\r\\n'", "b"), ("csv_row_delimiter = '\\n'", "b\r")]
    {
        let site = Site::new();
        site.stage("LOAD00000001.csv", "1,\"a\"\n2,b\r\n");
        site.stage("20240101-000000001.csv", "U,2,b\r\n");
        if last == "b" {
            site.stage("LOAD00000001.csv", "1,\"a\"\r\n2,a\r\n");
        }
        let remedy = ["csv_row_delimiter", "\"\\r\\n\"", "\"\\n\""];
        site.held("", &table, "either both delimit rows", &remedy).await;
        assert_eq!(site.rows(dms, &table).await, ["1|a".to_owned(), format!("2|{last}")]);
    }
    // A return that no value can hold contradicts an explicit newline.
    let site = Site::new();
    let table = keyed(&["name varchar(9)", "id int"]);
    site.stage("LOAD00000001.csv", "a,1\r\n");
    let stated = "csv_row_delimiter = '\\n'";
    site.held(stated, &table, "does not include it", &["csv_row_delimiter = \"\\r\\n\""]).await;
    assert_eq!(site.rows("csv_row_delimiter = \"\\r\\n\"", &table).await, ["a|1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_is_configured_or_not() {
    let site = Site::new();
    let table = keyed(&["id int", "name varchar(9)"]);
    site.stage("LOAD00000001.csv", "name,id\na,1\n");
    site.held("", &table, "is a header", &["add_column_name = true"]).await;
    assert_eq!(site.rows("add_column_name = true", &table).await, ["a|1"]);

    let site = Site::new();
    site.stage("LOAD00000001.csv", "1,a\n2,b\n");
    let remedy = ["add_column_name = false", "in file order"];
    site.held("add_column_name = true", &table, "is not a header", &remedy).await;
    assert_eq!(site.rows("add_column_name = false", &table).await, ["1|a", "2|b"]);

    let site = Site::new();
    site.stage("LOAD00000001.csv", b"id,\xff\n1,a\n");
    let remedy = ["add_column_name = false", "stage the object again"];
    site.held("add_column_name = true", &table, "the header is not valid UTF-8", &remedy).await;
    site.stage("LOAD00000001.csv", "id,name\n1,a\n");
    assert_eq!(site.rows("add_column_name = true", &table).await, ["1|a"]);

    let words = keyed(&["id varchar(9)"]);
    for (dms, rows) in
        [("add_column_name = false", vec!["id", "x"]), ("add_column_name = true", vec!["x"])]
    {
        let site = Site::new();
        site.stage("LOAD00000001.csv", "id\nx\n");
        site.held("", &words, "or a row of the table", &["set add_column_name in [dms]"]).await;
        assert_eq!(site.rows(dms, &words).await, rows);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_of_one_name_get_another_one() {
    let header = "add_column_name = true";
    let site = Site::new();
    site.stage("LOAD00000001.csv", "id,v,v\n1,a,b\n");
    let table = keyed(&["id int", "v varchar(9)", "w varchar(9)"]);
    let remedy = ["another name", "stage the object again"];
    site.held(header, &table, "two columns of the object are named `v`", &remedy).await;
    site.stage("LOAD00000001.csv", "id,v,w\n1,a,b\n");
    assert_eq!(site.rows(header, &table).await, ["1|a|b"]);
    // Or the first row is not a header.
    let site = Site::new();
    site.stage("LOAD00000001.csv", "id,x,x\n2,y,z\n");
    let table = keyed(&["id varchar(9)", "v varchar(9)", "w varchar(9)"]);
    let remedy = ["add_column_name = false", "another name"];
    site.held(header, &table, "fields 2 and 3 of the header have the same name", &remedy).await;
    assert_eq!(site.rows("add_column_name = false", &table).await, ["2|y|z", "id|x|x"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_column_is_the_change_sequence() {
    let remedy = ["set change_seq_column in [dms]", "take it out"];
    let site = Site::new();
    let table = keyed(&["id int", "v varchar(9)", "seq varchar(35)"]);
    site.stage("LOAD00000001.csv", "1,b,01\n2,a,02\n");
    let decreases = "the change sequence decreases within the object";
    site.held("change_seq_column = \"v\"", &table, decreases, &remedy).await;
    // The load has no change sequences to keep.
    let rows = site.rows("change_seq_column = \"seq\"", &table).await;
    assert_eq!(rows, ["1|b|∅", "2|a|∅"]);

    let site = Site::new();
    let load = [("int64 id", numbers(2)), ("int64 n", numbers(2))];
    site.stage("LOAD00000001.parquet", file(&load));
    let no_text = "the change sequence is Int64, but must be text";
    site.held("change_seq_column = \"n\"", "keys = [\"id\"]", no_text, &remedy).await;
    assert_eq!(site.rows("", "keys = [\"id\"]").await, ["1|1", "2|2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_text_is_null_if_the_endpoint_writes_it_so() {
    let site = Site::new();
    let table = keyed(&["id int", "n int"]);
    site.stage("LOAD00000001.csv", "1,\n2,5\n");
    let remedy = ["csv_null_value = \"\"", "on_bad_row = \"quarantine\""];
    site.held("", &table, "empty text is not a valid int", &remedy).await;
    assert_eq!(site.rows("csv_null_value = \"\"", &table).await, ["1|∅", "2|5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_with_nulls_is_neither_key_nor_required() {
    let site = Site::new();
    let columns = listed(&["code int", "id int"]);
    site.stage("LOAD00000001.csv", "5,1\n");
    let table = |key: &str| format!("keys = [\"{key}\"]\ncolumns = {columns}");
    assert_eq!(site.rows("", &table("code")).await, ["5|1"]);
    site.stage("20240101-000000001.csv", "I,NULL,2\n");
    let remedy = ["primary key in `keys`", "dmslake rebuild shop.items"];
    site.held("", &table("code"), "NULL in a key column", &remedy).await;
    site.rebuild("", &table("id")).await;
    assert_eq!(site.rows("", &table("id")).await, ["5|1", "∅|2"]);

    let site = Site::new();
    site.stage("LOAD00000001.csv", "1,7\n");
    let table = keyed(&["id int", "n int"]);
    let required = table.replace("\"n\", type", "\"n\", nullable = false, type");
    assert_eq!(site.rows("", &required).await, ["1|7"]);
    site.stage("20240101-000000001.csv", "I,2,NULL\n");
    site.held("", &required, "not nullable", &["remove nullable = false"]).await;
    assert_eq!(site.rows("", &table).await, ["1|7", "2|∅"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_column_has_its_layout() {
    let table = keyed(&["id varchar(9)", "name varchar(9)"]);
    let site = Site::new();
    site.stage("LOAD00000001.csv", "A0,a\n");
    site.stage("20240101-000000001.csv", "I,A1\n");
    let columns = format!("columns = {}", listed(&["id varchar(9)"]));
    let shorter = format!("{table}{}", layout(FIRST, &columns));
    let from = format!("from = \"{FIRST}\"");
    site.held("", &table, "lacks one of the 2", &["[[table.layout]]", &from]).await;
    assert_eq!(site.rows("", &shorter).await, ["A0|a", "A1|∅"]);

    let inserts = "cdc_inserts_only = true";
    for (dms, with_layout, rows) in [
        (inserts.to_owned(), true, ["A0|a", "A1|∅"]),
        (format!("{inserts}\ninclude_op_for_full_load = false"), false, ["A0|a", "I|A1"]),
    ] {
        let site = Site::new();
        site.stage("LOAD00000001.csv", "A0,a\n");
        site.stage("20240101-000000001.csv", "I,A1\n");
        let remedy = ["[[table.layout]]", &from, "include_op_for_full_load = false"];
        site.held(inserts, &table, "what may be `Op`", &remedy).await;
        let table = if with_layout { &shorter } else { &table };
        assert_eq!(site.rows(&dms, table).await, rows);
    }

    let stamped = "timestamp_column_name = \"ts\"";
    let stamp = "2022-10-24 17:59:02.000000";
    for (dms, with_layout, row) in
        [(stamped, true, "A1|∅".to_owned()), ("", false, format!("{stamp}|A1"))]
    {
        let site = Site::new();
        site.stage("LOAD00000001.csv", "A0,a\n");
        site.stage("20240101-000000001.csv", format!("I,{stamp},A1\n"));
        let remedy = ["[[table.layout]]", &from, "take timestamp_column_name out of [dms]"];
        site.held(stamped, &table, "may be the timestamp column", &remedy).await;
        let table = if with_layout { &shorter } else { &table };
        let mut rows = vec!["A0|a".to_owned(), row];
        rows.sort();
        assert_eq!(site.rows(dms, table).await, rows);
    }
    // One more column.
    let site = Site::new();
    site.stage("LOAD00000001.csv", "A0,a\n");
    site.stage("20240101-000000001.csv", "I,A1,b,5\n");
    site.held("", &table, "the first row has 4 fields", &["[[table.layout]]", &from]).await;
    let columns = listed(&["id varchar(9)", "name varchar(9)", "n int"]);
    let wider = format!("{table}{}", layout(FIRST, &format!("columns = {columns}")));
    assert_eq!(site.rows("", &wider).await, ["A0|a|∅", "A1|b|5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_widths_in_one_object_are_cut_in_two() {
    let site = Site::new();
    let table = keyed(&["id int", "name varchar(9)"]);
    site.stage("LOAD00000001.csv", "1,a\n");
    site.stage("20240101-000000001.csv", "I,2,b\nI,3,c,5\n");
    site.stage("20240101-000000002.csv", "U,3,d,6\n");
    let remedy = ["cut it before that row", "20240101-0000000011", "reload the table"];
    site.held("", &table, "the row has 4 fields", &remedy).await;
    site.stage("20240101-000000001.csv", "I,2,b\n");
    site.stage("20240101-0000000011.csv", "I,3,c,5\n");
    let columns = listed(&["id int", "name varchar(9)", "n int"]);
    let wider =
        format!("{table}{}", layout("20240101-0000000011", &format!("columns = {columns}")));
    assert_eq!(site.rows("", &wider).await, ["1|a|∅", "2|b|∅", "3|d|6"]);
    // Or a reload: DMS removes the old objects.
    let site = Site::new();
    site.stage("LOAD00000001.csv", "1,a\n");
    assert_eq!(site.rows("", &table).await, ["1|a"]);
    site.stage("20240101-000000001.csv", "I,2,b\nI,3,c,5\n");
    site.held("", &table, "the row has 4 fields", &remedy).await;
    site.unstage("20240101-000000001.csv");
    site.stage("LOAD00000001.csv", "1,a,4\n2,b,4\n3,c,5\n");
    let table = keyed(&["id int", "name varchar(9)", "n int"]);
    site.rebuild("", &table).await;
    site.held("", &table, "not complete yet", &["nothing: it is applied"]).await;
    site.stage("20240101-000000002.csv", "D,3,c,5\n");
    assert_eq!(site.rows("", &table).await, ["1|a|4", "2|b|4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_changed_at_the_source_is_given_and_the_table_follows() {
    for (old, new, value, fault, shown) in [
        ("int", "bigint", "5000000000", "out of range for int", "5000000000"),
        ("decimal(5,2)", "decimal(7,4)", "1.2345", "more fraction digits", "1.2345"),
        ("tinyint", "smallint", "-500", "out of range for tinyint", "-500"),
    ] {
        let site = Site::new();
        site.stage("LOAD00000001.csv", "1,7\n");
        site.stage("20240101-000000001.csv", format!("I,2,{value}\n"));
        let (old_type, new_type) =
            (keyed(&["id int", &format!("v {old}")]), keyed(&["id int", &format!("v {new}")]));
        let line = format!("in place of type = \"{old}\" of `v` in `columns`");
        site.held("", &old_type, fault, &["at the source", &line, "the table follows"]).await;
        let rows = site.rows("", &new_type).await;
        assert!(rows[0].starts_with("1|7") && rows[1] == format!("2|{shown}"), "{rows:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_holds_other_values_is_given_and_the_table_rebuilt() {
    let site = Site::new();
    site.stage("LOAD00000001.csv", "1,7\n");
    site.stage("20240101-000000001.csv", "I,2,five\n");
    let (old, new) = (keyed(&["id int", "v int"]), keyed(&["id int", "v varchar(9)"]));
    site.held("", &old, "the value is not a valid int", &["in `columns`, and apply again"]).await;
    let unfit = "does not fit the column's type in the lake";
    site.held("", &new, unfit, &["dmslake rebuild shop.items"]).await;
    site.rebuild("", &new).await;
    assert_eq!(site.rows("", &new).await, ["1|7", "2|five"]);
    let (dms, table) = ("cdc_inserts_only = true", "keys = [\"id\"]");
    let narrow = file(&[("int64 id", numbers(1)), ("int32 v", Values::I32(vec![Some(7)]))]);
    let remedy =
        ["give the new type in `columns`", "dmslake rebuild shop.items", "reload the table"];
    // If old values cannot be read as the new type, the table must be reloaded.
    let site = Site::new();
    let text = file(&[("int64 id", numbers(1)), ("binary v (UTF8)", texts(&[Some("seven")]))]);
    site.stage("LOAD00000001.parquet", &narrow);
    site.stage("20240101-000000001.parquet", &text);
    site.held(dms, table, "string does not fit the column's type in the lake", &remedy).await;
    site.unstage("20240101-000000001.parquet");
    site.stage("LOAD00000001.parquet", &text);
    site.rebuild(dms, &keyed(&["v varchar(9)"])).await;
    let next = file(&[
        ("int64 id", Values::I64(vec![Some(2)])),
        ("binary v (UTF8)", texts(&[Some("two")])),
    ]);
    site.stage("20240101-000000002.parquet", &next);
    assert_eq!(site.rows(dms, &keyed(&["v varchar(9)"])).await, ["1|seven", "2|two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tinyint_that_is_no_boolean() {
    let site = Site::new();
    let boolean = "keys = [\"id\"]\ncolumns = [{ name = \"id\", type = \"int\" }, \
                   { name = \"v\", type = \"tinyint(1)\", boolean = true }]\n";
    let table = keyed(&["id int", "v tinyint(1)"]);
    let remedy = ["remove boolean = true", "the table follows"];
    site.stage("LOAD00000001.csv", "1,1\n2,2\n");
    site.held("", boolean, "boolean = true takes 0 and 1 only", &remedy).await;
    // There was no table yet.
    assert_eq!(site.rows("", &table).await, ["1|1", "2|2"]);
    let site = Site::new();
    site.stage("LOAD00000001.csv", "1,1\n");
    assert_eq!(site.rows("", boolean).await, ["1|true"]);
    site.stage("20240101-000000001.csv", "I,2,2\n");
    site.held("", boolean, "boolean = true takes 0 and 1 only", &remedy).await;
    assert_eq!(site.rows("", &table).await, ["1|1", "2|2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_key_whose_rows_are_updated_gets_keys() {
    let columns = listed(&["id int", "v varchar(9)"]);
    let site = Site::new();
    site.stage("LOAD00000001.csv", "1,a\n2,b\n");
    site.stage("20240101-000000001.csv", "U,1,c\nD,2,b\n");
    let keyless = format!("append_only = true\ncolumns = {columns}");
    let remedy = ["`keys` instead of append_only", "dmslake rebuild shop.items"];
    site.held("", &keyless, "takes inserts only", &remedy).await;
    site.rebuild("", &keyed(&["id int", "v varchar(9)"])).await;
    assert_eq!(site.rows("", &keyed(&["id int", "v varchar(9)"])).await, ["1|c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_columns_that_differ_by_letter_case() {
    // No table of MySQL has them; rules of a task may add one.
    let columns = |second: &str| {
        let second = format!("binary {second} (UTF8)");
        file(&[
            ("int64 id", numbers(1)),
            ("binary name (UTF8)", texts(&[Some("a")])),
            (&second, texts(&[Some("x")])),
        ])
    };
    let site = Site::new();
    site.stage("LOAD00000001.parquet", columns("Name"));
    let offered = "rename = { \"Name\" = \"Name_2\" }";
    site.held("", "keys = [\"id\"]", "differ only by letter case", &[offered]).await;
    assert_eq!(site.rows("", &format!("keys = [\"id\"]\n{offered}")).await, ["1|a|x"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_renamed_at_the_source_has_its_layout() {
    let rename = "rename = { \"no\" = \"id\" }\n";
    let remedy = ["= \"id\" }", "[[table.layout]]", "`keys`"];
    // CSV without header: the columns of the layout need the new name too.
    let site = Site::new();
    let table = keyed(&["id int", "v varchar(9)"]);
    site.stage("LOAD00000001.csv", "1,a\n2,b\n");
    site.stage("20240101-000000001.csv", "U,1,c\n");
    site.stage("20240101-000000002.csv", "U,1,d\nD,2,b\nI,3,e\n");
    let renamed = layout(
        SECOND,
        &format!("keys = [\"no\"]\ncolumns = {}", listed(&["no int", "v varchar(9)"])),
    );
    assert_eq!(site.rows("", &format!("{table}{rename}{renamed}")).await, ["1|d", "3|e"]);
    // With a header, and in Parquet, the object shows that the key is missing.
    let keys = layout(SECOND, "keys = [\"no\"]");
    for (dms, is_csv) in [("add_column_name = true", true), ("", false)] {
        let site = Site::new();
        let staged = |key: &str, name: &str, op: Option<&str>, id: i64, v: &str| {
            if is_csv {
                let (op_name, op) = op.map_or(("", String::new()), |op| ("Op,", format!("{op},")));
                site.stage(&format!("{name}.csv"), format!("{op_name}{key},v\n{op}{id},{v}\n"));
                return;
            }
            let declared = format!("int64 {key}");
            let mut columns = Vec::new();
            columns.extend(op.map(|op| ("binary Op (UTF8)", texts(&[Some(op)]))));
            columns.push((declared.as_str(), Values::I64(vec![Some(id)])));
            columns.push(("binary v (UTF8)", texts(&[Some(v)])));
            site.stage(&format!("{name}.parquet"), file(&columns));
        };
        staged("id", LOAD, None, 1, "a");
        staged("id", FIRST, Some("U"), 1, "b");
        staged("no", SECOND, Some("U"), 1, "c");
        let table =
            if is_csv { keyed(&["id bigint", "v varchar(9)"]) } else { "keys = [\"id\"]\n".into() };
        let from = format!("from = \"{SECOND}\"");
        site.held(dms, &table, "lacks the key column `id`", &[&remedy[..], &[&from]].concat())
            .await;
        assert_eq!(site.table().await, ["1|b"]);
        assert_eq!(site.rows(dms, &format!("{table}{rename}{keys}")).await, ["1|c"]);
        // Also from the start; and renamed once more.
        site.rebuild(dms, &format!("{table}{rename}{keys}")).await;
        assert_eq!(site.rows(dms, &format!("{table}{rename}{keys}")).await, ["1|c"]);
        staged("nr", "20240101-000000003", Some("U"), 1, "d");
        let with_keys = format!("{table}{rename}{keys}");
        site.held(dms, &with_keys, "lacks the key column `no`", &remedy).await;
        let both = with_keys.replace("{ \"no\" = \"id\" }", "{ \"no\" = \"id\", \"nr\" = \"id\" }");
        let both = format!("{both}{}", layout("20240101-000000003", "keys = [\"nr\"]"));
        assert_eq!(site.rows(dms, &both).await, ["1|d"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_a_column_named_op_is_is_said() {
    let op = |values: &[Option<&str>]| {
        file(&[("binary Op (UTF8)", texts(values)), ("int64 id", numbers(values.len()))])
    };
    // Only NULL in a load: a column of the source, or an object that DMS did not write.
    let site = Site::new();
    site.stage("LOAD00000001.parquet", op(&[None]));
    let remedy = ["name it in `columns`", "reload the table in DMS"];
    site.held("", "keys = [\"id\"]", "the first column is `Op` and holds only NULL", &remedy).await;
    let named = "keys = [\"id\"]\ncolumns = [{ name = \"Op\", type = \"varchar(3)\" }]";
    assert_eq!(site.rows("", named).await, ["∅|1"]);
    let site = Site::new();
    site.stage("LOAD00000001.parquet", op(&[None]));
    site.held("", "keys = [\"id\"]", "the first column is `Op` and holds only NULL", &remedy).await;
    site.stage("LOAD00000001.parquet", op(&[Some("I")]));
    assert_eq!(site.rows("", "keys = [\"id\"]").await, ["1"]);
    // One column where two are configured.
    let without = "keys = [\"id\"]\ncdc_only = true";
    for (dms, table, rows) in
        [("", without, vec![]), ("cdc_inserts_and_updates = true", named, vec!["D|1"])]
    {
        let site = Site::new();
        site.stage("20240101-000000001.parquet", op(&[Some("D")]));
        let remedy = ["take `Op` out of `columns`", "cdc_inserts_and_updates = true"];
        site.held("", named, "where two are configured", &remedy).await;
        assert_eq!(site.rows(dms, table).await, rows);
    }
    let site = Site::new();
    site.stage("LOAD00000001.parquet", op(&[Some("I")]));
    let stated = "include_op_for_full_load = true";
    let remedy = ["take `Op` out of `columns`", "include_op_for_full_load = false"];
    site.held(stated, named, "where two are configured", &remedy).await;
    assert_eq!(site.rows("include_op_for_full_load = false", named).await, ["I|1"]);
    // In CSV without a header, by position; and letters that no load has.
    let table = keyed(&["Op varchar(3)", "id int"]);
    for (stated, row) in [("true", "1"), ("false", "I|1")] {
        let site = Site::new();
        site.stage("LOAD00000001.csv", "I,1\n");
        let remedy = ["include_op_for_full_load", "true if DMS wrote it", "false if it is"];
        site.held("", &table, "the first column is `Op` and holds I in every row", &remedy).await;
        let dms = format!("include_op_for_full_load = {stated}");
        assert_eq!(site.rows(&dms, &table).await, [row]);
    }
    let site = Site::new();
    site.stage("LOAD00000001.parquet", op(&[Some("I"), Some("D")]));
    site.held(
        "include_op_for_full_load = true",
        "keys = [\"id\"]",
        "a full load holds inserts only",
        &["name it in `columns`"],
    )
    .await;
    assert_eq!(site.rows("", named).await, ["D|2", "I|1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_without_operation_are_configured() {
    let table = keyed(&["id int", "v varchar(9)"]);
    for dms in ["cdc_inserts_only = true", "cdc_inserts_and_updates = true"] {
        let site = Site::new();
        site.stage("LOAD00000001.csv", "1,a\n");
        site.stage("20240101-000000001.csv", "2,b\n");
        site.held(
            "",
            &table,
            "without `Op`",
            &[
                "cdc_inserts_only = true",
                "cdc_inserts_and_updates = true",
                "move it out of staging",
            ],
        )
        .await;
        assert_eq!(site.rows(dms, &table).await, ["1|a", "2|b"]);
    }
    let site = Site::new();
    site.stage("LOAD00000001.csv", "1,a\n");
    site.stage("20240101-000000001.csv", "2,b\n");
    site.held("", &table, "without `Op`", &["move it out of staging"]).await;
    site.unstage("20240101-000000001.csv");
    site.accept_loss("", &table).await;
    assert_eq!(site.rows("", &table).await, ["1|a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn transaction_ordered_objects_are_moved_out_of_staging() {
    let site = Site::new();
    let table = keyed(&["id int", "v varchar(9)"]);
    site.stage("LOAD00000001.csv", "1,a\n");
    site.stage("CDC_TXN-20201117153046033.csv", "I,items,shop,2,b\n");
    let remedy = ["turn preserve_transactions off", "move them out of staging"];
    site.held("", &table, "are not supported", &remedy).await;
    site.unstage("CDC_TXN-20201117153046033.csv");
    assert_eq!(site.rows("", &table).await, ["1|a"]);
}
