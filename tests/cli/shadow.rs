//! Applying into another place, to try it beside a lake that is there.

use std::collections::BTreeMap;
use std::path::Path;

use super::{read, run, write};

const SHADOW: [&str; 2] = ["--shadow", "shadow"];

/// The bytes of every file below a folder.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.insert(path.display().to_string(), std::fs::read(&path).expect("readable"));
        }
    }
    found
}

#[test]
fn a_shadow_is_a_lake_of_its_own_until_it_is_made_the_lake() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let home = home.path();
    assert_eq!(run(home, &["demo", "--dir", "."]).code, Some(0));
    let before = contents(&home.join("lake"));
    let with = |arguments: &[&str]| run(home, &[arguments, &SHADOW].concat());

    let done = with(&["apply", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.out.contains("\"table\":\"shop.orders\",\"status\":\"ok\""), "{done:?}");
    assert_eq!(contents(&home.join("lake")), before, "nothing is written into the lake");
    for table in ["shop.customers", "shop.orders", "shop.order_items"] {
        let done = with(&["verify", table]);
        assert_eq!(done.code, Some(0), "{done:?}");
        let shown = |done: super::Said| done.out.lines().map(str::to_owned).collect::<Vec<_>>();
        let rows = ["show", table, "--format", "csv", "--limit", "100000"];
        let (mut own, mut lake) = (shown(with(&rows)), shown(run(home, &rows)));
        own.sort_unstable();
        lake.sort_unstable();
        assert!(own.len() > 1, "{own:?}");
        assert_eq!(own, lake, "{table}");
    }

    // The switch: nothing is to be applied again.
    let configuration = home.join("dmslake.toml");
    let text = read(&configuration).replace("lake = \"lake\"", "lake = \"shadow\"");
    write(&configuration, text);
    let done = run(home, &["apply", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!done.out.contains("\"commits\":1"), "{done:?}");
}

#[test]
fn a_shadow_is_beside_lake_and_staging() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let text = "staging = \"staging\"\nlake = \"s3://lake/tables\"\n[[table]]\n\
                source = \"shop.orders\"\nkeys = [\"id\"]\n";
    write(&home.path().join("dmslake.toml"), text);
    for shadow in ["s3://lake/tables/", "s3://lake/tables/try", "s3://lake", "./staging/try"] {
        let done = run(home.path(), &["apply", "--shadow", shadow]);
        assert_eq!(done.code, Some(2), "{done:?}");
        assert!(done.err.contains("the shadow is in the place of another; name one beside it"));
    }
}
