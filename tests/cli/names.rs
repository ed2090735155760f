//! Tables with names like those of hidden folders, in every command that looks for tables.

use std::path::Path;

use dmslake::config::load;
use serde_json::{Value, json};

use super::{read, run, write};

const JOIN: &str = "message dms { OPTIONAL INT64 A; OPTIONAL INT64 B; }";

/// Stages tables of Prisma, a partition and other unusual names, and folders that are not tables.
fn stage(home: &Path) {
    let staging = home.join("staging");
    for table in ["_CategoryToPost", "_prisma_migrations", ".dotted", "orders"] {
        let folder = staging.join("shop").join(table);
        write(&folder.join("LOAD00000001.csv"), "1,a\n2,b\n");
    }
    write(&staging.join("_app/_p/_p0/LOAD00000001.csv"), "1,a\n");
    for foreign in [
        "_temporary/0/part-00000.csv",
        "shop/_temporary/0/_SUCCESS",
        ".git/objects/ab",
        "shop/awsdms_status/LOAD00000001.csv",
        "_quarantine/shop/LOAD00000001.csv",
        "_dmslake/shop/LOAD00000001.csv",
        "s3_validation_failures_v1/shop/LOAD00000001.csv",
    ] {
        write(&staging.join(foreign), "?");
    }
}

const TABLES: [&str; 5] =
    ["_app._p", "shop..dotted", "shop._CategoryToPost", "shop._prisma_migrations", "shop.orders"];

#[test]
fn init_proposes_tables_with_unusual_names() {
    let home = tempfile::tempdir().expect("a temporary folder");
    stage(home.path());
    let folder = home.path().join("staging/shop/_CategoryToPost");
    std::fs::remove_file(folder.join("LOAD00000001.csv")).expect("the object exists");
    write(&folder.join("LOAD00000001.parquet"), super::init::parquet(JOIN));
    let done = run(home.path(), &super::init::INIT);
    assert_eq!(done.code, Some(0), "{done:?}");
    let text = read(&home.path().join("dmslake.toml"));
    let sources: Vec<&str> = text.lines().filter(|line| line.starts_with("source = ")).collect();
    let expected: Vec<String> =
        TABLES.iter().map(|table| format!("source = \"{table}\"")).collect();
    assert_eq!(sources, expected, "{text}");
}

/// Configures these tables, applies them, and returns the lines of JSON.
fn apply(home: &Path, tables: &[&str]) -> Vec<Value> {
    let mut text =
        "staging = \"staging\"\nlake = \"lake\"\n[defaults]\nkeys = [\"id\"]\ncolumns = [\
        { name = \"id\", type = \"int\" }, { name = \"v\", type = \"text\" }]\n"
            .to_owned();
    for table in tables {
        text.extend(["[[table]]\nsource = \"", table, "\"\n"]);
    }
    load::parse(&text).expect(&text);
    write(&home.join("dmslake.toml"), text);
    let done = run(home, &["apply", "--json"]);
    done.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn apply_names_and_applies_tables_with_unusual_names() {
    let home = tempfile::tempdir().expect("a temporary folder");
    stage(home.path());
    let lines = apply(home.path(), &["shop.orders"]);
    assert_eq!(lines[1], json!({ "absent": [], "unconfigured": &TABLES[..4] }), "{lines:?}");

    let lines = apply(home.path(), &TABLES);
    assert_eq!(lines[5], json!({ "absent": [], "unconfigured": [] }), "{lines:?}");
    let inserted: Vec<&Value> = lines[..5].iter().map(|line| &line["inserted"]).collect();
    assert_eq!(inserted, [1, 2, 2, 2, 0], "{lines:?}");
    assert!(
        home.path().join("lake/shop/_CategoryToPost/_delta_log").is_dir(),
        "under its own name"
    );
}

#[test]
fn schemas_with_a_reserved_meaning_in_the_lake_are_refused() {
    for (source, told) in [
        ("_quarantine.orders", "_quarantine is a folder of the lake itself"),
        ("_dmslake.orders", "_dmslake is a folder of the lake itself"),
        ("shop._delta_log", "readers take a folder with _delta_log"),
        ("_delta_log.orders", "readers take a folder with _delta_log"),
    ] {
        let text = format!(
            "staging = \"a\"\nlake = \"b\"\n[[table]]\nsource = \"{source}\"\nkeys = [\"id\"]"
        );
        let error = load::parse(&text).expect_err(source);
        assert!(error.message().contains(told), "{error}");
    }
}
