//! `dmslake pause` and `dmslake resume`, and what they say follows.

use super::{run, write};

fn configuration() -> String {
    "staging = \"staging\"\nlake = \"lake\"\n[[table]]\nsource = \"shop.items\"\nkeys = [\"id\"]\n\
     columns = [{ name = \"id\", type = \"int\" }]\n"
        .to_owned()
}

#[test]
fn a_table_waits_and_goes_on() {
    let home = tempfile::tempdir().expect("a temporary folder");
    write(&home.path().join("dmslake.toml"), configuration());
    write(&home.path().join("staging/shop/items/LOAD00000001.csv"), "1\n");
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));

    let paused = run(home.path(), &["pause", "shop.items", "--reason", "repairs"]);
    assert_eq!((paused.code, paused.out.as_str()), (Some(0), "shop.items: paused\n"));
    let again = run(home.path(), &["pause", "shop.items"]);
    assert_eq!((again.code, again.out.as_str()), (Some(0), "shop.items: paused already\n"));

    let change = home.path().join("staging/shop/items/20240101-000000001.csv");
    write(&change, "I,2\n");
    let held = run(home.path(), &["apply"]);
    assert_eq!(held.code, Some(1), "{held:?}");
    for words in ["an operator has paused the table", "dmslake resume shop.items", "held since"] {
        assert!(held.out.contains(words), "{held:?}");
    }

    std::fs::remove_file(change).expect("the object exists");
    let resumed = run(home.path(), &["resume", "shop.items"]);
    assert_eq!(resumed.code, Some(1), "{resumed:?}");
    assert!(resumed.out.starts_with("shop.items: resumed; held: 1 staged object"), "{resumed:?}");
    let given_up = run(home.path(), &["resume", "shop.items", "--accept-loss"]);
    let expected = "shop.items: the changes of 1 object are given up: 20240101-000000001.csv\n\
                    shop.items: not paused; caught up\n";
    assert_eq!((given_up.code, given_up.out.as_str()), (Some(0), expected));
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));
}

#[test]
fn changes_that_go_too_far_pass_once() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let limit = "max_change_fraction = { deleted = 0.5, min_rows = 2 }\n";
    write(&home.path().join("dmslake.toml"), configuration() + limit);
    write(&home.path().join("staging/shop/items/LOAD00000001.csv"), "1\n2\n");
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));
    write(&home.path().join("staging/shop/items/20240101-000000001.csv"), "D,1\nD,2\n");
    let held = run(home.path(), &["apply"]);
    assert_eq!(held.code, Some(1), "{held:?}");
    for words in ["would delete 2 and update 0 of 2 rows", "dmslake resume shop.items lets"] {
        assert!(held.out.contains(words), "{held:?}");
    }
    let resumed = run(home.path(), &["resume", "shop.items"]);
    let expected = "shop.items: 1 object may pass once: 20240101-000000001.csv\n\
                    shop.items: not paused; 1 object to be applied\n";
    assert_eq!((resumed.code, resumed.out.as_str()), (Some(0), expected));
    let applied = run(home.path(), &["apply", "--json"]);
    assert!(applied.out.contains("\"deleted\":2"), "{applied:?}");
}

#[test]
fn a_table_is_rebuilt_and_emptied() {
    let home = tempfile::tempdir().expect("a temporary folder");
    write(&home.path().join("dmslake.toml"), configuration());
    write(&home.path().join("staging/shop/items/LOAD00000001.csv"), "1\n2\n");
    let missing = run(home.path(), &["rebuild", "shop.items", "--yes"]);
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert!(missing.err.contains("there is no table that could be rebuilt"), "{missing:?}");
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));

    let planned = run(home.path(), &["rebuild", "shop.items", "--dry-run"]);
    let plan = "shop.items: 2 rows are replaced by what 1 object of 4 bytes come to\n\
                shop.items: estimated: 2 rows read, 2 rows in the table afterwards, 1 second by \
                the pace of its newest commits\n";
    assert_eq!((planned.code, planned.out.as_str()), (Some(0), plan));
    // Nobody can be asked.
    let asked = run(home.path(), &["rebuild", "shop.items"]);
    assert_eq!(asked.code, Some(1), "{asked:?}");
    assert!(asked.err.contains("add --yes"), "{asked:?}");
    let rebuilt = run(home.path(), &["rebuild", "shop.items", "--yes"]);
    let done = "shop.items: rebuilt from 1 object, 2 rows read; in place as version 2\n\
                shop.items: no row differed, so no file has changed\n";
    assert_eq!((rebuilt.code, rebuilt.out.as_str()), (Some(0), &*format!("{plan}{done}")));

    let asked = run(home.path(), &["truncate", "shop.items"]);
    assert_eq!(asked.code, Some(1), "{asked:?}");
    let emptied = run(home.path(), &["truncate", "shop.items", "--yes"]);
    assert_eq!((emptied.code, emptied.out.as_str()), (Some(0), "shop.items: 2 rows removed\n"));
    write(&home.path().join("staging/shop/items/20240101-000000001.csv"), "I,3\n");
    let applied = run(home.path(), &["apply", "--json"]);
    assert!(applied.out.contains("\"inserted\":1"), "{applied:?}");

    std::fs::remove_file(home.path().join("staging/shop/items/LOAD00000001.csv")).expect("there");
    let refused = run(home.path(), &["rebuild", "shop.items", "--yes"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let reason = "1 of 1 objects of its full load are no longer staged";
    assert!(refused.err.contains(reason) && refused.err.contains("--accept-loss"), "{refused:?}");
}

#[test]
fn a_table_must_be_named() {
    let home = tempfile::tempdir().expect("a temporary folder");
    write(&home.path().join("dmslake.toml"), configuration());
    for command in ["pause", "resume", "rebuild", "restore", "truncate"] {
        assert_eq!(run(home.path(), &[command]).code, Some(2), "{command}");
        assert_eq!(run(home.path(), &[command, "shop.other"]).code, Some(2), "{command}");
    }
}
