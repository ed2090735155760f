//! Bad usage and a bad configuration end with exit code 2, and standard error says what is wrong.

use std::path::Path;

use super::{read, run, write};

const CONFIGURATION: &str = "\
staging = \"staging\"
lake = \"lake\"

[[table]]
source = \"shop.orders\"
keys = [\"id\"]

[[table]]
source = \"shop.customers\"
keys = [\"id\"]
";

#[test]
fn help_is_a_result_and_bad_usage_is_not() {
    let home = tempfile::tempdir().expect("a temporary folder");
    for arguments in [
        &["--help"][..],
        &["help"],
        &["help", "apply"],
        &["apply", "--help"],
        &["init", "-h"],
        &["--version"],
    ] {
        let help = run(home.path(), arguments);
        assert_eq!(help.code, Some(0), "{help:?}");
        assert!(!help.out.is_empty() && help.err.is_empty(), "{help:?}");
    }
    for arguments in [&[][..], &["apply", "--tables"], &["init", "--lake", "x"], &["fly"]] {
        let refused = run(home.path(), arguments);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.out.is_empty() && !refused.err.is_empty(), "{refused:?}");
    }
}

#[test]
fn the_version_is_short_or_names_commit_and_build() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let short = run(home.path(), &["-V"]);
    assert_eq!(short.out, format!("dmslake {}\n", env!("CARGO_PKG_VERSION")), "{short:?}");

    let long = run(home.path(), &["--version"]);
    let mut lines = long.out.lines();
    assert_eq!(lines.next(), short.out.lines().next(), "{long:?}");
    let facts: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(": ")).collect();
    let [("commit", commit), ("profile", profile), ("target", target), ("compiler", compiler)] =
        facts[..]
    else {
        panic!("other facts: {long:?}")
    };
    assert!(!profile.is_empty() && target.contains(std::env::consts::OS), "{long:?}");
    assert!(compiler.starts_with("rustc 1."), "{long:?}");
    if commit == "unknown" {
        return; // built outside a checkout
    }
    let id = commit.strip_suffix("-dirty").unwrap_or(commit);
    assert!(id.len() >= 12 && id.bytes().all(|sign| sign.is_ascii_hexdigit()), "{long:?}");
}

#[test]
fn a_configuration_that_is_missing_or_wrong_is_bad_usage() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let missing = run(home.path(), &["apply"]);
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert!(missing.err.contains("dmslake.toml") && missing.err.contains("dmslake init"));

    let wrong = CONFIGURATION.replace("keys", "kees").replace("lake =", "sea =");
    write(&home.path().join("dmslake.toml"), wrong);
    let refused = run(home.path(), &["apply", "--json"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    for field in ["sea", "lake", "kees"] {
        assert!(refused.err.contains(field), "all at once: {refused:?}");
    }
    assert!(refused.out.is_empty(), "{refused:?}");
}

#[test]
fn an_unknown_table_is_refused_and_the_known_ones_are_named() {
    let home = tempfile::tempdir().expect("a temporary folder");
    write(&home.path().join("dmslake.toml"), CONFIGURATION);
    let arguments = ["apply", "--table", "shop.orders", "--table", "shop.order"];
    let refused = run(home.path(), &arguments);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("--table: shop.order,"), "{refused:?}");
    assert!(refused.err.contains("configured: shop.orders, shop.customers"), "{refused:?}");
    assert!(refused.out.is_empty() && !home.path().join("lake").exists(), "{refused:?}");
}

#[test]
fn help_prints_every_page_of_the_guide_and_lists_them() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide");
    let files = std::fs::read_dir(guide).expect("the guide").map(|entry| entry.unwrap().path());
    let pages: Vec<_> = files.filter(|file| file.extension() == Some("md".as_ref())).collect();
    assert_eq!(pages.len(), 9, "{pages:?}");
    let listed = run(home.path(), &["help"]);
    for page in pages {
        let topic = page.file_stem().and_then(|name| name.to_str()).expect("a name");
        let printed = run(home.path(), &["help", topic]);
        assert_eq!((printed.code, printed.err.as_str()), (Some(0), ""), "{topic}");
        assert_eq!(printed.out, read(&page), "{topic}");
        assert!(listed.out.contains(topic), "{topic}: {}", listed.out);
    }
    for (name, meant) in
        [("operation", "operations"), ("config", "configuration"), ("aply", "apply")]
    {
        let refused = run(home.path(), &["help", name]);
        assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{refused:?}");
        assert!(refused.err.contains(&format!("did you mean {meant}?")), "{refused:?}");
    }
    let refused = run(home.path(), &["help", "weather"]);
    assert!(!refused.err.contains("did you mean"), "{refused:?}");
    assert!(refused.err.contains("merging, readers"), "{refused:?}");
}
