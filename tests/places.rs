//! Locations of staging and lake: folders and prefixes of any name work or are refused before
//! anything is written, and messages name objects and files by the paths that were typed.

use std::path::Path;
use std::process::{Command, Output};

use dmslake::storage::{Location, StoreKind};
use serde_json::Value;
use tempfile::TempDir;

fn dmslake(arguments: &[&str], home: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dmslake")).args(arguments).current_dir(home).output().unwrap()
}

/// Applies the objects of this staging folder to this lake.
fn apply(home: &Path, staging: &str, lake: &str) -> (i32, String, String) {
    let text = format!(
        "staging = '''{staging}'''\nlake = '''{lake}'''\n[[table]]\nsource = \"shop.items\"\n\
         keys = [\"id\"]\ncolumns = [{{ name = \"id\", type = \"int\" }}]\n"
    );
    std::fs::write(home.join("dmslake.toml"), text).unwrap();
    let output = dmslake(&["apply", "--json"], home);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn stage(folder: &Path, name: &str, content: &str) {
    let folder = folder.join("shop/items");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), content).unwrap();
}

#[test]
fn folders_of_any_name_hold_staging_and_lake() {
    let names = [
        "plain", "a b", "ü", "日本", "a?b", "a#b", "a~41", "a&b=c", "a+b", "a'b\"c", "a;b", "a:b",
        "[x]", "{x}", "a|b", "a^b", "a`b", "a$b", "a*b", "a,b", "@a", "!a", "<a>", " a ", "-a",
    ];
    for name in names {
        let home = TempDir::new().unwrap();
        let root = home.path().join(name);
        stage(&root.join("staging"), "LOAD00000001.csv", "1\n2\n");
        let place = |folder: &str| root.join(folder).to_str().unwrap().to_owned();
        for version in ["1", "2"] {
            let (code, out, errors) = apply(home.path(), &place("staging"), &place("lake"));
            assert_eq!(code, 0, "{name}: {out}{errors}");
            let table: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
            assert_eq!(table["version"].to_string(), version, "{name}: {out}");
            stage(&root.join("staging"), "20240101-000000001.csv", "D,1\n");
        }
        assert!(root.join("lake/shop/items/_delta_log").is_dir(), "{name}");
    }
}

/// The library would write to one folder and read from another.
#[test]
fn a_lake_that_would_not_be_found_again_is_refused_before_anything_is_written() {
    for name in ["a%41", "a%20b", "100%", "a\\b"] {
        let home = TempDir::new().unwrap();
        let root = home.path().join(name);
        stage(&root.join("staging"), "LOAD00000001.csv", "1\n");
        let place = |folder: &str| root.join(folder).to_str().unwrap().to_owned();
        let lake = home.path().join("lake").to_str().unwrap().to_owned();
        let (code, out, errors) = apply(home.path(), &place("staging"), &lake);
        assert_eq!(code, 0, "staging is read all the same: {name}: {out}{errors}");

        let (code, out, errors) = apply(home.path(), &place("staging"), &place("lake"));
        assert_eq!(code, 2, "{name}: {out}{errors}");
        assert!(errors.contains(&place("lake")), "{name}: {errors}");
        assert!(errors.contains("choose another folder for lake"), "{name}: {errors}");
        assert!(!root.join("lake").exists(), "{name}: it is not created either");
    }
}

#[test]
fn relative_paths_parents_and_links_lead_where_they_should() {
    let home = TempDir::new().unwrap();
    stage(&home.path().join("staging"), "LOAD00000001.csv", "1\n");
    std::fs::create_dir_all(home.path().join("deep/er")).unwrap();
    std::fs::create_dir_all(home.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(home.path().join("elsewhere"), home.path().join("link")).unwrap();
    let lakes = ["lake", "./dotted", "deep/er/../../up", "link/lake"];
    let found = ["lake", "dotted", "up", "elsewhere/lake"];
    for (lake, found) in lakes.into_iter().zip(found) {
        let (code, out, errors) = apply(home.path(), "staging", lake);
        assert_eq!(code, 0, "{lake}: {out}{errors}");
        assert!(home.path().join(found).join("shop/items/_delta_log").is_dir(), "{lake}");
    }
}

#[test]
fn messages_name_objects_and_tables_by_the_paths_that_were_typed() {
    let home = TempDir::new().unwrap();
    std::fs::create_dir_all(home.path().join("real")).unwrap();
    let link = home.path().join("my lake");
    std::os::unix::fs::symlink(home.path().join("real"), &link).unwrap();
    let staging = link.join("staging");
    stage(&staging, "LOAD00000001.csv", "");
    let object = staging.join("shop/items/LOAD00000001.csv");
    std::fs::write(&object, [0x1f, 0x8b, 8, 0, 1, 2, 3]).unwrap();
    let place = |folder: &str| link.join(folder).to_str().unwrap().to_owned();
    let (code, out, _) = apply(home.path(), &place("staging"), &place("lake"));
    let table: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    let error = table["error"].as_str().unwrap();
    assert_eq!(code, 1, "{error}");
    assert!(error.contains(&format!("object: {}", object.display())), "{error}");

    std::fs::write(object, "1\n").unwrap();
    assert_eq!(apply(home.path(), &place("staging"), &place("lake")).0, 0);
    let log = link.join("lake/shop/items/_delta_log");
    std::fs::write(
        log.join("00000000000000000002.json"),
        "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":8}}\n",
    )
    .unwrap();
    let (_, out, _) = apply(home.path(), &place("staging"), &place("lake"));
    assert!(out.contains(&format!("table: {}", place("lake/shop/items"))), "{out}");
    std::fs::create_dir_all(staging.join("txn")).unwrap();
    std::fs::write(staging.join("txn/CDC_TXN-20260301120000000.csv"), "").unwrap();
    let (_, _, errors) = apply(home.path(), &place("staging"), &place("lake"));
    let object = place("staging/txn/CDC_TXN-20260301120000000.csv");
    assert!(errors.contains(&format!("object: {object}")), "{errors}");
}

#[test]
fn a_bad_row_a_damaged_file_and_a_missing_folder_are_named_by_the_paths_that_were_typed() {
    let home = TempDir::new().unwrap();
    let absolute = format!("{}/", home.path().display());
    let file_uri = format!("file://{absolute}");
    for (number, typed) in ["", "./", &absolute, &file_uri].into_iter().enumerate() {
        let staging = format!("{typed}staging{number}");
        let lake = format!("{typed}lake{number}");
        let run = || apply(home.path(), &staging, &lake);
        let folder = home.path().join(format!("staging{number}"));
        stage(&folder, "LOAD00000001.csv", "1\nx\n");
        let (code, out, _) = run();
        let object = format!("object: {staging}/shop/items/LOAD00000001.csv, row: 2");
        assert!(code == 1 && out.contains(&object), "{object}\n{out}");

        stage(&folder, "LOAD00000001.csv", "1\n2\n");
        assert_eq!(run().0, 0);
        let table = home.path().join(format!("lake{number}/shop/items"));
        let files = std::fs::read_dir(table).unwrap().map(|entry| entry.unwrap().path());
        let file = files.into_iter().find(|path| path.is_file()).unwrap();
        std::fs::write(&file, "damaged").unwrap();
        stage(&folder, "20240101-000000001.csv", "D,1\n");
        let (code, out, _) = run();
        let name = file.file_name().unwrap().to_str().unwrap();
        let file = format!("file: {lake}/shop/items/{name}");
        assert!(code == 1 && out.contains(&file), "{file}\n{out}");

        std::fs::remove_dir_all(folder).unwrap();
        let (code, _, errors) = run();
        let location = format!("location: {staging})");
        assert!(code == 1 && errors.contains(&location), "{location}\n{errors}");
    }
}

/// Objects of S3 are named by their URIs.
#[tokio::test]
async fn an_object_is_shown_below_the_place_that_was_typed() {
    for (typed, key, shown) in [
        ("s3://b/dms/", "dms/shop/t/1.csv", "s3://b/dms/shop/t/1.csv"),
        ("s3://b/dms", "shop/t/1.csv", "s3://b/dms/shop/t/1.csv"),
        ("s3://b", "shop/t/1.csv", "s3://b/shop/t/1.csv"),
        ("s3a://b/dms", "dmsx/1.csv", "s3a://b/dms/dmsx/1.csv"),
        ("s3://b/dms", "", "s3://b/dms"),
    ] {
        let location = Location::open(typed).await.unwrap();
        assert_eq!(location.shown(key), shown, "{typed} {key}");
    }
    let location = Location::open("s3://b/dms").await.unwrap().folder(&["shop", "t"]).unwrap();
    assert_eq!(location.shown("LOAD00000001.csv"), "s3://b/dms/shop/t/LOAD00000001.csv");
    assert_eq!(location.shown("dms/shop/t/1.csv"), "s3://b/dms/shop/t/1.csv");
}

/// Not a URL but a bucket and a key: the part behind the bucket is taken literally.
#[tokio::test]
async fn a_prefix_on_s3_is_taken_sign_by_sign() {
    for (uri, prefix, shown) in [
        ("s3://bucket/dms", "dms", "s3://bucket/dms"),
        ("s3://bucket/dms/", "dms", "s3://bucket/dms"),
        ("s3://bucket", "", "s3://bucket/"),
        ("s3a://bucket/a/b", "a/b", "s3://bucket/a/b"),
        ("s3://bucket/a b", "a b", "s3://bucket/a b"),
        ("s3://bucket/a%20b", "a%20b", "s3://bucket/a%20b"),
        ("s3://bucket/a%41", "a%41", "s3://bucket/a%41"),
        ("s3://bucket/a?b#c", "a?b#c", "s3://bucket/a?b#c"),
        ("s3://bucket/ü/A+b", "ü/A+b", "s3://bucket/ü/A+b"),
    ] {
        let location = Location::open(uri).await.unwrap_or_else(|error| panic!("{uri}: {error:?}"));
        assert_eq!(location.kind(), StoreKind::S3, "{uri}");
        assert_eq!(location.prefix().as_ref(), prefix, "{uri}");
        assert_eq!(location.uri(), shown, "{uri}");
        let below = location.folder(&["shop", "order items"]).unwrap();
        let full = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        assert_eq!(below.prefix().as_ref(), format!("{full}shop/order items"), "{uri}");
    }
    let refused = [
        "s3://",
        "s3:///key",
        "s3://bucket/a//b",
        "s3://bucket/../b",
        "s3://bucket/./b",
        "gs://b/c",
    ];
    for uri in refused {
        assert!(Location::open(uri).await.is_err(), "{uri}");
    }
}

#[tokio::test]
async fn a_file_uri_is_a_url() {
    let home = TempDir::new().unwrap();
    let root = home.path().to_str().unwrap();
    let location = Location::open(&format!("file://{root}/a%20b")).await.unwrap();
    assert_eq!(location.prefix().as_ref(), format!("{root}/a b").trim_start_matches('/'));
    for uri in [format!("file://{root}/a?b"), format!("file://{root}/a#b")] {
        assert!(Location::open(&uri).await.is_err(), "{uri}: the rest would be lost");
    }
}
