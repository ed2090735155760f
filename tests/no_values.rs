//! No message, report or log line holds a value of a row, nor a secret: values that stand nowhere
//! else are planted in every kind of error, and everything that the real binaries say with
//! `RUST_LOG=trace` is searched for them.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use dmslake::clock::{Clock, SystemClock};
use parquet::file::properties::WriterProperties;
use serde_json::json;
use tempfile::TempDir;

use crate::support::events::queue;
use crate::support::parquet_file::{Values, file, file_with, texts};
use crate::support::runtime_api::Function;

/// A text that stands in rows only, and numbers of which no version, size or time is made.
const TEXT: &str = "Xq7Secret";
const NUMBER: &str = "918273645";
const LOAD: &str = "LOAD00000001";
const CHANGE: &str = "20260301-120000000";

/// One staged table, and what is said about it.
struct Case {
    name: &'static str,
    dms: &'static str,
    table: &'static str,
    objects: Vec<(String, Vec<u8>)>,
}

const COLUMNS: &str = "keys = [\"id\"]\ncolumns = [\n\
    { name = \"id\", type = \"bigint\" },\n{ name = \"note\", type = \"text\" },\n\
    { name = \"amount\", type = \"decimal(12,2)\" },\n{ name = \"day\", type = \"date\" },\n\
    { name = \"at\", type = \"datetime(6)\" },\n{ name = \"paid\", type = \"tinyint(1)\", boolean = true },\n\
    { name = \"token\", type = \"binary(16)\" },\n{ name = \"ratio\", type = \"double\" },\n\
    { name = \"year\", type = \"year\" },\n{ name = \"bits\", type = \"bit(9)\" },\n\
    { name = \"small\", type = \"smallint\", nullable = false },\n]\n";
const GOOD: [&str; 11] = [
    "918273645",
    "Xq7Secret",
    "1.50",
    "2026-03-01",
    "2026-03-01 12:00:00",
    "1",
    "00ff",
    "0.5",
    "2026",
    "3",
    "7",
];

fn csv(operation: &str, fields: &[&str]) -> String {
    format!("{operation}{}\n", fields.join(","))
}

fn with(position: usize, value: &str) -> String {
    let mut fields = GOOD;
    fields[position] = value;
    csv("", &fields)
}

fn of_csv(name: &'static str, dms: &'static str, load: &[u8]) -> Case {
    let objects = vec![(format!("{LOAD}.csv"), load.to_vec())];
    Case { name, dms, table: COLUMNS, objects }
}

/// Rows that cannot be read, one in each column and one for each rule of rows.
fn bad_rows() -> Vec<Case> {
    let mut cases: Vec<Case> = (0..GOOD.len())
        .filter(|position| *position != 1)
        .map(|position| of_csv("a bad value", "", with(position, TEXT).as_bytes()))
        .collect();
    for (position, value) in
        [(0, "NULL"), (2, "91827364591827.5"), (3, "9182-73-64"), (9, "918273645"), (10, "NULL")]
    {
        cases.push(of_csv("a value out of range", "", with(position, value).as_bytes()));
    }
    let not_utf8 = [&b"918273645,Xq7Secret\xff"[..], &csv("", &GOOD).as_bytes()[19..]].concat();
    cases.push(of_csv("not UTF-8", "", &not_utf8));
    let narrow = format!("{}{TEXT},{NUMBER}\n", csv("", &GOOD));
    cases.push(of_csv("a field too few", "", narrow.as_bytes()));
    cases.push(of_csv("a field too few, quoted", "rfc_4180 = true", narrow.as_bytes()));
    cases.push(of_csv("fields of no layout", "", format!("{TEXT},{NUMBER}\n").as_bytes()));
    let quotes = [format!("\"{TEXT}\"{TEXT},1\n"), format!("{NUMBER},\"{TEXT}")];
    for row in &quotes {
        let rows = format!("{}{row}", csv("", &GOOD));
        cases.push(of_csv("a broken quote", "rfc_4180 = true", rows.as_bytes()));
        cases.push(of_csv("a broken quote first", "rfc_4180 = true", row.as_bytes()));
    }
    let changes = csv("I,", &GOOD) + &csv(&format!("{TEXT},"), &GOOD);
    let objects = vec![(format!("{CHANGE}.csv"), changes.into_bytes())];
    cases.push(Case { objects, ..of_csv("no operation", "", b"") });
    cases
}

/// Headers that are none, and those that are damaged.
fn headers() -> Vec<Case> {
    let row = csv("", &GOOD);
    let two = format!("{TEXT},{TEXT}\n{NUMBER},{TEXT}\n");
    let mixed = format!("id,note,{TEXT}\n1,2,3\n");
    [row.clone() + &row, two, mixed, format!("id,{TEXT}\u{fffd}\n1,2\n")]
        .iter()
        .map(|text| of_csv("a header", "add_column_name = true", text.as_bytes()))
        .collect()
}

fn sequences() -> Vec<Case> {
    let dms = "change_seq_column = \"note\"";
    let fields = |sequence| {
        let mut fields = GOOD;
        fields[1] = sequence;
        csv("I,", &fields)
    };
    let falling = fields("Xq7SecretB") + &fields("Xq7SecretA");
    vec![Case {
        objects: vec![(format!("{CHANGE}.csv"), falling.into_bytes())],
        ..of_csv("a change sequence that falls", dms, b"")
    }]
}

/// Rows that are read: what is logged of planning, merging and committing them.
fn good_rows() -> Vec<Case> {
    let keys: Vec<String> = (0..40).map(|row| format!("{NUMBER}{row:02}")).collect();
    let rows = |operation: &str, keys: &[String]| -> Vec<u8> {
        let row = |key: &String| {
            let mut fields = GOOD;
            fields[0] = key;
            csv(operation, &fields)
        };
        keys.iter().map(row).collect::<String>().into_bytes()
    };
    let objects = || {
        vec![
            (format!("{LOAD}.csv"), rows("", &keys)),
            (format!("{CHANGE}.csv"), rows("U,", &keys[3..9])),
            ("20260301-120100000.csv".to_owned(), rows("D,", &keys[7..12])),
            ("20260301-120200000.csv".to_owned(), rows("I,", &keys[7..9])),
        ]
    };
    let tables = [
        COLUMNS,
        // A table's own settings stand before its columns.
        "merge = \"deletion-vectors\"\n",
    ];
    let mut cases = vec![Case { objects: objects(), ..of_csv("rows", "", b"") }];
    cases.push(Case { objects: objects(), table: tables[1], ..of_csv("rows, vectors", "", b"") });
    cases
}

fn parquet() -> Vec<Case> {
    let id = || ("int64 id", Values::I64(vec![Some(918_273_645)]));
    let text = || texts(&[Some(TEXT)]);
    let columns: Vec<Vec<(&'static str, Values)>> = vec![
        vec![id(), ("binary small (UTF8)", text())],
        vec![id(), ("int64 small", Values::I64(vec![Some(918_273_645)]))],
        vec![id(), ("binary amount (UTF8)", text())],
        vec![id(), ("binary at (UTF8)", text())],
        vec![id(), ("double amount", Values::F64(vec![Some(918_273_645.5)]))],
        vec![id(), ("binary note (UTF8)", Values::Bytes(vec![Some(b"Xq7Secret\xff".to_vec())]))],
        vec![("int64 id", Values::I64(vec![None])), ("binary note (UTF8)", text())],
        vec![("binary id (UTF8)", text())],
        vec![("binary note (UTF8)", text())],
        vec![("binary Op (UTF8)", text()), id()],
    ];
    let mut objects: Vec<Vec<u8>> = columns.iter().map(|columns| file(columns)).collect();
    let plain = WriterProperties::builder().set_dictionary_enabled(false).build();
    let notes = texts(&[Some(TEXT)]);
    let whole = file_with(&[id(), ("binary note (UTF8)", notes)], plain, 1);
    objects.push(whole[..whole.len() - 20].to_vec());
    for at in (4..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        objects.push(damaged);
    }
    let case = |object: Vec<u8>| Case {
        objects: vec![
            (format!("{LOAD}.parquet"), object.clone()),
            (format!("{CHANGE}.parquet"), object),
        ],
        ..of_csv("Parquet", "", b"")
    };
    objects.into_iter().map(case).collect()
}

/// Stages the cases, each a table of its own, and gives the configuration.
fn stage(folder: &Path, cases: &[Case], on_bad_row: &str) -> String {
    let Some(first) = cases.first() else { return String::new() };
    let mut text = format!("staging = \"staging\"\nlake = \"lake\"\n[dms]\n{}\n", first.dms);
    for (number, case) in cases.iter().enumerate() {
        let table = if case.table == COLUMNS {
            COLUMNS.to_owned()
        } else {
            format!("{}{COLUMNS}", case.table)
        };
        write!(
            text,
            "[[table]]\nsource = \"shop.t{number}\"\non_bad_row = \"{on_bad_row}\"\n{table}"
        )
        .expect("a string takes everything");
        let place = folder.join(format!("staging/shop/t{number}"));
        std::fs::create_dir_all(&place).expect("created");
        for (name, bytes) in &case.objects {
            std::fs::write(place.join(name), bytes).expect("written");
        }
    }
    std::fs::write(folder.join("dmslake.toml"), &text).expect("written");
    text
}

fn said(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_dmslake"))
        .args(arguments)
        .current_dir(folder)
        .env("RUST_LOG", "trace")
        .env_remove("MYSQL_PWD")
        .envs(variables.iter().copied())
        .output()
        .expect("the binary starts");
    let text = [output.stdout, b"\n".to_vec(), output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// Fails for every line that holds a planted value.
fn judge(what: &str, text: &str) {
    let tells = |line: &&str| line.contains(TEXT) || line.contains(NUMBER);
    let lines: Vec<&str> = text.lines().filter(tells).collect();
    let shown: Vec<String> =
        lines.iter().take(5).map(|line| line.chars().take(600).collect()).collect();
    assert!(lines.is_empty(), "{what}: {} lines hold a value: {shown:#?}", lines.len());
}

#[test]
fn no_value_of_a_row_is_printed() {
    let groups = [
        ("bad rows", bad_rows()),
        ("headers", headers()),
        ("sequences", sequences()),
        ("good rows", good_rows()),
        ("Parquet", parquet()),
    ];
    for (what, mut cases) in groups {
        cases.sort_by_key(|case| case.dms);
        for alike in cases.chunk_by(|one, other| one.dms == other.dms) {
            for on_bad_row in ["stop", "quarantine"] {
                let home = TempDir::new().expect("a folder");
                stage(home.path(), alike, on_bad_row);
                let names: Vec<&str> = alike.iter().map(|case| case.name).collect();
                for arguments in
                    [&["apply"][..], &["apply", "--json"], &["maintain"], &["ddl", "trino"]]
                {
                    let text = said(home.path(), arguments, &[]);
                    judge(&format!("{what}, {on_bad_row}, {arguments:?}, {names:?}"), &text);
                }
                let init = ["init", "--staging", "staging", "--lake", "lake", "--output=-"];
                judge(&format!("{what}, init"), &said(home.path(), &init, &[]));
            }
        }
    }
}

#[test]
fn no_password_is_printed() {
    let home = TempDir::new().expect("a folder");
    std::fs::create_dir_all(home.path().join("staging")).expect("created");
    let init = ["init", "--staging", "staging", "--lake", "lake", "--output=-", "--mysql"];
    for url in [
        "mysql://dms:Xq7Secret@127.0.0.1:1/shop",
        "mysql://dms:Xq7Secret@127.0.0.1:port/shop",
        "mysql://dms:Xq7Secret@127.0.0.1:1/shop?unknown=Xq7Secret",
        "postgres://dms:Xq7Secret@127.0.0.1/shop",
        "dms:Xq7Secret@127.0.0.1/shop",
        "mysql://dms:Xq7Secret%zz@[::1",
    ] {
        judge(
            url.split(':').next().unwrap_or_default(),
            &said(home.path(), &[&init[..], &[url]].concat(), &[]),
        );
    }
    let url = "mysql://dms@127.0.0.1:1/shop";
    let variables = [("MYSQL_PWD", TEXT), ("AWS_SECRET_ACCESS_KEY", TEXT)];
    judge("variables", &said(home.path(), &[&init[..], &[url]].concat(), &variables));
}

#[test]
fn no_value_of_an_event_or_a_row_is_logged_by_the_function() {
    let home = TempDir::new().expect("a folder");
    let cases: Vec<Case> =
        bad_rows().into_iter().filter(|case| case.dms.is_empty()).chain(good_rows()).collect();
    let configuration = stage(home.path(), &cases, "stop");
    let root = home.path().display();
    let absolute = configuration
        .replace("\"staging\"", &format!("\"{root}/staging\""))
        .replace("\"lake\"", &format!("\"{root}/lake\""));
    let path = home.path().join("dmslake.toml");
    std::fs::write(&path, absolute).expect("written");
    let mut function = Function::start(&path.display().to_string(), &[("RUST_LOG", "trace")]);
    let begun = SystemClock.instant();
    for event in [
        json!({}),
        json!({ "Records": [{ "eventSource": "aws:s3", "s3": TEXT, "password": TEXT }] }),
        json!({ "unknown": TEXT, "body": format!("{{\"row\": \"{TEXT}\"}}") }),
        queue(&[("a", &json!(TEXT)), ("b", &json!({ "row": [TEXT, NUMBER] }))]),
    ] {
        let _ = function.invoke(&event, Duration::from_mins(2));
    }
    assert!(begun.elapsed() < Duration::from_mins(8), "none was cut off");
    judge("the function", &function.log().join("\n"));
}
