//! What is wrong with tables themselves, and with what readers need of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Patient, TABLE, next};
use crate::support::other_writer::Shop;

#[test]
fn keys_that_another_writer_put_there_again_are_counted_and_gone_after_a_rebuild() {
    let patient = Patient::loaded("");
    let log = patient.path().join("lake/shop/items/_delta_log");
    let mut versions: Vec<_> =
        std::fs::read_dir(&log).unwrap().map(|it| it.unwrap().path()).collect();
    versions.retain(|path| path.extension().is_some_and(|it| it == "json"));
    versions.sort();
    // The other writer adds every live file once more, under another name.
    let mut live: BTreeMap<String, Value> = BTreeMap::new();
    for version in &versions {
        for line in std::fs::read_to_string(version).unwrap().lines() {
            let action: Value = serde_json::from_str(line).unwrap();
            if let Some(add) = action.get("add") {
                live.insert(add["path"].as_str().unwrap().to_owned(), add.clone());
            } else if let Some(remove) = action.get("remove") {
                live.remove(remove["path"].as_str().unwrap());
            }
        }
    }
    let mut lines =
        vec![json!({ "commitInfo": { "timestamp": 1, "operation": "WRITE" } }).to_string()];
    let table = patient.path().join("lake/shop/items");
    for (path, mut add) in live {
        let copy = format!("copy-{path}");
        std::fs::copy(table.join(&path), table.join(&copy)).unwrap();
        add["path"] = json!(copy);
        lines.push(json!({ "add": add }).to_string());
    }
    let commit = log.join(format!("{:020}.json", versions.len()));
    std::fs::write(commit, lines.join("\n")).unwrap();

    // Three keys were loaded, and each now stands in two rows.
    let counted = patient.shell("dmslake query 'SELECT count(*) AS n FROM items' --format csv");
    assert_eq!(String::from_utf8(counted.stdout).unwrap(), "n\n6\n");
    let found = patient.examined("");
    let only = found.only("keys", "problem", &["several rows have: 3, in 6 rows"]);
    assert_eq!(next(only), "dmslake rebuild shop.items");
    // A bound is told, and is not taken for fine; the command looks further.
    let bounded = patient.examined("--key-rows 5");
    let only_bounded = bounded.only("keys", "unknown", &["6 rows", "--key-rows is 5"]);
    let again = next(only_bounded).strip_prefix("dmslake doctor ").unwrap();
    patient.examined(again).only("keys", "problem", &["3, in 6 rows"]);

    patient.must(&format!("{} --yes", next(only)));
    patient.must("dmslake apply");
    assert!(patient.examined("").of("keys").is_empty());
}

#[test]
fn a_table_without_keys_has_none_twice() {
    let patient = Patient::with("");
    patient.configure("", &TABLE.replace("keys = [\"id\"]", "append_only = true"));
    patient.stage("shop/items/LOAD00000001.csv", "1,one\n1,one\n");
    patient.must("dmslake apply");
    assert_eq!(patient.examined("").severities("keys"), ["skipped"]);
}

#[test]
fn a_table_that_waits_for_somebody_is_told_with_what_lets_it_go_on() {
    let patient = Patient::loaded("");
    patient.must("dmslake pause shop.items --reason maintenance");
    let found = patient.examined("");
    let only = found.only("state", "warning", &["paused"]);
    patient.must(next(only));
    patient.examined("").is_healthy();
    // A late object holds it.
    patient.stage("shop/items/20260301-070000000.csv", "U,1,late\n");
    let found = patient.examined("");
    let only = found.only("state", "problem", &["held", "20260301-070000000.csv"]);
    patient.must(&format!("{} --yes", next(only)));
    patient.must("dmslake apply");
    patient.examined("").is_healthy();
}

/// A feature that no reader's documents tell of is not taken for known.
#[tokio::test]
async fn a_feature_of_others_is_named_with_those_of_whom_nothing_is_known() {
    let shop = Shop::new().await;
    shop.list_features(&["typeWidening"], &[]);
    let patient = Patient { folder: shop.folder, environment: Vec::new() };
    let root = patient.path().display().to_string();
    let text = format!("staging = '{root}/staging'\nlake = '{root}/lake'\n{TABLE}");
    std::fs::write(patient.path().join("dmslake.toml"), text).unwrap();
    let found = patient.examined("--readers duckdb,spark");
    let told = found.of("readers");
    let unknown: Vec<_> = told.iter().filter(|it| it.0 == "unknown").collect();
    let [(_, _, what)] = unknown[..] else { panic!("{told:?}") };
    assert!(what.contains("typeWidening") && what.ends_with("DuckDB (1.5)"), "{what}");
    // Athena and Snowflake read no disk, and nobody asked for them.
    assert_eq!(told.len(), 1, "{told:?}");
}
