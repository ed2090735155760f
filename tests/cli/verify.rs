//! `dmslake verify`: what it prints, and its exit codes. What it finds is tested in `verify`.

use serde_json::{Value, json};

use super::{run, write};

const CONFIGURATION: &str = "staging = \"staging\"\nlake = \"lake\"\n[[table]]\n\
                             source = \"shop.items\"\nkeys = [\"id\"]\n\
                             columns = [{ name = \"id\", type = \"int\" }, \
                             { name = \"name\", type = \"text\" }]\n";

#[test]
fn what_is_equal_different_or_undecided_is_told_and_the_exit_code_follows() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let home = home.path();
    write(&home.join("dmslake.toml"), CONFIGURATION);
    std::fs::create_dir(home.join("staging")).expect("a folder");
    let none = run(home, &["verify", "shop.items"]);
    assert_eq!((none.code, none.out.as_str()), (Some(1), ""), "{none:?}");
    assert!(none.err.contains("there is no table yet"), "{none:?}");
    assert!(none.err.contains("dmslake apply --table shop.items"), "{none:?}");

    let load = home.join("staging/shop/items/LOAD00000001.csv");
    write(&load, "1,one\n2,two\n");
    assert_eq!(run(home, &["apply"]).code, Some(0));
    let equal = run(home, &["verify", "shop.items"]);
    assert_eq!(equal.code, Some(0), "{equal:?}");
    let first = equal.out.lines().next();
    assert_eq!(first, Some("shop.items: equal, version 1 against a replay of staging"));
    for words in ["2 rows of the replay", "2 rows in the lake", "2 columns compared"] {
        assert!(equal.out.contains(words), "{words}: {equal:?}");
    }

    let table = home.join("lake/shop/items");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let url = url::Url::from_directory_path(&table).expect("a folder");
        let table = deltalake::open_table(url).await.expect("a table");
        let update = table.update().with_predicate("id = 2").with_update("name", "'zwei'");
        let (table, _) = update.await.expect("updated");
        let _ = table.delete().with_predicate("id = 1").await.expect("deleted");
    });
    let different = run(home, &["verify", "shop.items"]);
    assert_eq!(different.code, Some(1), "{different:?}");
    for line in [
        "shop.items: different, version 3 against a replay of staging",
        "  1 key missing in the lake, 1 key with other values",
        "  1: missing in the lake",
        "  2: other name",
    ] {
        assert!(different.out.lines().any(|it| it == line), "{line}: {}", different.out);
    }
    let one = run(home, &["verify", "shop.items", "--limit", "1"]);
    assert!(one.out.contains("  and 1 more key, which --limit lists\n"), "{one:?}");

    let json = run(home, &["verify", "shop.items", "--json"]);
    assert_eq!(json.code, Some(1), "{json:?}");
    assert!(json.out.starts_with("{\"schema\":\"verify/1\","), "{json:?}");
    let json: Value = serde_json::from_str(&json.out).expect("one line of JSON");
    assert_eq!(json["verdict"], "different");
    let counts = json!({"missing": 1, "extra": 0, "other_values": 1, "repeated": 0});
    assert_eq!(json["differing"], counts);
    let keys = json!([
        {"key": ["1"], "difference": "missing"},
        {"key": ["2"], "difference": "other-values", "columns": ["name"]},
    ]);
    assert_eq!(json["keys"], keys);
    let guide = include_str!("../../src/guide/formats.md");
    for key in json.as_object().expect("an object").keys() {
        assert!(guide.contains(&format!("`{key}`")), "{key} is not in the guide");
    }

    std::fs::remove_file(load).expect("there");
    let undecided = run(home, &["verify", "shop.items"]);
    assert_eq!(undecided.code, Some(1), "{undecided:?}");
    let said = "  1 of the 1 objects of its full load are no longer staged";
    assert!(undecided.out.contains("undecided") && undecided.out.contains(said), "{undecided:?}");
}

#[test]
fn what_cannot_be_used_is_refused_without_the_password() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let home = home.path();
    write(&home.join("dmslake.toml"), CONFIGURATION);
    write(&home.join("staging/shop/items/LOAD00000001.csv"), "1,one\n");
    assert_eq!(run(home, &["apply"]).code, Some(0));
    for arguments in [
        &["--apply"][..],
        &["--wait", "3"],
        &["--rows-per-second", "5"],
        &["--resume", "file"],
        &["--mysql", "mysql://a@b", "--apply", "--at-object", "LOAD00000001.csv"],
        &["--mysql", "mysql://a@b", "--rows-per-second", "0"],
        &["--mysql", "no url"],
        &["--at-object", "LOAD00000009.csv"],
    ] {
        let refused = run(home, &[&["verify", "shop.items"], arguments].concat());
        assert_eq!(refused.code, Some(2), "{arguments:?}: {refused:?}");
    }
    let url = "mysql://dms:Xq7Secret@127.0.0.1:1/shop";
    let silent = run(home, &["verify", "shop.items", "--mysql", url, "-vvv"]);
    assert_eq!(silent.code, Some(1), "{silent:?}");
    assert!(silent.err.contains("the MySQL source could not be queried"), "{silent:?}");
    assert!(!silent.err.contains("Xq7Secret"), "{silent:?}");
    let unknown = run(home, &["verify", "shop.item"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
}
