//! `dmslake plan` and `dmslake apply --dry-run`.

use serde_json::Value;

use super::looking::shop;
use super::{dmslake, run, said, write};
use crate::support::moto::{BUCKET, Moto};

#[test]
fn a_plan_tells_what_applying_does_and_changes_nothing() {
    let home = shop();
    let idle = run(home.path(), &["plan"]);
    assert_eq!((idle.code, idle.out.as_str()), (Some(0), "shop.items: nothing to do\n"));
    write(
        &home.path().join("staging/shop/items/20260301-081700000.csv"),
        "I,2026-03-01 08:16:01.000000,4,vier\nU,2026-03-01 08:16:02.000000,2,zwei\n",
    );
    let planned = run(home.path(), &["plan"]);
    assert_eq!(planned.code, Some(0), "{planned:?}");
    for told in ["would be applied", "1 object of", "2 rows: 1 inserted, 1 updated", "USD"] {
        assert!(planned.out.contains(told), "{planned:?}");
    }
    assert!(planned.out.lines().all(|line| line.chars().count() <= 80), "{planned:?}");
    let dry = run(home.path(), &["apply", "--dry-run", "--json"]);
    let told: Value = serde_json::from_str(&dry.out).expect("a line of JSON");
    assert_eq!(
        (dry.code, &told["schema"], &told["outcome"]),
        (Some(0), &"plan/1".into(), &"applies".into())
    );
    let log = |said: &super::Said| said.out.clone();
    let before = run(home.path(), &["history", "shop.items", "--json"]);
    assert_eq!(before.out.lines().count() as u64, told["version"].as_u64().expect("a version") + 1);
    let applied = run(home.path(), &["apply", "-v", "--json"]);
    let report: Value =
        serde_json::from_str(applied.out.lines().next().expect("a report")).unwrap();
    for name in ["rows", "inserted", "updated", "deleted"] {
        assert_eq!(told["changes"][name], report[name], "{name}");
    }
    // The log of the run has what was foreseen beside what it came to.
    let number = |name: &str| -> f64 {
        let behind = applied.err.split(&format!("{name}=")).nth(1).expect("it is told");
        let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a number")
    };
    let (foreseen, written) = (number("bytes_foreseen"), number("bytes_written"));
    assert!((foreseen - written).abs() < 0.3 * written, "{foreseen} {written}");
    assert_ne!(log(&run(home.path(), &["history", "shop.items", "--json"])), log(&before));
}

#[test]
fn what_is_staged_for_no_table_is_told() {
    let home = shop();
    write(&home.path().join("staging/shop/orders/LOAD00000001.csv"), "1,one\n");
    let all = run(home.path(), &["plan"]);
    let told = "shop.items: nothing to do\nstaged, but in no [[table]]: shop.orders\n";
    assert_eq!((all.code, all.out.as_str()), (Some(0), told));
    let one = run(home.path(), &["plan", "shop.items"]);
    assert_eq!((one.code, one.out.as_str()), (Some(0), "shop.items: nothing to do\n"));
    let dry = run(home.path(), &["apply", "--dry-run"]);
    assert_eq!((dry.code, dry.out.as_str()), (Some(0), told));
}

#[test]
fn what_would_hold_a_table_is_told_with_its_remedy() {
    let home = shop();
    write(
        &home.path().join("staging/shop/items/20260301-081700000.csv"),
        "I,2026-03-01 08:16:01.000000,many,vier\n",
    );
    let planned = run(home.path(), &["plan"]);
    assert_eq!(planned.code, Some(1), "{planned:?}");
    assert!(planned.out.starts_with("shop.items: would be held\n"), "{planned:?}");
    assert!(planned.out.contains("20260301-081700000.csv"), "{planned:?}");
    let status = run(home.path(), &["status", "--json"]);
    let status: Value = serde_json::from_str(&status.out).expect("a line of JSON");
    assert_eq!(status["state"], "behind", "the plan left nothing behind");
    let both = run(home.path(), &["apply", "--dry-run", "--jobs", "2"]);
    assert_eq!(both.code, Some(2), "{both:?}");
}

#[test]
fn a_temporary_folder_that_cannot_be_written_is_told() {
    let home = shop();
    let mut command = dmslake(home.path(), &["plan"]);
    let said = said(command.env("TMPDIR", "/dev/null").output().expect("it starts"));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("set TMPDIR to a folder with room"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_s3_a_plan_has_the_requests_of_the_application_and_writes_nothing() {
    let Some(moto) = Moto::start() else { return };
    let home = tempfile::tempdir().expect("a folder");
    let settings = format!(
        "staging = \"s3://{BUCKET}/dms\"\nlake = \"s3://{BUCKET}/tables\"\n\n[[table]]\n\
         source = \"shop.items\"\nkeys = [\"id\"]\ncolumns = [\n  \
         {{ name = \"id\", type = \"int\" }},\n  {{ name = \"name\", type = \"text\" }},\n]\n"
    );
    write(&home.path().join("dmslake.toml"), settings);
    let told = |arguments: &[&str]| -> Value {
        let mut command = dmslake(home.path(), arguments);
        let said = said(command.envs(moto.environment()).output().expect("it starts"));
        // A table that is behind or not there is no failure here.
        assert!(matches!(said.code, Some(0 | 1)), "{arguments:?}: {said:?}");
        let line = said.out.lines().next().expect("a line");
        serde_json::from_str(line).expect("JSON")
    };
    for (name, content) in [
        ("LOAD00000001.csv", "1,a\n2,b\n"),
        ("20260301-080000000.csv", "U,1,A\nI,3,c\nD,2,b\n"),
        ("20260301-080100000.csv", "U,3,C\n"),
    ] {
        moto.put(&format!("dms/shop/items/{name}"), content.to_owned()).await;
        let planned = told(&["plan", "--json"]);
        assert_eq!(planned["outcome"], "applies", "{planned}");
        let absent = told(&["status", "--json"]);
        assert_eq!(absent["version"], planned["version"], "the plan wrote nothing: {absent}");
        let applied = told(&["apply", "--json"]);
        assert_eq!(planned["changes"]["rows"], applied["rows"], "{planned} {applied}");
        for kind in ["put", "list", "delete"] {
            let [foreseen, done] = [&planned, &applied].map(|it| &it["requests"][kind]);
            assert_eq!(foreseen, done, "{kind}: {planned} {applied}");
        }
    }
}
