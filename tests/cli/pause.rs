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
fn a_table_must_be_named() {
    let home = tempfile::tempdir().expect("a temporary folder");
    write(&home.path().join("dmslake.toml"), configuration());
    for command in ["pause", "resume"] {
        assert_eq!(run(home.path(), &[command]).code, Some(2), "{command}");
        assert_eq!(run(home.path(), &[command, "shop.other"]).code, Some(2), "{command}");
    }
}
