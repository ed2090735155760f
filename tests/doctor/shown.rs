//! What a person sees, of a healthy lake and of one that is not.

use serde_json::Value;

use super::Patient;

#[test]
fn of_a_healthy_lake_nothing_is_to_be_mended_and_all_that_was_checked_is_named() {
    let patient = Patient::loaded("");
    let found = patient.examined("--write-probe --yes");
    found.is_healthy();
    assert_eq!(found.severities("conditional-put"), ["ok"]);
    assert_eq!(found.severities("keys"), ["ok"]);
    assert_eq!(found.severities("readers"), ["ok"]);
    assert_eq!(found.severities("decoding"), ["ok"]);
    assert!(!found.findings.iter().any(|it| it["severity"] == "unknown"), "{found:#?}");
    // The rows of the objects, and of the table, as they were staged; the protocol as in the log.
    let log = patient.path().join("lake/shop/items/_delta_log/00000000000000000000.json");
    let log = std::fs::read_to_string(log).unwrap();
    let mut actions = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let protocol = actions.find_map(|it| it.get("protocol").cloned()).unwrap();
    let (reader, writer) = (&protocol["minReaderVersion"], &protocol["minWriterVersion"]);
    for what in [
        "LOAD00000001.csv (3), 20260301-080600000.csv (1)".to_owned(),
        "each key is there once in 3 rows".to_owned(),
        format!("reader {reader}, writer {writer}: "),
    ] {
        let is_it = |it: &Value| it["what"].as_str().unwrap().contains(&what);
        assert!(found.findings.iter().any(is_it), "{what}: {found:#?}");
    }
    // The only write is undone.
    let left = patient.path().join("lake/_dmslake/doctor");
    let left = left.exists().then(|| std::fs::read_dir(left).unwrap().count());
    assert!(left.is_none_or(|objects| objects == 0));

    // Without it the store was not tried, which is told and not passed over.
    let found = patient.examined("");
    found.is_healthy();
    let untried = found.only("conditional-put", "unknown", &["not tried"]);
    assert_eq!(super::next(untried), "dmslake doctor --write-probe");
    // Nobody can be asked here, so nothing is written.
    let found = patient.examined("--write-probe");
    assert_eq!(found.severities("conditional-put"), ["unknown"]);
}

#[test]
fn people_read_the_worst_first_in_eighty_columns_then_what_is_fine_and_totals() {
    let patient = Patient::loaded("");
    patient.stage("shop/Items/LOAD00000001.csv", "1,one\n");
    patient.stage("shop/items/20260301-090000000.csv", "I,not a number,x\n");
    let output = patient.shell("dmslake doctor");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.starts_with("problem: "), "{text}");
    let is_command = |line: &str| line.trim_start().starts_with("next");
    for line in text.lines().filter(|line| !is_command(line)) {
        let is_path = line.split_whitespace().count() < 3;
        assert!(line.chars().count() <= 80 || is_path, "{line}");
    }
    let order = [
        "problem: tables",
        "problem: decoding",
        "not checked: conditional-put",
        "note: state",
        "does not apply",
        "checked, and fine",
    ];
    let places: Vec<usize> =
        order.iter().map(|it| text.find(it).unwrap_or_else(|| panic!("{it}: {text}"))).collect();
    assert!(places.is_sorted(), "{places:?}: {text}");
    // The totals count what the lines of JSON are.
    let findings = patient.examined("").findings;
    let number = |severity: &str| findings.iter().filter(|it| it["severity"] == severity).count();
    let totals = format!("findings: {} problems, ", number("problem"));
    let last = text.lines().last().unwrap();
    assert!(last.starts_with(&totals), "{totals}: {last}");
    assert!(last.ends_with(&format!(", {} fine", number("ok"))), "{last}");
    assert!(!text.contains('\u{1b}') && !text.contains("not a number"), "{text}");
}

#[test]
fn what_is_said_of_many_tables_alike_is_said_once() {
    let patient = Patient::with("");
    let table = |name: &str| {
        format!(
            "[[table]]\nsource = \"shop.{name}\"\nkeys = [\"id\"]\ncolumns = [{{ name = \"id\", type = \"int\" }}]\n"
        )
    };
    let names = ["apples", "pears", "plums"];
    patient.configure("", &names.map(table).concat());
    for name in names {
        patient.stage(&format!("shop/{name}/LOAD00000001.csv"), "1\n2\n");
    }
    let said = |arguments: &str| {
        let output = patient.shell(&format!("dmslake doctor {arguments}"));
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let before = said("");
    assert_eq!(before.matches("note: state").count(), 1, "{before}");
    assert!(before.contains("of shop.apples, shop.pears, shop.plums"), "{before}");
    assert!(before.contains("next, for each: dmslake apply --table TABLE"), "{before}");
    patient.must("dmslake apply");
    let after = said("");
    assert!(after.contains("3 tables: each key is there once in 2 rows"), "{after}");
    // One by one with --all, and one alone by its name.
    assert!(said("--all").contains("shop.apples, shop.pears, shop.plums: each key"), "{after}");
    let one = said("shop.pears");
    assert!(one.contains("shop.pears: each key is there once in 2 rows"), "{one}");
    assert!(!one.contains("apples"), "{one}");
}

#[test]
fn a_folder_that_is_not_there_is_a_finding_and_not_an_end() {
    let patient = Patient::with("");
    std::fs::remove_dir(patient.path().join("staging")).unwrap();
    let found = patient.examined("");
    let only = found.only("staging", "problem", &["the staging folder does not exist"]);
    assert!(only["remedy"].as_str().unwrap().contains("set staging to the folder"), "{only}");
    assert_eq!(found.severities("tables"), ["unknown"]);
    // A configuration that is none is bad usage, as everywhere.
    patient.configure("nonsense = 1", "");
    assert_eq!(patient.shell("dmslake doctor").status.code(), Some(2));
}
