//! The commands that only look: what they print, in every form, and how they end.

use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::Int32Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::{Said, dmslake, read, run, write};

const CONFIGURATION: &str = "staging = \"staging\"\nlake = \"lake\"\n\n[dms]\n\
    timestamp_column_name = \"ts\"\n\n[[table]]\nsource = \"shop.items\"\nkeys = [\"id\"]\n\
    columns = [\n  { name = \"id\", type = \"int\" },\n  { name = \"name\", type = \"text\" },\n]\n";

/// A query that takes longer than anybody waits.
pub(super) const ENDLESS: &str = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n \
    WHERE i < 1000000000) SELECT count(*) FROM n";

/// A shop with a load and two change objects, all applied; one table more is not staged.
pub(super) fn shop() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a temporary folder");
    let stage = |name: &str, text: &str| {
        write(&home.path().join("staging/shop/items").join(name), text);
    };
    write(&home.path().join("dmslake.toml"), CONFIGURATION);
    stage(
        "LOAD00000001.csv",
        "2026-03-01 08:00:00.000000,1,one\n2026-03-01 08:00:00.000000,2,two\n",
    );
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));
    stage("20260301-081500000.csv", "U,2026-03-01 08:14:59.500000,2,deux\n");
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));
    stage(
        "20260301-081600000.csv",
        "I,2026-03-01 08:15:01.000000,3,three\nU,2026-03-01 08:15:02.000000,3,drei\n\
         D,2026-03-01 08:15:03.000000,1,one\n",
    );
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));
    home
}

fn json(said: &Said) -> Vec<Value> {
    assert_eq!(said.code, Some(0), "{said:?}");
    said.out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn refused(home: &Path, arguments: &[&str], words: &[&str]) {
    let said = run(home, arguments);
    assert_eq!(said.code, Some(2), "{arguments:?}: {said:?}");
    assert!(words.iter().all(|word| said.err.contains(word)), "{arguments:?}: {said:?}");
    assert_eq!(said.out, "");
}

#[test]
fn status_fits_a_narrow_screen_and_ends_as_the_tables_stand() {
    let home = shop();
    let one = run(home.path(), &["status", "shop.items"]);
    assert_eq!(one.code, Some(0), "{one:?}");
    assert!(one.out.starts_with("shop.items: ok\n"), "{one:?}");
    assert!(one.out.contains("2 in 2 files"), "{one:?}");
    write(
        &home.path().join("staging/shop/items/20260301-081700000.csv"),
        "I,2026-03-01 08:16:01.000000,4,vier\n",
    );
    let behind = run(home.path(), &["status"]);
    assert_eq!(behind.code, Some(1), "{behind:?}");
    for words in ["behind", "1 object waits", "next: dmslake apply --table shop.items"] {
        assert!(behind.out.contains(words), "{words}: {behind:?}");
    }
    assert!(behind.out.lines().all(|line| line.chars().count() <= 80), "{behind:?}");
    let told = run(home.path(), &["status", "--json"]);
    assert_eq!(told.code, Some(1));
    let told: Value = serde_json::from_str(told.out.trim()).expect("one line of JSON");
    assert_eq!((&told["schema"], &told["state"]), (&"status/1".into(), &"behind".into()));
    // 08:15:03 is the newest commit at the source that the table has.
    assert_eq!(told["lag"]["source_time"], "2026-03-01T08:15:03Z");
    refused(home.path(), &["status", "shop.nix"], &["shop.nix", "shop.items"]);
}

#[test]
fn history_names_commits_and_their_objects() {
    let home = shop();
    let commits = json(&run(home.path(), &["history", "shop.items", "--objects", "--json"]));
    let newest = &commits[0];
    assert_eq!((&newest["inserted"], &newest["deleted"]), (&1.into(), &1.into()));
    assert_eq!(newest["intake"][0]["object"], "20260301-081600000.csv");
    assert_eq!(newest["intake"][0]["rows"], 3);
    let shown = run(home.path(), &["history", "shop.items", "-n", "2"]);
    assert_eq!(shown.out.lines().count(), 3, "{shown:?}");
}

#[test]
fn rows_are_printed_in_every_form() {
    let home = shop();
    let show = |more: &[&str]| {
        let said = run(home.path(), &[&["show", "shop.items"], more].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
        said.out
    };
    assert_eq!(show(&["--version", "1"]), "id  name\n 1  one\n 2  two\n2 rows\n");
    let csv = show(&["--where", "id = 3", "--columns", "name,id", "--format", "csv"]);
    assert_eq!(csv, "name,id\ndrei,3\n");
    assert_eq!(show(&["--where", "id = 9", "--format", "csv"]), "id,name\n");
    assert_eq!(show(&["--where", "id = 3", "--json"]), "{\"id\":3,\"name\":\"drei\"}\n");
    let file = home.path().join("rows.parquet");
    let output = dmslake(home.path(), &["show", "shop.items", "--format", "parquet"])
        .output()
        .expect("it runs");
    write(&file, &output.stdout);
    let opened = std::fs::File::open(&file).expect("it is there");
    let mut rows =
        ParquetRecordBatchReaderBuilder::try_new(opened).expect("a file").build().unwrap();
    let batch = rows.next().expect("rows").expect("rows");
    let mut ids = batch["id"].as_primitive::<Int32Type>().values().to_vec();
    ids.sort_unstable();
    assert_eq!(ids, [2, 3]);
    refused(home.path(), &["show", "shop.items", "--columns", "nix"], &["nix", "id, name"]);
    refused(home.path(), &["show", "shop.items", "--where", "nix = 1"], &["nix"]);
    assert!(read(&home.path().join("dmslake.toml")).contains("shop.items"));
}

#[test]
fn queries_see_every_version_of_every_table() {
    let home = shop();
    let ask = |sql: &str| {
        let said = run(home.path(), &["query", sql, "--format", "csv"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        said.out
    };
    assert_eq!(ask("SELECT count(*) AS n FROM items"), "n\n2\n");
    assert_eq!(ask("SELECT name FROM shop.items@v1 WHERE id = 2"), "name\ntwo\n");
    assert_eq!(ask("SELECT name FROM \"shop.items@v1\" WHERE id = 2"), "name\ntwo\n");
    assert_eq!(ask("SELECT name FROM items VERSION AS OF 2 WHERE id = 2"), "name\ndeux\n");
    assert_eq!(ask("SELECT id FROM items EXCEPT SELECT id FROM items@v1"), "id\n3\n");
    let now = "SELECT count(*) AS n FROM items FOR TIMESTAMP AS OF '2999-01-01'";
    assert_eq!(ask(now), "n\n2\n");
}

#[test]
fn queries_that_cannot_be_run_are_refused_with_a_way_on() {
    let home = shop();
    let cases: [(&str, &[&str]); 7] = [
        ("SELECT * FROM nix", &["nix", "shop.items"]),
        ("SELECT * FROM items@12", &["write it as orders@v12"]),
        ("SELECT * FROM items@v99", &["no such version", "newest: 3", "dmslake history"]),
        ("SELECT * FROM items TIMESTAMP AS OF 'soon'", &["'2026-03-01T12:00:00Z'"]),
        (
            "SELECT * FROM items TIMESTAMP AS OF '1999-01-01'",
            &["does not go back", "dmslake history"],
        ),
        ("DELETE FROM items", &["DML not supported"]),
        ("SELECT (", &["cannot be run"]),
    ];
    for (sql, words) in cases {
        refused(home.path(), &["query", sql], words);
    }
    // Two tables of one name: with the schema each is found.
    let other = CONFIGURATION.replace("shop.items", "other.Items");
    let second = other.split_once("[[table]]").expect("a table").1;
    write(&home.path().join("dmslake.toml"), format!("{CONFIGURATION}\n[[table]]{second}"));
    refused(
        home.path(),
        &["query", "SELECT * FROM \"ITEMS\""],
        &["several", "name the schema too"],
    );
    let one =
        run(home.path(), &["query", "SELECT count(*) AS n FROM shop.items", "--format", "csv"]);
    assert_eq!(one.out, "n\n2\n", "{one:?}");
}

#[test]
fn a_diff_and_a_life_are_told_to_people_and_programs() {
    let home = shop();
    let diff = run(home.path(), &["diff", "shop.items", "--from", "1"]);
    assert_eq!(diff.code, Some(0), "{diff:?}");
    let lines: Vec<&str> = diff.out.lines().collect();
    assert_eq!(
        lines[..3],
        ["deleted id=1  name=one", "updated id=2  name: two -> deux", "inserted id=3  name=drei"]
    );
    assert!(
        lines[3].starts_with("3 keys from version 1 to 3: 1 inserted, 1 updated, 1 deleted"),
        "{diff:?}"
    );
    let only = json(&run(
        home.path(),
        &["diff", "shop.items", "--from", "1", "--where", "name = 'two'", "--json"],
    ));
    assert_eq!(only.len(), 1);
    assert_eq!(
        (&only[0]["before"]["name"], &only[0]["after"]["name"]),
        (&"two".into(), &"deux".into())
    );

    let life = run(home.path(), &["why", "shop.items", "3"]);
    assert_eq!(life.code, Some(0), "{life:?}");
    for words in [
        "id=3 is there in version 3",
        "version 3: inserted (MERGE by dmslake",
        "I in row 1 of 20260301-081600000.csv",
        "lost to a newer one",
        "U in row 2 of 20260301-081600000.csv, at the source 2026-03-01T08:15:02Z",
    ] {
        assert!(life.out.contains(words), "{words}: {life:?}");
    }
    let life = json(&run(home.path(), &["why", "shop.items", "1", "--json"]));
    assert_eq!(life[0]["row"], Value::Null);
    let changes: Vec<_> =
        life[0]["events"].as_array().unwrap().iter().map(|it| &it["change"]).collect();
    assert_eq!(changes, ["inserted", "deleted"]);
    // A key that never was.
    assert_eq!(run(home.path(), &["why", "shop.items", "77"]).code, Some(1));
}

#[test]
fn a_key_that_is_none_is_refused_with_an_example() {
    let home = shop();
    refused(home.path(), &["why", "shop.items", "three"], &["does not fit", "write it as \"1\""]);
}

#[test]
fn an_agent_gets_markdown_and_errors_as_json() {
    let home = shop();
    let shown = run(home.path(), &["show", "shop.items", "--version", "1", "--agent"]);
    assert_eq!(shown.out, "| id | name |\n| --: | --- |\n| 1 | one |\n| 2 | two |\n2 rows\n");
    let output = dmslake(home.path(), &["query", "SELECT * FROM nix"])
        .env("DMSLAKE_AGENT", "1")
        .output()
        .expect("it runs");
    let error: Value = serde_json::from_slice(&output.stderr).expect("one object of JSON");
    assert_eq!(error["kind"], "Config");
    assert!(error["error"].as_str().unwrap().contains("nix"), "{error}");
    let misused = run(home.path(), &["--agent", "status", "--nonsense"]);
    assert_eq!(misused.code, Some(2));
    let error: Value = serde_json::from_str(&misused.err).expect("one object of JSON");
    assert!(error["error"].as_str().unwrap().contains("--nonsense"), "{error}");
}

#[test]
fn shells_and_man_know_every_command() {
    let home = tempfile::tempdir().expect("a temporary folder");
    for shell in ["bash", "zsh", "fish"] {
        let script = run(home.path(), &["completions", shell]);
        assert!(script.code == Some(0) && script.out.contains("bisect"), "{shell}");
    }
    let page = run(home.path(), &["man", "status"]);
    assert!(page.out.starts_with(".ie") && page.out.contains("watch"), "{page:?}");
    let all = run(home.path(), &["man", "--all", "."]);
    assert_eq!(all.code, Some(0), "{all:?}");
    for command in dmslake::cli::command().get_subcommands() {
        let file = home.path().join(format!("dmslake-{}.1", command.get_name()));
        assert!(file.exists(), "{}", file.display());
    }
    refused(home.path(), &["man", "nix"], &["nix"]);
}

#[test]
fn a_query_that_takes_too_long_is_stopped_by_a_signal() {
    let home = shop();
    let mut query = dmslake(home.path(), &["query", ENDLESS])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    // By then it listens to signals.
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert!(query.try_wait().expect("a state").is_none(), "it runs");
    let killed =
        std::process::Command::new("kill").args(["-INT", &query.id().to_string()]).status();
    assert!(killed.expect("kill").success());
    for _ in 0..200 {
        if let Some(status) = query.try_wait().expect("a state") {
            assert_eq!(status.code(), Some(1), "one signal is enough");
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    query.kill().expect("it is there");
    panic!("a signal does not stop it");
}

#[test]
fn a_key_may_be_a_negative_number() {
    let home = shop();
    write(
        &home.path().join("staging/shop/items/20260301-081700000.csv"),
        "I,2026-03-01 08:16:01.000000,-7,minus\n",
    );
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));
    let [life] = &json(&run(home.path(), &["why", "shop.items", "-7", "--json"]))[..] else {
        panic!("one line")
    };
    assert_eq!(life["row"]["name"], "minus", "{life}");
    let forgotten = run(home.path(), &["forget", "shop.items", "-7", "--yes", "--json"]);
    assert_eq!(forgotten.code, Some(0), "{forgotten:?}");
    let gone = run(home.path(), &["why", "shop.items", "-7", "--json"]);
    let life: Value = serde_json::from_str(&gone.out).expect("a line of JSON");
    assert_eq!((&life["row"], life["events"].as_array().map(Vec::len)), (&Value::Null, Some(0)));
}
