//! `dmslake forget`: what it shows, asks, does and proves.

use serde_json::Value;

use super::{dmslake, run, said, write};

const CONFIGURATION: &str = "staging = \"staging\"\nlake = \"lake\"\n[[table]]\n\
                             source = \"shop.items\"\nkeys = [\"id\", \"line\"]\n\
                             columns = [{ name = \"id\", type = \"int\" }, \
                             { name = \"line\", type = \"int\" }, \
                             { name = \"note\", type = \"text\" }]\n";

#[test]
fn a_plan_is_shown_and_asked_for_and_carried_out() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let home = home.path();
    write(&home.join("dmslake.toml"), CONFIGURATION);
    std::fs::create_dir(home.join("staging")).expect("a folder");
    let none = run(home, &["forget", "shop.items", "id=1,line=2"]);
    assert!(none.code == Some(1) && none.err.contains("there is no table yet"), "{none:?}");
    write(&home.join("staging/shop/items/LOAD00000001.csv"), "1,1,a\n1,2,secret\n2,1,b\n");
    assert_eq!(run(home, &["apply"]).code, Some(0));
    let change = home.join("staging/shop/items/20240101-000000001.csv");
    write(&change, "U,1,2,secret too\nI,3,1,c\n");
    assert_eq!(run(home, &["apply"]).code, Some(0));

    let planned = run(home, &["forget", "shop.items", "id=1,line=2", "--dry-run"]);
    assert_eq!(planned.code, Some(0), "{planned:?}");
    for line in [
        "shop.items: 1 row of 1 key in version 2; 2 versions show such rows",
        "  files of the newest version                      1",
        "  files of older versions                          1",
        "out of reach:",
        "  - 2 staged objects with 2 changes of the keys: rebuild, replay and a release",
    ] {
        assert!(planned.out.lines().any(|it| it == line), "{line}: {}", planned.out);
    }
    let widest = planned.out.lines().filter(|line| line.split_whitespace().count() > 1);
    let widest = widest.map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{}", planned.out);
    let asked = run(home, &["forget", "shop.items", "id=1,line=2"]);
    assert!(asked.code == Some(1) && asked.err.contains("add --yes"), "{asked:?}");

    let done = run(home, &["forget", "shop.items", "line=2,id=1", "--yes", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let report: Value = serde_json::from_str(&done.out).expect("one line of JSON");
    assert_eq!((&report["schema"], &report["keys"]), (&"forget/1".into(), &1.into()), "{report}");
    assert_eq!(
        (&report["done"]["version"], &report["done"]["rows_deleted"]),
        (&3.into(), &1.into())
    );
    assert_eq!(report["proof"]["files_found"], 0, "{report}");
    let shown = run(home, &["show", "shop.items", "--version", "1", "--format", "csv"]);
    let mut lines: Vec<&str> = shown.out.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["1,1,a", "2,1,b", "id,line,note"], "{shown:?}");
    let again = run(home, &["forget", "shop.items", "id=1,line=2", "--yes"]);
    let nothing = "shop.items: 1 key: nothing was there to forget\n  opened and searched: ";
    assert!(again.code == Some(0) && again.out.starts_with(nothing), "{again:?}");
    assert!(again.out.contains("none holds a row of the keys\n"), "{again:?}");
    let planned = run(home, &["forget", "shop.items", "id=1,line=2"]);
    let nothing = "shop.items: no file of any version holds a row of 1 key\n";
    assert!(planned.code == Some(0) && planned.out.starts_with(nothing), "{planned:?}");

    let both = ["forget", "shop.items", "id=1,line=1", "id=9,line=9", "--yes"];
    let both = said(dmslake(home, &both).env("NO_COLOR", "1").output().expect("the binary starts"));
    assert_eq!(both.code, Some(0), "{both:?}");
    assert!(both.out.contains("shop.items: 2 keys: forgotten as version 4\n"), "{both:?}");
    assert!(both.out.contains("none holds a row of the keys\n"), "{both:?}");
    assert_eq!(run(home, &["apply"]).code, Some(0));
}

#[test]
fn a_key_must_be_given_and_be_one() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let home = home.path();
    write(&home.join("dmslake.toml"), CONFIGURATION);
    write(&home.join("staging/shop/items/LOAD00000001.csv"), "1,1,a\n");
    assert_eq!(run(home, &["apply"]).code, Some(0));
    for keys in [&[][..], &["1"], &["id=1"], &["id=one,line=1"]] {
        let refused = run(home, &[&["forget", "shop.items"], keys].concat());
        assert_eq!(refused.code, Some(2), "{keys:?}: {refused:?}");
    }
}
