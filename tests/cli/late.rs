//! `dmslake late`: late objects are shown, applied or given up.

use super::{run, write};

const LATE: &str = "20240101-000000001.csv";

/// A table that is held by a late object of two changes.
fn held() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a temporary folder");
    let configuration = "staging = \"staging\"\nlake = \"lake\"\n[[table]]\nsource = \"shop.items\"\n\
                         keys = [\"id\"]\ncolumns = [{ name = \"id\", type = \"int\" }]\n";
    write(&home.path().join("dmslake.toml"), configuration);
    let staging = home.path().join("staging/shop/items");
    write(&staging.join("LOAD00000001.csv"), "1\n");
    write(&staging.join("20240101-000000002.csv"), "I,2\n");
    let none = run(home.path(), &["late"]);
    assert_eq!((none.code, none.err.as_str()), (Some(0), "shop.items: no late object\n"));
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));
    write(&staging.join(LATE), "I,3\nD,1\n");
    assert_eq!(run(home.path(), &["apply"]).code, Some(1));
    let shown = run(home.path(), &["late", "shop.items"]);
    let expected = format!("shop.items: {LATE}, 8 bytes, staged 20");
    assert_eq!(shown.code, Some(1), "{shown:?}");
    assert!(shown.out.starts_with(&expected), "{shown:?}");
    home
}

#[test]
fn a_late_object_is_applied_where_somebody_says_yes() {
    let home = held();
    let asked = run(home.path(), &["late", "apply", "shop.items", LATE]);
    assert_eq!(asked.code, Some(1), "{asked:?}");
    let means = format!("shop.items: 2 changes of {LATE} are applied over what is stored");
    assert!(asked.out.starts_with(&means) && asked.err.contains("add --yes"), "{asked:?}");
    let applied = run(home.path(), &["late", "apply", "shop.items", LATE, "--yes"]);
    assert_eq!(applied.code, Some(0), "{applied:?}");
    assert!(applied.out.contains(&format!("{LATE} is applied; version 3\n")), "{applied:?}");
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));
}

#[test]
fn what_a_late_object_would_have_done_is_given_up() {
    let home = held();
    let discarded = run(home.path(), &["late", "discard", "shop.items", LATE, "--yes"]);
    assert_eq!(discarded.code, Some(0), "{discarded:?}");
    let [means, done] = discarded.out.lines().collect::<Vec<_>>()[..] else {
        panic!("{discarded:?}")
    };
    assert!(means.starts_with(&format!("shop.items: 2 changes of {LATE} are lost")), "{means}");
    assert_eq!(done, format!("shop.items: {LATE} is discarded"));
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));
    assert_eq!(run(home.path(), &["late"]).code, Some(0));
}

#[test]
fn an_object_must_be_late_to_be_decided_about() {
    let home = held();
    for (object, command) in [("20240101-000000002.csv", "apply"), ("other.csv", "discard")] {
        let refused = run(home.path(), &["late", command, "shop.items", object, "--yes"]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.err.contains(&format!("late: {LATE}")), "{refused:?}");
    }
    for arguments in [&["late", "apply", "shop.items"][..], &["late", "apply", "x", LATE]] {
        assert_eq!(run(home.path(), arguments).code, Some(2), "{arguments:?}");
    }
}
