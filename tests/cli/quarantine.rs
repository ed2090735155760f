//! `dmslake quarantine`: rows are listed, shown, released and given up.

use serde_json::Value;

use super::{run, write};

const CHANGES: &str = "20240101-000000002.csv";

fn configuration(nullable: bool) -> String {
    format!(
        "staging = \"staging\"\nlake = \"lake\"\n[[table]]\nsource = \"shop.items\"\n\
         keys = [\"id\"]\non_bad_row = \"quarantine\"\ncolumns = [\
         {{ name = \"id\", type = \"int\" }}, {{ name = \"n\", type = \"int\", nullable = {nullable} }}]\n"
    )
}

/// A table of which three rows wait.
fn waiting() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a temporary folder");
    write(&home.path().join("dmslake.toml"), configuration(false));
    let staging = home.path().join("staging/shop/items");
    write(&staging.join("LOAD00000001.csv"), "1,1\n2,NULL\n3,zq\n");
    write(&staging.join(CHANGES), "U,2,5\nI,4,NULL\n");
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));
    home
}

#[test]
fn rows_are_listed_and_shown() {
    let home = waiting();
    let listed = run(home.path(), &["quarantine", "list"]);
    assert_eq!(listed.code, Some(1), "{listed:?}");
    let lines: Vec<&str> = listed.out.lines().collect();
    assert!(
        lines[0].starts_with("shop.items: 3 rows wait, of 2 objects, set aside "),
        "{listed:?}"
    );
    assert!(lines[1].starts_with("  2 n: NULL in a column"), "{listed:?}");
    assert!(lines[2].starts_with("  1 n: "), "{listed:?}");
    let json = run(home.path(), &["quarantine", "list", "--json"]);
    let line: Value = serde_json::from_str(&json.out).expect("a line of JSON");
    assert_eq!(line["schema"], "quarantine/1");
    assert_eq!((&line["waiting"], &line["uncounted"]), (&Value::from(3), &Value::from(0)));
    assert_eq!(line["reasons"][0]["rows"], 2);
    let shown =
        run(home.path(), &["quarantine", "show", "shop.items", "--json", "--object", CHANGES]);
    let line: Value = serde_json::from_str(&shown.out).expect("a line of JSON");
    assert_eq!(line["schema"], "quarantined-row/1");
    assert_eq!((&line["row"], &line["content"]), (&Value::from(2), &Value::from("I,4,NULL")));
    assert_eq!(line["counts"], true);
    let shown = run(home.path(), &["quarantine", "show", "shop.items", "--limit", "1"]);
    assert!(shown.out.contains("LOAD00000001.csv row 2\n  n: NULL"), "{shown:?}");
    assert!(shown.err.contains("2 rows more: see --limit"), "{shown:?}");
}

#[test]
fn rows_are_released_where_somebody_says_yes_and_discarded() {
    let home = waiting();
    let all = ["quarantine", "release", "shop.items", "--all"];
    let refused = run(home.path(), &all);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.out.contains("row 2 of LOAD00000001.csv goes on waiting: n: NULL"),
        "{refused:?}"
    );
    write(&home.path().join("dmslake.toml"), configuration(true));
    let planned = run(home.path(), &[&all[..], &["--dry-run"]].concat());
    let plan = "shop.items: of 3 rows, 1 would be applied and 1 would change nothing";
    assert!(planned.out.starts_with(plan), "{planned:?}");
    let asked = run(home.path(), &all);
    assert!(asked.code == Some(1) && asked.err.contains("add --yes"), "{asked:?}");
    let released = run(home.path(), &[&all[..], &["--yes"]].concat());
    assert_eq!(released.code, Some(1), "one of them waits: {released:?}");
    let done = "shop.items: 2 rows released: 1 inserted, 0 updated, 0 deleted, 1 superseded";
    assert!(released.out.contains(done), "{released:?}");
    assert!(released.out.contains("1 row in quarantine"), "{released:?}");
    let one = ["--object", "LOAD00000001.csv", "--row", "3", "--yes"];
    let release = ["quarantine", "release", "shop.items", "--set", "n=8"];
    let repaired = run(home.path(), &[&release[..], &one].concat());
    assert_eq!(repaired.code, Some(0), "{repaired:?}");
    let shown = run(home.path(), &["show", "shop.items", "--json"]);
    let mut rows: Vec<&str> = shown.out.lines().collect();
    rows.sort_unstable();
    assert_eq!(
        rows,
        ["{\"id\":1,\"n\":1}", "{\"id\":2,\"n\":5}", "{\"id\":3,\"n\":8}", "{\"id\":4}"]
    );
    let listed = run(home.path(), &["quarantine", "list"]);
    assert_eq!((listed.code, &*listed.out), (Some(0), "shop.items: no row in quarantine\n"));

    let home = waiting();
    let discard = ["quarantine", "discard", "shop.items", "--object", CHANGES, "--yes"];
    let discarded = run(home.path(), &discard);
    assert_eq!(discarded.code, Some(0), "{discarded:?}");
    assert!(discarded.out.ends_with("shop.items: 1 row discarded\n"), "{discarded:?}");
    assert_eq!(run(home.path(), &discard).code, Some(1), "there is none any more");
    assert_eq!(run(home.path(), &discard[..3]).code, Some(2), "which rows must be said");
}
