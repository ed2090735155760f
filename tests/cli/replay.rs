//! `dmslake replay` and `dmslake bisect`: what they show, refuse and leave behind.

use serde_json::Value;

use super::{run, write};

const CONFIGURATION: &str = "staging = \"staging\"\nlake = \"lake\"\n[[table]]\n\
                             source = \"shop.items\"\nkeys = [\"id\"]\n\
                             columns = [{ name = \"id\", type = \"int\" }, \
                             { name = \"name\", type = \"text\" }]\n";

/// A table of three commits after its creation; the last row of the second object is planted.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a temporary folder");
    let path = home.path();
    write(&path.join("dmslake.toml"), CONFIGURATION);
    let objects = [
        ("LOAD00000001.csv", "1,one\n2,two\n"),
        ("20240101-000000001.csv", "I,3,three\nU,1,eins\n"),
        ("20240101-000000002.csv", "I,4,four\nD,2,two\nU,3,poison\n"),
    ];
    for (name, content) in objects {
        write(&path.join("staging/shop/items").join(name), content);
        assert_eq!(run(path, &["apply"]).code, Some(0));
    }
    home
}

#[test]
fn a_replay_is_compared_and_its_folder_is_replaced_only_with_force() {
    let home = home();
    let home = home.path();
    let said = run(home, &["replay", "shop.items", "--into", "again"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    for words in ["3 objects applied again: 7 changes, 3 rows", "equal to version 3 of the table"] {
        assert!(said.out.contains(words), "{said:?}");
    }
    let refused = run(home, &["replay", "shop.items", "--into", "again"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("--force replaces it"), "{refused:?}");

    let object = "20240101-000000002.csv";
    let arguments =
        ["replay", "shop.items", "--into", "again", "--force", "--json", "--until", object];
    let said = run(home, &[&arguments[..], &["--rows", "1"]].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    let replayed: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(replayed["schema"], "replay/1");
    assert_eq!((&replayed["rows"], &replayed["last_rows"]), (&4.into(), &1.into()), "{replayed}");
    assert_eq!(replayed["compared"], Value::Null);
    let said = run(home, &["replay", "shop.items", "--into", "again", "-f", "--until", "2"]);
    assert!(said.code == Some(0) && said.out.contains("equal to version 2"), "{said:?}");

    for (into, words) in [
        ("lake/x", "the folder is in, or above, staging or lake"),
        (".", "the folder is in, or above, staging or lake"),
    ] {
        let refused = run(home, &["replay", "shop.items", "--into", into, "--force"]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.err.contains(words), "{refused:?}");
    }
    write(&home.join("mine/notes.txt"), "mine");
    let refused = run(home, &["replay", "shop.items", "--into", "mine", "--force"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("no earlier replay created it"), "{refused:?}");
    let unknown =
        run(home, &["replay", "shop.items", "--into", "new", "--until", "20240101-3.csv"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.err.contains(object), "{unknown:?}");
    let none = run(home, &["replay", "shop.items", "--into", "newer", "--until", "9"]);
    assert!(none.code == Some(2) && none.err.contains("newest: 3"), "{none:?}");
    let odd = run(home, &["replay", "shop.items", "--into", "odd", "--until", "2", "--rows", "1"]);
    assert!(odd.code == Some(2) && odd.err.contains("--until names none"), "{odd:?}");

    std::fs::remove_file(home.join("staging/shop/items/20240101-000000001.csv")).expect("there");
    let lost = run(home, &["replay", "shop.items", "--into", "lost", "--until", "3"]);
    assert_eq!(lost.code, Some(1), "{lost:?}");
    assert!(lost.out.contains("20240101-000000001.csv is not staged any more"), "{lost:?}");
    // The table was never touched.
    assert!(run(home, &["history", "shop.items"]).out.lines().count() == 5);
}

#[test]
fn a_search_names_commit_object_and_row() {
    let home = home();
    let home = home.path();
    let check = "SELECT id FROM items WHERE name = 'poison'";
    let said = run(home, &["bisect", "shop.items", "--check", check]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    for words in [
        "version 3: MERGE by dmslake",
        "object   20240101-000000002.csv",
        "row      3: update of id = 3",
        "dmslake why shop.items 3",
        "--until 20240101-000000002.csv --rows 2",
    ] {
        assert!(said.out.contains(words), "{words}: {said:?}");
    }
    let said = run(home, &["bisect", "shop.items", "--check", check, "--json"]);
    let found: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!((&found["schema"], &found["found"]), (&"bisect/1".into(), &true.into()));
    assert_eq!((&found["row"]["number"], &found["row"]["key"]["id"]), (&3.into(), &"3".into()));
    let holds = run(home, &["bisect", "shop.items", "--check", "SELECT 1 FROM items WHERE id > 9"]);
    assert!(holds.code == Some(1) && holds.out.contains("holds at the newest"), "{holds:?}");
    let refused = run(home, &["bisect", "shop.items", "--check", "SELECT x FROM items"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
}
