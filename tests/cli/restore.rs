//! `dmslake restore`: what it shows, refuses and does.

use super::{run, write};

const CONFIGURATION: &str = "staging = \"staging\"\nlake = \"lake\"\n[[table]]\n\
                             source = \"shop.items\"\nkeys = [\"id\"]\n\
                             columns = [{ name = \"id\", type = \"int\" }]\n";

#[test]
fn a_table_goes_back_and_on_again() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let home = home.path();
    write(&home.join("dmslake.toml"), CONFIGURATION);
    std::fs::create_dir(home.join("staging")).expect("a folder");
    let none = run(home, &["restore", "shop.items", "--version", "0", "--yes"]);
    assert_eq!(none.code, Some(1), "{none:?}");
    assert!(none.err.contains("dmslake apply --table shop.items"), "{none:?}");
    write(&home.join("staging/shop/items/LOAD00000001.csv"), "1\n2\n");
    assert_eq!(run(home, &["apply"]).code, Some(0));
    let change = home.join("staging/shop/items/20240101-000000001.csv");
    write(&change, "D,1\nI,3\nI,4\n");
    assert_eq!(run(home, &["apply"]).code, Some(0));

    let planned = run(home, &["restore", "shop.items", "--version", "1", "--dry-run"]);
    let (what, follows) = (
        "shop.items: 3 rows are replaced by the 2 rows of version 1 (",
        "1 object of 12 bytes are then applied again",
    );
    assert_eq!(planned.code, Some(0), "{planned:?}");
    assert!(planned.out.contains(what) && planned.out.contains(follows), "{planned:?}");
    // Nobody can be asked.
    let asked = run(home, &["restore", "shop.items", "--version", "1"]);
    assert_eq!(asked.code, Some(1), "{asked:?}");
    assert!(asked.err.contains("add --yes"), "{asked:?}");
    let restored = run(home, &["restore", "shop.items", "--version", "1", "--yes"]);
    assert_eq!(restored.code, Some(0), "{restored:?}");
    let done = "shop.items: restored as version 3; the next apply goes on from there\n";
    assert!(restored.out.ends_with(done), "{restored:?}");
    assert_eq!(run(home, &["apply"]).code, Some(0));

    let paused = run(home, &["restore", "shop.items", "--version", "1", "--yes", "--pause"]);
    assert!(paused.out.contains("paused: dmslake resume shop.items"), "{paused:?}");
    let held = run(home, &["apply"]);
    assert_eq!(held.code, Some(1), "{held:?}");
    assert!(held.out.contains("restored to 1"), "{held:?}");
    assert_eq!(run(home, &["resume", "shop.items"]).code, Some(0));
    assert_eq!(run(home, &["apply"]).code, Some(0));

    std::fs::remove_file(change).expect("there");
    let refused = run(home, &["restore", "shop.items", "--version", "1", "--yes"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for words in ["20240101-000000001.csv", "dmslake restore shop.items --version 1 --accept-loss"]
    {
        assert!(refused.err.contains(words), "{refused:?}");
    }
    let dry = run(home, &["restore", "shop.items", "--version", "1", "--dry-run"]);
    assert!(dry.code == Some(1) && dry.out.contains("lost: 1 of the objects"), "{dry:?}");
    let time = run(home, &["restore", "shop.items", "--at", "2999-01-01T00:00:00Z", "--yes"]);
    assert!(time.err.contains("has not changed since"), "{time:?}");
    let lost = run(home, &["restore", "shop.items", "--version", "1", "--yes", "--accept-loss"]);
    assert_eq!(lost.code, Some(0), "{lost:?}");
    assert_eq!(run(home, &["apply"]).code, Some(0));
}

#[test]
fn a_version_or_a_time_must_be_given() {
    let home = tempfile::tempdir().expect("a temporary folder");
    write(&home.path().join("dmslake.toml"), CONFIGURATION);
    for to in [&["--at", "yesterday"][..], &["--version", "-1"], &[]] {
        let refused = run(home.path(), &[&["restore", "shop.items"], to].concat());
        assert_eq!(refused.code, Some(2), "{to:?}: {refused:?}");
    }
}
